//! `status` of a StatefulSet.

use serde::{Deserialize, Serialize};

use crate::replica::{RolloutProgress, Template};
use crate::time::Instant;

use super::StatefulSet;
use super::spec::UpdateStrategy;

/// What users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatefulSetStatus {
    /// Pods that there are, those that are being deleted among them.
    pub replicas: u32,
    /// `readyReplicas`.
    pub ready: u32,
    /// `availableReplicas`.
    pub available: u32,
    /// `currentReplicas`: those of `current_revision` that nobody deletes.
    pub current: u32,
    /// `updatedReplicas`: those of `update_revision`.
    pub updated: u32,
    /// What pods below the partition are made from.
    pub current_revision: Template,
    /// What the others are made from.
    pub update_revision: Template,
    /// The number of the newest revision.
    pub revision: u64,
    /// The generation of the spec that this is about.
    pub observed_generation: u64,
}

impl StatefulSet {
    /// What users see.
    pub fn status(&self) -> StatefulSetStatus {
        self.status_at(self.seen)
    }

    /// R13.17: how far the rollout is.
    pub fn rollout(&self) -> RolloutProgress {
        let UpdateStrategy::RollingUpdate { partition, .. } = self.spec.update else {
            return RolloutProgress::OnDelete;
        };
        let (status, wanted) = (self.status(), self.spec.replicas);
        let to_update = wanted.saturating_sub(partition);
        RolloutProgress::of(status.updated, to_update, status.replicas, status.available, wanted)
    }

    pub(super) fn status_at(&self, now: Instant) -> StatefulSetStatus {
        let counts = self.pool.counts(|_| true, self.spec.min_ready, now);
        StatefulSetStatus {
            replicas: counts.replicas + counts.terminating,
            ready: counts.ready,
            available: counts.available,
            current: self.pool.active(|pod| pod.template == self.current),
            updated: self.pool.active(|pod| pod.template == self.spec.template),
            current_revision: self.current,
            update_revision: self.spec.template,
            revision: self.history.newest(),
            observed_generation: self.spec.generation,
        }
    }
}
