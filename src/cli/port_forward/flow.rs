//! One direction of a connection: bytes by a buffer that is written out before it is read into again, so that a slow reader
//! holds up whoever writes to it.

use std::ops::Range;
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

/// Bytes of a buffer.
const BUFFER: usize = 64 * 1024;
/// How often a direction goes on before others have their turn.
const ROUNDS: usize = 16;

/// One direction.
#[derive(Default)]
pub struct Flow {
    /// Made when it is first needed.
    buffer: Vec<u8>,
    /// What of it has yet to be written.
    held: Range<usize>,
    /// Whether nothing comes any more.
    ended: bool,
    /// Why what comes to an end isn't whole. The kernel tells that once, and then only of an end.
    broken: Option<Errno>,
}

impl Flow {
    /// Of the side that it comes from.
    pub fn wants(&self) -> PollFlags {
        if self.held.is_empty() && !self.ended { PollFlags::IN } else { PollFlags::empty() }
    }

    /// For the side that it goes to.
    pub fn has(&self) -> PollFlags {
        if self.held.is_empty() { PollFlags::empty() } else { PollFlags::OUT }
    }

    pub fn is_over(&self) -> bool {
        self.ended && self.held.is_empty()
    }

    /// Nobody takes any more.
    pub fn stop(&mut self) {
        *self = Self { ended: true, ..Self::default() };
    }

    /// Goes on with what has arrived, and then fails.
    pub fn break_off(&mut self, errno: Errno) {
        self.broken.get_or_insert(errno);
    }

    /// Copies what there is, as far as it is taken now.
    pub fn pump(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
        for _ in 0..ROUNDS {
            if self.held.is_empty() {
                if self.ended {
                    return self.broken.map_or(Ok(()), Err);
                }
                self.buffer.resize(BUFFER, 0);
                match recv(from, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                    Ok((_, 0)) => {
                        self.ended = true;
                        if let Some(errno) = self.broken {
                            return Err(errno);
                        }
                        // Whoever writes may go on.
                        return match shutdown(to, Shutdown::Write) {
                            Err(Errno::NOTCONN) => Ok(()),
                            done => done,
                        };
                    }
                    Ok((_, count)) => self.held = 0..count,
                    Err(Errno::INTR) => continue,
                    Err(Errno::AGAIN) => {
                        // Who is silent costs no memory.
                        self.buffer = Vec::new();
                        return Ok(());
                    }
                    Err(errno) => return Err(errno),
                }
            }
            match send(to, &self.buffer[self.held.clone()], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => self.held.start += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}
