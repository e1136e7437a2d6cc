//! A command that wants to know when a pod's status or events have changed, and when the pod has ended: no command has to look
//! again and again.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::client::{Client, connect};
use super::frame::Id;
use super::request::Call;
use super::{Answer, ControlError, Ended};

/// What there is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The status or the events on disk may be new.
    Changed,
    /// The pod has ended, on disk too.
    Ended(Ended),
    /// The supervisor has gone without a word: it was killed.
    Gone,
}

/// A request for news.
pub struct Watcher {
    client: Client,
    id: Id,
}

impl Watcher {
    /// Asks the supervisor of the pod whose state is in `dir`; `lives` as for [`super::end`]. `None`: nobody supervises it. The
    /// first news are `Changed`, and come at once: what is looked at after them can't be older than what is missed.
    ///
    /// # Errors
    /// Where a supervisor that lives doesn't listen, or doesn't know this request.
    pub fn begin(dir: &Path, mut lives: impl FnMut() -> bool) -> Result<Option<Self>, ControlError> {
        let Some(mut client) = connect(dir, &mut lives)? else { return Ok(None) };
        let id = client.call(&Call::Watch, &[])?;
        Ok(Some(Self { client, id }))
    }

    /// Waits for the next news. After other news than `Changed` there are none.
    ///
    /// # Errors
    /// [`ControlError::Busy`] where the supervisor needs the place for others: it may be asked again later.
    pub fn news(&mut self) -> Result<News, ControlError> {
        match self.client.answer(self.id) {
            Ok(Answer::Ended(ended)) => Ok(News::Ended(ended)),
            // Whatever it is: only the latest is kept for who doesn't read.
            Ok(_) => Ok(News::Changed),
            Err(ControlError::Lost) => Ok(News::Gone),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Watcher {
    /// Readable where [`Watcher::news`] doesn't have to wait.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.client.socket.as_fd()
    }
}
