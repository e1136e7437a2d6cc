//! The pod's way to the outside where barepod isn't the box's root: pasta(1), which passes on what the pod's network
//! namespace sends by sockets of its own on the box's network, and needs no right there. Made with the pod's sandbox, while
//! this process still is in the box's network namespace; nobody waits for it ([`Connecting::fd`]), and it has an identity
//! that can be written down before it begins ([`Connecting::pid`]). Whether a pod gets it, and what becomes of it without,
//! is decided elsewhere.
//!
//! Start reading at [`Connecting`].
#![allow(unsafe_code)]

mod filter;
mod holder;
mod pasta;

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::runtime::spawn::{self, Child, ExitStatus};
use holder::Holder;
use pasta::{Pasta, Starting};

/// How long it may take to connect; it takes some 20 ms.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a pod can't have a way to the outside.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NetworkError {
    #[error("pasta is not installed; install the package passt (Debian: apt-get install passt)")]
    Missing,
    #[error("{call}: {cause}")]
    Io { call: &'static str, cause: io::Error },
    #[error("pasta: {said}")]
    Refused { said: String },
    /// What keeps the pod from the box's own loopback.
    #[error("can't keep the pod from the box's loopback: {call}: {cause}")]
    Filter { call: &'static str, cause: io::Error },
}

fn failed(call: &'static str) -> impl Fn(io::Error) -> NetworkError {
    move |cause| NetworkError::Io { call, cause }
}

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
        match fork()? {
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

/// Makes a copy of this process, which has one thread; `None` in the copy. There all signals stay blocked: it has this
/// process' handlers, and what they tell is told to this process.
fn fork() -> io::Result<Option<Child>> {
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let forked = spawn::fork();
    if !matches!(forked, Ok(None)) {
        // It can't fail: the kernel refuses only what is no way to set a mask (pthread_sigmask(3)).
        let _ = before.thread_set_mask();
    }
    forked
}

/// The namespace's addresses that others can send to.
fn addresses() -> Vec<IpAddr> {
    let all = getifaddrs().into_iter().flatten();
    let outside = all.filter(|interface| !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    let ip = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
            (_, Some(v6)) if !v6.ip().is_unicast_link_local() => Some(IpAddr::V6(v6.ip())),
            _ => None,
        }
    };
    outside.filter_map(ip).collect()
}

/// Brings up the loopback interface of the namespace that this process is in.
pub(crate) fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: ifreq is plain data for which zeros are valid; both ioctls read the name and read or write the flags in
    // it, within its size. No safe wrapper exists for these two.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = *from as libc::c_char;
        }
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
