//! Standard output and standard error as the supervisor may write to them: without ever waiting for a reader.
//!
//! A terminal that is held (Ctrl-S), or a pipe or socket whose reader is slow, must not hold up the pod's timers. The
//! flag O_NONBLOCK belongs to the open file, which we share with whoever started us, so it is never set on that: `outlet`
//! has another way for each kind of file. What is not taken now is kept, and what is kept is bounded by
//! [`Console::has_room`].

mod outlet;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use outlet::Outlet;

/// More than this held back, and containers' output waits in their own pipes.
pub(super) const HELD_BACK: usize = 256 * 1024;
/// At most this is kept of what comes nevertheless: containers that are being stopped aren't made to wait.
pub(super) const KEPT: usize = 8 * 1024 * 1024;

/// How long [`say`] waits for a reader.
const SAID_WITHIN: Duration = Duration::from_secs(5);

/// One of the two output streams of this process.
pub struct Console {
    outlet: Outlet,
    held: Vec<u8>,
    /// When the reader last took something, or first had something to take.
    taken: Instant,
    /// Bytes that were not even kept.
    dropped: u64,
    /// Why bytes were dropped, where that was not the reader's doing: a full disk.
    refused: Option<Errno>,
    closed: bool,
}

impl Console {
    /// Standard output.
    ///
    /// # Errors
    /// As dup(2).
    pub fn stdout() -> io::Result<Self> {
        Self::open(rustix::stdio::stdout())
    }

    /// Standard error.
    ///
    /// # Errors
    /// As dup(2).
    pub fn stderr() -> io::Result<Self> {
        Self::open(rustix::stdio::stderr())
    }

    fn open(original: BorrowedFd<'_>) -> io::Result<Self> {
        let outlet = Outlet::open(original)?;
        Ok(Self { outlet, held: Vec::new(), taken: Instant::now(), dropped: 0, refused: None, closed: false })
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
            match self.outlet.write(&self.held[done..]) {
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // A file, and no reader's doing: what comes later may find room again.
                Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => {
                    self.dropped += (self.held.len() - done) as u64;
                    self.refused = Some(errno);
                    done = self.held.len();
                }
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
            let mut wait = [rustix::event::PollFd::new(&self.outlet, rustix::event::PollFlags::OUT)];
            match rustix::event::poll(&mut wait, Some(&limit)) {
                Ok(0) => return,
                Ok(_) | Err(Errno::INTR) => self.flush(),
                Err(_) => return,
            }
        }
    }

    /// What is held back, for who has another way to tell it.
    pub fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Writes nothing any more.
    pub fn close(&mut self) {
        self.closed = true;
        self.held = Vec::new();
    }

    /// Bytes that no reader has taken: held back, or dropped. One who is gone wants none.
    pub fn unread(&self) -> u64 {
        if self.closed { 0 } else { self.held.len() as u64 + self.dropped }
    }

    /// Why bytes were dropped, where that was not the reader's doing.
    pub fn refused(&self) -> Option<io::Error> {
        self.refused.map(Into::into)
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
        self.outlet.as_fd()
    }
}

/// Says something on standard error, which may wait a moment for its reader but not for ever. For what has no [`Console`].
pub fn say(text: &str) {
    // Where there is no standard error, nobody is there to be told that.
    if let Ok(mut console) = Console::stderr() {
        console.write(text.as_bytes());
        console.finish(SAID_WITHIN);
    }
}

#[cfg(test)]
mod tests;
