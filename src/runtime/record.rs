//! Records between processes of ours on a socket of the type SOCK_SEQPACKET: each arrives whole, and with the descriptors that were
//! sent with it (unix(7), SCM_RIGHTS). The control socket, whose clients are anybody's, has its own (`control`).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Most descriptors of a record.
const DESCRIPTORS: usize = 2;

/// Sends a record. It goes whole, or there is an error.
///
/// # Errors
/// As sendmsg(2).
pub(super) fn send(socket: impl AsFd, record: &[u8], descriptors: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    if descriptors.len() > DESCRIPTORS {
        return Err(Errno::MSGSIZE);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let record = [IoSlice::new(record)];
    rustix::io::retry_on_intr(|| sendmsg(socket.as_fd(), &record, &mut ancillary, SendFlags::NOSIGNAL)).map(drop)
}

/// Takes the next record of at most so many bytes; `None`: the other side has ended.
///
/// # Errors
/// As recvmsg(2); EMSGSIZE for a record that is longer, or had more descriptors than are taken.
pub(super) fn receive(socket: impl AsFd, longest: usize) -> rustix::io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut record = vec![0; longest];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut resets = 0;
    let got = loop {
        let flags = RecvFlags::CMSG_CLOEXEC;
        match recvmsg(socket.as_fd(), &mut [IoSliceMut::new(&mut record)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            // It has ended before it has read all, and what it said before comes behind that.
            Err(Errno::CONNRESET) if resets == 0 => resets = 1,
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    // The space may have room for more, by its alignment.
    if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) || descriptors.len() > DESCRIPTORS {
        return Err(Errno::MSGSIZE);
    }
    record.truncate(got.bytes);
    Ok(Some((record, descriptors)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn records_arrive_whole_or_not_at_all() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let pair = [theirs.as_fd(), theirs.as_fd()];
        send(&ours, b"two", &pair).unwrap();
        send(&ours, b"none", &[]).unwrap();
        send(&ours, b"too long", &[]).unwrap();
        assert_eq!(send(&ours, b"three", &[theirs.as_fd(); 3]), Err(Errno::MSGSIZE));
        let (record, descriptors) = receive(&theirs, 4).unwrap().unwrap();
        assert_eq!((record.as_slice(), descriptors.len()), (&b"two"[..], 2));
        assert!(rustix::io::fcntl_getfd(&descriptors[0]).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        let (record, descriptors) = receive(&theirs, 4).unwrap().unwrap();
        assert_eq!((record.as_slice(), descriptors.len()), (&b"none"[..], 0));
        assert_eq!(receive(&theirs, 4).unwrap_err(), Errno::MSGSIZE);
        drop(ours);
        assert!(receive(&theirs, 4).unwrap().is_none());
    }
}
