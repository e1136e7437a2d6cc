//! A made container: started, watched, signalled. Its process is known by pidfd only.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{CWD, Mode, OFlags};

use super::attempt::Place;
use super::failure::{ContainerError, StartFailure};
use super::helper;
use super::oci_hooks::{self, Point};
use super::start::Start;
use super::stdio::Ends;
use crate::runtime::spawn::{self, ExitStatus};

/// A container whose process waits to be started, runs, or has ended. Dropping it ends nothing: see
/// [`Removal`](super::Removal).
#[derive(Debug)]
pub struct Container {
    pub(super) place: Place,
    pid: i32,
    pidfd: OwnedFd,
    /// Its mount namespace. While somebody holds that, the init's end doesn't wait for its mounts to be taken apart,
    /// for which the kernel wants an RCU grace period: everybody hears of it some tenths of a millisecond earlier.
    _mounts: Option<File>,
    /// Process group of what the helper forked, to be reaped; `None` once nothing of it is left.
    helper_group: Option<i32>,
    start: Start,
    started: Option<Result<(), StartFailure>>,
    ends: Option<Ends>,
    warnings: Vec<String>,
    exit: Option<ExitStatus>,
    oom_kills_before: u64,
    poststart: Poststart,
}

/// How far the bundle's poststart hooks are.
#[derive(Debug)]
enum Poststart {
    Due,
    Running(oci_hooks::Running),
    Over,
}

impl Container {
    pub(super) fn new(
        place: Place,
        pid: i32,
        pidfd: OwnedFd,
        helper: i32,
        start: Start,
        ends: Ends,
        warnings: Vec<String>,
    ) -> Self {
        let oom_kills_before = place.hierarchies.oom_kills(&place.cgroup);
        Self {
            place,
            pid,
            pidfd,
            _mounts: File::open(format!("/proc/{pid}/ns/mnt")).ok(),
            helper_group: Some(helper),
            start,
            started: None,
            ends: Some(ends),
            warnings,
            exit: None,
            oom_kills_before,
            poststart: Poststart::Due,
        }
    }

    /// Lets the program run. Whether it does says [`start_outcome`](Self::start_outcome).
    pub fn start(&mut self) -> Result<(), ContainerError> {
        let socket = self.place.dirs.state.join(helper::OCI).join(&self.place.id);
        let told = rustix::fs::openat(CWD, &socket, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|folder| {
                // A socket's path has at most 107 bytes; through the folder's descriptor it always fits.
                let mut stream = UnixStream::connect(format!("/proc/self/fd/{}/notify.sock", folder.as_raw_fd()))?;
                stream.write_all(b"start container")
            });
        told.map_err(|cause| self.start_error(StartFailure::NotTold { errno: cause.raw_os_error() }))
    }

