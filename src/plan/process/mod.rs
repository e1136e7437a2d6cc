//! What runs in a container: its command, its variables, and what its probes and hooks do.

pub(crate) mod command;
pub(crate) mod downward;
pub(crate) mod env;
pub(crate) mod env_file;
pub(crate) mod expansion;
pub(crate) mod handler;
pub(crate) mod outcome;
pub(crate) mod url;
