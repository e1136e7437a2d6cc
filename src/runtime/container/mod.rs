//! One attempt of one container: made, started, watched, signalled, removed. Knows OCI configs, never pods.
//!
//! libcontainer changes the process that calls it, so a short-lived helper calls it ([`helper_main_if_asked`]); the
//! container's init becomes a child of the process that began the [`Creation`]. Nothing here waits: each step has a
//! descriptor to poll and a call that says how far it is. [`Creation`] → [`Container`] → [`Removal`].

mod asked;
mod attempt;
mod binds;
mod causes;
mod creation;
mod early_hooks;
mod executor;
mod explain;
mod failure;
mod file_systems;
mod helper;
mod hook;
mod images;
mod oci_hooks;
mod options;
mod overlay;
mod places;
mod removal;
mod rootfs;
mod running;
mod start;
mod stdio;
mod trees;
mod upper;
mod users;
mod working_directory;

pub use crate::runtime::spawn::{ExitStatus, reap_ended, set_helper_exe};
pub use asked::refused_mount;
pub use attempt::AttemptDirs;
pub use creation::{Creation, Progress};
pub use failure::{ContainerError, Failure, Stage, StartFailure};
pub use removal::{Removal, RemovalError};
pub use running::Container;
pub use stdio::Ends;

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    let Some(name) = std::env::args_os().next() else { return };
    if name == helper::NAME {
        helper::run()
    } else if name == removal::NAME {
        removal::run()
    } else if name == oci_hooks::NAME {
        oci_hooks::run()
    } else if name == early_hooks::NAME {
        early_hooks::run_wrapped()
    } else if name == crate::runtime::sandbox::PAUSE {
        crate::runtime::sandbox::run_pause()
    } else if name == crate::runtime::sandbox::PAUSE_OF_USERS {
        crate::runtime::sandbox::run_pause_of_users()
    }
}
