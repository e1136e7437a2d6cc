//! Who a process is: limits, user and groups, as the OCI's `process` has them.
#![allow(unsafe_code)]

use std::io;

use oci_spec::runtime::{PosixRlimit, PosixRlimitType, Process, User};
use rustix::process::{Resource, Rlimit};

use super::failure::{Failure, step};

/// Raises hard limits as far as the process needs it. Takes CAP_SYS_RESOURCE on the host, so it comes before the
/// container's user namespace; soft limits stay, as they could hurt the helper.
pub(super) fn raise_limits(process: &Process) -> Result<(), Failure> {
    for wanted in process.rlimits().iter().flatten() {
        let resource = resource(wanted.typ());
        let present = rustix::process::getrlimit(resource);
        let hard = limit(wanted.hard());
        if hard.unwrap_or(u64::MAX) > present.maximum.unwrap_or(u64::MAX) {
            let raised = Rlimit { current: present.current, maximum: hard };
            rustix::process::setrlimit(resource, raised).map_err(step(&format!("setrlimit {}", wanted.typ())))?;
        }
    }
    Ok(())
}

/// Sets the limits as they are to be. Only lowers, after [`raise_limits`].
pub(super) fn set_limits(process: &Process) -> Result<(), Failure> {
    process.rlimits().iter().flatten().try_for_each(|wanted: &PosixRlimit| {
        let limits = Rlimit { current: limit(wanted.soft()), maximum: limit(wanted.hard()) };
        rustix::process::setrlimit(resource(wanted.typ()), limits).map_err(step(&format!("setrlimit {}", wanted.typ())))
    })
}

fn limit(value: u64) -> Option<u64> {
    (value != libc::RLIM_INFINITY).then_some(value)
}

fn resource(kind: PosixRlimitType) -> Resource {
    match kind {
        PosixRlimitType::RlimitCpu => Resource::Cpu,
        PosixRlimitType::RlimitFsize => Resource::Fsize,
        PosixRlimitType::RlimitData => Resource::Data,
        PosixRlimitType::RlimitStack => Resource::Stack,
        PosixRlimitType::RlimitCore => Resource::Core,
        PosixRlimitType::RlimitRss => Resource::Rss,
        PosixRlimitType::RlimitNproc => Resource::Nproc,
        PosixRlimitType::RlimitNofile => Resource::Nofile,
        PosixRlimitType::RlimitMemlock => Resource::Memlock,
        PosixRlimitType::RlimitAs => Resource::As,
        PosixRlimitType::RlimitLocks => Resource::Locks,
        PosixRlimitType::RlimitSigpending => Resource::Sigpending,
        PosixRlimitType::RlimitMsgqueue => Resource::Msgqueue,
        PosixRlimitType::RlimitNice => Resource::Nice,
        PosixRlimitType::RlimitRtprio => Resource::Rtprio,
        PosixRlimitType::RlimitRttime => Resource::Rttime,
    }
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
