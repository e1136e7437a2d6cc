//! Standard output and standard error as the supervisor may write to them: without ever waiting for a reader.
//!
//! A terminal that is held (Ctrl-S) or a pipe whose reader is slow must not hold up the pod's timers. Terminals and
//! pipes are opened anew, so that O_NONBLOCK stays ours (the flag belongs to the open file, which we share with the
//! shell that started us); what they don't take now is kept, and what is kept is bounded by [`Console::has_room`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

/// More than this held back, and containers' output waits in their own pipes.
const HELD_BACK: usize = 256 * 1024;
/// At most this is kept of what comes nevertheless: containers that are being stopped aren't made to wait.
const KEPT: usize = 8 * 1024 * 1024;

/// One of the two output streams of this process.
pub struct Console {
    fd: OwnedFd,
    held: Vec<u8>,
    /// When the reader last took something, or first had something to take.
    taken: Instant,
    /// Bytes that were not even kept.
    dropped: u64,
    closed: bool,
}

impl Console {
    /// Standard output.
    ///
    /// # Errors
    /// As dup(2).
    pub fn stdout() -> io::Result<Self> {
        Self::open(rustix::stdio::stdout(), "/proc/self/fd/1")
    }

    /// Standard error.
    ///
    /// # Errors
    /// As dup(2).
    pub fn stderr() -> io::Result<Self> {
        Self::open(rustix::stdio::stderr(), "/proc/self/fd/2")
    }

    fn open(original: BorrowedFd<'_>, path: &str) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(original)?.st_mode);
        // A regular file never blocks, and opening it anew would lose the offset it shares with other writers.
        let reopened = match kind {
            FileType::Fifo | FileType::CharacterDevice => {
                let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
                rustix::fs::open(path, flags, Mode::empty()).ok()
            }
            _ => None,
        };
        let fd = match reopened {
            Some(fd) => fd,
            // Sockets and what may not be opened again: written to as it is.
            None => rustix::io::fcntl_dupfd_cloexec(original, 3)?,
        };
        Ok(Self { fd, held: Vec::new(), taken: Instant::now(), dropped: 0, closed: false })
    }

    /// Writes `bytes` in one piece behind what is held back. With more than 8 MiB held back they are dropped, whole, and
    /// counted: see [`Console::unread`].
    pub fn write(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        if self.held.len() + bytes.len() > KEPT {
            self.flush();
        }
        if self.held.len() + bytes.len() > KEPT {
            self.dropped += bytes.len() as u64;
            return;
        }
        if self.held.is_empty() {
            self.taken = Instant::now();
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() >= 16 * 1024 {
            self.flush();
        }
    }

    /// Hands on what is held back, as far as it is taken now.
    pub fn flush(&mut self) {
        let mut done = 0;
        while done < self.held.len() && !self.closed {
            match rustix::io::write(&self.fd, &self.held[done..]) {
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // The reader is gone. The pod runs on: its logs have everything.
                Err(_) => self.closed = true,
            }
        }
        if self.closed {
            self.held = Vec::new();
        } else if done > 0 {
            self.held.drain(..done);
            self.taken = Instant::now();
        }
    }

    /// Hands on all that is held back, as long as the reader has taken something in the last `patience`: one that is slow
    /// gets everything, one that has stopped reading long ago is not waited for at all.
    pub fn finish(&mut self, patience: Duration) {
        self.flush();
        while !self.held.is_empty() {
            let left = patience.saturating_sub(self.taken.elapsed());
            let Ok(limit) = rustix::time::Timespec::try_from(left) else { return };
            let mut wait = [rustix::event::PollFd::new(&self.fd, rustix::event::PollFlags::OUT)];
            match rustix::event::poll(&mut wait, Some(&limit)) {
                Ok(0) => return,
                Ok(_) | Err(Errno::INTR) => self.flush(),
                Err(_) => return,
            }
        }
    }

    /// Bytes that no reader has taken: held back, or dropped. One who is gone wants none.
    pub fn unread(&self) -> u64 {
        if self.closed { 0 } else { self.held.len() as u64 + self.dropped }
    }

    /// Whether more output should come.
    pub fn has_room(&self) -> bool {
        self.held.len() < HELD_BACK
    }

    /// Whether there is something that waits to be taken.
    pub fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
