//! The process of pasta(1).

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::PipeFlags;
use rustix::time::Timespec;

use super::{NetworkError, failed};
use crate::plan::DNS_FORWARD;
use crate::runtime::spawn;

/// How long it may take to connect; it takes some 20 ms.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it says where there is no syslog, about itself.
const NOISE: &str = "to syslog";

/// Ended when it is dropped.
#[derive(Debug)]
pub(super) struct Pasta {
    pid: u32,
    pidfd: OwnedFd,
    /// What it says, as much of it as a pipe holds: it never waits for a reader, and what is too much is lost.
    words: fs::File,
}

impl Pasta {
    /// Connects the network namespace at this path with that of this process. Returns when that is done.
    pub(super) fn start(namespace: &Path) -> Result<Self, NetworkError> {
        let pipe = |flags| rustix::pipe::pipe_with(flags).map_err(|errno| failed("pipe")(errno.into()));
        let (ready, ready_end) = pipe(PipeFlags::CLOEXEC)?;
        let (words, words_end) = pipe(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut command = Command::new("pasta");
        command.args(arguments(namespace)).current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(ready_end).stderr(words_end);
        let parent = std::process::id();
        // SAFETY: between fork and exec: system calls on numbers and on its own memory.
        unsafe { command.pre_exec(move || tie(parent)) };
        let child = command.spawn().map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => NetworkError::Missing,
            _ => failed("start pasta")(cause),
        })?;
        // It holds the ends of the pipes that the child has got.
        drop(command);
        let pidfd = spawn::open_pidfd(child.id().cast_signed()).map_err(failed("pidfd_open"))?;
        let pasta = Self { pid: child.id(), pidfd, words: words.into() };
        if pasta.is_ready(ready.into()).map_err(failed("poll"))? {
            return Ok(pasta);
        }
        let said = pasta.said();
        Err(NetworkError::Refused { said: if said.is_empty() { "it ended without a word".to_owned() } else { said } })
    }

    /// Waits until it has said its pid, which it does last, or that it never will.
    fn is_ready(&self, mut ready: fs::File) -> io::Result<bool> {
        let began = Instant::now();
        loop {
            let Some(left) = PATIENCE.checked_sub(began.elapsed()) else { return Err(io::ErrorKind::TimedOut.into()) };
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&ready, PollFlags::IN)], Some(&left)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(ready.read(&mut [0; 16])? > 0),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
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
        let _ = spawn::signal(&self.pidfd, libc::SIGKILL);
        spawn::await_end(&self.pidfd);
    }
}

/// In the child: it ends with its parent, however that ends, and hears signals.
fn tie(parent: u32) -> io::Result<()> {
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let still = rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get().cast_unsigned() == parent);
    if still { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
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
