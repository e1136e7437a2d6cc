//! When a Job ends, and with what (R11.3, R11.6, R11.12 to R11.15).

use crate::time::{Instant, Now};

use super::indexes;
use super::spec::{Restarts, Suspension};
use super::status::{ConditionKind, JobCondition, Reason};
use super::{Job, Stage, count};

impl Job {
    /// It will end so, once its pods have ended.
    pub(super) fn target(&mut self, reason: Reason) {
        self.ending = Some(reason);
    }

    /// R11.6: the first reason counts. They are looked for in the controller's order: failures before successes.
    pub(super) fn decide(&mut self, now: Now) {
        if self.ending.is_none() {
            self.ending = self.why_it_ends(now.monotonic);
        }
        let Some(reason) = self.ending else { return };
        let kind = if reason.is_success() { ConditionKind::SuccessCriteriaMet } else { ConditionKind::FailureTarget };
        if self.conditions.iter().all(|one| one.kind != kind) {
            self.conditions.push(JobCondition { kind, is_true: true, reason, since: now.wall });
        }
    }

    fn why_it_ends(&self, now: Instant) -> Option<Reason> {
        if self.failed > self.spec.backoff_limit || self.has_restarted_too_often() {
            return Some(Reason::BackoffLimitExceeded);
        }
        if self.deadline().is_some_and(|at| at <= now) {
            return Some(Reason::DeadlineExceeded);
        }
        if let Some(completions) = self.spec.completions.filter(|_| self.is_indexed()) {
            let failed = count(self.failed_indexes.len());
            if self.spec.max_failed_indexes.is_some_and(|most| failed > most) {
                return Some(Reason::MaxFailedIndexesExceeded);
            }
            if failed > 0 && failed + self.succeeded >= completions {
                return Some(Reason::FailedIndexes);
            }
            let is_met = |rule| indexes::is_met(rule, &self.completed, completions);
            if self.spec.success_rules.iter().any(is_met) {
                return Some(Reason::SuccessPolicy);
            }
        }
        let is_enough = match self.spec.completions {
            Some(completions) => self.succeeded >= completions,
            None => self.succeeded > 0,
        };
        (is_enough && self.active() == 0).then_some(Reason::CompletionsReached)
    }

    /// R11.12: with OnFailure restarts of containers count, as pods don't fail.
    fn has_restarted_too_often(&self) -> bool {
        let running = self.pods.values().filter(|pod| pod.stage.is_active());
        let restarts = running.fold(0u32, |sum, pod| sum.saturating_add(pod.restarts));
        self.spec.restarts == Restarts::OnFailure && restarts > 0 && restarts >= self.spec.backoff_limit
    }

    /// R11.3: when the time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let is_active = self.spec.suspension == Suspension::Active && self.ending.is_none();
        let (began, _) = self.started.filter(|_| is_active)?;
        self.spec.active_deadline.map(|limit| began.after(limit))
    }

    /// R11.14: it has ended when no pod is left.
    pub(super) fn finish(&mut self, now: Now) {
        let Some(reason) = self.ending.filter(|_| self.pods.is_empty()) else { return };
        let kind = if reason.is_success() { ConditionKind::Complete } else { ConditionKind::Failed };
        self.conditions.push(JobCondition { kind, is_true: true, reason, since: now.wall });
        self.completion_time = reason.is_success().then_some(now.wall);
        self.finished = Some(now.monotonic);
    }

    /// R11.15.
    pub(super) fn forget_at(&self) -> Option<Instant> {
        let finished = self.finished.filter(|_| !self.is_forgotten)?;
        self.spec.ttl_after_finished.map(|ttl| finished.after(ttl))
    }

    /// Pods that nobody has asked to end yet are asked to, as the Job ends.
    pub(super) fn end_all(&mut self, stage: Stage, mut ask: impl FnMut(super::PodNumber)) {
        for (number, pod) in self.pods.iter_mut().filter(|(_, pod)| pod.stage.is_active()) {
            pod.stage = stage;
            ask(*number);
        }
    }
}
