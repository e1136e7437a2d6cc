//! A container's seccomp filter for the processes that come in later. Compiling a profile of Docker's size takes about
//! 20 ms, so it is done once per container, in the first helper rather than in the supervisor, and remembered in a
//! memfd that every later helper gets. What a rule means is decided here
//! as in runc and libcontainer, so that it is the same filter as the init's, but for one mistake of libcontainer's.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
};
use rustix::fs::MemfdFlags;

use super::failure::{ExecError, Failure, io_error, step};

/// A container's filter. Keep one for as long as the container lives.
#[derive(Debug)]
pub struct Filter {
    pub(super) profile: LinuxSeccomp,
    /// The compiled filter behind its length in bytes; the length is written last.
    pub(super) cache: File,
}

impl Filter {
    /// Takes the profile over; compiles nothing yet. Refuses notification: there is nobody here to answer it.
    pub fn new(profile: LinuxSeccomp) -> Result<Self, ExecError> {
        let notifies = profile.default_action() == LinuxSeccompAction::ScmpActNotify
            || profile.syscalls().iter().flatten().any(|rule| rule.action() == LinuxSeccompAction::ScmpActNotify);
        if notifies {
            return Err(ExecError::UnsupportedFilter { field: "action SCMP_ACT_NOTIFY" });
        }
        let cache = rustix::fs::memfd_create("seccomp", MemfdFlags::CLOEXEC)
            .map_err(|errno| io_error("memfd_create", "")(errno.into()))?;
        Ok(Self { profile, cache: cache.into() })
    }

    /// What a helper needs of the profile: once it is compiled, only its flags.
    pub(super) fn to_send(&self) -> LinuxSeccomp {
        if cached(&self.cache).is_none() {
            return self.profile.clone();
        }
        let mut short = LinuxSeccomp::default();
        short.set_flags(self.profile.flags().clone());
        short
    }
}

/// The filter's instructions: from the cache, or compiled and put into it.
pub(super) fn instructions(profile: &LinuxSeccomp, cache: &File) -> Result<Vec<libc::sock_filter>, Failure> {
    if let Some(bytes) = cached(cache) {
        return Ok(decode(&bytes));
    }
    let bytes = compile(profile)?;
    // Two first execs at once write the same bytes.
    let _ = cache.write_all_at(&bytes, 8).and_then(|()| cache.write_all_at(&(bytes.len() as u64).to_ne_bytes(), 0));
    Ok(decode(&bytes))
}

fn cached(cache: &File) -> Option<Vec<u8>> {
    let mut length = [0; 8];
    cache.read_exact_at(&mut length, 0).ok()?;
    let length = usize::try_from(u64::from_ne_bytes(length)).ok().filter(|length| *length > 0)?;
    let mut bytes = vec![0; length];
    cache.read_exact_at(&mut bytes, 8).ok()?;
    Some(bytes)
}

fn decode(bytes: &[u8]) -> Vec<libc::sock_filter> {
    let decode = |chunk: &[u8]| libc::sock_filter {
        code: u16::from_ne_bytes([chunk[0], chunk[1]]),
        jt: chunk[2],
        jf: chunk[3],
        k: u32::from_ne_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]),
    };
    bytes.chunks_exact(8).map(decode).collect()
}

