//! The pod's way to the outside where barepod isn't the box's root: pasta(1), which passes on what the pod's network
//! namespace sends by sockets of its own on the box's network, and needs no right there. The namespace and pasta are
//! made before the pod is planned, as its addresses are part of the plan, and while this process still is in the box's
//! network namespace. Whether a pod gets it, and what becomes of it without, is decided elsewhere.
//!
//! Start reading at [`connect`].
#![allow(unsafe_code)]

mod filter;
mod holder;
mod pasta;

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sched::{CloneFlags, setns};

use crate::runtime::spawn::{self, ExitStatus};
use holder::Holder;
use pasta::Pasta;

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

/// A network namespace that is connected with the box's network. Dropping it ends pasta.
#[derive(Debug)]
pub struct Connection {
    namespace: File,
    ips: Vec<String>,
    pasta: Pasta,
}

/// Makes a network namespace and starts pasta for it; in a process with one thread, in the box's network namespace.
///
/// # Errors
/// What is missing, or what pasta says. Nothing is left then.
pub fn connect() -> Result<Connection, NetworkError> {
    let holder = Holder::start()?;
    let namespace = File::open(holder.namespace()).map_err(failed("open the network namespace"))?;
    let pasta = Pasta::start(&holder.namespace())?;
    filter::attach(&pasta)?;
    let found = holder.addresses()?;
    let first = |of: fn(&IpAddr) -> bool| found.iter().find(|ip| of(ip)).map(ToString::to_string);
    let ips: Vec<String> = [first(IpAddr::is_ipv4), first(IpAddr::is_ipv6)].into_iter().flatten().collect();
    if ips.is_empty() {
        return Err(NetworkError::Refused { said: "it has given the pod no address".to_owned() });
    }
    Ok(Connection { namespace, ips, pasta })
}

impl Connection {
    /// The pod's addresses, at least one: the first of each family, IPv4 first.
    pub fn ips(&self) -> &[String] {
        &self.ips
    }

    /// Readable when pasta has ended.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pasta.pidfd().as_fd()
    }

    /// What pasta has last complained about; empty where it hasn't.
    pub fn complaint(&self) -> String {
        self.pasta.said()
    }

    pub(crate) fn namespace(&self) -> &File {
        &self.namespace
    }

    /// Does something in the network namespace, in a process of its own: who goes there without being the box's root
    /// doesn't come back. This one has one thread.
    pub(crate) fn within(&self, action: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        // SAFETY: this process has one thread, so that its copy can go on like any process.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let done = setns(&self.namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
                let code = match done.and_then(|()| action()) {
                    Ok(()) => 0,
                    // Errnos fit into an exit code; of what isn't one only the failure is told.
                    Err(cause) => cause.raw_os_error().unwrap_or(libc::EIO),
                };
                // SAFETY: ends this copy without running what the original has registered for its own end.
                unsafe { libc::_exit(code) }
            }
            pid => match spawn::await_end(&spawn::open_pidfd(pid)?) {
                ExitStatus::Code(0) => Ok(()),
                ExitStatus::Code(errno) => Err(io::Error::from_raw_os_error(errno)),
                _ => Err(io::Error::other("the process that was to do it was killed")),
            },
        }
    }
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
