//! What is known before anything is planned, and comes in as values.

pub(crate) mod node;
