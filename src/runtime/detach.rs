//! Puts a supervisor into the background: a fork at the very beginning, whose parent waits until the supervisor says that the
//! pod is ready, and a supervisor that lets go of all that it has from its caller when it says so.
//! Decides nothing about pods. [`detach`] is to be called while the process has one thread and holds nothing.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
pub use rustix::net::SocketType;
use rustix::net::{AddressFamily, SocketFlags, socketpair};
use rustix::pipe::PipeFlags;
use serde::{Deserialize, Serialize};

use super::signals::is_ignored;
use super::spawn;
pub use super::spawn::ExitStatus;
mod looking;

/// Signals that mean something to a supervisor. What else comes has its usual effect on the process above.
pub const HANDED_DOWN: [Signal; 4] = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGINT];

/// What a supervisor says when its pod is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The pod's name, for whoever called.
    pub pod: String,
    /// What takes the place of standard error from then on; `None`: nothing does.
    pub log: Option<PathBuf>,
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Detached {
    /// The one that was called.
    Above(Above),
    /// The one that is to run the pod, in a session of its own.
    Below(Report),
}

/// The process that was called, while the one below makes the pod.
#[derive(Debug)]
pub struct Above {
    child: OwnedFd,
    report: Reports,
    signals: SigSet,
    links: Vec<OwnedFd>,
}

/// How it goes on with the process below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pod is ready.
    Ready(Ready),
    /// It was ready when this signal, which was handed down to it, was on its way: it is ending.
    Interrupted(Ready, i32),
    /// It has ended before that.
    Ended(ExitStatus),
    /// Likewise, in order, as a signal asked that was handed down to it.
    Asked(ExitStatus),
    /// Likewise, by this signal, which was handed down to it.
    Stopped(i32),
}

/// For the process below: the way to tell the one above, and what it has from the caller.
#[derive(Debug)]
pub struct Report {
    pipe: OwnedFd,
    /// Descriptors of the caller's beyond the standard streams.
    inherited: Vec<RawFd>,
    links: Vec<OwnedFd>,
}

/// Forks; between both processes there are sockets of the types `links`. The process above hears signals of [`HANDED_DOWN`] in [`Above::wait`] only, but those that its caller ignores.
///
/// # Errors
/// As pipe(2), socketpair(2), sigprocmask(2), fork(2), pidfd_open(2); then there is no process below.
pub fn detach(links: &[SocketType]) -> io::Result<Detached> {
    let inherited = inherited()?;
    let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    let pairs = links.iter().map(|kind| pair(*kind)).collect::<rustix::io::Result<Vec<_>>>()?;
    let (above, below): (Vec<OwnedFd>, Vec<OwnedFd>) = pairs.into_iter().unzip();
    let (reports, pipe) = channel()?;
    let signals: SigSet = HANDED_DOWN.into_iter().filter(|signal| !is_ignored(*signal as i32)).collect();
    // One that comes before both are ready to hear it waits.
    signals.thread_block()?;
    match spawn::fork()? {
        None => {
            signals.thread_unblock()?;
            rustix::process::setsid()?;
            close_on_exec(&inherited);
            drop(above);
            Ok(Detached::Below(Report { pipe, inherited, links: below }))
        }
        Some(child) => Ok(Detached::Above(Above { child: child.pidfd, report: reports, signals, links: above })),
    }
}

impl Above {
    /// Waits until the pod is ready, or the process below has ended; hands signals down to that.
    ///
    /// # Errors
    /// As poll(2) and read(2).
    pub fn wait(&mut self) -> io::Result<Outcome> {
        let mut attendance = Attendance::new(&self.child, &self.signals)?;
        let said = attendance.until_it_says(Some(&mut self.report))?;
        Ok(outcome(said, &attendance.sent))
    }

