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
#[derive(Clone, Copy)]
pub struct Recorded<'a> {
    /// Its pid in the pid namespace below.
    pub pid: u32,
    /// That pid namespace, as /proc/PID/ns/pid shows it; empty: this process' own.
    pub pid_namespace: &'a str,
    /// Whether the process that has this pid now, in the pid namespace of whoever asks, is the one that was written down.
    pub is_it: &'a dyn Fn(u32) -> bool,
}

impl std::fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {}", self.pid, self.pid_namespace)
    }
}

impl Recorded<'_> {
    /// The pid that it has here, held; `None`: it has ended, or can't be seen from here.
    fn find(&self) -> Option<(u32, OwnedFd)> {
        let own = fs::read_link("/proc/self/ns/pid").ok();
        let is_here = self.pid_namespace.is_empty() || own.is_some_and(|own| own.as_os_str() == self.pid_namespace);
        let hold = |pid: u32| {
            let pidfd = spawn::open_pidfd(i32::try_from(pid).ok()?).ok()?;
            (self.is_it)(pid).then_some((pid, pidfd))
        };
        if is_here {
            return hold(self.pid);
        }
        let numbers = fs::read_dir("/proc").ok()?.flatten();
        let mut numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers.find_map(|pid| hold(pid).filter(|_| self.is_seen_as(pid)))
    }

    /// Whether the process with this pid here has the recorded one in its own pid namespace, and that is the recorded one.
    fn is_seen_as(&self, pid: u32) -> bool {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let innermost = pids.and_then(|pids| pids.split_whitespace().last()?.parse().ok());
        let namespace = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        innermost == Some(self.pid) && namespace.is_some_and(|one| one.as_os_str() == self.pid_namespace)
    }

    /// Whether it has ended, or can't be seen from here.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.find().is_none()
    }

    /// SIGKILL, and waits for its end for so long. One that has ended is no error.
    ///
    /// # Errors
    /// Where it may not be signalled, or doesn't end.
    pub fn end(&self, patience: Duration) -> io::Result<()> {
        let Some((_, pidfd)) = self.find() else { return Ok(()) };
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
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let ended = |error: &io::Error| error.raw_os_error() == Some(libc::ESRCH);
    let killed = match spawn::open_pidfd(pid) {
        Ok(pidfd) if is_it() => spawn::signal(&pidfd, libc::SIGKILL),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match killed {
        Err(error) if ended(&error) => Ok(()),
        other => other,
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
        let recorded = |pid, pid_namespace, is_it| Recorded { pid, pid_namespace, is_it };
        let is_it = |seen: u32| seen == pid;
        assert!(recorded(pid, "", &|_| false).is_gone());
        // The pid of another namespace says nothing here.
        assert!(recorded(pid, "pid:[1]", &is_it).is_gone());
        let own = fs::read_link("/proc/self/ns/pid").unwrap();
        assert!(!recorded(pid, own.to_str().unwrap(), &is_it).is_gone());
        recorded(pid, "", &is_it).end(Duration::from_secs(30)).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        recorded(pid, "", &is_it).end(Duration::ZERO).unwrap();
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
