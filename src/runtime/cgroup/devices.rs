//! Device rules where no v1 `devices` controller is: a small eBPF program at the container's cgroup, asked by the
//! kernel at each open and mknod of a device. libcontainer has one too, but only with libbpf, a C library.
//!
//! Each kind of access is decided by the last rule that speaks of it, as on v1; what no rule speaks of is denied.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::{CgroupError, Hierarchies, below, error};
use crate::runtime::files;

// linux/bpf.h: BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_*.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const EVERYTHING: i32 = MKNOD | READ | WRITE;

// Operations of linux/bpf_common.h and linux/bpf.h, as this program needs them.
const LOAD_WORD: u8 = 0x61;
const COPY: u8 = 0xbf;
const SHIFT_RIGHT: u8 = 0x77;
const AND: u8 = 0x57;
const SET: u8 = 0xb7;
const JUMP: u8 = 0x05;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const JUMP_IF_ANY_BIT: u8 = 0x45;
const EXIT: u8 = 0x95;

/// Registers: the answer, the kernel's `struct bpf_cgroup_dev_ctx`, and what of it the rules look at.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
/// The access that no rule has granted yet.
const OPEN: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// What libcontainer allows every container on v1, and containerd everywhere: making any node, and using null, zero,
/// full, random, urandom, tty, console, the pseudo-terminals and tun.
const ALWAYS: [Rule; 12] = [
    Rule::always(CHARACTER, None, None, MKNOD),
    Rule::always(BLOCK, None, None, MKNOD),
    Rule::always(CHARACTER, Some(1), Some(3), EVERYTHING),
    Rule::always(CHARACTER, Some(1), Some(5), EVERYTHING),
    Rule::always(CHARACTER, Some(1), Some(7), EVERYTHING),
    Rule::always(CHARACTER, Some(1), Some(8), EVERYTHING),
    Rule::always(CHARACTER, Some(1), Some(9), EVERYTHING),
    Rule::always(CHARACTER, Some(5), Some(0), EVERYTHING),
    Rule::always(CHARACTER, Some(5), Some(1), EVERYTHING),
    Rule::always(CHARACTER, Some(5), Some(2), EVERYTHING),
    Rule::always(CHARACTER, Some(136), None, EVERYTHING),
    Rule::always(CHARACTER, Some(10), Some(200), EVERYTHING),
];

/// `None`: any.
#[derive(Clone, Copy, Debug)]
struct Rule {
    allow: bool,
    kind: Option<i32>,
    major: Option<i32>,
    minor: Option<i32>,
    access: i32,
}

impl Rule {
    const fn always(kind: i32, major: Option<i32>, minor: Option<i32>, access: i32) -> Self {
        Self { allow: true, kind: Some(kind), major, minor, access }
    }

    /// `None`: a rule that no device can match.
    fn parse(rule: &LinuxDeviceCgroup) -> Option<Self> {
        let number = |number: Option<i64>| match number {
            // As in runc, -1 is a way to say "all".
            None | Some(-1) => Some(None),
            Some(number) => i32::try_from(number).ok().filter(|number| *number >= 0).map(Some),
        };
        let kind = match rule.typ().unwrap_or_default() {
            LinuxDeviceType::A => None,
            LinuxDeviceType::B => Some(BLOCK),
            LinuxDeviceType::C | LinuxDeviceType::U => Some(CHARACTER),
            LinuxDeviceType::P => return None,
        };
        let letters = rule.access().as_deref().unwrap_or("rwm");
        let access = letters.chars().fold(0, |access, letter| match letter {
            'r' => access | READ,
            'w' => access | WRITE,
            'm' => access | MKNOD,
            _ => access,
        });
        let rule =
            Self { allow: rule.allow(), kind, major: number(rule.major())?, minor: number(rule.minor())?, access };
        (access != 0).then_some(rule)
    }

    /// As the files devices.allow and devices.deny of v1 have it. There an `a` means each access to each device,
    /// whatever follows it.
    fn lines(&self) -> Vec<String> {
        if self.is_about_all() {
            return vec!["a".to_owned()];
        }
        let number = |number: Option<i32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
        let access: String =
            letters.iter().filter(|(bit, _)| self.access & bit != 0).map(|(_, letter)| letter).collect();
        [(BLOCK, 'b'), (CHARACTER, 'c')]
            .into_iter()
            .filter(|(kind, _)| self.kind.is_none_or(|own| own == *kind))
            .map(|(_, letter)| format!("{letter} {}:{} {access}", number(self.major), number(self.minor)))
            .collect()
    }

    fn is_about_all(&self) -> bool {
        self.kind.is_none() && self.major.is_none() && self.minor.is_none() && self.access == EVERYTHING
    }
}

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Instruction {
    code: u8,
    /// Target in the low half, source in the high one.
    registers: u8,
    offset: i16,
    value: i32,
}

fn op(code: u8, target: u8, source: u8, offset: i16, value: i32) -> Instruction {
    // The kernel reads a bit field: on big-endian machines its halves are swapped.
    let registers = if cfg!(target_endian = "big") { target << 4 | source } else { source << 4 | target };
    Instruction { code, registers, offset, value }
}

fn answer(allow: bool) -> [Instruction; 2] {
    [op(SET, ANSWER, 0, 0, i32::from(allow)), op(EXIT, 0, 0, 0, 0)]
}

