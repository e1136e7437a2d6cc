//! What a panic leaves: why and where, and which code was called by which. The binary has neither names nor tables for
//! unwinding (`scripts/no-unwind.ld`), so the calls are what looks like return addresses on the stack: words that point
//! into this program's code, right behind a call. docs/panics.md tells how to make names of them. Some may be left from
//! calls that had returned already.
//!
//! The kernel is asked for memory (/proc/self/mem), so that nothing here can fault, and nothing is unsafe.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::PanicHookInfo;

/// As much of the stack is looked through, in bytes.
const STACK: u64 = 512 * 1024;
/// As many calls are told.
const CALLS: usize = 48;
/// Bytes of the longest instruction that calls.
const LONGEST_CALL: u64 = 7;

/// From now on a panic tells more than std does.
pub fn install() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let why = text.unwrap_or("no reason given");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let calls = Program::of_this_process().map(|program| program.calls()).unwrap_or_default();
    let calls: Vec<String> = calls.iter().map(|address| format!("{address:#x}")).collect();
    let text = format!(
        "error: barepod {} made a mistake and ends, please report it with these lines: {why}\n  at {place}\n  \
         called by, the newest call first: {}\n",
        env!("CARGO_PKG_VERSION"),
        if calls.is_empty() { "unknown".to_owned() } else { calls.join(" ") },
    );
    // Where that can't be written nobody can be told.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// This program as it is in memory.
struct Program {
    memory: File,
    /// What is to be subtracted from an address for that in the file.
    base: u64,
    code: Vec<Range<u64>>,
    /// From the newest call on.
    stack: Range<u64>,
}

impl Program {
    fn of_this_process() -> Option<Self> {
        let memory = File::open("/proc/self/mem").ok()?;
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let maps: Vec<Mapping<'_>> = maps.lines().filter_map(Mapping::parse).collect();
        let marker = 0u64;
        let here = std::ptr::from_ref(std::hint::black_box(&marker)).addr() as u64;
        let holding = |address: u64| maps.iter().find(|mapping| mapping.range.contains(&address));
        let program = holding(install as fn() as usize as u64)?.file;
        let first = maps.iter().find(|mapping| mapping.file == program)?;
        let mut kind = [0; 2];
        memory.read_exact_at(&mut kind, first.range.start + 16).ok()?;
        // ET_DYN, elf(5): its addresses begin at 0 and it is somewhere else in memory.
        let base = if u16::from_le_bytes(kind) == 3 { first.range.start } else { 0 };
        let code = maps.iter().filter(|mapping| mapping.file == program && mapping.executable);
        let code = code.map(|mapping| mapping.range.clone()).collect();
        let stack = here..holding(here)?.range.end.min(here.saturating_add(STACK));
        Some(Self { memory, base, code, stack })
    }

    fn is_code(&self, address: u64) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }

    /// Addresses in the file, of what calls.
    fn calls(&self) -> Vec<u64> {
        let mut stack = vec![0; usize::try_from(self.stack.end - self.stack.start).unwrap_or(0)];
        if self.memory.read_exact_at(&mut stack, self.stack.start).is_err() {
            return Vec::new();
        }
        let aligned = usize::try_from(self.stack.start.next_multiple_of(8) - self.stack.start).unwrap_or(0);
        let words = stack[aligned.min(stack.len())..].chunks_exact(8);
        let words = words.map(|word| word.try_into().map_or(0, u64::from_le_bytes));
        // One before: the call itself, not what comes after it, which may be another line.
        words.filter(|word| self.is_return(*word)).map(|word| word - 1 - self.base).take(CALLS).collect()
    }

    /// Whether there is an instruction that calls right before.
    fn is_return(&self, address: u64) -> bool {
        let mut before = [0; LONGEST_CALL as usize];
        self.is_code(address)
            && self.memory.read_exact_at(&mut before, address - LONGEST_CALL).is_ok()
            && (self.calls_directly(address, before) || calls_indirectly(before))
    }

    /// `call` of an address that is relative to the next instruction.
    fn calls_directly(&self, next: u64, before: [u8; LONGEST_CALL as usize]) -> bool {
        let [_, _, 0xe8, offset @ ..] = before else { return false };
        self.is_code(next.wrapping_add_signed(i64::from(i32::from_le_bytes(offset))))
    }
}

/// `call` of what is in a register or in memory, of whichever length: 0xff with 2 in the middle of the next byte.
fn calls_indirectly(before: [u8; LONGEST_CALL as usize]) -> bool {
    let length = before.len();
    [2, 3, 4, 6, 7].iter().any(|back| before[length - back] == 0xff && before[length - back + 1] >> 3 & 7 == 2)
}

/// A line of /proc/self/maps (proc(5)).
struct Mapping<'a> {
    range: Range<u64>,
    executable: bool,
    /// Device and inode.
    file: (&'a str, &'a str),
}

impl<'a> Mapping<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        let executable = words.next()?.contains('x');
        let _offset = words.next()?;
        Some(Self { range, executable, file: (words.next()?, words.next()?) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[inline(never)]
    fn inner() -> (Vec<u64>, u64) {
        let program = Program::of_this_process().unwrap();
        std::hint::black_box((program.calls(), program.base))
    }

    #[inline(never)]
    fn outer() -> (Vec<u64>, u64) {
        let found = inner();
        std::hint::black_box(found)
    }

    /// Each caller is there, the newest first, and far from all that is on the stack.
    #[test]
    fn callers_are_found() {
        let (calls, base) = outer();
        let at = |function: fn() -> (Vec<u64>, u64)| {
            let start = function as usize as u64 - base;
            calls.iter().position(|call| (start..start + 400).contains(call))
        };
        let (inner, outer) = (at(inner), at(outer));
        assert!(inner.is_some() && inner < outer, "{inner:?} {outer:?} {calls:x?}");
        assert!(calls.len() <= CALLS);
    }

    #[test]
    fn calls_are_told_from_other_code() {
        for (before, calls) in [
            ([0, 0, 0, 0, 0, 0xff, 0xd0], true),    // call rax
            ([0, 0, 0, 0, 0xff, 0x55, 0x10], true), // call [rbp + 16]
            ([0, 0xff, 0x15, 1, 2, 3, 4], true),    // call [rip + ...]
            ([0xff, 0x94, 0x24, 1, 2, 3, 4], true), // call [rsp + ...]
            ([0, 0, 0, 0, 0, 0xff, 0xe0], false),   // jmp rax
            ([0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90], false),
        ] {
            assert_eq!(calls_indirectly(before), calls, "{before:x?}");
        }
        let line = "7f00-7fff r-xp 00001000 08:01 4711    /usr/local/bin/barepod (deleted)";
        let mapping = Mapping::parse(line).unwrap();
        assert_eq!((mapping.range, mapping.executable, mapping.file), (0x7f00..0x7fff, true, ("08:01", "4711")));
    }
}
