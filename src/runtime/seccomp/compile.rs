//! A profile made a program for the kernel's filter machine (seccomp(2), Linux' socket filter). What a rule means is
//! what runc and libseccomp make of it; the tests compare the two call by call. Exists because libseccomp takes 20 ms
//! for a profile of the default one's size, and this some tenths of a millisecond; what it makes is a search tree,
//! so that a container's call passes about ten instructions instead of hundreds.

use std::collections::BTreeMap;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator};

use super::calls::{self, Abi, NATIVE, Way, Width, X32_BIT};
use super::error::SeccompError;

/// Most instructions that the kernel takes (BPF_MAXINSNS).
const MOST: usize = 4096;
/// Offsets in the kernel's struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const GO: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

type Code = Vec<libc::sock_filter>;

/// What happens to one call: the first rule all of whose conditions hold, else `otherwise`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Verdict {
    rules: Vec<(Vec<Condition>, u32)>,
    otherwise: Option<u32>,
}

/// One comparison of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    index: usize,
    width: Width,
    operator: LinuxSeccompOperator,
    mask: u64,
    datum: u64,
}

/// The program. Its size is bounded; names that an architecture doesn't have are skipped, as everywhere.
pub(super) fn compile(profile: &LinuxSeccomp) -> Result<Code, SeccompError> {
    let abis = abis(profile)?;
    let mut code = vec![plain(LOAD, ARCH)];
    let mut done = Vec::new();
    for abi in &abis {
        if done.contains(&abi.audit) {
            continue;
        }
        done.push(abi.audit);
        let ranges = match abis.iter().filter(|one| one.audit == abi.audit).collect::<Vec<_>>()[..] {
            [one, other] => {
                let (wide, x32) = if one.width == Width::Wide { (one, other) } else { (other, one) };
                let mut ranges = ranges(profile, *wide, 0)?;
                ranges.extend(self::ranges(profile, *x32, X32_BIT)?);
                ranges
            }
            _ => {
                let mut ranges = ranges(profile, *abi, 0)?;
                if *abi == NATIVE && abi.scmp == libseccomp::ScmpArch::X8664 {
                    ranges
                        .push((X32_BIT, Verdict { rules: Vec::new(), otherwise: Some(libc::SECCOMP_RET_KILL_THREAD) }));
                }
                ranges
            }
        };
        let tree = tree(&merged(ranges));
        code.push(jump(EQUAL, abi.audit, 1, 0));
        code.push(plain(GO, tree.len() as u32 + 1));
        code.push(plain(LOAD, NUMBER));
        code.extend(tree);
    }
    // As libseccomp's SCMP_FLTATR_ACT_BADARCH is by default.
    code.push(plain(RETURN, libc::SECCOMP_RET_KILL_THREAD));
    if code.len() > MOST { Err(SeccompError::TooLong { instructions: code.len(), most: MOST }) } else { Ok(code) }
}

/// The native one first, always, as in runc.
fn abis(profile: &LinuxSeccomp) -> Result<Vec<Abi>, SeccompError> {
    let mut abis = vec![NATIVE];
    for arch in profile.architectures().iter().flatten() {
        let abi = calls::abi(*arch).ok_or(SeccompError::Architecture { name: *arch })?;
        if !abis.contains(&abi) {
            abis.push(abi);
        }
    }
    Ok(abis)
}

/// What happens to calls from each number on, beginning with `first`.
fn ranges(profile: &LinuxSeccomp, abi: Abi, first: u32) -> Result<Vec<(u32, Verdict)>, SeccompError> {
    let default =
        Verdict { rules: Vec::new(), otherwise: Some(answer(profile.default_action(), profile.default_errno_ret())?) };
    let mut verdicts: BTreeMap<u32, Verdict> = BTreeMap::new();
    let mut last = first;
    for rule in profile.syscalls().iter().flatten() {
        let action = answer(rule.action(), rule.errno_ret())?;
        let given = rule.args().as_deref().unwrap_or_default();
        let alternatives = alternatives(given, abi.width)?;
        for way in rule.names().iter().flat_map(|name| calls::ways(name, abi)) {
            let (number, operation) = match way {
                Way::Direct(number) => (number, None),
                Way::Operation { number, operation } => (number, Some(operation)),
            };
            last = last.max(number);
            if Some(action) == default.otherwise {
                continue;
            }
            let verdict = verdicts.entry(number).or_default();
            match operation {
                // Arguments of an operation lie in memory, where no filter looks: as libseccomp has it, the rule is then
                // for all that they could be.
                Some(operation) => {
                    let datum = u64::from(operation);
                    let operator = LinuxSeccompOperator::ScmpCmpEq;
                    let one = Condition { index: 0, width: abi.width, operator, mask: u64::MAX, datum };
                    verdict.rules.push((vec![one], action));
                }
                None if alternatives.is_empty() => verdict.otherwise = verdict.otherwise.or(Some(action)),
                None => verdict.rules.extend(alternatives.iter().map(|conditions| (conditions.clone(), action))),
            }
        }
    }
    let mut ranges = vec![(first, default.clone())];
    for (number, mut verdict) in verdicts {
        // A rule without conditions is above those with some, in libseccomp.
        match verdict.otherwise {
            Some(_) => verdict.rules.clear(),
            None => verdict.otherwise = default.otherwise,
        }
        ranges.push((number, verdict));
        ranges.push((number + 1, default.clone()));
    }
    if let Some(unknown) = newer_than_the_profile(profile) {
        ranges.retain(|(number, _)| *number <= last);
        ranges.push((last + 1, Verdict { rules: Vec::new(), otherwise: Some(unknown) }));
    }
    Ok(ranges)
}

