//! Pid 1 of a shared pid namespace (R10.8): reaps what is orphaned in it, ends on SIGTERM, and does nothing else.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};

use super::user;
use crate::runtime::cgroup::PodCgroup;
use crate::runtime::spawn::{self, Environment, Spawn};

/// Its `argv[0]`.
pub(crate) const NAME: &str = "barepod:pause";

/// And of the process that starts it in a user namespace.
pub(crate) const USERS_NAME: &str = "barepod:pause-users";

/// The running process.
#[derive(Debug)]
pub(super) struct Pause {
    child: spawn::Child,
}

impl Pause {
    pub(super) fn start(cgroup: &PodCgroup, users: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let folder = cgroup.hierarchies().track(&cgroup.path().join("_sandbox")).map_err(io::Error::other)?;
        if let Some(users) = users {
            return Self::start_in(users, folder.as_deref());
        }
        // It outlives its parent: containers shall survive a crash of their supervisor, and they would die with it.
        let what = Spawn {
            name: NAME,
            cgroup: folder.as_deref(),
            fds: &[],
            new_pid_namespace: true,
            dies_with_parent: false,
            environment: Environment::Empty,
        };
        Ok(Self { child: spawn::spawn(&what)? })
    }

    /// In a user namespace, to which the pid namespace is to belong: by a process that goes there and forks.
    fn start_in(users: BorrowedFd<'_>, folder: Option<&Path>) -> io::Result<Self> {
        let (report, report_end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let what = Spawn {
            name: USERS_NAME,
            cgroup: folder,
            fds: &[users.as_raw_fd(), report_end.as_raw_fd()],
            new_pid_namespace: false,
            dies_with_parent: false,
            environment: Environment::Empty,
        };
        let parent = spawn::spawn(&what)?;
        drop(report_end);
        let mut text = String::new();
        File::from(report).read_to_string(&mut text)?;
        spawn::await_end(&parent.pidfd);
        match text.parse() {
            Ok(pid) => {
                // It lives on whoever ends: nobody else would end it.
                let pidfd = spawn::open_pidfd(pid).inspect_err(|_| spawn::leave_child(pid, |_| true))?;
                Ok(Self { child: spawn::Child { pid, pidfd } })
            }
            Err(_) => Err(io::Error::other(text)),
        }
    }

    pub(super) fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/pid", self.child.pid))
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.child.pidfd
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Whether it is dead, reaped or not.
    pub(super) fn has_ended(&self) -> bool {
        spawn::has_ended(&self.child.pidfd)
    }

    /// Kills it, and so everything in its namespace. Given back as long as it isn't dead.
    pub(super) fn end(self) -> Option<Self> {
        let _ = spawn::signal(&self.child.pidfd, libc::SIGKILL);
        if !self.has_ended() {
            return Some(self);
        }
        let _ = spawn::reap(&self.child.pidfd);
        None
    }
}

/// The main function of the process before it, of [`Pause::start_in`].
pub(crate) fn run_in() -> ! {
    spawn::settle("pause", 2);
    let (users, mut report) = (spawn::inherited(0), File::from(spawn::inherited(1)));
    let text = match fork_in(users.as_fd()) {
        Ok(None) => {
            drop((users, report));
            reap_for_ever()
        }
        Ok(Some(pid)) => pid.to_string(),
        Err((step, cause)) => format!("{step}: {cause}"),
    };
    let _ = report.write_all(text.as_bytes());
    std::process::exit(0)
}

/// Becomes the root of the user namespace and forks the first process of a pid namespace there, a sibling. `None`: this
/// is it.
fn fork_in(users: BorrowedFd<'_>) -> Result<Option<i32>, (&'static str, io::Error)> {
    setns(users, CloneFlags::CLONE_NEWUSER).map_err(|errno| ("setns user namespace", errno.into()))?;
    user::become_root().map_err(|cause| ("setresuid", cause))?;
    // SAFETY: without CLONE_VM the child has its own copy of memory and goes on here, like fork; this process has one
    // thread. No safe wrapper knows CLONE_PARENT.
    let pid = unsafe {
        let flags = libc::CLONE_PARENT | libc::CLONE_NEWPID;
        libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0)
    };
    match pid {
        -1 => Err(("clone", io::Error::last_os_error())),
        0 => {
            // A process group of its own, as every helper's.
            let _ = rustix::process::setpgid(None, None);
            Ok(None)
        }
        pid => Ok(Some(pid as i32)),
    }
}

/// The process' own main function.
pub(crate) fn run() -> ! {
    spawn::settle("pause", 0);
    reap_for_ever()
}

fn reap_for_ever() -> ! {
    // SAFETY: signal handling of this process' only thread; the set and status are its own memory.
    unsafe {
        let mut wanted: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut wanted);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT] {
            libc::sigaddset(&raw mut wanted, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &raw const wanted, std::ptr::null_mut());
        loop {
            let signal = libc::sigwaitinfo(&raw const wanted, std::ptr::null_mut());
            if signal == libc::SIGTERM || signal == libc::SIGINT {
                libc::_exit(0);
            }
            #[allow(clippy::disallowed_methods, reason = "a pid 1 reaps whoever is there; nobody else waits in it")]
            while libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) > 0 {}
        }
    }
}
