//! What both sides of a copy need: the other side, and whoever interrupts.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::outcome::{Owner, Side, TransferError, Trouble};
use super::wire::{self, Record};

/// What both sides need.
pub(super) struct Context<'a> {
    pub(super) socket: OwnedFd,
    pub(super) side: Side,
    pub(super) owner: Owner,
    pub(super) interrupts: &'a dyn Fn() -> bool,
    /// Readable when [`Self::interrupts`] may tell of something.
    pub(super) signals: BorrowedFd<'a>,
}

impl Context<'_> {
    pub(super) fn trouble(&self, path: impl Into<String>, what: impl Into<String>) -> Trouble {
        Trouble { side: self.side, path: path.into(), what: what.into() }
    }

    pub(super) fn at(&self, path: &str, cause: impl Into<io::Error>) -> TransferError {
        TransferError::At(self.trouble(path, cause.into().to_string()))
    }

    /// As data.
    pub(super) fn told(&self, error: TransferError) -> Trouble {
        match error {
            TransferError::At(trouble) => trouble,
            error => self.trouble("/", error.to_string()),
        }
    }

    /// Waits until the socket can be read, or written to; `false`: somebody interrupts.
    pub(super) fn wait(&self, flags: PollFlags) -> bool {
        loop {
            if (self.interrupts)() {
                return false;
            }
            let mut sources = [PollFd::new(&self.socket, flags), PollFd::from_borrowed_fd(self.signals, PollFlags::IN)];
            match poll(&mut sources, None) {
                // Whatever is wrong with it, using it says.
                Ok(_) if !sources[0].revents().is_empty() => return true,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return true,
            }
        }
    }

    /// The next record.
    pub(super) fn receive(&self) -> Result<(Record, Option<OwnedFd>), TransferError> {
        if !self.wait(PollFlags::IN) {
            return Err(TransferError::Interrupted);
        }
        wire::receive(&self.socket).ok().flatten().ok_or(TransferError::Died)
    }
}
