//! Who a process is: limits, user and groups, as the OCI's `process` has them.
#![allow(unsafe_code)]

use std::io;

use oci_spec::runtime::{Process, User};

use super::failure::{Failure, step};
use crate::runtime::rlimits;

/// Raises hard limits as far as the process needs it, before the container's user namespace.
pub(super) fn raise_limits(process: &Process) -> Result<(), Failure> {
    rlimits::raise(process.rlimits().as_deref().unwrap_or_default()).map_err(refused)
}

/// Sets the limits as they are to be.
pub(super) fn set_limits(process: &Process) -> Result<(), Failure> {
    rlimits::set(process.rlimits().as_deref().unwrap_or_default()).map_err(refused)
}

fn refused((limit, cause): rlimits::Refused) -> Failure {
    step(&format!("setrlimit {limit}"))(cause)
}

/// Becomes the user, keeping the permitted capabilities for what is still to be done.
pub(super) fn set_user(user: &User) -> Result<(), Failure> {
    let groups: Vec<libc::gid_t> = user.additional_gids().clone().unwrap_or_default();
    // SAFETY: system calls on numbers and on a vector that lives through the call; this process has one thread. With
    // rustix it would be three unsafe blocks of the same content.
    unsafe {
        check("prctl PR_SET_KEEPCAPS", libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
        match check("setgroups", libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) as i32) {
            // A user namespace made without privileges forbids it; then the init has ours as well.
            Err(Failure::Step { errno: Some(libc::EPERM), .. }) if groups.is_empty() => {}
            other => other?,
        }
        check("setresgid", libc::setresgid(user.gid(), user.gid(), user.gid()))?;
        check("setresuid", libc::setresuid(user.uid(), user.uid(), user.uid()))?;
        check("prctl PR_SET_KEEPCAPS", libc::prctl(libc::PR_SET_KEEPCAPS, 0, 0, 0, 0))
    }
}

fn check(name: &str, result: i32) -> Result<(), Failure> {
    if result < 0 { Err(step(name)(io::Error::last_os_error())) } else { Ok(()) }
}
