//! Records on a socket of the type SOCK_SEQPACKET: each arrives whole or not at all, and with the descriptors that were
//! sent with it (unix(7), SCM_RIGHTS). Both ends use the same two calls.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, recv, recvmsg,
    sendmsg, socket_with,
};

use super::SOCKET;
use super::frame::LONGEST;

/// Most descriptors of a record; the kernel closes those that come beyond.
pub const DESCRIPTORS: usize = 4;
/// Clients that have connected and are not let in yet; more wait in connect(2).
const BACKLOG: i32 = 128;

/// What came.
#[derive(Debug)]
pub enum Received {
    /// A record, with all of its descriptors.
    Record(Vec<u8>, Vec<OwnedFd>),
    /// A record that is too long, or had more descriptors than are taken: nothing of it is kept.
    TooMuch,
    /// The other side has hung up (or sent an empty record, which is the same here).
    End,
}

/// Sends a record. It goes whole, or there is an error.
///
/// # Errors
/// As sendmsg(2); EAGAIN where the socket doesn't block and has no room, EMSGSIZE for a record that is too long.
pub fn send(socket: impl AsFd, record: &[u8], descriptors: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    send_by(socket, record, descriptors, SendFlags::NOSIGNAL)
}

/// As [`send`], to a socket that may be anybody's and block: EAGAIN where it has no room.
///
/// # Errors
/// As [`send`].
pub fn send_at_once(socket: impl AsFd, record: &[u8], descriptors: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    send_by(socket, record, descriptors, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

fn send_by(
    socket: impl AsFd,
    record: &[u8],
    descriptors: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> rustix::io::Result<()> {
    if record.len() > LONGEST || descriptors.len() > DESCRIPTORS {
        return Err(Errno::MSGSIZE);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    loop {
        match sendmsg(socket.as_fd(), &[IoSlice::new(record)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            sent => return sent.map(drop),
        }
    }
}

/// Takes the next record.
///
/// # Errors
/// As recvmsg(2); EAGAIN where the socket doesn't block and nothing has come.
pub fn receive(socket: impl AsFd) -> rustix::io::Result<Received> {
    // Its length first: few are longer than some hundred bytes.
    let length = retry(|| recv(socket.as_fd(), &mut [0_u8; 0], RecvFlags::PEEK | RecvFlags::TRUNC))?.1;
    let mut record = vec![0; length.min(LONGEST)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = retry(|| {
        recvmsg(socket.as_fd(), &mut [IoSliceMut::new(&mut record)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok(if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) || length > LONGEST {
        Received::TooMuch
    } else if got.bytes == 0 {
        Received::End
    } else {
        record.truncate(got.bytes);
        Received::Record(record, descriptors)
    })
}

/// Once more after a signal, and after ECONNRESET: that says that the other side has hung up before it read all, and what it
/// said before comes behind it.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    let mut resets = 0;
    loop {
        match call() {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) if resets == 0 => resets = 1,
            result => return result,
        }
    }
}

/// A socket that listens in the folder.
///
/// # Errors
/// Which call failed, and how.
pub fn listen_in(dir: &Path) -> Result<OwnedFd, (&'static str, Errno)> {
    let (_folder, path) = short_path(dir).map_err(|errno| ("open", errno))?;
    let address = SocketAddrUnix::new(path).map_err(|errno| ("bind", errno))?;
    let socket = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).map_err(|errno| ("socket", errno))?;
    bind(&socket, &address).map_err(|errno| ("bind", errno))?;
    listen(&socket, BACKLOG).map_err(|errno| ("listen", errno))?;
    Ok(socket)
}

/// A connection to the socket in the folder.
///
/// # Errors
/// Which call failed, and how.
pub fn connect_in(dir: &Path) -> Result<OwnedFd, (&'static str, Errno)> {
    let (_folder, path) = short_path(dir).map_err(|errno| ("open", errno))?;
    let address = SocketAddrUnix::new(path).map_err(|errno| ("connect", errno))?;
    let socket = new_socket(SocketFlags::CLOEXEC).map_err(|errno| ("socket", errno))?;
    connect(&socket, &address).map_err(|errno| ("connect", errno))?;
    Ok(socket)
}

fn new_socket(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The socket's folder by descriptor, and a path through it: a socket's path has at most 107 bytes, a folder's more.
fn short_path(dir: &Path) -> rustix::io::Result<(OwnedFd, PathBuf)> {
    let folder = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(SOCKET);
    Ok((folder, path))
}
