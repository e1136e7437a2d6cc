//! For a process that has several processes below it, and other things to wait for as well.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::{Above, Outcome};
use crate::runtime::spawn;

impl Above {
    /// What the process below has to say by now; `None`: nothing yet. Behind its end there is nothing more.
    ///
    /// # Errors
    /// As read(2), waitid(2).
    pub fn look(&mut self) -> io::Result<Option<Outcome>> {
        // Looked at first: who has ended by now has said all that it had to say.
        let has_ended = spawn::has_ended(&self.child);
        if !self.report.ended
            && let Some(ready) = self.report.next()?
        {
            return Ok(Some(Outcome::Ready(ready)));
        }
        let end = if has_ended { spawn::reap(&self.child)? } else { None };
        Ok(end.map(Outcome::Ended))
    }

    /// One of them is readable where [`Self::look`] may have something new.
    pub fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let report = (!self.report.ended).then(|| self.report.pipe.as_fd());
        std::iter::once(self.child.as_fd()).chain(report)
    }
}