/// Calls beyond the last one that the profile names are answered with ENOSYS, as in runc: the profile's author did not
/// know them, and programs know what to do on an older kernel, but take EPERM for a refusal of what they want.
fn newer_than_the_profile(profile: &LinuxSeccomp) -> Option<u32> {
    let allows = matches!(
        profile.default_action(),
        LinuxSeccompAction::ScmpActAllow | LinuxSeccompAction::ScmpActLog | LinuxSeccompAction::ScmpActTrace
    );
    let named = profile.syscalls().iter().flatten().next().is_some();
    (!allows && named).then_some(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32)
}

fn answer(action: LinuxSeccompAction, errno: Option<u32>) -> Result<u32, SeccompError> {
    let data = errno.unwrap_or(libc::EPERM as u32) & libc::SECCOMP_RET_DATA;
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => libc::SECCOMP_RET_KILL_THREAD,
        LinuxSeccompAction::ScmpActKillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        LinuxSeccompAction::ScmpActTrap => libc::SECCOMP_RET_TRAP,
        LinuxSeccompAction::ScmpActErrno => libc::SECCOMP_RET_ERRNO | data,
        LinuxSeccompAction::ScmpActTrace => libc::SECCOMP_RET_TRACE | data,
        LinuxSeccompAction::ScmpActAllow => libc::SECCOMP_RET_ALLOW,
        LinuxSeccompAction::ScmpActLog => libc::SECCOMP_RET_LOG,
        LinuxSeccompAction::ScmpActNotify => return Err(SeccompError::Notify),
    })
}

/// The lists of conditions of which one must hold as a whole. libseccomp compares an argument once per rule; where a
/// profile has it more than once, runc makes it one rule per condition.
fn alternatives(arguments: &[LinuxSeccompArg], width: Width) -> Result<Vec<Vec<Condition>>, SeccompError> {
    let mut conditions = Vec::new();
    for one in arguments {
        if one.index() > 5 {
            return Err(SeccompError::Argument { index: one.index() });
        }
        // For SCMP_CMP_MASKED_EQ the OCI's `value` is the mask and `valueTwo` the datum, as in seccomp_rule_add(3).
        let (mask, datum) = match one.op() {
            LinuxSeccompOperator::ScmpCmpMaskedEq => (one.value(), one.value_two().unwrap_or(0) & one.value()),
            _ => (u64::MAX, one.value()),
        };
        conditions.push(Condition { index: one.index(), width, operator: one.op(), mask, datum });
    }
    let repeats = (0..6).any(|index| conditions.iter().filter(|one| one.index == index).count() > 1);
    Ok(match conditions.is_empty() {
        true => Vec::new(),
        false if repeats => conditions.into_iter().map(|one| vec![one]).collect(),
        false => vec![conditions],
    })
}

/// Neighbours with the same verdict are one range.
fn merged(ranges: Vec<(u32, Verdict)>) -> Vec<(u32, Verdict)> {
    let mut merged: Vec<(u32, Verdict)> = Vec::new();
    for (number, verdict) in ranges {
        if merged.last().is_some_and(|(last, _)| *last == number) {
            merged.pop();
        }
        if merged.last().is_none_or(|(_, last)| *last != verdict) {
            merged.push((number, verdict));
        }
    }
    merged
}

