//! Descriptors that became ready, as facts for the engine.

use barepod_engine::event::{ContainerEvent, CreateFailure, Event, Exit, OomKilled};
use barepod_engine::spec::ContainerIndex;

use super::slot::Stage;
use super::sources::{Interest, Token};
use super::{Supervisor, now, termination_message};
use crate::control::Request;
use crate::log::Stream;
use crate::runtime::container::{ExitStatus, Progress};

/// How often a stream is read at most when its container has ended: more than a pipe holds, so that all of it is read
/// unless somebody else goes on writing.
const LAST_READS: usize = 32;

impl Supervisor<'_> {
    pub(super) fn look_at(&mut self, token: Token) {
        match token {
            Token::Alarm => {
                self.alarm.acknowledge();
                self.facts.push_back(Event::Tick);
            }
            Token::Terminate => {
                for _ in 0..self.signals.terminations() {
                    self.facts.push_back(Event::Stop { grace: None });
                }
            }
            Token::Interrupt => self.interrupted(),
            Token::Listener => self.admit(),
            Token::Connection(index) => self.hear(index),
            Token::Creation(container) => self.creation_moved(container),
            Token::Start(container) => self.start_moved(container),
            Token::Exit(container) => self.exited(container),
            Token::Output(container, stream) => {
                self.pump(container, stream);
            }
            Token::Removal(container) => self.removal_moved(container),
            Token::Audience(_) => self.audience.flush(),
        }
    }

    /// The first SIGINT asks for deletion, each further one for it at once (design.md, section 3).
    fn interrupted(&mut self) {
        for _ in 0..self.signals.interrupts() {
            let event = if self.interrupts == 0 { Event::Stop { grace: None } } else { Event::Kill };
            self.interrupts += 1;
            self.facts.push_back(event);
        }
    }

    fn admit(&mut self) {
        for (index, fd) in self.control.accept() {
            if let Err(errno) = self.sources.add(fd, Token::Connection(index), Interest::Readable) {
                self.audience.warn(&format!("control connection: epoll_ctl: {errno}"));
            }
        }
    }

    fn hear(&mut self, index: u16) {
        for request in self.control.read(index) {
            self.facts.push_back(match request {
                Request::Stop { grace_period } => Event::Stop { grace: grace_period },
                Request::Kill => Event::Kill,
            });
        }
    }

    fn creation_moved(&mut self, container: ContainerIndex) {
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Stage::Creating(creation) = &mut slot.stage else { return };
        let event = match creation.advance() {
            Progress::Pending => return,
            Progress::Created(present) => {
                if let Err(errno) = self.sources.add(present.pidfd(), Token::Exit(container), Interest::Readable) {
                    self.audience.warn(&format!("epoll_ctl: {errno}"));
                }
                let container_id = format!("barepod://{}", present.id());
                slot.stage = Stage::Present(Box::new(present));
                ContainerEvent::Created { container_id }
            }
            Progress::Failed(error) => {
                slot.stage = Stage::Absent;
                slot.stdout = None;
                slot.stderr = None;
                slot.log = None;
                ContainerEvent::CreateFailed { failure: CreateFailure::Create, message: error.to_string() }
            }
        };
        self.answer(container, attempt, event);
    }

    fn start_moved(&mut self, container: ContainerIndex) {
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Stage::Present(present) = &mut slot.stage else { return };
        let Some(outcome) = present.start_outcome() else { return };
        self.sources.remove(present.start_fd());
        let event = match outcome {
            Ok(()) => {
                slot.started = Some(now().monotonic);
                ContainerEvent::Started
            }
            Err(error) => ContainerEvent::StartFailed { message: error.to_string() },
        };
        self.answer(container, attempt, event);
    }

    fn exited(&mut self, container: ContainerIndex) {
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Stage::Present(present) = &mut slot.stage else { return };
        let Some(status) = present.exit() else { return };
        self.sources.remove(present.pidfd());
        let oom_killed = if present.oom_killed() { OomKilled::Yes } else { OomKilled::No };
        let exit = match status {
            ExitStatus::Code(code) => Exit::Code(code),
            ExitStatus::Signal(signal) => Exit::Signal(signal),
        };
        let ran = slot.started.map(|started| now().monotonic.since(started));
        self.drain(container);
        let message = self.termination_message(container, exit);
        self.audience.exited(container, exit, oom_killed, ran);
        self.answer(container, attempt, ContainerEvent::Exited { exit, oom_killed, message });
    }

    fn termination_message(&self, container: ContainerIndex, exit: Exit) -> String {
        let slot = &self.slots[usize::from(container.0)];
        let spec = termination_message::spec(&self.pod.manifest, container);
        termination_message::read(spec, slot.termination_log.as_deref(), slot.log.as_ref().map(|log| log.path()), exit)
    }

    fn removal_moved(&mut self, container: ContainerIndex) {
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Stage::Removing(removal) = &mut slot.stage else { return };
        let Some(errors) = removal.advance() else { return };
        slot.stage = Stage::Absent;
        self.warn_about_removal(container, &errors);
        self.removed(container, attempt);
    }

    /// Reads what a stream holds now; `false` where there was nothing.
    fn pump(&mut self, container: ContainerIndex, stream: Stream) -> bool {
        let wall = now().wall;
        let slot = &mut self.slots[usize::from(container.0)];
        let Slot { log: Some(log), stdout, stderr, .. } = slot else { return false };
        let fd = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        let Some(open) = fd else { return false };
        let audience = &mut *self.audience;
        let pump = log.pump(stream, &*open, wall, &mut |stream, line| audience.line(container, stream, line));
        if pump.eof {
            *fd = None;
        }
        pump.bytes > 0
    }

    /// Reads the last that a container that has ended printed.
    pub(super) fn drain(&mut self, container: ContainerIndex) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut reads = 0;
            while reads < LAST_READS && self.pump(container, stream) {
                reads += 1;
            }
        }
    }
}
