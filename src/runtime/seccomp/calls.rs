//! The numbers of system calls by architecture. libseccomp's tables are the ground; what is newer than the libseccomp
//! that this binary is built with stands here, so that a profile means the same whatever the library's age.

use libseccomp::{ScmpArch, ScmpSyscall};
use oci_spec::runtime::Arch;

/// What x32's numbers have added to them (`__X32_SYSCALL_BIT`).
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// How processes of one architecture call the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abi {
    pub(super) scmp: ScmpArch,
    /// AUDIT_ARCH_* (linux/audit.h). x32 has x86-64's.
    pub(super) audit: u32,
    pub(super) width: Width,
}

/// How much of an argument counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Narrow,
    Wide,
}

const X86_64: Abi = Abi { scmp: ScmpArch::X8664, audit: 0xc000_003e, width: Width::Wide };
const X32: Abi = Abi { scmp: ScmpArch::X32, audit: 0xc000_003e, width: Width::Narrow };
const X86: Abi = Abi { scmp: ScmpArch::X86, audit: 0x4000_0003, width: Width::Narrow };
const ARM: Abi = Abi { scmp: ScmpArch::Arm, audit: 0x4000_0028, width: Width::Narrow };
const AARCH64: Abi = Abi { scmp: ScmpArch::Aarch64, audit: 0xc000_00b7, width: Width::Wide };
const RISCV64: Abi = Abi { scmp: ScmpArch::Riscv64, audit: 0xc000_00f3, width: Width::Wide };

/// The one this binary is built for.
pub(super) const NATIVE: Abi = if cfg!(target_arch = "aarch64") {
    AARCH64
} else if cfg!(target_arch = "riscv64") {
    RISCV64
} else {
    X86_64
};

/// `None`: none whose processes this binary's kernel could run.
pub(super) fn abi(arch: Arch) -> Option<Abi> {
    match arch {
        Arch::ScmpArchNative => Some(NATIVE),
        Arch::ScmpArchX86_64 => Some(X86_64),
        Arch::ScmpArchX32 => Some(X32),
        Arch::ScmpArchX86 => Some(X86),
        Arch::ScmpArchArm => Some(ARM),
        Arch::ScmpArchAarch64 => Some(AARCH64),
        Arch::ScmpArchRiscv64 => Some(RISCV64),
        _ => None,
    }
}

/// One way to make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By its own number.
    Direct(u32),
    /// As an operation of socketcall(2) or ipc(2): that one's number, and its first argument.
    Operation { number: u32, operation: u32 },
}

/// All ways to make the call `name`. None where this architecture doesn't have it, or nobody knows it.
pub(super) fn ways(name: &str, abi: Abi) -> Vec<Way> {
    // Not in libseccomp before 2.6.0, and not among those with the same number everywhere.
    if name == "uretprobe" && abi == X86_64 {
        return vec![Way::Direct(335)];
    }
    let Some(number) = resolve(name, abi.scmp) else { return newer(name, abi).map(Way::Direct).into_iter().collect() };
    if let Ok(number) = u32::try_from(number) {
        return vec![Way::Direct(number)];
    }
    // libseccomp gives calls that i386 has had behind another one numbers below zero (seccomp-syscalls.h).
    let (call, operation) = match number {
        -199..=-101 => ("socketcall", -100 - number),
        -299..=-201 => ("ipc", -200 - number),
        _ => return Vec::new(),
    };
    let behind = resolve(call, abi.scmp).and_then(|number| u32::try_from(number).ok());
    let behind = behind.map(|number| Way::Operation { number, operation: operation.unsigned_abs() });
    let direct = I386_DIRECT.iter().find(|(one, _)| abi == X86 && *one == name).map(|(_, number)| Way::Direct(*number));
    behind.into_iter().chain(direct).collect()
}

fn resolve(name: &str, arch: ScmpArch) -> Option<i32> {
    ScmpSyscall::from_name_by_arch(name, arch).ok().map(i32::from)
}

/// i386's calls with numbers of their own since Linux 4.3 and 5.1 (arch/x86/entry/syscalls/syscall_32.tbl).
const I386_DIRECT: [(&str, u32); 27] = [
    ("socket", 359),
    ("socketpair", 360),
    ("bind", 361),
    ("connect", 362),
    ("listen", 363),
    ("accept4", 364),
    ("getsockopt", 365),
    ("setsockopt", 366),
    ("getsockname", 367),
    ("getpeername", 368),
    ("sendto", 369),
    ("sendmsg", 370),
    ("recvfrom", 371),
    ("recvmsg", 372),
    ("shutdown", 373),
    ("recvmmsg", 337),
    ("sendmmsg", 345),
    ("semget", 393),
    ("semctl", 394),
    ("shmget", 395),
    ("shmctl", 396),
    ("shmat", 397),
    ("shmdt", 398),
    ("msgget", 399),
    ("msgsnd", 400),
    ("msgrcv", 401),
    ("msgctl", 402),
];

/// Calls of Linux 6.5 and later, which have the same number everywhere (scripts/syscall.tbl of the kernel).
const NEWER: [(&str, u32); 20] = [
    ("cachestat", 451),
    ("fchmodat2", 452),
    ("map_shadow_stack", 453),
    ("futex_wake", 454),
    ("futex_wait", 455),
    ("futex_requeue", 456),
    ("statmount", 457),
    ("listmount", 458),
    ("lsm_get_self_attr", 459),
    ("lsm_set_self_attr", 460),
    ("lsm_list_modules", 461),
    ("mseal", 462),
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
    ("open_tree_attr", 467),
    ("file_getattr", 468),
    ("file_setattr", 469),
    ("listns", 470),
];

fn newer(name: &str, abi: Abi) -> Option<u32> {
    let (_, number) = NEWER.iter().find(|(one, _)| *one == name)?;
    Some(if abi == X32 { X32_BIT | number } else { *number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_their_numbers() {
        let cases = [
            ("read", X86_64, vec![Way::Direct(0)]),
            ("read", X86, vec![Way::Direct(3)]),
            ("read", X32, vec![Way::Direct(X32_BIT)]),
            ("read", AARCH64, vec![Way::Direct(63)]),
            ("socket", X86_64, vec![Way::Direct(41)]),
            ("socket", X86, vec![Way::Operation { number: 102, operation: 1 }, Way::Direct(359)]),
            ("semop", X86, vec![Way::Operation { number: 117, operation: 1 }]),
            ("socketcall", X86, vec![Way::Direct(102)]),
            ("socketcall", X86_64, vec![]),
            ("listns", X86_64, vec![Way::Direct(470)]),
            ("listns", X32, vec![Way::Direct(X32_BIT | 470)]),
            ("no_such_call", X86_64, vec![]),
        ];
        for (name, abi, expected) in cases {
            assert_eq!(ways(name, abi), expected, "{name} {:?}", abi.scmp);
        }
    }
}
