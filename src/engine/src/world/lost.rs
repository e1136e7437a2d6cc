//! A supervisor of a scripted box that dies: its answers are lost, and another one sees to what it had begun.

use alloc::vec::Vec;

use super::{Scheduled, World};
use crate::action::{Action, ContainerAction};
use crate::event::{ContainerEvent, Event};
use crate::time::Instant;

/// An answer that never came.
#[derive(Clone, Debug)]
pub struct LostAnswer(Scheduled);

impl LostAnswer {
    /// What it would have said.
    pub fn event(&self) -> &Event {
        &self.0.event
    }
}

impl World {
    /// All answers that are still to come are lost. How processes end is no answer, and comes as ever.
    pub fn lose_answers(&mut self) -> Vec<LostAnswer> {
        let is_answer = |scheduled: &mut Scheduled| {
            !matches!(scheduled.event, Event::Container { event: ContainerEvent::Exited { .. }, .. })
        };
        self.agenda.extract_if(.., is_answer).map(LostAnswer).collect()
    }

    /// What became of an action is found out after all: its answer comes when it would have come.
    pub fn find_answer(&mut self, lost: LostAnswer) {
        self.agenda.push(lost.0);
    }

    /// Does an action again whose answer was lost, with what was there of it removed.
    pub fn carry_again(&mut self, now: Instant, action: &Action) {
        if let Action::Container { container, attempt, action: ContainerAction::Create } = action {
            self.forget(|event| matches!(event, ContainerEvent::Exited { .. }), *container, *attempt);
        }
        self.carry(now, action);
    }
}
