//! Descriptors that became ready, as facts for the engine.

use std::os::fd::AsFd;
use std::time::Duration;

use barepod_engine::action::{EventReason, EventRecord, Severity};
use barepod_engine::event::{ContainerEvent, CreateFailure, Event, Exit, OomKilled};
use barepod_engine::spec::{Attempt, ContainerIndex, Kind};

use super::persist::Unwritten;
use super::slot::{Stage, StartTold};
use super::sources::{Interest, Token};
use super::{Supervisor, now, termination_message, timestamp};
use crate::control::{Admitted, Request};
use crate::log::{ContainerLog, Stream};
use crate::plan;
use crate::runtime::container::{Container, ExitStatus, Progress, reap_strays};

/// How often a stream is read at most when its container has ended: more than a pipe holds, so that all of it is read
/// unless somebody else goes on writing.
const LAST_READS: usize = 32;

/// How long nobody is let in who can't be let in now.
const DEAF: Duration = Duration::from_millis(250);

impl Supervisor<'_> {
    /// Listens to clients again, where that was put off until now.
    pub(super) fn listen_again(&mut self) {
        if self.deaf_until.take_if(|until| *until <= now().monotonic).is_none() {
            return;
        }
        let again = self.sources.add_if_new(self.control.listener(), Token::Listener, Interest::Readable);
        if again.is_err() {
            self.deaf_until = Some(now().monotonic.after(DEAF));
        }
    }

    pub(super) fn look_at(&mut self, token: Token) {
        match token {
            Token::Alarm => {
                self.alarm.acknowledge();
                self.facts.push_back(Event::Tick);
            }
            Token::Notice => self.notice_due(),
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
            Token::Handler(container, asker) => self.handler_moved(container, asker),
            Token::HandlerAlarm(container, asker) => self.handler_late(container, asker),
            Token::Audience(_) => self.audience.flush(),
            Token::Sandbox => self.sandbox_moved(),
            Token::Network => self.network_lost(),
            Token::StorageAlarm => self.measure_storage(),
            Token::Storage => self.storage_measured(),
            Token::Volumes => self.volumes_moved(),
            Token::Image(container) => self.image_moved(container),
        }
    }

    /// The first SIGINT asks for deletion, each further one for it at once (README.md, `run`).
    fn interrupted(&mut self) {
        for _ in 0..self.signals.interrupts() {
            let event = if self.interrupts == 0 { Event::Stop { grace: None } } else { Event::Kill };
            self.interrupts += 1;
            self.facts.push_back(event);
        }
    }

    fn admit(&mut self) {
        let Admitted { new, overloaded } = self.control.accept();
        if overloaded {
            // It would be ready again at once, and nothing else would ever be done.
            self.sources.remove(self.control.listener());
            self.deaf_until = Some(now().monotonic.after(DEAF));
        }
        for index in new {
            let Some(connection) = self.control.connection(index) else { continue };
            if let Err(errno) = self.sources.add(connection, Token::Connection(index), Interest::Readable) {
                self.audience.warn(&format!("control connection: epoll_ctl: {errno}"));
            }
        }
    }

    fn hear(&mut self, index: u16) {
        for request in self.control.read(index) {
            match request {
                Request::Stop { grace_period } => self.facts.push_back(Event::Stop { grace: grace_period }),
                Request::Kill => self.facts.push_back(Event::Kill),
                Request::Resize(wanted) => {
                    let answer = self.resize(wanted);
                    self.control.owe(index, answer);
                }
            }
        }
    }

    fn creation_moved(&mut self, container: ContainerIndex) {
        let slot = self.slot(container);
        let attempt = slot.attempt;
        // A helper that reported and then ended makes two descriptors ready: the first did it all.
        let creation = match std::mem::take(&mut slot.stage) {
            Stage::Creating(creation) => creation,
            other @ (Stage::Absent | Stage::Present(_) | Stage::Removing(_)) => {
                slot.stage = other;
                return;
            }
        };
        let event = match creation.advance() {
            (Some(creation), _) => {
                slot.stage = Stage::Creating(Box::new(creation));
                return;
            }
            (None, Progress::Created(present)) => {
                let container_id = format!("barepod://{}", present.id());
                self.admit_container(container, attempt, *present);
                self.catch_up(container);
                ContainerEvent::Created { container_id }
            }
            (None, Progress::Failed(error, removal)) => {
                let failure = if error.is_config() { CreateFailure::Config } else { CreateFailure::Create };
                self.abandon(container, attempt, removal, (failure, error.to_string()));
                return;
            }
            (None, Progress::Pending) => return,
        };
        reap_strays();
        self.answer(container, attempt, event);
    }

    /// A container that was just made: its end and its output are waited for.
    fn admit_container(&mut self, container: ContainerIndex, attempt: Attempt, mut present: Container) {
        for warning in present.warnings() {
            self.audience.warn(warning);
        }
        let mut failed = self.sources.add(present.pidfd(), Token::Exit(container), Interest::Readable).err();
        let output = present.take_output();
        if let Some((stdout, stderr)) = &output {
            for (fd, stream) in [(stdout, Stream::Stdout), (stderr, Stream::Stderr)] {
                failed = failed.or(self.sources.add(fd, Token::Output(container, stream), Interest::Readable).err());
            }
        }
        if let Some(errno) = failed {
            self.audience.warn(&format!("epoll_ctl: {errno}"));
        }
        let name = self.name(container).to_owned();
        let log = ContainerLog::create(&self.store.ledger().log_dir, &name, attempt.0, timestamp(now().wall));
        let slot = self.slot(container);
        slot.log = Some(log);
        (slot.stdout, slot.stderr) = output.unzip();
        slot.stage = Stage::Present(Box::new(present));
        self.tell_log_news(container);
    }

    /// Whether its log can't be written, or can be again.
    fn tell_log_news(&mut self, container: ContainerIndex) {
        if let Some(news) = self.slot(container).log.as_mut().and_then(ContainerLog::news) {
            let name = self.name(container).to_owned();
            self.audience.warn(&format!("container {name:?}: log {news}"));
            self.record_lost_log(container, format!("Log {news}"));
        }
    }

    /// For who asks for it later: a log doesn't show what is missing in it.
    pub(super) fn record_lost_log(&mut self, container: ContainerIndex, message: String) {
        self.records.push(EventRecord {
            time: now().wall,
            severity: Severity::Warning,
            reason: EventReason::FailedWriteLog,
            container: Some(container),
            message,
        });
        self.unwritten = Unwritten::Events;
    }

    fn start_moved(&mut self, container: ContainerIndex) {
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Stage::Present(present) = &mut slot.stage else { return };
        if slot.start_told != StartTold::No {
            return;
        }
        let Some(outcome) = present.start_outcome() else {
            // The program runs, hooks of its bundle don't end yet: it is they who are waited for.
            if let Some(hooks) = present.poststart_fd() {
                self.sources.remove(present.start_fd());
                if let Err(errno) = self.sources.add_if_new(hooks, Token::Start(container), Interest::Readable) {
                    self.audience.warn(&format!("epoll_ctl: {errno}"));
                }
            }
            return;
        };
        slot.start_told = if outcome.is_ok() { StartTold::Started } else { StartTold::Failed };
        let exit_waits = std::mem::take(&mut slot.exit_waits);
        self.sources.remove(present.start_fd());
        let event = match outcome {
            Ok(()) => ContainerEvent::Started,
            Err(error) => {
                slot.start_asked = None;
                ContainerEvent::StartFailed { message: error.to_string() }
            }
        };
        self.grown |= self.mains_run();
        reap_strays();
        self.answer(container, attempt, event);
        if exit_waits {
            self.exited(container);
        }
    }

    /// Until they do, one start follows the other, and mapping its code again would hold up each.
    fn mains_run(&self) -> bool {
        let mut containers = self.pod.plan.lifecycle.containers.iter().zip(&self.slots);
        containers.any(|(spec, slot)| spec.kind == Kind::Main && matches!(slot.stage, Stage::Present(_)))
    }

    fn exited(&mut self, container: ContainerIndex) {
        // Whether the program ran at all is known by now, and is to be told first.
        if self.slot(container).start_asked.is_some() {
            self.start_moved(container);
        }
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Stage::Present(present) = &mut slot.stage else { return };
        if slot.start_told == StartTold::Failed {
            // Nothing has run that could exit: 255 or a signal would be the init's, not the program's.
            self.sources.remove(present.pidfd());
            return;
        }
        if present.poststart_fd().is_some() {
            // Its start isn't over before they are: its end is told after that.
            slot.exit_waits = true;
            self.sources.remove(present.pidfd());
            return;
        }
        let Some(status) = present.exit() else { return };
        self.sources.remove(present.pidfd());
        let oom_killed = if present.oom_killed() { OomKilled::Yes } else { OomKilled::No };
        let exit = match status {
            ExitStatus::Code(code) => Exit::Code(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
            ExitStatus::Signal(signal) => u8::try_from(signal).map_or(Exit::Unknown, Exit::Signal),
            ExitStatus::Unknown => Exit::Unknown,
        };
        slot.ran = slot.start_asked.map(|asked| now().monotonic.since(asked));
        self.drain(container);
        let message = self.termination_message(container, exit);
        self.answer(container, attempt, ContainerEvent::Exited { exit, oom_killed, message });
        self.end_handlers(container);
    }

    fn termination_message(&self, container: ContainerIndex, exit: Exit) -> String {
        let slot = &self.slots[usize::from(container.0)];
        let policy = termination_message::policy(plan::pod_container(&self.pod.manifest, container).manifest);
        let log = slot.log.as_ref().map(ContainerLog::path);
        termination_message::read(policy, slot.termination_log.as_deref(), log, exit)
    }

    fn removal_moved(&mut self, container: ContainerIndex) {
        let slot = self.slot(container);
        let attempt = slot.attempt;
        match std::mem::take(&mut slot.stage) {
            Stage::Removing(mut removal) => {
                if removal.outcome().is_some() {
                    return self.finish_removal(container, attempt, *removal);
                }
                let watched = removal
                    .pidfd()
                    .map(|pidfd| self.sources.add_if_new(pidfd, Token::Removal(container), Interest::Readable));
                self.slot(container).stage = Stage::Removing(removal);
                if let Some(Err(errno)) = watched {
                    self.audience.warn(&format!("epoll_ctl: {errno}"));
                }
            }
            other @ (Stage::Absent | Stage::Creating(_) | Stage::Present(_)) => slot.stage = other,
        }
    }

    /// Reads what a stream holds now; `false` where there was nothing.
    fn pump(&mut self, container: ContainerIndex, stream: Stream) -> bool {
        let now = timestamp(now().wall);
        let slot = &mut self.slots[usize::from(container.0)];
        let (fd, log) = match stream {
            Stream::Stdout => (&mut slot.stdout, &mut slot.log),
            Stream::Stderr => (&mut slot.stderr, &mut slot.log),
        };
        let (Some(open), Some(log)) = (fd.as_ref(), log.as_mut()) else {
            *fd = None;
            return false;
        };
        let audience = &mut *self.audience;
        let pumped = log.pump(stream, open.as_fd(), now, &mut |stream, line| audience.line(container, stream, line));
        let read = match pumped {
            Ok(pump) => {
                if pump.eof {
                    *fd = None;
                }
                pump.bytes > 0
            }
            Err(error) => {
                self.audience.warn(&error.to_string());
                *fd = None;
                false
            }
        };
        self.tell_log_news(container);
        read
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