    /// Its ends of the sockets to the process below, once.
    pub fn take_links(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.links)
    }

    /// Hands a signal down.
    ///
    /// # Errors
    /// As pidfd_send_signal(2).
    pub fn hand_down(&self, signal: i32) -> io::Result<()> {
        spawn::signal(&self.child, signal)
    }

    /// Leaves the process below alone: signals have their usual effect on this one again.
    ///
    /// # Errors
    /// As sigprocmask(2).
    pub fn let_go(&mut self) -> io::Result<()> {
        self.signals.thread_unblock()?;
        self.signals = SigSet::empty();
        Ok(())
    }

    /// Waits for the end of the process below, whatever it said before.
    ///
    /// # Errors
    /// As poll(2).
    pub fn wait_for_end(&self) -> io::Result<ExitStatus> {
        let mut attendance = Attendance::new(&self.child, &self.signals)?;
        loop {
            if let Said::Ended(end) = attendance.until_it_says(None)? {
                return Ok(end);
            }
        }
    }
}

/// What came of it, where these signals were handed down.
fn outcome(said: Said, sent: &[i32]) -> Outcome {
    match (said, sent.first()) {
        (Said::Ready(ready), None) => Outcome::Ready(ready),
        (Said::Ready(ready), Some(signal)) => Outcome::Interrupted(ready, *signal),
        (Said::Ended(ExitStatus::Signal(signal)), _) if sent.contains(&signal) => Outcome::Stopped(signal),
        (Said::Ended(end), None) => Outcome::Ended(end),
        (Said::Ended(end), Some(_)) => Outcome::Asked(end),
    }
}

/// The reading end of a [`Report`].
#[derive(Debug)]
pub(crate) struct Reports {
    pipe: OwnedFd,
    /// What came of a line that isn't complete.
    read: Vec<u8>,
    /// Nothing more can come.
    ended: bool,
}

/// Both ends.
pub(crate) fn channel() -> io::Result<(Reports, OwnedFd)> {
    let (pipe, end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok((Reports { pipe, read: Vec::new(), ended: false }, end))
}

impl Reports {
    /// What has come; `None`: nothing whole.
    fn next(&mut self) -> io::Result<Option<Ready>> {
        let mut part = [0; 4096];
        loop {
            match rustix::io::read(&self.pipe, &mut part) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(count) => self.read.extend_from_slice(&part[..count]),
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            if self.read.ends_with(b"\n") {
                return Ok(Some(serde_json::from_slice(&self.read)?));
            }
        }
    }
}

/// What a process below did.
pub(crate) enum Said {
    Ready(Ready),
    Ended(ExitStatus),
}

/// A process that waits for the one below and hands signals down to it.
pub(crate) struct Attendance<'a> {
    child: &'a OwnedFd,
    signals: SignalFd,
    /// What was handed down.
    sent: Vec<i32>,
}

impl<'a> Attendance<'a> {
    /// Of a child of this process; `signals` are blocked in it.
    pub(crate) fn new(child: &'a OwnedFd, signals: &SigSet) -> io::Result<Self> {
        let signals = SignalFd::with_flags(signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { child, signals, sent: Vec::new() })
    }

