//! The process of pasta(1).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{SigHandler, SigSet, Signal};
use rustix::pipe::PipeFlags;

use super::copy::copy;
use super::error::{NetworkError, failed};
use crate::plan::DNS_FORWARD;
use crate::runtime::spawn;

/// What it is called.
const NAME: &str = "pasta";

/// What it says where there is no syslog, about itself.
const NOISE: &str = "to syslog";

/// Whether there is one that this process could start.
pub(super) fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(NAME)).any(|file| {
        let may = rustix::fs::access(&file, rustix::fs::Access::EXEC_OK);
        may.is_ok() && file.is_file()
    })
}

/// Ended when it is dropped.
#[derive(Debug)]
pub(super) struct Pasta {
    child: spawn::Child,
    /// What it says, as much of it as a pipe holds: it never waits for a reader, and what is too much is lost.
    words: File,
}

/// One that has yet to say that it is ready. First it is a copy of this process that waits until it may become pasta: so
/// it can be written down who it is before it does anything.
#[derive(Debug)]
pub(super) struct Starting {
    pasta: Pasta,
    go: File,
    /// Why the copy could not become pasta.
    failure: File,
    ready: File,
}

impl Starting {
    /// Makes the process that is to connect the network namespace at this path with that of this process.
    pub(super) fn new(namespace: &Path) -> Result<Self, NetworkError> {
        let pipe = |flags| rustix::pipe::pipe_with(flags).map_err(|errno| failed("pipe")(errno.into()));
        let (gate, go) = pipe(PipeFlags::CLOEXEC)?;
        let (failure, failure_end) = pipe(PipeFlags::CLOEXEC)?;
        let (ready, ready_end) = pipe(PipeFlags::CLOEXEC)?;
        let (words, words_end) = pipe(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut command = Command::new(NAME);
        command.args(arguments(namespace)).current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(ready_end).stderr(words_end);
        let parent = std::process::id();
        let child = match copy().map_err(failed("fork"))? {
            Some(child) => child,
            None => {
                drop((go, failure, ready, words));
                become_pasta(command, gate.into(), failure_end.into(), parent)
            }
        };
        // The child's ends, those in the command included.
        drop((command, gate, failure_end));
        let pasta = Pasta { child, words: words.into() };
        Ok(Self { pasta, go: go.into(), failure: failure.into(), ready: ready.into() })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pasta.pid()
    }

    /// Lets it become pasta.
    pub(super) fn go(&mut self) -> io::Result<()> {
        self.go.write_all(b"!")
    }

    /// Readable when it has said its pid, which it does last, or never will.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// What became of it, once [`fd`](Self::fd) is readable.
    pub(super) fn outcome(mut self) -> Result<Pasta, NetworkError> {
        if self.ready.read(&mut [0; 16]).map_err(failed("read from pasta"))? > 0 {
            return Ok(self.pasta);
        }
        // It has closed all it had, and ended or executed something.
        let mut errno = [0; 4];
        if self.failure.read_exact(&mut errno).is_ok() {
            let cause = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
            return Err(match cause.kind() {
                io::ErrorKind::NotFound => NetworkError::Missing,
                _ => failed("start pasta")(cause),
            });
        }
        let said = self.pasta.said();
        Err(NetworkError::Refused { said: if said.is_empty() { "it ended without a word".to_owned() } else { said } })
    }
}

impl Pasta {
    pub(super) fn pid(&self) -> u32 {
        self.child.pid.cast_unsigned()
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.child.pidfd
    }

    /// What it has said since it was last asked, in one line.
    pub(super) fn said(&self) -> String {
        let mut bytes = Vec::new();
        // Ends with EAGAIN where it lives.
        let _ = (&self.words).read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.ends_with(NOISE));
        lines.collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        let _ = spawn::signal(&self.child.pidfd, libc::SIGKILL);
        spawn::await_end(&self.child.pidfd);
    }
}

/// The copy's way from its making to pasta.
fn become_pasta(mut command: Command, mut gate: File, mut failure: File, parent: u32) -> ! {
    let may = tie(parent).and_then(|()| gate.read_exact(&mut [0]));
    // Gone from it without a word: nobody wants it any more.
    if may.is_ok() {
        let heard = leave_handlers().and_then(|()| Ok(SigSet::empty().thread_set_mask()?));
        let cause = match heard {
            Ok(()) => command.exec(),
            Err(cause) => cause,
        };
        let _ = failure.write_all(&cause.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes());
    }
    // SAFETY: ends this copy without running what the original has registered for its own end.
    unsafe { libc::_exit(127) }
}

/// It ends with its parent, however that ends.
fn tie(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let still = rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get().cast_unsigned() == parent);
    if still { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

/// Before signals are let in: what came until pasta is executed would be told to the original by its handlers. What is
/// ignored stays so.
fn leave_handlers() -> io::Result<()> {
    for signal in Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: no handler is set, only taken away.
        let old = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
        if matches!(old, SigHandler::SigIgn) {
            // SAFETY: likewise.
            unsafe { nix::sys::signal::signal(signal, old) }?;
        }
    }
    Ok(())
}

fn arguments(namespace: &Path) -> Vec<String> {
    let fixed = [
        // In the foreground it is this process' child, which knows how it ends.
        "--foreground",
        "--quiet",
        // The pod's network is ready when it has started: no DHCP client is needed, and none is served.
        "--config-net",
        "--no-dhcp",
        "--no-dhcpv6",
        "--no-ra",
        // No connection from the box into the pod, and none from the pod's loopback to the box's.
        "--tcp-ports",
        "none",
        "--udp-ports",
        "none",
        "--tcp-ns",
        "none",
        "--udp-ns",
        "none",
        // Nor by the gateway's address, which else stands for the box's loopback.
        "--no-map-gw",
        "--dns-forward",
        DNS_FORWARD,
        // It ends when it is told to: the process whose namespace this is ends long before.
        "--no-netns-quit",
        // By the standard output: newer ones close all other descriptors that they are given. Where AppArmor has Debian's
        // profile for pasta it would forbid to make such a file, and says so in its log, but this one is there.
        "--pid",
        "/proc/self/fd/1",
        "--netns",
    ];
    fixed.into_iter().map(str::to_owned).chain([namespace.display().to_string()]).collect()
}
