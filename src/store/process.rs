//! When a process started: with its pid that names one process, also later, within one boot and pid namespace ([`boot`]).
//!
//! [`boot`]: super::boot

use std::io::{self, ErrorKind};

use rustix::fs::{fstat, fstatfs};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// `PID_FS_MAGIC` of linux/magic.h; with older kernels all pidfds are one file of another file system.
const PID_FS_MAGIC: rustix::fs::FsWord = 0x5049_4446;

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

/// The number that a process has in the kernel's own file system of processes: no other has it in one boot. `None`: it has
/// ended, or the kernel (before 6.9) has no such file system.
pub(super) fn ask_for_identity(pid: u32) -> io::Result<Option<u64>> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) if fstatfs(&pidfd)?.f_type == PID_FS_MAGIC => Ok(Some(fstat(&pidfd)?.st_ino)),
        // A thread's number by now, in the words of older and newer kernels.
        Ok(_) | Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
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