    /// Whether the init is on its way out, although its pidfd may not say so yet: the kernel ends all other processes
    /// of a pid namespace before its init is a zombie.
    pub fn is_ending(&self) -> bool {
        const PF_EXITING: u64 = 4;
        let Ok(text) = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)) else { return true };
        // proc_pid_stat(5): the ninth field, the seventh behind the name, which may contain anything but the last `)`.
        let flags = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
        flags.is_none_or(|flags| flags & PF_EXITING != 0)
    }

    /// To be polled for reading after `start`.
    pub fn start_fd(&self) -> BorrowedFd<'_> {
        self.start.fd()
    }

    /// Whether the program runs; `None`: not known yet, never once the init has ended. `Ok` means that its execve has succeeded, and its bundle's
    /// poststart hooks. While those run, [`Self::poststart_fd`] is to be polled instead of [`Self::start_fd`].
    pub fn start_outcome(&mut self) -> Option<Result<(), ContainerError>> {
        // Looked at before the pipe is read: what the init wrote before it ended is in there, and nothing more can come,
        // though the helper or a hook may hold the pipe open for a moment longer.
        let ended = self.started.is_none() && spawn::has_ended(&self.pidfd);
        if self.started.is_none() && (self.start.read() || ended) {
            self.started = Some(self.start.outcome());
            // The helper reports before it ends: it may live a moment longer than this.
            self.leave_helper();
        }
        if matches!(self.started, Some(Ok(()))) && !self.poststart_is_over() {
            return None;
        }
        self.started.clone().map(|outcome| outcome.map_err(|failure| self.start_error(failure)))
    }

    /// runtime-spec 1.2.1, runtime.md, lifecycle, step 9: where one fails the container is stopped.
    fn poststart_is_over(&mut self) -> bool {
        if matches!(self.poststart, Poststart::Due) {
            self.poststart = match self.place.begin_hooks(Point::Poststart, Some(self.pid)) {
                Some(Ok(running)) => Poststart::Running(running),
                Some(Err(cause)) => {
                    self.started = Some(Err(StartFailure::Hook { cause }));
                    Poststart::Over
                }
                None => Poststart::Over,
            };
        }
        let Poststart::Running(running) = &mut self.poststart else { return true };
        let Some(failures) = running.outcome() else { return false };
        if let Some(cause) = failures.into_iter().next() {
            self.started = Some(Err(StartFailure::Hook { cause }));
        }
        self.poststart = Poststart::Over;
        true
    }

    /// To be polled for reading while the bundle's poststart hooks run.
    pub fn poststart_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.poststart {
            Poststart::Running(running) => Some(running.pidfd()),
            Poststart::Due | Poststart::Over => None,
        }
    }

    fn start_error(&self, failure: StartFailure) -> ContainerError {
        ContainerError::Start { container: self.place.name.clone(), failure }
    }

    /// What was done differently from what the plan asked for.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The part of containerID behind `barepod://`.
    pub fn id(&self) -> &str {
        &self.place.id
    }

    /// Of the container's init, in this process' pid namespace. For showing only.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The pid namespace that it runs in.
    ///
    /// # Errors
    /// As open(2); also where it has ended.
    pub fn pid_namespace(&self) -> io::Result<OwnedFd> {
        let namespace = std::fs::File::open(format!("/proc/{}/ns/pid", self.pid))?;
        // From then on the pid may be another process'.
        if self.exit.is_some() || spawn::has_ended(&self.pidfd) {
            return Err(io::Error::other("it has just ended"));
        }
        Ok(namespace.into())
    }

    /// Whether it has ended and [`exit`](Self::exit) has told so.
    pub fn is_reaped(&self) -> bool {
        self.exit.is_some()
    }

    /// Readable once the init has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal to the init; one that has ended is no error.
    pub fn signal(&self, signal: i32) -> Result<(), ContainerError> {
        spawn::signal(&self.pidfd, signal).map_err(|cause| ContainerError::Signal {
            container: self.place.name.clone(),
            call: "pidfd_send_signal",
            cause,
        })
    }

    /// Kills everything in the container (R5.14).
    pub fn kill(&self) -> Result<(), ContainerError> {
        self.place.kill();
        self.signal(libc::SIGKILL)
    }

    /// How the init ended; `None`: it hasn't.
    pub fn exit(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = match spawn::reap(&self.pidfd) {
                Ok(status) => status,
                Err(_) => Some(ExitStatus::Unknown),
            };
        }
        self.exit
    }

    /// Whether the kernel's OOM killer has ended one of the container's processes.
    pub fn oom_killed(&self) -> bool {
        self.place.hierarchies.oom_kills(&self.place.cgroup) > self.oom_kills_before
    }

    /// What its program's streams lead to, once.
    pub fn take_ends(&mut self) -> Option<Ends> {
        self.ends.take()
    }

    /// Leaves the helper and what it forked to [`spawn::reap_ended`].
    fn leave_helper(&mut self) {
        if let Some(group) = self.helper_group.take() {
            spawn::reap_later(group);
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.leave_helper();
        if let Poststart::Running(running) = std::mem::replace(&mut self.poststart, Poststart::Over) {
            running.leave();
        }
        // Removed before anybody saw its end, as when its program couldn't be started. It leads its process group.
        if self.exit.is_none() {
            spawn::reap_later(self.pid);
        }
    }
}
