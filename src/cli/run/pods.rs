//! What `run` can do with pods, for what begins several, or has a Job make them.

use super::super::args::RunArgs;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::Given;
use crate::runtime::detach::Report;

/// Each is `run`'s own.
pub(super) struct Pods<'a> {
    /// Says what can be seen to be wrong with them before any is begun.
    pub(super) check: &'a dyn Fn(&[&Given]) -> Result<(), CliError>,
    /// Runs one in this process, which was made for it.
    pub(super) run: &'a dyn Fn(&RunArgs, Given, Report) -> Result<Exit, CliError>,
}
