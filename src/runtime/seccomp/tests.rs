//! Filters compared with libseccomp's, call by call, in a machine that does what the kernel's does; and time.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Read, Seek};

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator};
use serde_json::json;

use super::calls::{Abi, X32_BIT, abi};
use super::*;

/// What the kernel would answer to a call.
fn answer(code: &[libc::sock_filter], audit: u32, number: u32, arguments: [u64; 6]) -> u32 {
    answer::answer(code, audit, number, arguments).unwrap()
}

/// The same profile by libseccomp, as runc uses it.
fn reference(profile: &LinuxSeccomp) -> Vec<libc::sock_filter> {
    let action = |action, errno: Option<u32>| match action {
        LinuxSeccompAction::ScmpActErrno => ScmpAction::Errno(errno.map_or(libc::EPERM, |errno| errno as i32)),
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        other => panic!("{other}"),
    };
    let default = action(profile.default_action(), profile.default_errno_ret());
    let mut context = ScmpFilterContext::new(default).unwrap();
    for arch in profile.architectures().iter().flatten() {
        let arch = abi(*arch).unwrap().scmp;
        if arch != ScmpArch::X8664 {
            context.add_arch(arch).unwrap();
        }
    }
    for rule in profile.syscalls().iter().flatten() {
        let action = action(rule.action(), rule.errno_ret());
        if action == default {
            continue;
        }
        let compare = |one: &LinuxSeccompArg| {
            let operator = match one.op() {
                LinuxSeccompOperator::ScmpCmpNe => ScmpCompareOp::NotEqual,
                LinuxSeccompOperator::ScmpCmpLt => ScmpCompareOp::Less,
                LinuxSeccompOperator::ScmpCmpLe => ScmpCompareOp::LessOrEqual,
                LinuxSeccompOperator::ScmpCmpEq => ScmpCompareOp::Equal,
                LinuxSeccompOperator::ScmpCmpGe => ScmpCompareOp::GreaterEqual,
                LinuxSeccompOperator::ScmpCmpGt => ScmpCompareOp::Greater,
                LinuxSeccompOperator::ScmpCmpMaskedEq => ScmpCompareOp::MaskedEqual(one.value()),
            };
            let masked = one.op() == LinuxSeccompOperator::ScmpCmpMaskedEq;
            let datum = if masked { one.value_two().unwrap_or(0) } else { one.value() };
            ScmpArgCompare::new(one.index() as u32, operator, datum)
        };
        let compared: Vec<ScmpArgCompare> = rule.args().iter().flatten().map(compare).collect();
        for name in rule.names() {
            let Ok(call) = ScmpSyscall::from_name(name) else { continue };
            let _ = context.add_rule_conditional(action, call, &compared);
        }
    }
    let mut memory = File::from(rustix::fs::memfd_create("bpf", MemfdFlags::CLOEXEC).unwrap());
    context.export_bpf(&memory).unwrap();
    let mut bytes = Vec::new();
    memory.rewind().unwrap();
    memory.read_to_end(&mut bytes).unwrap();
    let decode = |chunk: &[u8]| libc::sock_filter {
        code: u16::from_ne_bytes([chunk[0], chunk[1]]),
        jt: chunk[2],
        jf: chunk[3],
        k: u32::from_ne_bytes(chunk[4..8].try_into().unwrap()),
    };
    bytes.chunks_exact(8).map(decode).collect()
}

