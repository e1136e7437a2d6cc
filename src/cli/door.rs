//! Descriptors of a pod that its supervisor hands over: the request brings a socket along, to which they are sent.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::error::CliError;
use crate::control::record::{Received, receive};
use crate::control::{Answer, Client, ControlError, Request};
use crate::store::read::Found;

/// A connection to a pod's supervisor, for one request after the other.
pub struct Door {
    client: Client,
    /// Brings the descriptors. Doesn't block: they come before the answer.
    ours: OwnedFd,
    theirs: OwnedFd,
    /// The request that is open; 0: none is.
    asked: u64,
}

/// What the supervisor says.
#[derive(Debug)]
pub enum Said {
    /// Nothing that matters.
    Nothing,
    /// The descriptors that were asked for, and what comes with them.
    Here(Vec<u8>, Vec<OwnedFd>),
    /// The last answer, and they didn't come; or, without a request, that the pod has ended.
    Else(Answer),
}

/// What came of a request that was waited for.
#[derive(Debug)]
pub enum Taken {
    /// As [`Said::Here`].
    Here(Vec<u8>, Vec<OwnedFd>),
    /// As [`Said::Else`].
    Else(Answer),
}

impl Door {
    /// Of the pod.
    ///
    /// # Errors
    /// Where its supervisor doesn't listen.
    pub fn open(found: &Found) -> Result<Self, CliError> {
        let client = Client::connect(&found.dir)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let (ours, theirs) = pair.map_err(|errno| CliError::Socket { call: "socketpair", source: errno.into() })?;
        Ok(Self { client, ours, theirs, asked: 0 })
    }

    /// Asks for descriptors, where no other request is open.
    ///
    /// # Errors
    /// Where the supervisor has gone.
    pub fn ask(&mut self, request: Request) -> Result<(), CliError> {
        if self.asked == 0 {
            self.asked = self.client.ask_with(request, &[self.theirs.as_fd()])?;
        }
        Ok(())
    }

    /// Asks for descriptors, and waits for them.
    ///
    /// # Errors
    /// Where the supervisor has gone, or hangs up.
    pub fn take(&mut self, request: Request) -> Result<Taken, CliError> {
        self.ask(request)?;
        loop {
            match self.hear()? {
                Said::Nothing => {}
                Said::Here(text, descriptors) => return Ok(Taken::Here(text, descriptors)),
                Said::Else(answer) => return Ok(Taken::Else(answer)),
            }
        }
    }

    /// Readable where [`Self::hear`] doesn't have to wait.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.client.fd()
    }

    /// Waits for what the supervisor says next.
    ///
    /// # Errors
    /// Where it has gone, or hangs up.
    pub fn hear(&mut self) -> Result<Said, ControlError> {
        match self.client.next(self.asked)? {
            Some(Answer::Done) if self.asked != 0 => {
                self.asked = 0;
                match receive(&self.ours) {
                    Ok(Received::Record(text, descriptors)) => Ok(Said::Here(text, descriptors)),
                    Ok(Received::TooMuch | Received::End) => {
                        Err(ControlError::Protocol("it has sent no descriptors".into()))
                    }
                    Err(errno) => Err(ControlError::Protocol(format!("its descriptors: {errno}"))),
                }
            }
            Some(answer) if answer.is_last() => {
                self.asked = 0;
                Ok(Said::Else(answer))
            }
            Some(_) | None => Ok(Said::Nothing),
        }
    }
}
