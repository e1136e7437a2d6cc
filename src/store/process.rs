//! When a process started: with its pid that names one process, also later, within one boot and pid namespace ([`boot`]).
//!
//! [`boot`]: super::boot

use std::io::{self, ErrorKind};

/// When a process started, in clock ticks since boot (proc(5), stat field 22): with the pid it names one process. `None`
/// where it has ended, reaped or not, or is about to: of its memory nothing is left (field 23).
pub fn process_start(pid: u32) -> Option<u64> {
    ask_for_start(pid).ok()?
}

/// As [`process_start`]; an error where the kernel can't be asked, which says nothing of the process.
pub(super) fn ask_for_start(pid: u32) -> io::Result<Option<u64>> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(start_in(&stat)),
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

fn start_in(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let start = fields.nth(18)?.parse().ok()?;
    (fields.next()? != "0").then_some(start)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_has_no_start() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        assert!(process_start(std::process::id()).is_some());
        // A zombie from here on, until it is waited for.
        let pid = rustix::process::Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert_eq!(process_start(child.id()), None);
        child.wait().unwrap();
        assert_eq!(process_start(child.id()), None);
    }
}
