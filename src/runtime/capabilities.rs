//! A thread's capability sets, by system calls of our own: few of them, since a seccomp filter may already be on, and
//! for all capabilities that the kernel has, known to the caps crate or not.
#![allow(unsafe_code)]

use std::io;
use std::str::FromStr;

use oci_spec::runtime::{Capabilities, LinuxCapabilities};

/// Why the sets are not as they should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum CapabilityError {
    #[error("unknown capability {name}")]
    Unknown { name: String },
    #[error("{call}: {cause}")]
    Call { call: &'static str, cause: io::Error },
}

fn failed(call: &'static str) -> impl FnOnce(io::Error) -> CapabilityError {
    move |cause| CapabilityError::Call { call, cause }
}

fn check(call: &'static str, result: i32) -> Result<(), CapabilityError> {
    if result < 0 { Err(failed(call)(io::Error::last_os_error())) } else { Ok(()) }
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
    pub(super) fn new(capabilities: Option<&LinuxCapabilities>) -> Result<Self, CapabilityError> {
        let Some(sets) = capabilities else { return Ok(Self::default()) };
        Ok(Self {
            bounding: bits(sets.bounding())?,
            effective: bits(sets.effective())?,
            permitted: bits(sets.permitted())?,
            inheritable: bits(sets.inheritable())?,
            ambient: bits(sets.ambient())?,
        })
    }

    /// Whether a process that has them, or a program of it, may look into others and change them (CAP_SYS_PTRACE).
    pub(super) fn can_trace(&self) -> bool {
        const SYS_PTRACE: u64 = 1 << 19;
        (self.bounding | self.permitted) & SYS_PTRACE != 0
    }

    /// Drops what isn't in the bounding set. Takes CAP_SETPCAP.
    pub(super) fn drop_bounding(&self) -> Result<(), CapabilityError> {
        for number in 0..64_u32 {
            if self.bounding & (1 << number) != 0 {
                continue;
            }
            // SAFETY: a system call on numbers. The caps crate knows only the capabilities of its own time.
            match unsafe { check("prctl PR_CAPBSET_DROP", libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0)) } {
                // Beyond the kernel's last one.
                Err(CapabilityError::Call { cause, .. }) if cause.raw_os_error() == Some(libc::EINVAL) => break,
                other => other?,
            }
        }
        Ok(())
    }

    /// Makes effective again what setresuid has made ineffective, until [`apply`](Self::apply).
    pub(super) fn regain() -> Result<(), CapabilityError> {
        let mut data = [[0_u32; 3]; 2];
        capability_call(libc::SYS_capget, &mut data).map_err(failed("capget"))?;
        for word in &mut data {
            word[0] = word[1];
        }
        capability_call(libc::SYS_capset, &mut data).map_err(failed("capset"))
    }

    /// Takes the sets on, but for the bounding one.
    pub(super) fn apply(&self) -> Result<(), CapabilityError> {
        let low = |bits: u64| bits as u32;
        let high = |bits: u64| (bits >> 32) as u32;
        let mut data = [
            [low(self.effective), low(self.permitted), low(self.inheritable)],
            [high(self.effective), high(self.permitted), high(self.inheritable)],
        ];
        capability_call(libc::SYS_capset, &mut data).map_err(failed("capset"))?;
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

fn bits(set: &Option<Capabilities>) -> Result<u64, CapabilityError> {
    set.iter().flatten().try_fold(0, |bits, capability| {
        let name = format!("CAP_{capability}");
        let number = caps::Capability::from_str(&name).map_err(|_| CapabilityError::Unknown { name })?;
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
#[allow(clippy::unwrap_used)]
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
            assert_eq!(bits(&set(capability)).unwrap(), 1 << number, "{capability}");
        }
    }
}
