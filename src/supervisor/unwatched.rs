//! Descriptors of the pod's that the kernel has no room to watch (epoll_ctl(2): ENOMEM, or ENOSPC beyond
//! fs.epoll.max_user_watches): what they would tell is looked for every so often, until they can be watched. Whoever has an
//! end that nobody hears of would never end.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use barepod_engine::spec::ContainerIndex;
use barepod_engine::time::Instant;

use super::slot::{Stage, Start};
use super::sources::{Interest, Patience, Token};
use super::{Supervisor, SupervisorError, now};
use crate::log::Stream;
use crate::runtime::sandbox::Sandbox;

/// Between two looks.
const AGAIN: Duration = Duration::from_millis(250);

/// What is to be watched and can't be.
#[derive(Debug, Default)]
pub struct Unwatched {
    tokens: Vec<Token>,
    next: Option<Instant>,
}

impl Unwatched {
    /// How long the next look may be put off.
    pub fn patience(&self) -> Option<Patience> {
        let next = self.next.filter(|_| !self.tokens.is_empty())?;
        Some(Patience::Until(next.since(now().monotonic)))
    }

    /// Remembers one; `false`: it is remembered already.
    pub fn add(&mut self, token: Token) -> bool {
        if self.tokens.contains(&token) {
            return false;
        }
        self.tokens.push(token);
        self.next.get_or_insert_with(|| now().monotonic.after(AGAIN));
        true
    }
}

impl Supervisor<'_> {
    /// Waits for the descriptor that a token stands for now, where there is one, or looks at it every so often.
    pub(super) fn watch(&mut self, token: Token) {
        let Some(descriptor) = self.descriptor(token) else { return };
        if let Err(errno) = self.sources.add_if_new(descriptor, token, Interest::Readable)
            && self.unwatched.add(token)
        {
            self.audience.warn(&format!("epoll_ctl: {errno}; what can't be waited for is looked at every 250 ms"));
        }
    }

    /// Waits for what a container prints.
    pub(super) fn watch_output(&mut self, container: ContainerIndex) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.watch(Token::Output(container, stream));
        }
    }

    /// Looks at those that are not watched, and tries to watch them.
    pub(super) fn look_at_unwatched(&mut self) -> Result<(), SupervisorError> {
        if self.unwatched.next.take_if(|next| *next <= now().monotonic).is_none() {
            return Ok(());
        }
        for token in std::mem::take(&mut self.unwatched.tokens) {
            if self.descriptor(token).is_none() {
                continue;
            }
            self.look_at(token);
            self.settle()?;
            // What has told all it had to tell has none any more, but for a sandbox that waits to be made anew.
            let lost = token == Token::Sandbox && self.sandbox.as_ref().is_some_and(Sandbox::is_lost);
            if !lost
                && let Some(descriptor) = self.descriptor(token)
                && self.sources.add_if_new(descriptor, token, Interest::Readable).is_err()
            {
                self.unwatched.add(token);
            }
        }
        Ok(())
    }

    /// What is to be watched for a token now; `None`: nothing, or not by [`Self::watch`].
    fn descriptor(&self, token: Token) -> Option<BorrowedFd<'_>> {
        match token {
            Token::Exit(container) => {
                let present = self.slots[usize::from(container.0)].present()?;
                let told = matches!(present.start, Start::Failed | Start::Asked { exit_waits: true, .. });
                (!told && !present.container.is_reaped()).then(|| present.container.pidfd())
            }
            Token::Start(container) => {
                let present = self.slots[usize::from(container.0)].present()?;
                let asked = matches!(present.start, Start::Asked { .. });
                let hooks = present.container.poststart_fd().filter(|_| asked);
                hooks.or_else(|| asked.then(|| present.container.start_fd()))
            }
            Token::Output(container, stream) => {
                let output = self.slots[usize::from(container.0)].output().filter(|_| self.listening)?;
                output.pipes().find(|(of, _)| *of == stream).map(|(_, pipe)| pipe)
            }
            Token::Removal(container) => match &self.slots[usize::from(container.0)].stage {
                Stage::Removing(removing) => removing.removal.pidfd(),
                Stage::Absent | Stage::Creating(_) | Stage::Present(_) => None,
            },
            Token::Sandbox => self.sandbox.as_ref().and_then(Sandbox::pause).map(AsFd::as_fd),
            Token::Network => self.sandbox.as_ref().and_then(Sandbox::connection_fd),
            Token::Alarm
            | Token::Notice
            | Token::Service
            | Token::Terminate
            | Token::Interrupt
            | Token::Control
            | Token::Creation(_)
            | Token::Handler(..)
            | Token::HandlerAlarm(..)
            | Token::Audience(_)
            | Token::Connecting
            | Token::StorageAlarm
            | Token::Storage
            | Token::Volumes
            | Token::Image(_)
            | Token::Pulls
            | Token::Exec(_) => None,
        }
    }
}
