//! What a filter would answer, without putting it on: a machine that does what the kernel's does.

use super::Program;
use super::calls::NATIVE;

impl Program {
    /// Whether this process could make the call, with these arguments (the rest are 0), once the filter is on.
    pub(crate) fn allows(&self, call: libc::c_long, arguments: &[u64]) -> bool {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let answer = u32::try_from(call).ok().and_then(|number| answer(&self.code, NATIVE.audit, number, all));
        matches!(answer, Some(libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG))
    }
}

/// What the kernel would answer to a call; `None`: the code isn't of our compiler.
pub(super) fn answer(code: &[libc::sock_filter], audit: u32, number: u32, arguments: [u64; 6]) -> Option<u32> {
    let mut words = vec![number, audit, 0, 0];
    for one in arguments {
        words.extend([one as u32, (one >> 32) as u32]);
    }
    let (mut at, mut accumulator) = (0, 0_u32);
    loop {
        let one = code.get(at)?;
        at += 1;
        let class = u32::from(one.code);
        let branch = |holds: bool| usize::from(if holds { one.jt } else { one.jf });
        match class & 0x07 {
            libc::BPF_LD => accumulator = *words.get(one.k as usize / 4)?,
            libc::BPF_ALU => accumulator &= one.k,
            libc::BPF_RET => return Some(one.k),
            libc::BPF_JMP => {
                at += match class & 0xf0 {
                    libc::BPF_JA => one.k as usize,
                    libc::BPF_JEQ => branch(accumulator == one.k),
                    libc::BPF_JGT => branch(accumulator > one.k),
                    libc::BPF_JGE => branch(accumulator >= one.k),
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}