/// Arguments of which some comparison of the profile's is at its edge.
fn interesting(profile: &LinuxSeccomp, narrow: bool) -> Vec<[u64; 6]> {
    let mut all = vec![[0; 6], [u64::MAX; 6]];
    for one in profile.syscalls().iter().flatten().flat_map(|rule| rule.args().iter().flatten()) {
        let values = [one.value(), one.value_two().unwrap_or(0)];
        let around = values.iter().flat_map(|value| {
            [*value, value.wrapping_add(1), value.wrapping_sub(1), value | 1 << 32, value & !0xffff, !value]
        });
        for value in around {
            for rest in [0, 1, 0x2000] {
                let mut arguments = [rest; 6];
                arguments[one.index()] = value;
                all.push(arguments);
            }
        }
    }
    if narrow {
        all.iter_mut().flatten().for_each(|one| *one &= u64::from(u32::MAX));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Every call that libseccomp knows, with every interesting argument, of every architecture: the same answer.
fn compare(profile: &LinuxSeccomp) {
    let (ours, theirs) = (compile::compile(profile).unwrap(), reference(profile));
    let abis: Vec<Abi> = profile.architectures().iter().flatten().map(|arch| abi(*arch).unwrap()).collect();
    for abi in abis {
        let narrow = abi.width == calls::Width::Narrow;
        let arguments = interesting(profile, narrow);
        let base = if abi.scmp == ScmpArch::X32 { X32_BIT } else { 0 };
        // x32's own calls begin at 512. Beyond 450 libseccomp 2.5.4 knows none.
        for number in (0..=450).chain(512..548).map(|number| base + number) {
            // Where runc's ENOSYS for what the profile doesn't know comes in, libseccomp alone has the default.
            let known = ScmpSyscall::from(number as i32).get_name_by_arch(abi.scmp).is_ok();
            for one in &arguments {
                let (ours, theirs) = (answer(&ours, abi.audit, number, *one), answer(&theirs, abi.audit, number, *one));
                let beyond = ours == libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
                assert!(ours == theirs || !known || beyond, "{:?} {number} {one:x?}: {ours:x} {theirs:x}", abi.scmp);
            }
        }
    }
    let foreign = answer(&ours, 0x1234, 0, [0; 6]);
    assert_eq!(foreign, libc::SECCOMP_RET_KILL_THREAD);
}

fn profile(value: serde_json::Value) -> LinuxSeccomp {
    serde_json::from_value(value).unwrap()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn each_comparison_means_what_libseccomp_means() {
    let wide = 0x1_0000_0005_u64;
    for operator in ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"] {
        for (value, two) in [(5_u64, 4_u64), (wide, 0x1_0000_0001), (0x7e02_0000, 0), (0, 0)] {
            if operator == "MASKED_EQ" && value == 0 {
                continue;
            }
            let argument = json!({"index": 1, "value": value, "valueTwo": two, "op": format!("SCMP_CMP_{operator}")});
            compare(&profile(json!({
                "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [
                    {"names": ["read", "clone"], "action": "SCMP_ACT_ALLOW", "args": [argument]},
                    {"names": ["write", "open"], "action": "SCMP_ACT_ALLOW"},
                    {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22},
                ],
            })));
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn rules_come_together_as_in_libseccomp() {
    let equal = |index: u32, value: u64| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
    let rules = [
        // A conditional rule is below an unconditional one, wherever it stands.
        json!([{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["read"], "action": "SCMP_ACT_TRAP", "args": [equal(0, 3)]}]),
        json!([{"names": ["read"], "action": "SCMP_ACT_TRAP", "args": [equal(0, 3)]}, {"names": ["read"], "action": "SCMP_ACT_ALLOW"}]),
        // Conditions of one rule all hold; of several rules, one.
        json!([{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [equal(0, 1), equal(1, 0x2000)]},
               {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [equal(0, 2)]}]),
        json!([{"names": ["read", "write", "futex", "no_such_call"], "action": "SCMP_ACT_LOG"}]),
    ];
    for rules in rules {
        for default in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ALLOW"] {
            compare(&profile(json!({
                "defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules,
            })));
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_default_profile_is_the_same_as_by_libseccomp() {
    for capabilities in [&[][..], &["CAP_SYS_ADMIN"], &["CAP_SYS_CHROOT", "CAP_BPF", "CAP_SYSLOG"]] {
        compare(&crate::plan::default_seccomp_profile(capabilities, (6, 1)));
    }
}

/// With the default profile x86-64's calls that are newer than it don't exist, rather than being forbidden.
#[test]
#[cfg(target_arch = "x86_64")]
fn calls_newer_than_the_profile_do_not_exist() {
    let code = compile::compile(&crate::plan::default_seccomp_profile(&[], (6, 1))).unwrap();
    let nosys = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let audit = 0xc000_003e;
    assert_eq!(answer(&code, audit, 9999, [0; 6]), nosys);
    // mseal, which the profile has and libseccomp 2.5.4 hasn't.
    assert_eq!(answer(&code, audit, 462, [0; 6]), libc::SECCOMP_RET_ALLOW);
    // mount: known, and not allowed.
    assert_eq!(answer(&code, audit, 165, [0; 6]), libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
}

#[test]
fn what_can_not_be_is_refused() {
    let refused = |value| Filter::new(&profile(value)).unwrap_err().to_string();
    assert!(refused(json!({"defaultAction": "SCMP_ACT_NOTIFY"})).contains("SCMP_ACT_NOTIFY"));
    let mips = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_MIPS"]});
    assert!(refused(mips).contains("architecture"));
    let seventh = json!({"index": 6, "value": 0, "op": "SCMP_CMP_EQ"});
    let rule = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [seventh]});
    assert!(refused(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]})).contains("argument 6"));
}

/// What is written is what is read.
#[test]
fn a_filter_comes_through_its_descriptor() {
    let profile = crate::plan::default_seccomp_profile(&[], (6, 1));
    let filter = Filter::new(&profile).unwrap();
    let file = File::from(filter.as_fd().try_clone_to_owned().unwrap());
    let read = Program::read(&file).unwrap();
    let code = compile::compile(&profile).unwrap();
    assert_eq!(read.code.len(), code.len());
    assert!(read.code.iter().zip(&code).all(|(a, b)| (a.code, a.jt, a.jf, a.k) == (b.code, b.jt, b.jf, b.k)));
}

#[test]
fn what_a_filter_allows_is_known_before_it_is_on() {
    let filter = Filter::new(&profile(json!({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": ["setsid"], "action": "SCMP_ACT_LOG"},
            {"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 0, "value": 0x2000_0000, "valueTwo": 0x2000_0000, "op": "SCMP_CMP_MASKED_EQ"}]},
        ],
    })));
    let Ok(filter) = filter else { panic!("{filter:?}") };
    let program = Program::read(&filter.program).unwrap();
    for (call, arguments, expected) in [
        (libc::SYS_setsid, vec![], true),
        (libc::SYS_mkdirat, vec![], false),
        (libc::SYS_clone, vec![0x8000], true),
        (libc::SYS_clone, vec![0x2000_8000], false),
    ] {
        assert_eq!(program.allows(call, &arguments), expected, "{call} {arguments:?}");
    }
}
