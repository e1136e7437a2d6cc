//! Who a process is: limits, user and groups, capabilities, as the OCI's `process` has them.
#![allow(unsafe_code)]

use std::io;
use std::str::FromStr;

use oci_spec::runtime::{Capabilities, LinuxCapabilities, PosixRlimit, PosixRlimitType, Process, User};
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

/// A process' capability sets as the kernel's bits. A set that isn't there is empty, as in runc.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sets {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

impl Sets {
    pub(super) fn new(capabilities: Option<&LinuxCapabilities>) -> Result<Self, Failure> {
        let Some(sets) = capabilities else { return Ok(Self::default()) };
        Ok(Self {
            bounding: bits(sets.bounding())?,
            effective: bits(sets.effective())?,
            permitted: bits(sets.permitted())?,
            inheritable: bits(sets.inheritable())?,
            ambient: bits(sets.ambient())?,
        })
    }

    /// Drops what isn't in the bounding set. Takes CAP_SETPCAP.
    pub(super) fn drop_bounding(&self) -> Result<(), Failure> {
        for number in 0..64_u32 {
            if self.bounding & (1 << number) != 0 {
                continue;
            }
            // SAFETY: a system call on numbers. The caps crate knows only the capabilities of its own time.
            match unsafe { check("prctl PR_CAPBSET_DROP", libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0)) } {
                // Beyond the kernel's last one.
                Err(Failure::Step { errno: Some(libc::EINVAL), .. }) => break,
                other => other?,
            }
        }
        Ok(())
    }

    /// Makes effective again what setresuid has made ineffective, until [`apply`](Self::apply).
    pub(super) fn regain() -> Result<(), Failure> {
        let mut data = [[0_u32; 3]; 2];
        capability_call(libc::SYS_capget, &mut data).map_err(step("capget"))?;
        for word in &mut data {
            word[0] = word[1];
        }
        capability_call(libc::SYS_capset, &mut data).map_err(step("capset"))
    }

    /// Takes the sets on, but for the bounding one.
    pub(super) fn apply(&self) -> Result<(), Failure> {
        let low = |bits: u64| bits as u32;
        let high = |bits: u64| (bits >> 32) as u32;
        let mut data = [
            [low(self.effective), low(self.permitted), low(self.inheritable)],
            [high(self.effective), high(self.permitted), high(self.inheritable)],
        ];
        capability_call(libc::SYS_capset, &mut data).map_err(step("capset"))?;
        // SAFETY: system calls on numbers, for which the caps crate would need a system call more each.
        let ambient = |command: i32, number: u32| unsafe {
            check("prctl PR_CAP_AMBIENT", libc::prctl(libc::PR_CAP_AMBIENT, command, number, 0, 0))
        };
        ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
        for number in (0..64_u32).filter(|number| self.ambient & (1 << number) != 0) {
            ambient(libc::PR_CAP_AMBIENT_RAISE, number)?;
        }
        Ok(())
    }
}

fn bits(set: &Option<Capabilities>) -> Result<u64, Failure> {
    set.iter().flatten().try_fold(0, |bits, capability| {
        let name = format!("CAP_{capability}");
        let number = caps::Capability::from_str(&name)
            .map_err(|_| Failure::Step { step: format!("unknown capability {name}"), errno: None })?;
        Ok(bits | 1 << number.index())
    })
}

/// capget or capset of this thread: per half effective, permitted, inheritable.
fn capability_call(call: libc::c_long, data: &mut [[u32; 3]; 2]) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    // SAFETY: version 3 of the call has a header of two words and two blocks of three words, which live through it.
    // The caps crate sets one set per call, each with a call more to read the others.
    let result = unsafe { libc::syscall(call, header.as_ptr(), data.as_mut_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::Capability;

    #[test]
    fn each_capability_of_the_oci_has_a_number() {
        let set = |one| Some(Capabilities::from([one]));
        let cases = [
            (Capability::Chown, 0),
            (Capability::DacReadSearch, 2),
            (Capability::SysTtyConfig, 26),
            (Capability::Setfcap, 31),
            (Capability::MacOverride, 32),
            (Capability::CheckpointRestore, 40),
        ];
        for (capability, number) in cases {
            assert_eq!(bits(&set(capability)), Ok(1 << number), "{capability}");
        }
    }
}