/// Puts the filter over this thread. Without no_new_privs that takes CAP_SYS_ADMIN.
pub(super) fn apply(instructions: &[libc::sock_filter], profile: &LinuxSeccomp) -> Result<(), Failure> {
    let flags = profile.flags().iter().flatten().fold(0, |flags, flag| flags | raw_flag(*flag));
    let length = u16::try_from(instructions.len()).map_err(|_| Failure::Step {
        step: format!("seccomp: the filter has {} instructions, more than the kernel takes", instructions.len()),
        errno: None,
    })?;
    let program = libc::sock_fprog { len: length, filter: instructions.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the instructions, which live through the call, and checks them. libseccomp can only
    // load what it has itself compiled in this process.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if result == 0 { Ok(()) } else { Err(step("seccomp")(io::Error::last_os_error())) }
}

fn raw_flag(flag: LinuxSeccompFilterFlag) -> libc::c_ulong {
    match flag {
        // One thread is all there is.
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // Has a meaning together with notification only, which is refused.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
    }
}

fn compile(profile: &LinuxSeccomp) -> Result<Vec<u8>, Failure> {
    let failed = |what: &str, cause: libseccomp::error::SeccompError| Failure::Step {
        step: format!("seccomp profile: {what}: {cause}"),
        errno: None,
    };
    let default = action(profile.default_action(), profile.default_errno_ret());
    let mut context = ScmpFilterContext::new(default).map_err(|cause| failed("default action", cause))?;
    for arch in profile.architectures().iter().flatten() {
        context.add_arch(translate_arch(*arch)).map_err(|cause| failed("architecture", cause))?;
    }
    for rule in profile.syscalls().iter().flatten() {
        let action = action(rule.action(), rule.errno_ret());
        if action == default {
            continue;
        }
        for name in rule.names() {
            // Unknown to this libseccomp: the kernel doesn't have it either, or the default action catches it.
            let Ok(call) = ScmpSyscall::from_name(name) else { continue };
            add_rule(&mut context, action, call, rule.args().as_deref().unwrap_or_default())
                .map_err(|cause| failed(name, cause))?;
        }
    }
    let mut memory = File::from(rustix::fs::memfd_create("bpf", MemfdFlags::CLOEXEC).map_err(step("memfd_create"))?);
    context.export_bpf(&memory).map_err(|cause| failed("compile", cause))?;
    let mut bytes = Vec::new();
    memory.rewind().and_then(|()| memory.read_to_end(&mut bytes)).map_err(step("read the compiled filter"))?;
    Ok(bytes)
}

fn add_rule(
    context: &mut ScmpFilterContext,
    action: ScmpAction,
    call: ScmpSyscall,
    arguments: &[LinuxSeccompArg],
) -> Result<(), libseccomp::error::SeccompError> {
    let comparators: Vec<ScmpArgCompare> =
        arguments.iter().map(|one| ScmpArgCompare::new(one.index() as u32, operator(one), datum(one))).collect();
    let mut indices: Vec<usize> = arguments.iter().map(|one| one.index()).collect();
    indices.sort_unstable();
    indices.dedup();
    if comparators.is_empty() {
        context.add_rule(action, call)?;
    } else if indices.len() == comparators.len() {
        context.add_rule_conditional(action, call, &comparators)?;
    } else {
        // libseccomp compares an argument once per rule; runc and libcontainer make it one rule per condition.
        for one in comparators {
            context.add_rule_conditional(action, call, &[one])?;
        }
    }
    Ok(())
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> ScmpAction {
    let errno = errno.map_or(libc::EPERM, |errno| errno as i32);
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => ScmpAction::KillThread,
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActErrno => ScmpAction::Errno(errno),
        LinuxSeccompAction::ScmpActTrace => ScmpAction::Trace(errno as u16),
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActNotify => ScmpAction::Notify,
    }
}

fn operator(argument: &LinuxSeccompArg) -> ScmpCompareOp {
    match argument.op() {
        LinuxSeccompOperator::ScmpCmpNe => ScmpCompareOp::NotEqual,
        LinuxSeccompOperator::ScmpCmpLt => ScmpCompareOp::Less,
        LinuxSeccompOperator::ScmpCmpLe => ScmpCompareOp::LessOrEqual,
        LinuxSeccompOperator::ScmpCmpEq => ScmpCompareOp::Equal,
        LinuxSeccompOperator::ScmpCmpGe => ScmpCompareOp::GreaterEqual,
        LinuxSeccompOperator::ScmpCmpGt => ScmpCompareOp::Greater,
        LinuxSeccompOperator::ScmpCmpMaskedEq => ScmpCompareOp::MaskedEqual(argument.value()),
    }
}

/// What is compared with. For SCMP_CMP_MASKED_EQ the OCI's `value` is the mask and `valueTwo` the datum, as in
/// seccomp_rule_add(3) (libcontainer 0.7.0 has them the wrong way round).
fn datum(argument: &LinuxSeccompArg) -> u64 {
    match argument.op() {
        LinuxSeccompOperator::ScmpCmpMaskedEq => argument.value_two().unwrap_or(0),
        _ => argument.value(),
    }
}

fn translate_arch(arch: Arch) -> ScmpArch {
    match arch {
        Arch::ScmpArchNative => ScmpArch::Native,
        Arch::ScmpArchX86 => ScmpArch::X86,
        Arch::ScmpArchX86_64 => ScmpArch::X8664,
        Arch::ScmpArchX32 => ScmpArch::X32,
        Arch::ScmpArchArm => ScmpArch::Arm,
        Arch::ScmpArchAarch64 => ScmpArch::Aarch64,
        Arch::ScmpArchMips => ScmpArch::Mips,
        Arch::ScmpArchMips64 => ScmpArch::Mips64,
        Arch::ScmpArchMips64n32 => ScmpArch::Mips64N32,
        Arch::ScmpArchMipsel => ScmpArch::Mipsel,
        Arch::ScmpArchMipsel64 => ScmpArch::Mipsel64,
        Arch::ScmpArchMipsel64n32 => ScmpArch::Mipsel64N32,
        Arch::ScmpArchPpc => ScmpArch::Ppc,
        Arch::ScmpArchPpc64 => ScmpArch::Ppc64,
        Arch::ScmpArchPpc64le => ScmpArch::Ppc64Le,
        Arch::ScmpArchS390 => ScmpArch::S390,
        Arch::ScmpArchS390x => ScmpArch::S390X,
        Arch::ScmpArchRiscv64 => ScmpArch::Riscv64,
        Arch::ScmpArchParisc => ScmpArch::Parisc,
        Arch::ScmpArchParisc64 => ScmpArch::Parisc64,
        Arch::ScmpArchLoongarch64 => ScmpArch::Loongarch64,
        Arch::ScmpArchM68k => ScmpArch::M68k,
        Arch::ScmpArchSh => ScmpArch::Sh,
        Arch::ScmpArchSheb => ScmpArch::Sheb,
    }
}
