//! One step of the engine: a fact is taken in, then each concern has its say until nothing changes any more.

use alloc::vec::Vec;

use super::{Engine, PodLife, Turn};
use crate::action::Action;
use crate::event::Event;
use crate::spec::ContainerIndex;
use crate::time::{Instant, Now};

impl Engine {
    /// Takes in a fact and appends what is to be done now, reactions before tidying up.
    pub fn step(&mut self, now: Now, event: Event, actions: &mut Vec<Action>) {
        let mut turn = Turn::new(now, actions);
        if self.life != PodLife::Finished {
            self.take(&mut turn, event);
            // Each pass may make the next one necessary; each moves some container strictly onwards, so this ends.
            turn.changed();
            while turn.has_moved() {
                self.advance(&mut turn);
            }
            self.note_conditions(now.wall);
            debug_assert!(
                self.next_deadline().is_none_or(|deadline| deadline > now.monotonic),
                "what was due has been done"
            );
        }
        turn.end();
    }

    fn take(&mut self, turn: &mut Turn<'_>, event: Event) {
        match event {
            Event::Begin => {
                if self.life == PodLife::New {
                    self.began = Some(turn.now.monotonic);
                    self.start_time = Some(turn.now.wall);
                    self.make_sandbox(turn);
                }
            }
            Event::Rejected { message } => self.rejected(turn, &message),
            Event::Tick => {}
            Event::Stop { grace } => self.deletion_requested(turn, grace.unwrap_or(self.spec.grace_period)),
            Event::Interrupt => self.interrupted(turn),
            Event::Kill => self.kill_requested(turn),
            Event::SupervisorLost => self.lost(turn),
            Event::Resized { container, way, summary } => self.resized(turn, container, way, summary),
            Event::Restart { of, grace } => self.restart_requested(turn, of, grace),
            Event::DefinitionChanged { container, image } => self.definition_changed(turn, container, image),
            Event::ActiveDeadline { length } => self.active_deadline_set(turn, length),
            Event::SandboxLost => self.sandbox_lost(turn),
            Event::EphemeralAdded { name, image } => self.ephemeral_added(turn, name, image),
            Event::StorageExceeded(exceeded) => self.storage_exceeded(turn, &exceeded),
            Event::SandboxReady => {
                if self.life == PodLife::MakingSandbox {
                    self.life = PodLife::Up;
                    self.had_sandbox = true;
                }
            }
            Event::SandboxFailed { failure, message } => self.sandbox_failed(turn, failure, message),
            Event::SandboxRemoved => {
                if self.life == PodLife::RemovingSandbox {
                    self.finish(turn);
                }
            }
            Event::Container { container, attempt, event } => self.container_event(turn, container, attempt, event),
        }
    }

    /// Lets each concern have its say. What must be quick comes first.
    fn advance(&mut self, turn: &mut Turn<'_>) {
        for index in self.indices() {
            self.wake_hooks(turn, index);
        }
        self.advance_termination(turn);
        if self.ending.is_none() {
            self.advance_restart_all(turn);
            self.advance_startup(turn);
            self.advance_ephemeral(turn);
            // Last: what others begin needn't be begun ahead.
            self.advance_ahead(turn);
        }
        for index in self.indices() {
            self.advance_probes(turn, index);
            self.back_off_pull(turn, index);
        }
        self.retry_sandbox(turn);
        self.advance_end(turn);
    }

    /// When to call again though nothing happened; `None`: not before the next event.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.life == PodLife::Finished {
            return None;
        }
        let active = self.active_deadline().into_iter().chain(self.timeout());
        self.indices()
            .filter_map(|index| self.container_deadline(index))
            .chain(self.sandbox_retry())
            .chain(active)
            .min()
    }

    fn container_deadline(&self, index: ContainerIndex) -> Option<Instant> {
        let container = self.container(index);
        // A gate that is closed opens by an event, not by time.
        let begins = container.waits_for_a_time().filter(|_| self.may_begin(index));
        begins.into_iter().chain(container.next_deadline(self.probing(index))).min()
    }
}