fn program(rules: &[Rule]) -> Vec<Instruction> {
    let mut code = vec![
        op(LOAD_WORD, KIND, CONTEXT, 0, 0),
        op(COPY, OPEN, KIND, 0, 0),
        op(SHIFT_RIGHT, OPEN, 0, 0, 16),
        op(AND, KIND, 0, 0, 0xffff),
        op(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        op(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.iter().rev() {
        // The verifier refuses instructions that can't be reached: nothing comes behind the last word.
        if rule.is_about_all() {
            code.extend(answer(rule.allow));
            return code;
        }
        code.extend(decide(rule));
    }
    code.extend(answer(false));
    code
}

fn decide(rule: &Rule) -> Vec<Instruction> {
    let verdict = if rule.allow {
        let mut all = vec![op(AND, OPEN, 0, 0, !rule.access), op(JUMP_UNLESS_EQUAL, OPEN, 0, 2, 0)];
        all.extend(answer(true));
        all
    } else {
        let mut all = vec![op(JUMP_IF_ANY_BIT, OPEN, 0, 1, rule.access), op(JUMP, 0, 0, 2, 0)];
        all.extend(answer(false));
        all
    };
    let tests: Vec<(u8, i32)> = [(KIND, rule.kind), (MAJOR, rule.major), (MINOR, rule.minor)]
        .into_iter()
        .filter_map(|(register, wanted)| Some((register, wanted?)))
        .collect();
    let mut code = Vec::new();
    // Each failed test skips the tests behind it and the verdict, at most six instructions.
    for (left, (register, wanted)) in (0_i16..).zip(tests.iter().rev()) {
        code.insert(0, op(JUMP_UNLESS_EQUAL, *register, 0, left + 4, *wanted));
    }
    code.extend(verdict);
    code
}

impl Hierarchies {
    /// Writes device rules to a container's cgroup of the v1 controller, where there is one.
    pub(super) fn write_device_rules(&self, cgroup: &Path, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
        let Some(root) = self.v1_mount("devices") else { return Ok(()) };
        let folder = below(root, cgroup);
        let open = |name: &str| {
            let path = folder.join(name);
            File::options().write(true).open(&path).map_err(error("open", &path)).map(|file| (file, path))
        };
        let (allow, deny) = (open("devices.allow")?, open("devices.deny")?);
        for rule in rules.iter().filter_map(Rule::parse).chain(ALWAYS) {
            let (file, path) = if rule.allow { &allow } else { &deny };
            // One rule per write.
            let mut file = file;
            for line in rule.lines() {
                file.write_all(line.as_bytes()).map_err(error("write", path))?;
            }
        }
        Ok(())
    }

    /// Holds what is and will be in a cgroup to device rules, where no v1 controller does it. Makes the cgroup. Rules
    /// that end with "allow all" need nothing. Fails where bpf(2) isn't allowed: without CAP_BPF and CAP_NET_ADMIN
    /// (CAP_SYS_ADMIN before Linux 5.8), or in a kernel without CONFIG_CGROUP_BPF.
    pub(crate) fn hold_to_device_rules(&self, cgroup: &Path, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
        let mine: Vec<Rule> = rules.iter().filter_map(Rule::parse).collect();
        if self.v1_mount("devices").is_some() || mine.last().is_some_and(|rule| rule.allow && rule.is_about_all()) {
            return Ok(());
        }
        let Some(root) = &self.unified else { return Err(CgroupError::NoDeviceRules) };
        let path = below(root, cgroup);
        files::make_all(&path).map_err(error("mkdir", &path))?;
        let folder = File::open(&path).map_err(error("open", &path))?;
        let code = program(&mine.into_iter().chain(ALWAYS).collect::<Vec<_>>());
        let failed = |call| move |cause| CgroupError::DeviceRules { call, path: path.clone(), cause };
        let loaded = load(&code).map_err(failed.clone()("load"))?;
        attach(&loaded, folder.as_raw_fd()).map_err(failed("attach"))
    }
}

/// The part of `union bpf_attr` that BPF_PROG_LOAD needs; the kernel takes the rest as zeros.
#[derive(Default)]
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel: u32,
    flags: u32,
    name: [u8; 16],
}

#[repr(C)]
struct Attach {
    cgroup: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

fn load(code: &[Instruction]) -> io::Result<OwnedFd> {
    const BPF_PROG_LOAD: libc::c_long = 5;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    let mut attributes = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(code.len()).map_err(io::Error::other)?,
        code: code.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    attributes.name[..7].copy_from_slice(b"barepod");
    // SAFETY: the kernel reads the attributes, the instructions and the licence, all of which outlive the call and
    // have the sizes that are told. No safe wrapper of bpf(2) is among our crates.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size_of::<Load>()) };
    let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made this descriptor, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The program stays attached until the cgroup is removed. Beside programs of others, not instead of them.
fn attach(program: &OwnedFd, cgroup: RawFd) -> io::Result<()> {
    const BPF_PROG_ATTACH: libc::c_long = 8;
    const BPF_CGROUP_DEVICE: u32 = 6;
    const BPF_F_ALLOW_MULTI: u32 = 2;
    let attributes = Attach {
        cgroup: cgroup.cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the kernel reads the attributes, which outlive the call; both descriptors are open.
    match unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size_of::<Attach>()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
