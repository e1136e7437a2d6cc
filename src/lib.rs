//! barepod runs one Kubernetes Pod on a bare Linux box.
pub mod cli;
pub mod control;
pub mod log;
pub mod manifest;
pub mod plan;
pub mod report;
pub mod runtime;
pub mod simulate;
#[cfg(test)]
#[path = "../tests/skips/mod.rs"]
mod skips;
pub mod store;
pub mod supervisor;
#[cfg(test)]
mod type_walk;
