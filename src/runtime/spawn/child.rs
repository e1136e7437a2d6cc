//! Children, helpers or not: signalled by their pidfds, and reaped, also where whoever started them has gone on.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, PidfdFlags, Signal};

/// A started helper. Dropping it neither kills nor reaps it.
#[derive(Debug)]
pub(crate) struct Child {
    /// Also its process group: everything it forks before a setsid can be reaped by it.
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ExitStatus {
    /// Exited with this code.
    Code(i32),
    /// Ended by this signal.
    Signal(i32),
    /// Somebody else reaped it.
    Unknown,
}

impl ExitStatus {
    /// What it exited with, as far as a parent learns of that: the low eight bits (wait(2)). `None`: it did not end by
    /// itself, or that isn't known.
    pub fn code(self) -> Option<u8> {
        match self {
            Self::Code(code) => Some((code & 0xff) as u8),
            Self::Signal(_) | Self::Unknown => None,
        }
    }
}

/// Reaps the child behind a pidfd if it has ended. `None`: it hasn't. A child somebody else reaped is an error (ECHILD).
pub(crate) fn reap(pidfd: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t)
}

/// Whether the process behind a pidfd is a child of this one that nobody has reaped.
pub(crate) fn is_child(pidfd: &OwnedFd) -> bool {
    waited(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOWAIT).is_ok()
}

/// Reaps the ended members of a helper's process group. True: none is left.
pub(crate) fn reap_group(group: i32) -> bool {
    loop {
        match wait(libc::P_PGID, group as libc::id_t) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

fn wait(kind: libc::idtype_t, id: libc::id_t) -> io::Result<Option<ExitStatus>> {
    waited(kind, id, 0)
}

fn waited(kind: libc::idtype_t, id: libc::id_t, more: libc::c_int) -> io::Result<Option<ExitStatus>> {
    // SAFETY: siginfo_t is plain data for which zeros are valid; waitid fills it in. __WALL, which rustix and nix
    // don't offer for waitid, is needed because libcontainer's processes have no exit signal.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL | more;
        if libc::waitid(kind, id, &raw mut info, options) != 0 {
            return Err(io::Error::last_os_error());
        }
        if info.si_pid() == 0 {
            return Ok(None);
        }
        let status = info.si_status();
        Ok(Some(if info.si_code == libc::CLD_EXITED { ExitStatus::Code(status) } else { ExitStatus::Signal(status) }))
    }
}

/// Opens a pidfd for a child of ours that nobody has reaped.
pub(crate) fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: any number is allowed: real-time signals are stop signals too, and the kernel refuses what isn't one.
    let signal = unsafe { Signal::from_raw_unchecked(signal) };
    match rustix::process::pidfd_send_signal(pidfd, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// Whether the process behind a pidfd has ended, reaped or not.
pub(crate) fn has_ended(pidfd: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&now)), Ok(1))
}

/// Waits for a child that is on its way out, reaps it, and tells how it ended.
pub(crate) fn await_end(pidfd: &OwnedFd) -> ExitStatus {
    use rustix::event::{PollFd, PollFlags, poll};
    while poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
    reap(pidfd).ok().flatten().unwrap_or(ExitStatus::Unknown)
}

/// Waits for a child of which no pidfd could be had and that ends by itself, and reaps it. Until then nobody else has its pid.
pub(super) fn await_unheld(pid: i32) {
    loop {
        // SAFETY: no memory is touched: nobody wants to know how it ended.
        let waited = unsafe {
            let options = libc::WEXITED | libc::__WALL;
            libc::waitid(libc::P_PID, pid.cast_unsigned(), std::ptr::null_mut(), options)
        };
        if waited == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// A child, or children, whose helper is gone from our books and who may still have to be reaped. Until then a dead member
/// of a container's pid namespace keeps that container's init from ending.
enum Unreaped {
    /// The members of a process group.
    Group(i32),
    /// A child that was told of, and that could not be held by a pidfd. It is ended where it is who was told of.
    Child { pid: i32, is_it: Box<dyn Fn(&OwnedFd) -> bool + Send> },
}

impl Unreaped {
    /// Whether there is nothing to be reaped any more.
    fn is_gone(&self) -> bool {
        match self {
            Self::Group(group) => reap_group(*group),
            Self::Child { pid, is_it } => match open_pidfd(*pid) {
                Ok(pidfd) if is_child(&pidfd) && is_it(&pidfd) => {
                    let _ = signal(&pidfd, libc::SIGKILL);
                    !matches!(reap(&pidfd), Ok(None))
                }
                Ok(_) => true,
                Err(cause) => cause.raw_os_error() == Some(libc::ESRCH),
            },
        }
    }
}

static TO_BE_REAPED: Mutex<Vec<Unreaped>> = Mutex::new(Vec::new());

fn leave(one: Unreaped) {
    if !one.is_gone() {
        TO_BE_REAPED.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
}

/// Leaves a helper's process group to [`reap_ended`].
pub(crate) fn reap_later(group: i32) {
    leave(Unreaped::Group(group));
}

/// Leaves a child of which no pidfd could be had to [`reap_ended`], which ends it once `is_it` says that it is the one.
pub(crate) fn leave_child(pid: i32, is_it: impl Fn(&OwnedFd) -> bool + Send + 'static) {
    leave(Unreaped::Child { pid, is_it: Box::new(is_it) });
}

/// Reaps what failed and aborted creations left. To be called now and then, best at each SIGCHLD; cheap.
pub fn reap_ended() {
    TO_BE_REAPED.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| !one.is_gone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_exit_code_a_parent_sees_eight_bits() {
        for (end, code) in [
            (ExitStatus::Code(0), Some(0)),
            (ExitStatus::Code(255), Some(255)),
            (ExitStatus::Code(256 + 3), Some(3)),
            (ExitStatus::Code(-1), Some(255)),
            (ExitStatus::Signal(9), None),
            (ExitStatus::Unknown, None),
        ] {
            assert_eq!(end.code(), code, "{end:?}");
        }
    }
}
