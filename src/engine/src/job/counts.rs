//! What a pod that ends, or that somebody deletes, counts as (R11.5 to R11.7, R11.10, R11.11), and one that can't be made (R11.9).

use crate::replica::{Failures, TRIES};
use crate::time::Instant;

use super::event::{PodEnd, PodNumber};
use super::pods::{Pod, Stage};
use super::policy;
use super::spec::{FailureAction, Replacement};
use super::status::Reason;
use super::{Job, OfIndex};

impl Job {
    /// A pod that was asked for runs.
    pub(super) fn made(&mut self, number: PodNumber) {
        let Some(pod) = self.pods.get_mut(&number) else { return };
        self.refusals = Failures::default();
        if pod.stage == Stage::Creating {
            pod.stage = Stage::Running;
        }
    }

    /// R11.9: a pod that was asked for can't be made. What keeps one from it keeps all from it that are asked for together: that is
    /// one try.
    pub(super) fn refused(&mut self, number: PodNumber, now: Instant) {
        if self.pods.get(&number).is_none_or(|pod| pod.stage == Stage::Running) {
            return;
        }
        self.pods.remove(&number);
        self.refusals.add_of_one_try(TRIES, now);
    }

    /// R11.7: somebody else deletes a pod.
    pub(super) fn leaves(&mut self, number: PodNumber, now: Instant) {
        let replacement = self.spec.replacement;
        let Some(pod) = self.pods.get_mut(&number).filter(|pod| pod.stage.is_active()) else { return };
        match replacement {
            Replacement::Failed => pod.stage = Stage::Leaving,
            Replacement::TerminatingOrFailed => {
                pod.stage = Stage::Counted;
                let index = pod.index;
                self.fails(index, FailureAction::Count, now);
            }
        }
    }

    /// A pod has ended.
    pub(super) fn ended(&mut self, number: PodNumber, end: &PodEnd, now: Instant) {
        let Some(Pod { index, stage, .. }) = self.pods.remove(&number) else { return };
        let ends_well = self.ending.is_some_and(Reason::is_success);
        match (stage, end) {
            (Stage::TakenBack | Stage::Counted, _) => {}
            // R11.17.
            _ if self.is_beyond(index) => {}
            // R11.6: whoever is ended as enough have succeeded has not failed.
            (Stage::Ending, PodEnd::Failed { .. }) if ends_well => {}
            (Stage::Ending, PodEnd::Failed { .. }) => self.fails(index, FailureAction::Count, now),
            (Stage::Creating | Stage::Running | Stage::Leaving | Stage::Ending, PodEnd::Succeeded) => {
                self.succeeds(index);
            }
            (Stage::Creating | Stage::Running | Stage::Leaving, PodEnd::Failed { exits, conditions }) => {
                self.fails(index, policy::action(&self.spec.failure_rules, exits, conditions), now);
            }
        }
    }

    fn succeeds(&mut self, index: Option<u32>) {
        self.failures = Failures::default();
        if let Some(index) = index {
            self.of_indexes.entry(index).or_default().failures = Failures::default();
            // R11.5: of each index one counts.
            if self.failed_indexes.contains(&index) || !self.completed.insert(index) {
                return;
            }
        }
        self.succeeded = self.succeeded.saturating_add(1);
    }

    fn fails(&mut self, index: Option<u32>, action: FailureAction, now: Instant) {
        self.failures.add(now);
        let is_counted = action != FailureAction::Ignore;
        if is_counted {
            self.failed = self.failed.saturating_add(1);
        }
        if action == FailureAction::FailJob && self.ending.is_none() {
            self.target(Reason::PodFailurePolicy);
        }
        let (Some(index), Some(limit)) = (index, self.spec.backoff_limit_per_index) else { return };
        let OfIndex { counted, ignored, failures } = self.of_indexes.entry(index).or_default();
        failures.add(now);
        *counted = counted.saturating_add(u32::from(is_counted));
        *ignored = ignored.saturating_add(u32::from(!is_counted));
        let is_over = *counted > limit || action == FailureAction::FailIndex;
        if is_over && !self.completed.contains(&index) {
            self.failed_indexes.insert(index);
        }
    }
}
