//! Descriptors that became ready, as facts for the engine.

use std::time::Duration;

use barepod_engine::event::{ContainerEvent, CreateFailure, Event, Exit};
use barepod_engine::spec::{Attempt, ContainerIndex, Kind};

use super::handlers::exit_of;
use super::output::{Listener, Output};
use super::slot::{Creating, MadeWith, Present, Stage, Start};
use super::sources::Token;
use super::{Supervisor, now, termination_message, timestamp};
use crate::control::{Answer, Asked, Request};
use crate::log::ContainerLog;
use crate::runtime::container::{Container, Progress, reap_ended};

/// How long nobody is let in who can't be let in now.
const DEAF: Duration = Duration::from_millis(250);

impl Supervisor<'_> {
    /// Lets clients in again, where that was put off until now.
    pub(super) fn listen_again(&mut self) {
        if self.deaf_until.take_if(|until| *until <= now().monotonic).is_some() && self.control.listen_again().is_err()
        {
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
            Token::Service => self.service_is_due(),
            Token::Terminate => {
                for _ in 0..self.signals.terminations() {
                    self.facts.push_back(Event::Stop { grace: None });
                }
            }
            Token::Interrupt => self.interrupted(),
            Token::Control => self.hear_clients(),
            Token::Creation(container) => self.creation_moved(container),
            Token::Start(container) => self.start_moved(container),
            Token::Exit(container) => self.exited(container),
            Token::Output(container, stream) => self.with_output(container, |output, to| {
                output.pump(stream, to);
            }),
            Token::Removal(container) => self.removal_moved(container),
            Token::Handler(container, purpose) => self.handler_moved(container, purpose),
            Token::HandlerAlarm(container, purpose) => self.handler_late(container, purpose),
            Token::Audience(_) => self.audience.flush(),
            Token::Sandbox => self.sandbox_moved(),
            Token::Network => self.network_lost(),
            Token::Connecting => self.network_moved(),
            Token::StorageAlarm => self.measure_storage(),
            Token::Storage => self.storage_measured(),
            Token::Volumes => self.volumes_moved(),
            Token::Image(container) => self.image_moved(container),
            Token::Exec(number) => self.exec_moved(number),
            Token::Pulls => self.look_at_pulls(),
        }
    }

    fn interrupted(&mut self) {
        for _ in 0..self.signals.interrupts() {
            self.interrupts += 1;
            self.facts.push_back(Event::Interrupt);
        }
    }

    fn hear_clients(&mut self) {
        let turn = self.control.turn();
        self.clients_had_their_turn = true;
        if turn.overloaded {
            self.deaf_until = Some(now().monotonic.after(DEAF));
        }
        for Asked { by, request, descriptors } in turn.asked {
            match request {
                Request::Stop { grace_period_seconds } => {
                    self.facts.push_back(Event::Stop { grace: grace_period_seconds.map(Duration::from_secs) });
                }
                Request::Kill => self.facts.push_back(Event::Kill),
                Request::Resize(wanted) => {
                    let outcome = self.resize(wanted);
                    self.control.defer(by, Answer::Resized { outcome });
                }
                Request::Apply(changes) => {
                    let outcome = self.apply_changes(changes, descriptors);
                    self.control.defer(by, Answer::Applied { outcome });
                }
                Request::Restart { container, grace_period_seconds } => {
                    let grace = grace_period_seconds.map(Duration::from_secs);
                    let outcome = self.restart(container.as_deref(), grace);
                    self.control.defer(by, Answer::Restarting { outcome });
                }
                Request::Exec(program) => self.exec_asked(by, program, descriptors),
                Request::SignalContainers { container, signal } => {
                    let outcome = self.signal_containers(container.as_deref(), signal);
                    self.control.defer(by, Answer::Signalled { outcome });
                }
                Request::Signal { of, signal } => self.signal_exec(by, of, signal),
                Request::Network => self.network_asked(by, &descriptors),
                Request::Root { container } => self.root_asked(by, &container, &descriptors),
                Request::Debug(debugging) => self.debug_asked(by, &debugging, descriptors),
                Request::Attach { container, stdin } => self.attach_asked(by, &container, stdin, descriptors),
            }
        }
        // Last: who was heard in this turn may have gone in it too.
        for by in turn.gone {
            self.copies.leave(by);
            self.exec_left(by);
        }
    }

    fn creation_moved(&mut self, container: ContainerIndex) {
        let slot = self.slot(container);
        let attempt = slot.attempt;
        // A helper that reported and then ended makes two descriptors ready: the first did it all.
        let creating = match std::mem::take(&mut slot.stage) {
            Stage::Creating(creating) => creating,
            other @ (Stage::Absent | Stage::Present(_) | Stage::Removing(_)) => {
                slot.stage = other;
                return;
            }
        };
        let Creating { creation, made, target } = *creating;
        let event = match creation.advance() {
            (Some(creation), _) => {
                slot.stage = Stage::Creating(Box::new(Creating { creation, made, target }));
                return;
            }
            (None, Progress::Created(present)) => {
                let container_id = format!("barepod://{}", present.id());
                self.admit_container(container, attempt, *present, made);
                ContainerEvent::Created { container_id }
            }
            (None, Progress::Failed(error, removal)) => {
                let failure = if error.is_config() { CreateFailure::Config } else { CreateFailure::Create };
                self.abandon(container, attempt, *removal, (failure, error.to_string()));
                return;
            }
            (None, Progress::Pending) => return,
        };
        reap_ended();
        self.answer(container, attempt, event);
    }

    /// A container that was just made: its end and its output are waited for.
    fn admit_container(&mut self, container: ContainerIndex, attempt: Attempt, mut made: Container, with: MadeWith) {
        for warning in made.warnings() {
            self.audience.warn(warning);
        }
        let log =
            ContainerLog::create(&self.store.ledger().log_dir, self.name(container), attempt.0, timestamp(now().wall));
        let is_read = self.pod.plan.container(&self.pod.manifest, container).manifest.stdin == Some(true);
        let output = Output::new(made.take_ends(), is_read, log);
        let present = Present { container: made, made: with, output, start: Start::NotAsked, ran: None, process: None };
        self.slot(container).stage = Stage::Present(Box::new(present));
        self.attach_first(container);
        self.watch(Token::Exit(container));
        self.watch_output(container);
        self.with_output(container, Output::tell_news);
    }

    fn start_moved(&mut self, container: ContainerIndex) {
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Some(Present { container: present, start, .. }) = slot.present_mut() else { return };
        let Start::Asked { at, exit_waits } = *start else { return };
        let Some(outcome) = present.start_outcome() else {
            // The program runs, hooks of its bundle don't end yet: it is they who are waited for.
            if present.poststart_fd().is_some() {
                self.sources.remove(present.start_fd());
                self.watch(Token::Start(container));
            }
            return;
        };
        *start = if outcome.is_ok() { Start::Started { at } } else { Start::Failed };
        let failed = outcome.is_err();
        self.sources.remove(present.start_fd());
        let event = match outcome {
            Ok(()) => ContainerEvent::Started,
            Err(error) => ContainerEvent::StartFailed { message: error.to_string() },
        };
        self.grown |= self.mains_run();
        if failed {
            self.attached_in_vain(container);
        }
        reap_ended();
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
        self.start_moved(container);
        let slot = &mut self.slots[usize::from(container.0)];
        let attempt = slot.attempt;
        let Some(Present { container: present, start, ran, .. }) = slot.present_mut() else { return };
        match start {
            // Nothing has run that could exit: 255 or a signal would be the init's, not the program's.
            Start::Failed => return self.sources.remove(present.pidfd()),
            // Its start isn't over before hooks of its bundle are: its end is told after that.
            Start::Asked { exit_waits, .. } if present.poststart_fd().is_some() => {
                *exit_waits = true;
                return self.sources.remove(present.pidfd());
            }
            Start::NotAsked | Start::Asked { .. } | Start::Started { .. } => {}
        }
        let Some(status) = present.exit() else { return };
        self.sources.remove(present.pidfd());
        let oom_killed = present.oom_killed();
        let exit = exit_of(status);
        *ran = start.asked_at().map(|asked| now().monotonic.since(asked));
        self.with_output(container, Output::drain);
        let message = self.termination_message(container, exit);
        self.answer(container, attempt, ContainerEvent::Exited { exit, oom_killed, message });
        self.end_handlers(container);
        self.end_execs(container);
        self.end_attached(container, exit);
    }

    fn termination_message(&self, container: ContainerIndex, exit: Exit) -> String {
        let Some(present) = self.slots[usize::from(container.0)].present() else { return String::new() };
        let policy = termination_message::policy(self.pod.plan.container(&self.pod.manifest, container).manifest);
        termination_message::read(policy, &present.made.termination_log, present.output.log().path(), exit)
    }

    fn removal_moved(&mut self, container: ContainerIndex) {
        let slot = self.slot(container);
        let attempt = slot.attempt;
        match std::mem::take(&mut slot.stage) {
            Stage::Removing(mut removing) => {
                if removing.removal.outcome().is_some() {
                    return self.finish_removal(container, attempt, *removing);
                }
                self.slot(container).stage = Stage::Removing(removing);
                self.watch(Token::Removal(container));
            }
            other @ (Stage::Absent | Stage::Creating(_) | Stage::Present(_)) => slot.stage = other,
        }
    }

    /// What is done with the output of an attempt that was made and isn't gone.
    pub(super) fn with_output(&mut self, container: ContainerIndex, act: impl FnOnce(&mut Output, &mut Listener<'_>)) {
        let index = usize::from(container.0);
        if let Some(output) = self.slots[index].output_mut() {
            let name = &self.pod.plan.lifecycle.containers[index].name;
            let Self { audience, records, copies, buffers, .. } = self;
            act(output, &mut Listener { container, name, audience: &mut **audience, records, copies, buffers });
            self.records_are_to_be_written();
            self.tell_who_is_behind();
        }
    }
}
