//! The pod's way to the outside where barepod isn't the box's root: pasta(1), which passes on what the pod's network
//! namespace sends by sockets of its own on the box's network, and needs no right there. Made with the pod's sandbox, while
//! this process still is in the box's network namespace; nobody waits for it ([`Connecting::fd`]), and it has an identity
//! that can be written down before it begins ([`Connecting::pid`]). Whether a pod gets it, and what becomes of it without,
//! is decided elsewhere.
//!
//! Start reading at [`Connecting`].
#![allow(unsafe_code)]

mod copy;
mod error;
mod filter;
mod holder;
mod interfaces;
mod pasta;

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::runtime::spawn::{self, ExitStatus};
use copy::copy;
pub use error::NetworkError;
use error::failed;
use holder::Holder;
pub(crate) use interfaces::loopback_up;
use pasta::{Pasta, Starting};

/// How long it may take to connect; it takes some 20 ms.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the box has what connects a pod.
#[must_use]
pub fn is_installed() -> bool {
    pasta::is_installed()
}

/// A network namespace that is being connected with the box's network. Dropping it ends all of that.
#[derive(Debug)]
pub struct Connecting {
    holder: Holder,
    namespace: File,
    pasta: Starting,
    /// When it has taken too long.
    late: OwnedFd,
    /// Both that and the word of pasta.
    either: OwnedFd,
}

/// How far a connection is.
#[derive(Debug)]
pub enum Progress {
    /// To be looked at again when [`Connecting::fd`] is readable.
    Waits(Connecting),
    /// It is there.
    Connected(Connection),
}

impl Connecting {
    /// Makes a network namespace, and the process that is to become pasta; in a process with one thread, in the box's network
    /// namespace.
    ///
    /// # Errors
    /// What the kernel refuses. Nothing is left then.
    pub fn begin() -> Result<Self, NetworkError> {
        let holder = Holder::start()?;
        let namespace = File::open(holder.namespace()).map_err(failed("open the network namespace"))?;
        let pasta = Starting::new(&holder.namespace())?;
        let (late, either) = alarm(&pasta).map_err(|errno| failed("wait for pasta")(errno.into()))?;
        Ok(Self { holder, namespace, pasta, late, either })
    }

    /// The process that is to become pasta. It ends with this one.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pasta.pid()
    }

    /// Lets it become pasta: whoever comes after a kill -9 knows its pid by now.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn go(&mut self) -> Result<(), NetworkError> {
        self.pasta.go().map_err(failed("start pasta"))
    }

    /// Readable when [`advance`](Self::advance) has something.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }

    /// Looks how far it is.
    ///
    /// # Errors
    /// What is missing, or what pasta says. Nothing is left then.
    pub fn advance(self) -> Result<Progress, NetworkError> {
        let said = is_readable(self.pasta.fd()).map_err(failed("wait for pasta"))?;
        if !said && is_readable(self.late.as_fd()).map_err(failed("wait for pasta"))? {
            return Err(failed("wait for pasta")(io::ErrorKind::TimedOut.into()));
        }
        if !said {
            return Ok(Progress::Waits(self));
        }
        let pasta = self.pasta.outcome()?;
        filter::attach(&pasta)?;
        let found = self.holder.addresses()?;
        let first = |of: fn(&IpAddr) -> bool| found.iter().find(|ip| of(ip)).map(ToString::to_string);
        let ips: Vec<String> = [first(IpAddr::is_ipv4), first(IpAddr::is_ipv6)].into_iter().flatten().collect();
        if ips.is_empty() {
            return Err(NetworkError::Refused { said: "it has given the pod no address".to_owned() });
        }
        Ok(Progress::Connected(Connection { namespace: self.namespace, ips, pasta: Some(pasta) }))
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&now)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// A timer for [`PATIENCE`], and what is readable when it is over or pasta has something to say.
fn alarm(pasta: &Starting) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let late = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let time = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let once = Itimerspec { it_interval: never, it_value: time };
    rustix::time::timerfd_settime(&late, TimerfdTimerFlags::empty(), &once)?;
    let either = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&either, pasta.fd(), EventData::new_u64(0), EventFlags::IN)?;
    epoll::add(&either, &late, EventData::new_u64(1), EventFlags::IN)?;
    Ok((late, either))
}

/// A network namespace that is connected with the box's network. Dropping it ends pasta.
#[derive(Debug)]
pub struct Connection {
    namespace: File,
    ips: Vec<String>,
    /// `None`: it has ended before.
    pasta: Option<Pasta>,
}

impl Connection {
    /// The pod's addresses, at least one: the first of each family, IPv4 first.
    #[must_use]
    pub fn ips(&self) -> &[String] {
        &self.ips
    }

    /// Readable when pasta has ended; `None`: that is known.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pasta.as_ref().map(|pasta| pasta.pidfd().as_fd())
    }

    /// Pasta has ended, or is ended by this. Gives what it has last complained about; empty where it hasn't.
    pub fn lose(&mut self) -> String {
        self.pasta.take().map(|pasta| pasta.said()).unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &File {
        &self.namespace
    }

    /// Does something in the network namespace, in a process of its own: who goes there without being the box's root
    /// doesn't come back. This one has one thread.
    pub(crate) fn within(&self, action: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match copy()? {
            None => {
                let done = setns(&self.namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
                let code = match done.and_then(|()| action()) {
                    Ok(()) => 0,
                    // Errnos fit into an exit code; of what isn't one only the failure is told.
                    Err(cause) => cause.raw_os_error().unwrap_or(libc::EIO),
                };
                // SAFETY: ends this copy without running what the original has registered for its own end.
                unsafe { libc::_exit(code) }
            }
            Some(child) => match spawn::await_end(&child.pidfd) {
                ExitStatus::Code(0) => Ok(()),
                ExitStatus::Code(errno) => Err(io::Error::from_raw_os_error(errno)),
                _ => Err(io::Error::other("the process that was to do it was killed")),
            },
        }
    }
}
