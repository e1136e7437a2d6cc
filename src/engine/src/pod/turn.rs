//! One step of the engine: its time, and what is asked for in it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::action::{Action, ContainerAction, EventReason, EventRecord, LimitsOf, Severity};
use crate::spec::{Attempt, ContainerIndex};
use crate::time::Now;

/// One step's time and what it asks for.
pub(crate) struct Turn<'a> {
    pub now: Now,
    /// What is asked for so far.
    actions: &'a mut Vec<Action>,
    /// What can wait until the reactions to the fact are out: removals and records.
    later: Vec<Action>,
    moved: bool,
}

impl<'a> Turn<'a> {
    /// A step at `now`, which adds what it asks for to `actions`.
    pub fn new(now: Now, actions: &'a mut Vec<Action>) -> Self {
        Self { now, actions, later: Vec::new(), moved: false }
    }

    /// Whether something has become different since this was asked last.
    pub fn has_moved(&mut self) -> bool {
        core::mem::take(&mut self.moved)
    }

    /// Something is to be done with the pod as a whole.
    pub fn ask(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// The step is over: what could wait comes behind the rest, and the last word behind that.
    pub fn end(self) {
        let finish = self.actions.iter().position(Action::is_last);
        let finish = finish.map(|at| self.actions.remove(at));
        self.actions.extend(self.later);
        self.actions.extend(finish);
    }

    pub fn act(&mut self, container: ContainerIndex, attempt: Attempt, action: ContainerAction) {
        self.changed();
        let place = if action == ContainerAction::Remove { &mut self.later } else { &mut *self.actions };
        place.push(Action::Container { container, attempt, action });
    }

    pub fn write_limits(&mut self, of: LimitsOf) {
        self.actions.push(Action::WriteLimits(of));
    }

    pub fn record(
        &mut self,
        severity: Severity,
        reason: EventReason,
        container: Option<ContainerIndex>,
        message: String,
    ) {
        let time = self.now.wall;
        self.later.push(Action::Record(EventRecord { time, severity, reason, container, message }));
    }

    /// Something is different now: others may have to react.
    pub fn changed(&mut self) {
        self.moved = true;
    }
}
