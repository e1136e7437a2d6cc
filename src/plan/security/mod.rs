//! What a container may do, and what is kept from it: users and groups, capabilities, paths, devices, profiles of AppArmor
//! and seccomp, labels of SELinux.

mod accounts;
pub(crate) mod apparmor;
pub(crate) mod capabilities;
mod context;
pub(crate) mod devices;
pub(crate) mod paths;
pub(crate) mod rootless;
pub(crate) mod seccomp;
pub(crate) mod selinux;
pub(crate) mod users;

use std::path::PathBuf;

use self::seccomp::SeccompDefault;

/// What the command line says about security.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityOptions {
    /// For containers that say nothing.
    pub seccomp_default: SeccompDefault,
    /// What `localhostProfile` is relative to. Absolute.
    pub seccomp_profile_root: PathBuf,
    /// Names of sysctls beyond the safe ones, dotted; a `*` at the end of one stands for any end.
    pub allowed_unsafe_sysctls: Vec<String>,
}