/// A search for the range that the number in the accumulator is in. Depth is the logarithm of their count.
fn tree(ranges: &[(u32, Verdict)]) -> Code {
    match ranges {
        [] => vec![plain(RETURN, libc::SECCOMP_RET_KILL_THREAD)],
        [(_, verdict)] => leaf(verdict),
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let (left, right) = (tree(below), tree(above));
            let mut code = match u8::try_from(left.len()) {
                Ok(length) => vec![jump(AT_LEAST, above[0].0, length, 0)],
                Err(_) => vec![jump(AT_LEAST, above[0].0, 0, 1), plain(GO, left.len() as u32)],
            };
            code.extend(left);
            code.extend(right);
            code
        }
    }
}

fn leaf(verdict: &Verdict) -> Code {
    let mut code = Vec::new();
    for (conditions, action) in &verdict.rules {
        code.extend(rule(conditions, *action));
    }
    code.push(plain(RETURN, verdict.otherwise.unwrap_or(libc::SECCOMP_RET_KILL_THREAD)));
    code
}

/// Where a comparison goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    /// This condition holds.
    Holds,
    /// The rule doesn't apply.
    Fails,
}

/// Returns `action` if all conditions hold, else goes on behind.
fn rule(conditions: &[Condition], action: u32) -> Code {
    let steps: Vec<Vec<(u16, u32, To, To)>> = conditions.iter().map(steps).collect();
    let length: usize = steps.iter().map(Vec::len).sum();
    let mut code = Vec::with_capacity(length + 1);
    let mut end = 0;
    for condition in &steps {
        end += condition.len();
        for (kind, value, then, otherwise) in condition {
            let here = code.len() + 1;
            // Six conditions of at most six steps: no distance comes near 255.
            let to = |to: &To| match to {
                To::Next => 0,
                To::Holds => (end - here) as u8,
                To::Fails => (length + 1 - here) as u8,
            };
            code.push(jump(*kind, *value, to(then), to(otherwise)));
        }
    }
    code.push(plain(RETURN, action));
    code
}

/// A comparison of 64 bits in steps of 32, the upper half first; where arguments have 32 bits, of the lower half alone.
fn steps(condition: &Condition) -> Vec<(u16, u32, To, To)> {
    use To::{Fails, Holds, Next};
    let base = ARGUMENTS + 8 * condition.index as u32;
    let (low_at, high_at) = if cfg!(target_endian = "little") { (base, base + 4) } else { (base + 4, base) };
    let (low, high) = (condition.datum as u32, (condition.datum >> 32) as u32);
    let load = |at| (LOAD, at, Next, Next);
    let mut all = match condition.operator {
        LinuxSeccompOperator::ScmpCmpEq => {
            vec![load(high_at), (EQUAL, high, Next, Fails), load(low_at), (EQUAL, low, Holds, Fails)]
        }
        LinuxSeccompOperator::ScmpCmpNe => {
            vec![load(high_at), (EQUAL, high, Next, Holds), load(low_at), (EQUAL, low, Fails, Holds)]
        }
        LinuxSeccompOperator::ScmpCmpMaskedEq => vec![
            load(high_at),
            (AND, (condition.mask >> 32) as u32, Next, Next),
            (EQUAL, high, Next, Fails),
            load(low_at),
            (AND, condition.mask as u32, Next, Next),
            (EQUAL, low, Holds, Fails),
        ],
        LinuxSeccompOperator::ScmpCmpGt | LinuxSeccompOperator::ScmpCmpGe => {
            let kind = if condition.operator == LinuxSeccompOperator::ScmpCmpGt { GREATER } else { AT_LEAST };
            let first = [load(high_at), (GREATER, high, Holds, Next), (EQUAL, high, Next, Fails)];
            first.into_iter().chain([load(low_at), (kind, low, Holds, Fails)]).collect()
        }
        LinuxSeccompOperator::ScmpCmpLt | LinuxSeccompOperator::ScmpCmpLe => {
            let kind = if condition.operator == LinuxSeccompOperator::ScmpCmpLe { GREATER } else { AT_LEAST };
            let first = [load(high_at), (GREATER, high, Fails, Next), (EQUAL, high, Next, Holds)];
            first.into_iter().chain([load(low_at), (kind, low, Fails, Holds)]).collect()
        }
    };
    if condition.width == Width::Narrow {
        let lower = all.iter().position(|step| *step == load(low_at)).unwrap_or(0);
        all.drain(..lower);
    }
    all
}

fn plain(code: u16, value: u32) -> libc::sock_filter {
    jump(code, value, 0, 0)
}

fn jump(code: u16, value: u32, then: u8, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: then, jf: otherwise, k: value }
}