    /// Until it has something to report, where that is listened for, or has ended.
    pub(crate) fn until_it_says(&mut self, mut reports: Option<&mut Reports>) -> io::Result<Said> {
        loop {
            let mut ready = vec![PollFd::new(self.child, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            if let Some(reports) = reports.as_deref().filter(|reports| !reports.ended) {
                ready.push(PollFd::new(&reports.pipe, PollFlags::IN));
            }
            match poll(&mut ready, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            while let Some(signal) = self.signals.read_signal()? {
                let number = signal.ssi_signo.cast_signed();
                self.sent.push(number);
                spawn::signal(self.child, number)?;
            }
            // Looked at first: who has ended by now has said all that it had to say, and that is read before it is reaped.
            let has_ended = spawn::has_ended(self.child);
            if let Some(reports) = reports.as_deref_mut()
                && let Some(said) = reports.next()?
            {
                return Ok(Said::Ready(said));
            }
            if has_ended && let Some(end) = spawn::reap(self.child)? {
                return Ok(Said::Ended(end));
            }
        }
    }
}

impl Report {
    /// For a process between this one and the one that runs the pod: that gets the new writing end, and the sockets.
    pub(crate) fn hand_on(&mut self, pipe: OwnedFd) -> Self {
        Self { pipe, inherited: self.inherited.clone(), links: self.take_links() }
    }

    /// Its ends of the sockets to the process above, once.
    pub fn take_links(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.links)
    }

    /// Lets go of all that the caller has given, and says so. From now on standard input and output are /dev/null, standard
    /// error is `ready.log` where that can be opened, else /dev/null too, and the working folder is `/`. Whoever waits may
    /// have gone: that is no error.
    ///
    /// # Errors
    /// Where /dev/null can't be had.
    pub fn ready(self, ready: &Ready) -> io::Result<()> {
        for fd in self.inherited {
            // SAFETY: the caller's: nothing in this process owns it.
            unsafe { libc::close(fd) };
        }
        redirect(ready)?;
        // Its file system can be unmounted again.
        let _ = rustix::process::chdir("/");
        let mut line = serde_json::to_vec(ready)?;
        line.push(b'\n');
        let _ = File::from(self.pipe).write_all(&line);
        Ok(())
    }
}

/// Puts /dev/null and the log in the place of the standard streams.
pub(crate) fn redirect(ready: &Ready) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let log = ready.log.as_ref().and_then(|path| File::options().append(true).open(path).ok());
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(log.as_ref().unwrap_or(&null))?;
    Ok(())
}

/// Open descriptors beyond the standard streams.
fn inherited() -> io::Result<Vec<RawFd>> {
    let listed = fs::read_dir("/proc/self/fd")?.flatten();
    let all: Vec<RawFd> = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The folder that was read has been closed.
    // SAFETY: F_GETFD touches no memory.
    Ok(all.into_iter().filter(|fd| *fd > 2 && unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0).collect())
}

/// No program that is started meanwhile gets them.
fn close_on_exec(descriptors: &[RawFd]) {
    for fd in descriptors {
        // SAFETY: touches no memory.
        unsafe { libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_whole() {
        let (mut reports, end) = channel().unwrap();
        let ready = Ready { pod: "default/web".to_owned(), log: Some("/run/x/supervisor.log".into()) };
        let mut text = serde_json::to_vec(&ready).unwrap();
        text.push(b'\n');
        let (first, second) = text.split_at(7);
        let mut end = File::from(end);
        end.write_all(first).unwrap();
        assert_eq!(reports.next().unwrap(), None);
        end.write_all(second).unwrap();
        assert_eq!(reports.next().unwrap(), Some(ready));
        drop(end);
        assert_eq!((reports.next().unwrap(), reports.ended), (None, true));
    }

    /// A signal that crosses the word that the pod is ready ends it all the same.
    #[test]
    fn a_signal_on_its_way_is_no_success() {
        let ready = || Ready { pod: "default/web".to_owned(), log: None };
        assert_eq!(outcome(Said::Ready(ready()), &[]), Outcome::Ready(ready()));
        assert_eq!(outcome(Said::Ready(ready()), &[2, 15]), Outcome::Interrupted(ready(), 2));
        assert_eq!(outcome(Said::Ended(ExitStatus::Signal(15)), &[2, 15]), Outcome::Stopped(15));
        assert_eq!(outcome(Said::Ended(ExitStatus::Code(3)), &[2]), Outcome::Asked(ExitStatus::Code(3)));
        assert_eq!(outcome(Said::Ended(ExitStatus::Code(3)), &[]), Outcome::Ended(ExitStatus::Code(3)));
    }

    #[test]
    fn what_is_open_is_known() {
        use std::os::fd::AsRawFd;
        let file = File::open("/dev/null").unwrap();
        let open = inherited().unwrap();
        assert!(open.contains(&file.as_raw_fd()) && open.iter().all(|fd| *fd > 2), "{open:?}");
    }
}
