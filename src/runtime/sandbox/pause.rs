//! Pid 1 of a shared pid namespace (R10.8): reaps what is orphaned in it, ends on SIGTERM, and does nothing else.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::runtime::cgroup::PodCgroup;
use crate::runtime::spawn::{self, PidNamespace, Spawn, Tie};

/// Its `argv[0]`.
pub(crate) const NAME: &str = "barepod:pause";

/// The running process.
#[derive(Debug)]
pub(super) struct Pause {
    child: spawn::Child,
}

impl Pause {
    pub(super) fn start(cgroup: &PodCgroup) -> io::Result<Self> {
        let folder = cgroup.hierarchies().track(&cgroup.path().join("_sandbox")).map_err(io::Error::other)?;
        // It outlives its parent: containers shall survive a crash of their supervisor, and they would die with it.
        let what =
            Spawn { name: NAME, cgroup: Some(&folder), fds: &[], pid_namespace: PidNamespace::New, tie: Tie::Outlives };
        Ok(Self { child: spawn::spawn(&what)? })
    }

    pub(super) fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/pid", self.child.pid))
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.child.pidfd
    }

    /// Kills it, and so everything in its namespace. The kernel holds the last process of a pid namespace until all
    /// others are reaped, and some of them are this process' children: waiting alone would be for ever.
    pub(super) fn end(self) {
        let _ = spawn::signal(&self.child.pidfd, libc::SIGKILL);
        let soon = rustix::time::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let pidfd = rustix::event::PollFd::new(&self.child.pidfd, rustix::event::PollFlags::IN);
        while let Ok(0) = rustix::event::poll(&mut [pidfd.clone()], Some(&soon)) {
            spawn::reap_strays();
        }
        let _ = spawn::reap(&self.child.pidfd);
    }
}

/// The process' own main function.
pub(crate) fn run() -> ! {
    spawn::settle("pause", 0);
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
