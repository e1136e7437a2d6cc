//! The way of other commands into a pod, without a program in it: its supervisor opens what leads there ([`to_network`]) and
//! hands over the descriptors; the command makes sockets by them ([`sockets`]), or reads and writes files (`transfer`).
//!
//! A socket belongs to the network namespace that it was made in, whoever connects it. So a short-lived copy of the command
//! enters the namespaces, makes the sockets, sends them back and ends. It runs no code of the pod's, and what it enters is
//! what the supervisor holds: no pid is looked up.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::sched::{CloneFlags, setns};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, socketpair};
use rustix::process::DumpableBehavior;

use crate::runtime::{record, spawn};

/// Bytes of what the process that makes sockets says: its errno, and for each family whether there is one.
const ANSWER: usize = 6;

/// In the supervisor: the user namespace that has rights over the pod's network namespace, and that; `None`: it is the
/// supervisor's own.
///
/// # Errors
/// As open(2).
pub fn to_network(network: Option<BorrowedFd<'_>>) -> io::Result<[OwnedFd; 2]> {
    // The thread's: what a process has is what its first thread has.
    let own = |name: &str| File::open(format!("/proc/thread-self/ns/{name}")).map(OwnedFd::from);
    let network = network.map_or_else(|| own("net"), |held| held.try_clone_to_owned());
    Ok([own("user")?, network?])
}

/// In the supervisor: the user namespace of a container, and its root as a mere place (O_PATH). Its init is known by pid and by
/// pidfd.
///
/// # Errors
/// As open(2); ESRCH where the init has ended.
pub fn to_root(pid: i32, init: BorrowedFd<'_>) -> io::Result<[OwnedFd; 2]> {
    let user = File::open(format!("/proc/{pid}/ns/user"))?.into();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty())?;
    // Until now the pid was its own.
    if spawn::has_ended(init) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok([user, root])
}

/// Makes this process, which has one thread, the root of a user namespace. Where it is in that already, it stays who it is.
///
/// # Errors
/// As setns(2), setresuid(2).
pub(super) fn enter_users(user: BorrowedFd<'_>) -> io::Result<()> {
    if !enter(user, "user", CloneFlags::CLONE_NEWUSER)? {
        return Ok(());
    }
    // SAFETY: system calls on numbers; this process has one thread.
    unsafe {
        // Who can't give up groups keeps those of a user who has nothing else (setgroups is denied there).
        libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>());
        if libc::syscall(libc::SYS_setresgid, 0, 0, 0) != 0 || libc::syscall(libc::SYS_setresuid, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// TCP sockets of a network namespace, for each family that this box has: IPv4, IPv6. They don't block. To be called while this
/// process has one thread.
///
/// # Errors
/// Where this process may not enter the namespaces.
pub fn sockets(user: BorrowedFd<'_>, network: BorrowedFd<'_>) -> io::Result<[Option<OwnedFd>; 2]> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let child = match spawn::fork()? {
        None => {
            let (errno, sockets) = match make(user, network) {
                Ok(sockets) => (0, sockets),
                Err(cause) => (cause.raw_os_error().unwrap_or(libc::EIO), [None, None]),
            };
            let _ = send(&theirs, errno, &sockets);
            // SAFETY: ends this copy without running what the original has registered for its own end.
            unsafe { libc::_exit(0) }
        }
        Some(child) => child,
    };
    drop(theirs);
    let received = receive(&ours);
    // It has nothing left to do.
    spawn::await_end(&child.pidfd);
    received
}

fn make(user: BorrowedFd<'_>, network: BorrowedFd<'_>) -> io::Result<[Option<OwnedFd>; 2]> {
    // No process in there may look into this one.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // First the namespace whose root has rights over the other.
    enter(user, "user", CloneFlags::CLONE_NEWUSER)?;
    enter(network, "net", CloneFlags::CLONE_NEWNET)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = |family| match socket_with(family, SocketType::STREAM, flags, None) {
        Ok(socket) => Ok(Some(socket)),
        Err(Errno::AFNOSUPPORT) => Ok(None),
        Err(errno) => Err(io::Error::from(errno)),
    };
    Ok([socket(AddressFamily::INET)?, socket(AddressFamily::INET6)?])
}

/// Whether this process is in that network namespace.
///
/// # Errors
/// As stat(2).
pub fn is_own_network(network: BorrowedFd<'_>) -> io::Result<bool> {
    is_own(network, "net")
}

fn is_own(namespace: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    let theirs = rustix::fs::fstat(namespace)?;
    let own = std::fs::metadata(format!("/proc/thread-self/ns/{name}"))?;
    Ok((theirs.st_dev, theirs.st_ino) == (own.dev(), own.ino()))
}

/// Enters a namespace; `false`: this process is in it. Of one's own user namespace that would be an error.
fn enter(namespace: BorrowedFd<'_>, name: &str, kind: CloneFlags) -> io::Result<bool> {
    if is_own(namespace, name)? {
        return Ok(false);
    }
    setns(namespace, kind)?;
    Ok(true)
}

fn send(to: &OwnedFd, errno: i32, sockets: &[Option<OwnedFd>; 2]) -> rustix::io::Result<()> {
    let mut record = errno.to_ne_bytes().to_vec();
    record.extend(sockets.iter().map(|one| u8::from(one.is_some())));
    record::send(to, &record, &sockets.iter().flatten().map(AsFd::as_fd).collect::<Vec<_>>())
}

fn receive(from: &OwnedFd) -> io::Result<[Option<OwnedFd>; 2]> {
    let died = || io::Error::other("the process that was to make the sockets died");
    let (record, sockets) = record::receive(from, ANSWER)?.ok_or_else(died)?;
    let [e0, e1, e2, e3, four, six] = <[u8; ANSWER]>::try_from(record).map_err(|_| died())?;
    match i32::from_ne_bytes([e0, e1, e2, e3]) {
        0 => {
            let mut sockets = sockets.into_iter();
            let mut next = |is_there: u8| if is_there == 1 { sockets.next() } else { None };
            Ok([next(four), next(six)])
        }
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Where this process is already, nothing is entered, and it takes no rights.
    #[test]
    fn sockets_of_ones_own_namespace() {
        let [user, network] = to_network(None).unwrap();
        assert!(is_own_network(network.as_fd()).unwrap());
        let sockets = sockets(user.as_fd(), network.as_fd()).unwrap();
        let four = sockets[0].as_ref().unwrap();
        assert!(rustix::net::sockopt::socket_domain(four).unwrap() == AddressFamily::INET);
        assert!(rustix::fs::fcntl_getfl(four).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
    }

    #[test]
    fn what_is_no_namespace_is_told() {
        let [user, _] = to_network(None).unwrap();
        let null = File::open("/dev/null").unwrap();
        let errno = sockets(user.as_fd(), null.as_fd()).unwrap_err().raw_os_error();
        assert_eq!(errno, Some(libc::EINVAL));
    }
}
