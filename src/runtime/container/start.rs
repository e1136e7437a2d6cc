//! What the container's init says of its start, through a pipe that closes when the program is executed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::executor;
use super::failure::StartFailure;
use crate::runtime::spawn;

/// What is heard of a container's start.
#[derive(Debug)]
pub(super) struct Start {
    /// Closes when the program is executed.
    pipe: File,
    text: Vec<u8>,
    /// Why no more of it could be read.
    unread: Option<io::Error>,
}

impl Start {
    pub(super) fn new(pipe: File) -> Self {
        Self { pipe, text: Vec::new(), unread: None }
    }

    /// To be polled for reading.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// True at the end of the pipe.
    pub(super) fn read(&mut self) -> bool {
        spawn::read_some(&self.pipe, &mut self.text).unwrap_or_else(|cause| {
            self.unread = Some(cause);
            true
        })
    }

    /// What came of it, once all is read.
    pub(super) fn outcome(&mut self) -> Result<(), StartFailure> {
        // It may run, or have said why it doesn't: nobody knows.
        if let Some(cause) = self.unread.take() {
            return Err(StartFailure::Died { cause: format!("what it says of its start can't be read: {cause}") });
        }
        // libcontainer has nothing to say here: by then its part is to wait for the word to start.
        let died = || StartFailure::Died { cause: String::new() };
        match self.text.split_first() {
            None => Err(died()),
            Some((&executor::ABOUT_TO_EXEC, [])) => Ok(()),
            Some((_, text)) => Err(serde_json::from_slice(text).unwrap_or_else(|_| died())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What can't be read says nothing of the container: neither that it runs nor that it died.
    #[test]
    fn a_report_that_cant_be_read_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let mut start = Start::new(File::open(dir.path()).unwrap());
        assert!(start.read());
        let told = start.outcome().unwrap_err().to_string();
        assert!(told.contains("can't be read: Is a directory"), "{told}");
    }
}
