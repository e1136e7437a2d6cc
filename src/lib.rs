//! barepod runs one Kubernetes Pod on a bare Linux box.
//!
//! [`manifest`] turns text into a checked Pod. [`plan`] turns the Pod into what must be made. The engine, a crate of its own,
//! decides what happens next. [`supervisor`] carries out what the engine decides, [`runtime`] makes the system calls, [`store`]
//! and [`log`] write to disk, [`report`] shows the result, [`cli`] has the commands, and [`control`] lets them talk to a running
//! pod. [`simulate`] runs the engine in virtual time. [`images`] brings OCI images into the box's store.
//!
//! ARCHITECTURE.md says which module may use which, and where a change goes.
pub mod cli;
pub mod control;
pub mod images;
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

// ureq, rustls and netlink-packet-route log by it, to nobody: a feature of it (Cargo.toml) leaves their words out of the release
// binary.
use ::log as _;
