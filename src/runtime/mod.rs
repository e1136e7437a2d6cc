//! The system calls that a pod needs. Each submodule does what it is told and reports what it saw. None decides, and none
//! knows the engine, the manifest or the store.
//!
//! Start reading at [`sandbox`] (what a pod's containers share) and [`container`] (one attempt of one container). Most
//! submodules build on `cgroup` and `spawn`.

pub mod backtrace;
mod capabilities;
pub mod cgroup;
mod clone;
pub mod container;
pub mod detach;
pub mod exec;
mod files;
pub mod handler;
pub mod image;
mod keyring;
pub mod limits;
mod lsm;
pub mod memory;
mod mount;
pub mod network;
pub mod node;
pub mod process;
pub mod program;
pub mod rootless;
pub mod sandbox;
pub mod seccomp;
pub mod signals;
mod spawn;
pub mod sweep;
pub(crate) mod tree;
pub mod usage;
pub mod volume;

/// To be called first thing in `main`: in a helper, which is this same binary under another `argv[0]`, it does the
/// helper's work and doesn't return.
pub fn helper_main_if_asked() {
    container::helper_main_if_asked();
    exec::helper_main_if_asked();
    handler::helper_main_if_asked();
    image::helper_main_if_asked();
    tree::helper_main_if_asked();
    usage::helper_main_if_asked();
    volume::helper_main_if_asked();
}
