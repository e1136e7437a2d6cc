//! Copies of this process that go on with what it does, for what needs no program of its own. Each is held by a pidfd before
//! it does anything.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::pipe::PipeFlags;

use super::child::{Child, await_unheld, open_pidfd};

/// Makes a copy of this process, which must have one thread; `None` in the copy. The copy waits until it is held. Where no
/// pidfd of it can be had (no more open files), it ends without having done anything, and is reaped: an error leaves nobody.
///
/// # Errors
/// As pipe(2), fork(2), pidfd_open(2).
pub(crate) fn fork() -> io::Result<Option<Child>> {
    fork_held(open_pidfd)
}

fn fork_held(hold: impl FnOnce(i32) -> io::Result<OwnedFd>) -> io::Result<Option<Child>> {
    let (gate, go) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: this process has one thread, so that its copy can go on like any process.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {
            drop(go);
            if File::from(gate).read_exact(&mut [0]).is_err() {
                // SAFETY: ends this copy without running what the original has registered for its own end.
                unsafe { libc::_exit(1) }
            }
            return Ok(None);
        }
        pid => pid,
    };
    drop(gate);
    match hold(pid) {
        Ok(pidfd) => {
            // One that was killed meanwhile reads nothing: the pidfd tells of its end.
            let _ = File::from(go).write_all(b"!");
            Ok(Some(Child { pid, pidfd }))
        }
        Err(cause) => {
            drop(go);
            await_unheld(pid);
            Err(cause)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::child::{ExitStatus, await_end};
    use super::*;

    /// What the copy does, in the place of all that a test's copy must not do.
    fn is_copy(forked: &io::Result<Option<Child>>) {
        if matches!(forked, Ok(None)) {
            // SAFETY: ends the copy.
            unsafe { libc::_exit(7) }
        }
    }

    #[test]
    fn a_copy_goes_on_once_it_is_held() {
        let forked = fork();
        is_copy(&forked);
        assert_eq!(await_end(&forked.unwrap().unwrap().pidfd), ExitStatus::Code(7));
    }

    #[test]
    fn a_copy_that_cant_be_held_never_begins() {
        let mut held = None;
        let forked = fork_held(|pid| {
            // It waits for this.
            held = Some(open_pidfd(pid).unwrap());
            Err(io::Error::from_raw_os_error(libc::EMFILE))
        });
        is_copy(&forked);
        assert_eq!(forked.unwrap_err().raw_os_error(), Some(libc::EMFILE));
        let reaped = super::super::reap(&held.unwrap()).unwrap_err();
        assert_eq!(reaped.raw_os_error(), Some(libc::ECHILD), "it has ended and is reaped");
    }
}
