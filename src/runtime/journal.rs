//! The journal of systemd: entries by its native protocol (systemd's documentation, "Native Journal Protocol"), one datagram each; one
//! that is too large for that in a sealed memfd.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use super::record;

/// Where it listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// An entry that is made: fields, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry(Vec<u8>);

impl Entry {
    /// Adds a field, of any bytes. `name`: capitals, digits and underscores.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        if value.contains(&b'\n') {
            self.0.push(b'\n');
            self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

/// A journal, as long as it listens and after it listens again.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Connected, so that it can be waited for until it has room. `None`: it doesn't listen.
    socket: Option<UnixDatagram>,
}

impl Journal {
    /// The one that listens there.
    ///
    /// # Errors
    /// None does.
    pub fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self { socket: Some(connected(path)?), path: path.to_owned() })
    }

    /// Gives it an entry. Waits for nobody.
    ///
    /// # Errors
    /// It has no room now ([`io::ErrorKind::WouldBlock`]), or doesn't listen; then the next entry looks whether it does again.
    pub fn send(&mut self, entry: &Entry) -> io::Result<()> {
        for is_new in [false, true] {
            let socket = match &self.socket {
                Some(socket) => socket,
                None => self.socket.insert(connected(&self.path)?),
            };
            match send(socket.as_fd(), &entry.0) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
                // Another one may listen there by now.
                Err(Errno::CONNREFUSED | Errno::CONNRESET | Errno::NOTCONN | Errno::PIPE) if !is_new => {
                    self.socket = None;
                }
                Err(errno) => {
                    self.socket = None;
                    return Err(errno.into());
                }
            }
        }
        Err(io::ErrorKind::NotConnected.into())
    }

    /// What becomes writable when it has room; `None`: it doesn't listen.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }
}

/// Whether what is written there becomes entries of the journal (`$JOURNAL_STREAM`, systemd.exec(5)).
pub fn is_stream(output: impl AsFd) -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    rustix::fs::fstat(output).is_ok_and(|found| stream == format!("{}:{}", found.st_dev, found.st_ino))
}

fn connected(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn send(socket: BorrowedFd<'_>, entry: &[u8]) -> rustix::io::Result<()> {
    match record::send(socket, entry, &[]) {
        Err(Errno::MSGSIZE | Errno::NOBUFS) => record::send(socket, &[], &[sealed(entry)?.as_fd()]),
        sent => sent,
    }
}

/// journald takes no file that somebody could still change.
fn sealed(entry: &[u8]) -> rustix::io::Result<File> {
    let mut file = File::from(memfd_create("journal-entry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(entry).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;

    #[test]
    fn fields_are_lines_or_have_a_length() {
        let mut entry = Entry::default();
        entry.add("A", b"one=1");
        entry.add("MESSAGE", b"two\nlines");
        entry.add("EMPTY", b"");
        assert_eq!(entry.0, b"A=one=1\nMESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nEMPTY=\n");
    }

    #[test]
    fn one_that_is_full_or_gone_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert_eq!(Journal::connect(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let theirs = UnixDatagram::bind(&path).unwrap();
        let mut journal = Journal::connect(&path).unwrap();
        let entry = |value: &[u8]| {
            let mut entry = Entry::default();
            entry.add("MESSAGE", value);
            entry
        };
        let mut sent = 0;
        let full = loop {
            match journal.send(&entry(b"x")) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert!(full.kind() == io::ErrorKind::WouldBlock && sent > 0, "{full}");
        let mut buffer = [0; 100];
        for _ in 0..sent {
            assert_eq!(theirs.recv(&mut buffer).unwrap(), 10);
        }
        journal.send(&entry(b"y")).unwrap();
        // It ends, and another one begins.
        drop(theirs);
        fs::remove_file(&path).unwrap();
        assert!(journal.send(&entry(b"z")).is_err() && journal.socket().is_none());
        let theirs = UnixDatagram::bind(&path).unwrap();
        journal.send(&entry(b"0")).unwrap();
        let length = theirs.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"MESSAGE=0\n");
    }

    #[test]
    fn a_large_entry_comes_in_a_file_that_nobody_can_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let theirs = UnixDatagram::bind(&path).unwrap();
        let mut journal = Journal::connect(&path).unwrap();
        let mut entry = Entry::default();
        entry.add("MESSAGE", &vec![b'a'; 1 << 20]);
        journal.send(&entry).unwrap();
        let mut file = received(&theirs);
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        assert!(all == entry.0 && file.write_all(b"more").is_err());
    }

    /// The file that comes beside an empty datagram, from its beginning.
    fn received(socket: &UnixDatagram) -> File {
        use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        assert_eq!(recvmsg(socket, &mut [], &mut ancillary, RecvFlags::empty()).unwrap().bytes, 0);
        let Some(RecvAncillaryMessage::ScmRights(mut files)) = ancillary.drain().next() else { panic!("no file") };
        let file = File::from(files.next().unwrap());
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).unwrap();
        file
    }
}
