//! The sandbox: made at once but for volumes that a helper looks for, removed piece by piece while signals and commands
//! are heard.

use std::os::fd::BorrowedFd;

use barepod_engine::event::{Event, SandboxFailure};
use barepod_engine::time::Instant;

use super::sources::{Interest, Patience, Token};
use super::{Supervisor, now};
use crate::runtime::container::reap_ended;
use crate::runtime::network::Connection;
use crate::runtime::sandbox::{NotMade, RemovalStep, Sandbox, SandboxRemoval, Which};

/// A sandbox that is being removed.
pub struct RemovingSandbox {
    removal: Box<SandboxRemoval>,
    /// What is told when it has gone.
    then: Event,
    /// When it can go on; `None`: now.
    due: Option<Instant>,
}

impl RemovingSandbox {
    /// Readable when what connected its pod with the outside has ended.
    pub fn connection_fd(&self) -> Option<BorrowedFd<'_>> {
        self.removal.connection_fd()
    }

    /// How long it can wait.
    pub fn patience(&self) -> Patience {
        match self.due.map(|due| due.since(now().monotonic)) {
            None => Patience::None,
            Some(left) if left.is_zero() => Patience::None,
            Some(left) => Patience::Until(left),
        }
    }
}

impl Supervisor<'_> {
    pub(super) fn create_sandbox(&mut self) {
        match self.sandbox.take() {
            // It was lost: its volumes, its network and all that a new pid 1 can be put beside have stayed.
            Some(sandbox) => self.go_on_with(sandbox.renew()),
            None => self.connect_sandbox(),
        }
    }

    /// Makes what isn't made yet of it.
    pub(super) fn make_sandbox(&mut self, connection: Option<Connection>) {
        let (pod, plan) = (&self.pod, &self.pod.plan);
        let made = Sandbox::create(&plan.sandbox, &plan.cgroup, &plan.volumes, &pod.dirs, connection, &pod.node);
        self.go_on_with(made);
    }

    /// The helper that looks for its volumes has something to say, or has died.
    pub(super) fn volumes_moved(&mut self) {
        if let Some(sandbox) = self.unready.take() {
            if let Some(search) = sandbox.search_fd() {
                self.sources.remove(search);
            }
            self.go_on_with(sandbox.search());
            reap_ended();
        }
    }

    fn go_on_with(&mut self, made: Result<Sandbox, NotMade>) {
        match made {
            Ok(sandbox) => match sandbox.search_fd().map(|fd| self.sources.add(fd, Token::Volumes, Interest::Readable))
            {
                Some(Ok(())) => self.unready = Some(sandbox),
                Some(Err(errno)) => {
                    let message = format!("the helper that looks for volumes: epoll_ctl: {errno}");
                    let then = Event::SandboxFailed { failure: SandboxFailure::Sandbox, message };
                    self.removing_sandbox =
                        Some(RemovingSandbox { removal: Box::new(sandbox.give_up()), then, due: None });
                }
                None => self.sandbox_made(sandbox),
            },
            Err(NotMade { error, remains }) => {
                let failure = match error.which() {
                    Which::Sandbox => SandboxFailure::Sandbox,
                    Which::Mount => SandboxFailure::Mount,
                    Which::Fatal => {
                        self.broken = Some(error);
                        return;
                    }
                };
                let event = Event::SandboxFailed { failure, message: error.to_string() };
                match remains {
                    Some(removal) => self.removing_sandbox = Some(RemovingSandbox { removal, then: event, due: None }),
                    None => self.facts.push_back(event),
                }
            }
        }
    }

    fn sandbox_made(&mut self, sandbox: Sandbox) {
        self.sandbox = Some(sandbox);
        self.watch(Token::Sandbox);
        self.watch(Token::Network);
        self.take_cpus();
        self.watch_storage();
        self.facts.push_back(Event::SandboxReady);
    }

    pub(super) fn remove_sandbox(&mut self) {
        self.leave_storage();
        // One whose network was being connected.
        drop(self.stop_connecting());
        // What there was of one that could not be made: nobody waits to hear that any more.
        if let Some(removing) = &mut self.removing_sandbox {
            removing.then = Event::SandboxRemoved;
            removing.removal.add_volumes(&self.pod.plan.volumes);
            removing.due = None;
            return;
        }
        let removal = match self.sandbox.take().or_else(|| self.unready.take()) {
            Some(sandbox) => {
                if let Some(search) = sandbox.search_fd() {
                    self.sources.remove(search);
                }
                sandbox.remove()
            }
            // The last one could not be made; what its containers had in volumes has stayed for the next.
            None => SandboxRemoval::of_volumes(&self.pod.dirs, &self.pod.plan.volumes),
        };
        self.removing_sandbox =
            Some(RemovingSandbox { removal: Box::new(removal), then: Event::SandboxRemoved, due: None });
    }

    /// Takes the removal a piece further, where there is one that doesn't have to wait. It may take long where volumes
    /// hold many files: whatever else there is to do comes before the next piece.
    pub(super) fn advance_sandbox_removal(&mut self) {
        let Some(mut removing) = self.removing_sandbox.take_if(|removing| removing.patience() == Patience::None) else {
            return;
        };
        match removing.removal.advance() {
            RemovalStep::More => removing.due = None,
            RemovalStep::Wait(time) => removing.due = Some(now().monotonic.after(time)),
            RemovalStep::Done(errors) => {
                for error in errors {
                    self.audience.warn(&format!("removing the sandbox: {error}"));
                }
                self.facts.push_back(removing.then);
                return;
            }
        }
        self.removing_sandbox = Some(removing);
    }

    /// Its pid 1 has ended. Told once; it is watched again when it has been made anew.
    pub(super) fn sandbox_moved(&mut self) {
        if let Some(removing) = &mut self.removing_sandbox {
            if let Some(pause) = removing.removal.pause() {
                self.sources.remove(pause);
            }
            removing.due = None;
        } else if let Some(pause) = self.sandbox.as_ref().filter(|sandbox| sandbox.is_lost()).and_then(Sandbox::pause) {
            self.sources.remove(pause);
            self.facts.push_back(Event::SandboxLost);
        }
    }
}
