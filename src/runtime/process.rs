//! Processes that are not this one's children: a pod's supervisor, for a command that has to end it, and what a dead
//! supervisor has left.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::spawn;

/// A process that was written down.
pub struct Recorded<'a> {
    /// Its pid in the pid namespace below.
    pub pid: u32,
    /// That pid namespace, as /proc/PID/ns/pid shows it; empty: this process' own.
    pub pid_namespace: &'a str,
    /// Whether the process that has this pid now, in the pid namespace of whoever asks, is the one that was written down; an
    /// error where the kernel can't be asked, which says nothing of it.
    pub is_it: Box<dyn Fn(u32) -> io::Result<bool> + 'a>,
}

impl std::fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {}", self.pid, self.pid_namespace)
    }
}

impl Recorded<'_> {
    /// The process, held; `None`: it has ended, or is hidden from here. What can't be looked at (no more open files) is an
    /// error: it may live.
    fn find(&self) -> io::Result<Option<OwnedFd>> {
        if self.pid_namespace.is_empty() || fs::read_link("/proc/self/ns/pid")?.as_os_str() == self.pid_namespace {
            return self.hold(self.pid);
        }
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            match self.hold(pid) {
                Ok(Some(pidfd)) if self.is_seen_as(pid)? => return Ok(Some(pidfd)),
                Ok(_) => {}
                // Another user's, whom /proc hides (proc(5), hidepid=1); with hidepid=2 it wouldn't even be listed.
                Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(None)
    }

    /// The process that has this pid here, held, if that is the one by all but its own pid namespace.
    fn hold(&self, pid: u32) -> io::Result<Option<OwnedFd>> {
        let Some(pidfd) = hold(pid)? else { return Ok(None) };
        Ok((self.is_it)(pid)?.then_some(pidfd))
    }

    /// Whether the process with this pid here has the recorded one in its own pid namespace, and that is the recorded one.
    fn is_seen_as(&self, pid: u32) -> io::Result<bool> {
        let Some(status) = if_it_lives(fs::read_to_string(format!("/proc/{pid}/status")))? else { return Ok(false) };
        let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let innermost = pids.and_then(|pids| pids.split_whitespace().last()?.parse().ok());
        if innermost != Some(self.pid) {
            return Ok(false);
        }
        match if_it_lives(fs::read_link(format!("/proc/{pid}/ns/pid"))) {
            Ok(namespace) => Ok(namespace.is_some_and(|one| one.as_os_str() == self.pid_namespace)),
            // Another user's, which may well have the same number in its own namespace, and have begun in the same instant.
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied && !is_own(&status) => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// Whether it is sure that it has ended, or is hidden from here.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.find(), Ok(None))
    }

    /// SIGKILL, and waits for its end for so long. One that has ended is no error.
    ///
    /// # Errors
    /// Where it can't be looked at, may not be signalled, or doesn't end.
    pub fn end(&self, patience: Duration) -> io::Result<()> {
        let Some(pidfd) = self.find()? else { return Ok(()) };
        spawn::signal(&pidfd, libc::SIGKILL)?;
        let began = Instant::now();
        loop {
            let left = patience.saturating_sub(began.elapsed());
            match poll(
                &mut [PollFd::new(&pidfd, PollFlags::IN)],
                Some(&Timespec::try_from(left).map_err(io::Error::other)?),
            ) {
                Ok(0) if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Whether a process with this /proc/PID/status has our user, who is shown as in our own user namespace (proc(5)).
fn is_own(status: &str) -> bool {
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    user == Some(rustix::process::getuid().as_raw())
}

/// Whether a process is stopped (SIGSTOP, a debugger): it answers nobody until somebody lets it go on.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().next());
    matches!(state, Some("T" | "t"))
}

/// SIGKILL to a process of which `is_it` says, once it is held by a pidfd, that it is the one that is meant. One that has
/// ended is no error.
///
/// # Errors
/// Where it may not be signalled.
pub fn kill_if(pid: u32, is_it: impl FnOnce() -> bool) -> io::Result<()> {
    match hold(pid)? {
        Some(pidfd) if is_it() => spawn::signal(&pidfd, libc::SIGKILL),
        Some(_) | None => Ok(()),
    }
}

/// The process that has this pid here; `None`: none has.
fn hold(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0) else { return Ok(None) };
    match spawn::open_pidfd(pid) {
        // EINVAL or ENOENT, as the kernel's age is: the number is a thread's by now, and no process has it.
        Err(cause) if matches!(cause.raw_os_error(), Some(libc::ESRCH | libc::EINVAL | libc::ENOENT)) => Ok(None),
        opened => opened.map(Some),
    }
}

/// What /proc says of a process; `None`: it has ended.
fn if_it_lives<T>(said: io::Result<T>) -> io::Result<Option<T>> {
    match said {
        Err(cause) if matches!(cause.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        said => said.map(Some),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    /// Found by its pid and by what tells it from a later one with that; also from outside of its pid namespace.
    #[test]
    fn what_was_written_down_is_ended() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id();
        let recorded = |pid_namespace, is_it: fn(u32, u32) -> io::Result<bool>| Recorded {
            pid,
            pid_namespace,
            is_it: Box::new(move |seen| is_it(pid, seen)),
        };
        let is_it = |pid, seen| Ok(seen == pid);
        assert!(recorded("", |_, _| Ok(false)).is_gone());
        // The pid of another namespace says nothing here.
        assert!(recorded("pid:[1]", is_it).is_gone());
        let own = fs::read_link("/proc/self/ns/pid").unwrap();
        assert!(!recorded(own.to_str().unwrap(), is_it).is_gone());
        // Where nobody can say whether it is it, it may be.
        for pid_namespace in ["", "pid:[1]"] {
            let unknown = recorded(pid_namespace, |_, _| Err(io::Error::from_raw_os_error(libc::EMFILE)));
            assert!(!unknown.is_gone(), "{pid_namespace}");
            assert_eq!(unknown.end(Duration::ZERO).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        }
        assert!(child.try_wait().unwrap().is_none());
        recorded("", is_it).end(Duration::from_secs(30)).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        recorded("", is_it).end(Duration::ZERO).unwrap();
    }

    /// What /proc keeps from us of another user's process is no trouble; of our own it is.
    #[test]
    fn whose_a_process_is() {
        let own = rustix::process::getuid().as_raw();
        let status = |user: u32| format!("Name:\tpasta\nUid:\t{user}\t0\t0\t0\nGid:\t{own}\t0\t0\t0\n");
        assert!(is_own(&status(own)) && !is_own(&status(own + 1)) && !is_own("Name:\tpasta\n"));
        assert!(is_own(&fs::read_to_string("/proc/self/status").unwrap()));
    }

    /// No process has the number of a thread, nor one that is none.
    #[test]
    fn a_number_that_no_process_has_is_gone() {
        let gone = |pid| Recorded { pid, pid_namespace: "", is_it: Box::new(|_| Ok(true)) }.is_gone();
        std::thread::scope(|scope| {
            let thread = || u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            scope.spawn(move || assert!(gone(thread())));
        });
        assert!(gone(0) && gone(u32::MAX) && !gone(std::process::id()));
    }

    #[test]
    fn only_who_is_meant_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        kill_if(child.id(), || false).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        assert!(!is_stopped(child.id()));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        let options = rustix::process::WaitIdOptions::STOPPED;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert!(is_stopped(child.id()));
        kill_if(child.id(), || true).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        kill_if(child.id(), || true).unwrap();
    }
}
