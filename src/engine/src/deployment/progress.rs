//! What the status says of how it goes (R13.12, R13.13).

use crate::replica::{ConditionKind, Course, Reason, Truth};
use crate::time::{Instant, Now};

use super::{Deployment, DeploymentStatus, Rollout};

impl Deployment {
    /// Counts pods, and says by what has changed since then how it goes.
    pub(super) fn say(&mut self, now: Now) {
        let new = self.new_revision();
        let counts = self.pool.counts(|_| true, self.spec.min_ready, now.monotonic);
        let status = DeploymentStatus {
            counts,
            updated: new.map_or(0, |at| self.counts_of(at, now.monotonic).replicas),
            unavailable: self.total_size().saturating_sub(counts.available),
            observed_generation: self.spec.generation,
            revision: self.revisions.iter().map(|one| one.number).max().unwrap_or(0),
            conditions: core::mem::take(&mut self.said.conditions),
        };
        let before = core::mem::replace(&mut self.said, status);
        let is_enough = counts.available >= self.spec.least();
        let (truth, reason) = match is_enough {
            true => (Truth::True, Reason::MinimumReplicasAvailable),
            false => (Truth::False, Reason::MinimumReplicasUnavailable),
        };
        self.conditions.set(ConditionKind::Available, truth, reason, now.wall);
        let is_refused = self.revisions.iter().any(|one| one.size > 0 && one.making.is_refused());
        self.conditions.say_failure(is_refused, now.wall);
        self.say_paused(now);
        if self.course == Course::Going && self.spec.rollout == Rollout::Goes {
            self.look_for_progress(&before, now);
        }
        self.said.conditions = self.conditions.all().to_vec();
    }

    /// R13.12: all pods are of the new template, and available.
    pub(super) fn is_complete(&self) -> bool {
        let DeploymentStatus { counts, updated, .. } = self.said;
        [updated, counts.replicas, counts.available].iter().all(|count| *count == self.spec.replicas)
    }

    /// R13.13.
    fn say_paused(&mut self, now: Now) {
        let reason = self.conditions.get(ConditionKind::Progressing).map(|one| one.reason);
        if self.spec.progress_deadline.is_none() || reason == Some(Reason::ProgressDeadlineExceeded) {
            return;
        }
        let is_paused = reason == Some(Reason::DeploymentPaused);
        let reason = match self.spec.rollout {
            Rollout::Paused if !is_paused => Reason::DeploymentPaused,
            Rollout::Goes if is_paused => Reason::DeploymentResumed,
            Rollout::Paused | Rollout::Goes => return,
        };
        self.conditions.renew(ConditionKind::Progressing, Truth::Unknown, reason, now.wall);
        self.progressed = Some(now.monotonic);
    }

    /// R13.12: it has come to its end, goes on, or is late.
    fn look_for_progress(&mut self, before: &DeploymentStatus, now: Now) {
        if self.spec.progress_deadline.is_none() {
            self.conditions.remove(ConditionKind::Progressing);
            self.progressed = None;
            return;
        }
        let reason = self.conditions.get(ConditionKind::Progressing).map(|one| one.reason);
        let old = |status: &DeploymentStatus| status.counts.replicas.saturating_sub(status.updated);
        let said = &self.said;
        // One that is only scaled, or gets a pod anew, is not rolled out.
        if reason == Some(Reason::NewReplicaSetAvailable) && said.counts.replicas == said.updated {
            return;
        }
        if self.is_complete() {
            self.conditions.set(ConditionKind::Progressing, Truth::True, Reason::NewReplicaSetAvailable, now.wall);
        } else if said.updated > before.updated
            || old(said) < old(before)
            || said.counts.ready > before.counts.ready
            || said.counts.available > before.counts.available
        {
            self.say_progress(Reason::ReplicaSetUpdated, now);
        } else if self.is_late_at().is_some_and(|at| at <= now.monotonic) {
            self.conditions.set(ConditionKind::Progressing, Truth::False, Reason::ProgressDeadlineExceeded, now.wall);
        }
    }

    /// It goes on now.
    pub(super) fn say_progress(&mut self, reason: Reason, now: Now) {
        if self.spec.progress_deadline.is_some() {
            self.conditions.renew(ConditionKind::Progressing, Truth::True, reason, now.wall);
            self.progressed = Some(now.monotonic);
        }
    }

    /// R13.12: when it is late, unless it goes on before.
    pub(super) fn is_late_at(&self) -> Option<Instant> {
        let reason = self.conditions.get(ConditionKind::Progressing)?.reason;
        let is_over = matches!(
            reason,
            Reason::NewReplicaSetAvailable | Reason::ProgressDeadlineExceeded | Reason::DeploymentPaused
        );
        if is_over || self.spec.rollout == Rollout::Paused || self.is_complete() {
            return None;
        }
        Some(self.progressed?.after(self.spec.progress_deadline?))
    }
}
