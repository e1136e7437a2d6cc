//! A list of conditions, one of each kind.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

use super::status::{Condition, ConditionKind, Reason, Truth};

/// In the order in which they came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Conditions(Vec<Condition>);

impl Conditions {
    pub fn get(&self, kind: ConditionKind) -> Option<&Condition> {
        self.0.iter().find(|one| one.kind == kind)
    }

    pub fn all(&self) -> &[Condition] {
        &self.0
    }

    pub fn remove(&mut self, kind: ConditionKind) {
        self.0.retain(|one| one.kind != kind);
    }

    /// Says so, unless it is said already. Its `since` changes with its status alone.
    pub fn set(&mut self, kind: ConditionKind, status: Truth, reason: Reason, now: WallTime) {
        let old = self.get(kind);
        if old.is_none_or(|old| old.status != status || old.reason != reason) {
            self.renew(kind, status, reason, now);
        }
    }

    /// Likewise, with `updated` as of now even where it is said already.
    pub fn renew(&mut self, kind: ConditionKind, status: Truth, reason: Reason, now: WallTime) {
        let new = Condition { kind, status, reason, updated: now, since: now };
        match self.0.iter_mut().find(|one| one.kind == kind) {
            Some(old) => *old = Condition { since: if old.status == status { old.since } else { now }, ..new },
            None => self.0.push(new),
        }
    }

    /// R13.3: whether a pod can't be made.
    pub fn say_failure(&mut self, is_refused: bool, now: WallTime) {
        match is_refused {
            true => self.set(ConditionKind::ReplicaFailure, Truth::True, Reason::FailedCreate, now),
            false => self.remove(ConditionKind::ReplicaFailure),
        }
    }
}
