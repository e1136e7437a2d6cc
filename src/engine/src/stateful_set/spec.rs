//! A StatefulSet, as far as its controller goes. Defaults are the API server's and filled in by who makes it.

use core::ops::Range;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::replica::{Amount, Rounding, Template};

/// `spec` of an `apps/v1` StatefulSet. `persistentVolumeClaimRetentionPolicy.whenDeleted` is for who deletes the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatefulSetSpec {
    /// How many pods there are to be.
    pub replicas: u32,
    /// `ordinals.start`: the ordinal of the first.
    pub start: u32,
    /// What they are made from.
    pub template: Template,
    /// `podManagementPolicy`.
    pub management: Management,
    /// `updateStrategy`.
    pub update: UpdateStrategy,
    /// `minReadySeconds`.
    pub min_ready: Duration,
    /// `revisionHistoryLimit`; `None`: all are kept.
    pub history_limit: Option<u32>,
    /// `persistentVolumeClaimRetentionPolicy.whenScaled`.
    pub when_scaled: ClaimRetention,
    /// `metadata.generation`.
    pub generation: u64,
}

/// `podManagementPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Management {
    /// One after the other.
    OrderedReady,
    /// All at once, but for updates.
    Parallel,
}

/// `updateStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateStrategy {
    /// Pods get the new template when somebody deletes them.
    OnDelete,
    /// From the highest ordinal on.
    RollingUpdate {
        /// How many of the first pods keep the old template.
        partition: u32,
        /// How many may not be available at once.
        max_unavailable: Amount,
    },
}

/// What becomes of a pod's claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ClaimRetention {
    Retain,
    Delete,
}

impl StatefulSetSpec {
    /// R14.1: which ordinals there are to be.
    pub(super) fn ordinals(&self) -> Range<u32> {
        self.start..self.start.saturating_add(self.replicas)
    }

    /// R14.6: whether the pod of an ordinal gets the new template when it is made.
    pub(super) fn is_updated(&self, ordinal: u32) -> bool {
        match self.update {
            UpdateStrategy::OnDelete => true,
            UpdateStrategy::RollingUpdate { partition, .. } => ordinal.saturating_sub(self.start) >= partition,
        }
    }

    /// R14.7: how many may not be available; one at least.
    pub(super) fn max_unavailable(&self) -> u32 {
        match self.update {
            UpdateStrategy::OnDelete => 0,
            UpdateStrategy::RollingUpdate { max_unavailable, .. } => {
                max_unavailable.of(self.replicas, Rounding::Down).max(1)
            }
        }
    }
}
