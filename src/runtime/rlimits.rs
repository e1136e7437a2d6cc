//! Resource limits of a process (setrlimit(2)), as the OCI's `process.rlimits` has them.

use std::io;
use std::sync::OnceLock;

use oci_spec::runtime::{PosixRlimit, PosixRlimitType};
use rustix::process::{Resource, Rlimit};

/// How many files this process could have open before [`raise_open_files`].
static OPEN_FILES: OnceLock<Rlimit> = OnceLock::new();

/// Lets this process have as many files open as it may, and gives that number. What it starts gets the limit that it was
/// started with: programs that use select(2) can't have more than 1024.
pub fn raise_open_files() -> u64 {
    let present = *OPEN_FILES.get_or_init(|| rustix::process::getrlimit(Resource::Nofile));
    let raised = Rlimit { current: present.maximum, ..present };
    match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => present.maximum,
        Err(_) => present.current,
    }
    .unwrap_or(u64::MAX)
}

/// The limit that this process was started with, where it has another now.
pub(crate) fn given_open_files() -> Option<libc::rlimit64> {
    let Rlimit { current, maximum } = *OPEN_FILES.get()?;
    let number = |limit: Option<u64>| limit.unwrap_or(libc::RLIM64_INFINITY);
    Some(libc::rlimit64 { rlim_cur: number(current), rlim_max: number(maximum) })
}

/// The most that this process may give of each resource (setrlimit(2)). One that may raise hard limits has CAP_SYS_RESOURCE in the
/// initial user namespace, which knows one bound alone, that of open files.
pub(crate) fn most(may_raise: bool) -> Vec<(PosixRlimitType, u64)> {
    let all = ALL.into_iter();
    let present = |kind| rustix::process::getrlimit(resource(kind)).maximum.map(|most| (kind, most));
    if !may_raise {
        return all.filter_map(present).collect();
    }
    let text = std::fs::read_to_string("/proc/sys/fs/nr_open").unwrap_or_default();
    let most = text.trim().parse().ok();
    most.map(|most| (PosixRlimitType::RlimitNofile, most)).into_iter().collect()
}

const ALL: [PosixRlimitType; 16] = [
    PosixRlimitType::RlimitCpu,
    PosixRlimitType::RlimitFsize,
    PosixRlimitType::RlimitData,
    PosixRlimitType::RlimitStack,
    PosixRlimitType::RlimitCore,
    PosixRlimitType::RlimitRss,
    PosixRlimitType::RlimitNproc,
    PosixRlimitType::RlimitNofile,
    PosixRlimitType::RlimitMemlock,
    PosixRlimitType::RlimitAs,
    PosixRlimitType::RlimitLocks,
    PosixRlimitType::RlimitSigpending,
    PosixRlimitType::RlimitMsgqueue,
    PosixRlimitType::RlimitNice,
    PosixRlimitType::RlimitRtprio,
    PosixRlimitType::RlimitRttime,
];

/// Which limit the kernel refused, and why.
pub(crate) type Refused = (PosixRlimitType, io::Error);

/// Raises hard limits as far as they are asked for. Takes CAP_SYS_RESOURCE on the host, so it comes before the
/// container's user namespace; soft limits stay, as they could hurt the helper.
pub(crate) fn raise(limits: &[PosixRlimit]) -> Result<(), Refused> {
    for wanted in limits {
        let resource = resource(wanted.typ());
        let present = rustix::process::getrlimit(resource);
        let hard = limit(wanted.hard());
        if hard.unwrap_or(u64::MAX) > present.maximum.unwrap_or(u64::MAX) {
            let raised = Rlimit { current: present.current, maximum: hard };
            rustix::process::setrlimit(resource, raised).map_err(|errno| (wanted.typ(), errno.into()))?;
        }
    }
    Ok(())
}

/// Sets the limits as they are to be. Only lowers, after [`raise`].
pub(crate) fn set(limits: &[PosixRlimit]) -> Result<(), Refused> {
    limits.iter().try_for_each(|wanted| {
        let limits = Rlimit { current: limit(wanted.soft()), maximum: limit(wanted.hard()) };
        rustix::process::setrlimit(resource(wanted.typ()), limits).map_err(|errno| (wanted.typ(), errno.into()))
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
