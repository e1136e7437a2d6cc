//! One way for each kind of file to write to it what it takes now, and to wait for nobody.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::SendFlags;
use rustix::time::Timespec;

/// What a pipe that can be written takes at least: PIPE_BUF, pipe(7).
const PIPE_BUF: usize = 4096;
/// What a terminal that can be written takes at least.
const TERMINAL_BYTE: usize = 1;
/// The most that goes to a socket in one piece, and the most that goes where that is too much (a datagram).
const PIECES: [usize; 2] = [64 * 1024, 4096];

/// An output stream that is never waited for.
pub struct Outlet {
    fd: OwnedFd,
    way: Way,
}

/// How that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The open file is ours, with O_NONBLOCK; or it is one that never waits.
    Plain,
    /// A socket: each send says that it won't wait.
    Socket,
    /// Somebody else's open file that waits: it is asked before, and given what it takes for sure.
    Careful {
        /// In bytes.
        piece: usize,
    },
}

impl Outlet {
    /// For an open file that others have too, and that stays as it is.
    ///
    /// # Errors
    /// As dup(2).
    pub fn open(original: BorrowedFd<'_>) -> io::Result<Self> {
        let stat = rustix::fs::fstat(original)?;
        let (own, way) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket => (None, Way::Socket),
            FileType::Fifo => own_or(again(original), PIPE_BUF),
            // The terminal of a user who has become another (su) may not be opened again, but as the controlling one.
            FileType::CharacterDevice => own_or(again(original).or_else(|| controlling(&stat)), TERMINAL_BYTE),
            // A file waits for its disk at most, and opened anew it would have another offset than other writers.
            _ => (None, Way::Plain),
        };
        match own {
            Some(fd) => Ok(Self { fd, way }),
            None => Ok(Self { fd: rustix::io::fcntl_dupfd_cloexec(original, 3)?, way }),
        }
    }

    /// Writes what is taken now.
    ///
    /// # Errors
    /// As write(2); EAGAIN: nothing is taken now.
    pub fn write(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        match self.way {
            Way::Plain => rustix::io::write(&self.fd, bytes),
            Way::Socket => self.send(bytes),
            Way::Careful { piece } => self.write_if_ready(bytes, piece),
        }
    }

    fn send(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        let send = |most| {
            let piece = &bytes[..bytes.len().min(most)];
            rustix::net::send(&self.fd, piece, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
        };
        match send(PIECES[0]) {
            Err(Errno::MSGSIZE) => send(PIECES[1]),
            Err(Errno::NOBUFS) => Err(Errno::AGAIN),
            sent => sent,
        }
    }

    fn write_if_ready(&self, bytes: &[u8], piece: usize) -> rustix::io::Result<usize> {
        // Pipes have learnt this with Linux 6.4. The offset -1 is the file's own.
        match rustix::io::pwritev2(&self.fd, &[io::IoSlice::new(bytes)], u64::MAX, ReadWriteFlags::NOWAIT) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::SPIPE) => {}
            written => return written,
        }
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut [PollFd::new(&self.fd, PollFlags::OUT)], Some(&now))? {
            0 => Err(Errno::AGAIN),
            _ => rustix::io::write(&self.fd, &bytes[..bytes.len().min(piece)]),
        }
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn own_or(own: Option<OwnedFd>, piece: usize) -> (Option<OwnedFd>, Way) {
    let way = if own.is_some() { Way::Plain } else { Way::Careful { piece } };
    (own, way)
}

const OWN: OFlags = OFlags::WRONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// What is open, opened once more.
fn again(original: BorrowedFd<'_>) -> Option<OwnedFd> {
    rustix::fs::open(format!("/proc/self/fd/{}", original.as_raw_fd()), OWN, Mode::empty()).ok()
}

/// The controlling terminal, where it is this one: who it belongs to makes no difference then.
fn controlling(stat: &Stat) -> Option<OwnedFd> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // proc_pid_stat(5): the seventh field, the fifth behind the name, which may contain anything but the last `)`.
    let terminal: u64 = text.rsplit_once(')')?.1.split_whitespace().nth(4)?.parse().ok()?;
    (device_number(stat.st_rdev) == terminal).then(|| rustix::fs::open("/dev/tty", OWN, Mode::empty()).ok())?
}

/// A device as the kernel counts it in /proc: 12 bits for the kind, and 8 and 12 for which of them.
fn device_number(device: rustix::fs::Dev) -> u64 {
    let (major, minor) = (u64::from(rustix::fs::major(device)), u64::from(rustix::fs::minor(device)));
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn fill(outlet: &Outlet) -> usize {
        let mut total = 0;
        loop {
            match outlet.write(&[b'x'; 100_000]) {
                Ok(count) => total += count,
                Err(errno) => {
                    assert_eq!(errno, Errno::AGAIN);
                    return total;
                }
            }
        }
    }

    fn blocks(fd: impl AsFd) -> bool {
        !rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
    }

    /// A reader that reads nothing holds up nobody, whatever kind of file it has, and the file is as it was.
    #[test]
    fn nobody_is_waited_for() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        let outlet = Outlet::open(writer.as_fd()).unwrap();
        assert_eq!(outlet.way, Way::Socket);
        let written = fill(&outlet);
        assert!(written > 0 && blocks(&writer));
        reader.read_exact(&mut vec![0; written]).unwrap();
        assert!(outlet.write(b"on").is_ok());

        let (_reader, writer) = UnixDatagram::pair().unwrap();
        assert!(fill(&Outlet::open(writer.as_fd()).unwrap()) > 0 && blocks(&writer));

        let (_reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::open(writer.as_fd()).unwrap();
        assert_eq!(outlet.way, Way::Plain);
        assert!(fill(&outlet) > 0 && blocks(&writer));
    }

    /// A pipe or terminal of another user's, which can't be opened again.
    #[test]
    fn what_can_not_be_opened_again_is_asked_before() {
        let (mut reader, writer) = io::pipe().unwrap();
        let outlet = Outlet { fd: writer.as_fd().try_clone_to_owned().unwrap(), way: Way::Careful { piece: PIPE_BUF } };
        let written = fill(&outlet);
        assert!(written >= PIPE_BUF && blocks(&writer));
        reader.read_exact(&mut vec![0; written]).unwrap();
        assert!(outlet.write(b"on").is_ok());

        let pair = nix::pty::openpty(None, None).unwrap();
        let terminal = pair.slave;
        let outlet = Outlet { fd: terminal.try_clone().unwrap(), way: Way::Careful { piece: TERMINAL_BYTE } };
        assert!(fill(&outlet) > 0 && blocks(&terminal));
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        assert_eq!(Outlet::open(writer.as_fd()).unwrap().write(b"x"), Err(Errno::PIPE));
    }

    #[test]
    fn devices_are_numbered_as_in_proc() {
        for (major, minor, number) in [(136, 3, 34819), (136, 300, 136 << 8 | 44 | 0x10_0000), (4, 1, 1025)] {
            assert_eq!(device_number(rustix::fs::makedev(major, minor)), number);
        }
    }
}
