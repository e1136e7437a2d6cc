//! From when a Job's time counts, and what its status says of `suspend` (R11.3, R11.4).

use crate::time::Now;

use super::Job;
use super::spec::Suspension;
use super::status::{ConditionKind, JobCondition, Reason};

impl Job {
    /// R11.3: the deadline counts from when it began, and anew from when it was resumed.
    pub(super) fn start(&mut self, now: Now) {
        if self.ending.is_some() || self.spec.suspension == Suspension::Suspended {
            return;
        }
        let is_resumed = self.conditions.iter().any(|one| one.kind == ConditionKind::Suspended && one.is_true);
        if is_resumed || self.started.is_none() {
            self.started = Some((now.monotonic, now.wall));
        }
    }

    /// R11.4: of a Job whose end is decided it is said no more.
    pub(super) fn say_suspended(&mut self, now: Now) {
        if self.ending.is_some() {
            return;
        }
        let is_suspended = self.spec.suspension == Suspension::Suspended;
        let reason = if is_suspended { Reason::JobSuspended } else { Reason::JobResumed };
        let new = JobCondition { kind: ConditionKind::Suspended, is_true: is_suspended, reason, since: now.wall };
        match self.conditions.iter_mut().find(|one| one.kind == ConditionKind::Suspended) {
            Some(old) if old.is_true != is_suspended => *old = new,
            None if is_suspended => self.conditions.push(new),
            Some(_) | None => {}
        }
    }
}
