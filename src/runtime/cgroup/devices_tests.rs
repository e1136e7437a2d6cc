//! The program against the rules: in a small interpreter, and in the kernel where this may load one.
#![allow(clippy::unwrap_used)]

use oci_spec::runtime::LinuxDeviceCgroup;
use serde_json::{Value, json};

use super::*;

/// As the kernel would run it; panics where the verifier would refuse it.
fn run(code: &[Instruction], kind: i32, access: i32, major: i32, minor: i32) -> bool {
    let context = [access << 16 | kind, major, minor];
    let mut registers = [0_i64; 11];
    let mut at = 0_usize;
    loop {
        let Instruction { code: operation, registers: pair, offset, value } = code[at];
        let (target, source) = (usize::from(pair & 15), usize::from(pair >> 4));
        let value = i64::from(value);
        let jumps = match operation {
            LOAD_WORD => {
                registers[target] = i64::from(context[usize::try_from(offset).unwrap() / 4]);
                false
            }
            COPY => (registers[target] = registers[source], false).1,
            SHIFT_RIGHT => (registers[target] >>= value, false).1,
            AND => (registers[target] &= value, false).1,
            SET => (registers[target] = value, false).1,
            JUMP => true,
            JUMP_UNLESS_EQUAL => registers[target] != value,
            JUMP_IF_ANY_BIT => registers[target] & value != 0,
            EXIT => return registers[0] != 0,
            other => panic!("{other:#x}"),
        };
        at += 1 + if jumps { usize::try_from(offset).unwrap() } else { 0 };
    }
}

/// What the rules mean, the slow way: each access by itself, the last rule that speaks of it.
fn meant(rules: &[Rule], kind: i32, access: i32, major: i32, minor: i32) -> bool {
    let speaks = |rule: &Rule, bit: i32| {
        rule.access & bit != 0
            && rule.kind.is_none_or(|one| one == kind)
            && rule.major.is_none_or(|one| one == major)
            && rule.minor.is_none_or(|one| one == minor)
    };
    [MKNOD, READ, WRITE]
        .into_iter()
        .filter(|bit| access & bit != 0)
        .all(|bit| rules.iter().rev().find(|rule| speaks(rule, bit)).is_some_and(|rule| rule.allow))
}

fn rules(rules: &Value) -> Vec<Rule> {
    let rules: Vec<LinuxDeviceCgroup> = serde_json::from_value(rules.clone()).unwrap();
    rules.iter().filter_map(Rule::parse).collect()
}

#[test]
fn the_program_says_what_the_rules_mean() {
    let deny = json!({"allow": false, "access": "rwm"});
    let tables = [
        json!([]),
        json!([deny]),
        json!([{"allow": true, "access": "rwm"}]),
        json!([deny, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]),
        json!([deny, {"allow": true, "type": "c", "access": "r"}, {"allow": true, "type": "c", "major": 1, "access": "w"}]),
        json!([{"allow": true, "access": "rwm"}, {"allow": false, "type": "b", "major": 8, "access": "w"}]),
        json!([{"allow": true, "type": "b", "access": "rwm"}, {"allow": false, "type": "b", "minor": 0, "access": "rm"},
            {"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"}]),
        json!([{"allow": true, "type": "c", "major": -1, "minor": -1, "access": "rwm"}, {"allow": true, "type": "p"}]),
    ];
    for table in tables {
        let rules = rules(&table);
        for rules in [rules.clone(), rules.into_iter().chain(ALWAYS).collect()] {
            let code = program(&rules);
            for kind in [BLOCK, CHARACTER] {
                for access in 1..=EVERYTHING {
                    for (major, minor) in [(1, 3), (1, 0), (8, 0), (8, 3), (136, 7), (10, 229)] {
                        let said = run(&code, kind, access, major, minor);
                        let meant = meant(&rules, kind, access, major, minor);
                        assert_eq!(said, meant, "{table}: {kind} {access} {major}:{minor}");
                    }
                }
            }
        }
    }
}

/// Needs root and a cgroup v2 hierarchy, with controllers or without.
#[test]
fn the_kernel_holds_a_process_to_the_rules() {
    use std::process::Command;
    let hierarchies = Hierarchies::discover().ok().filter(|_| nix::unistd::geteuid().is_root());
    let found = hierarchies.and_then(|hierarchies| Some((hierarchies.unified.clone()?, hierarchies)));
    let Some((root, mut hierarchies)) = found else {
        return crate::skips::skip("needs root and a hierarchy of cgroup v2");
    };
    hierarchies.v1.clear();
    let cgroup = Path::new("/").join(format!("barepod-devices-{}", std::process::id()));
    let folder = below(&root, &cgroup);
    let ask: Vec<LinuxDeviceCgroup> = serde_json::from_value(json!([{"allow": false, "access": "rwm"}])).unwrap();
    let held = hierarchies.hold_to_device_rules(&cgroup, &ask);
    let kmsg = "test -c /dev/kmsg || exit 7; echo $$ > $0/cgroup.procs; : < /dev/null || exit 8; : < /dev/kmsg";
    let out = Command::new("/bin/sh").args(["-c", kmsg]).arg(&folder).output();
    let left = hierarchies.remove(&cgroup);
    held.unwrap();
    assert!(left.is_empty(), "{left:?}");
    let out = out.unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(7) || said.to_lowercase().contains("not permitted"), "{:?} {said}", out.status);
}

#[test]
fn rules_are_written_to_v1_as_its_files_want_them() {
    let lines: Vec<String> = ALWAYS.iter().flat_map(Rule::lines).collect();
    assert_eq!(lines[..3], ["c *:* m", "b *:* m", "c 1:3 rwm"]);
    let any = Rule { allow: false, kind: None, major: None, minor: None, access: EVERYTHING };
    assert_eq!(any.lines(), ["a"]);
    let read = Rule { access: READ, ..any };
    assert_eq!(read.lines(), ["b *:* r", "c *:* r"]);
}
