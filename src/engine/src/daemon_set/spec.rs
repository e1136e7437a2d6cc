//! A DaemonSet, as far as its controller goes. Defaults are the API server's and filled in by who makes it; whether this box is one of
//! its nodes is for them to say as well.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::replica::{Amount, Rounding, Template};

/// `spec` of an `apps/v1` DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonSetSpec {
    /// What its pod is made from.
    pub template: Template,
    /// `updateStrategy`.
    pub update: DaemonUpdate,
    /// `minReadySeconds`.
    pub min_ready: Duration,
    /// `revisionHistoryLimit`; `None`: all are kept.
    pub history_limit: Option<u32>,
    /// `metadata.generation`.
    pub generation: u64,
}

/// `updateStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DaemonUpdate {
    /// The pod gets the new template when somebody deletes it.
    OnDelete,
    /// It is replaced. Of one pod `maxUnavailable` is one where there is no surge, and none where there is.
    RollingUpdate {
        /// Whether the new one comes before the old one goes.
        max_surge: Amount,
    },
}

impl DaemonSetSpec {
    /// R15.3: whether an old and a new pod may be there together.
    pub(super) fn surges(&self) -> bool {
        match self.update {
            DaemonUpdate::OnDelete => false,
            DaemonUpdate::RollingUpdate { max_surge } => max_surge.of(1, Rounding::Up) > 0,
        }
    }
}

/// `status`, where one node is all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonSetStatus {
    /// `desiredNumberScheduled`.
    pub desired: u32,
    /// `currentNumberScheduled`: whether there is a pod.
    pub current: u32,
    /// `updatedNumberScheduled`: whether it is of the new template; while there are two, the older one counts.
    pub updated: u32,
    /// `numberReady`.
    pub ready: u32,
    /// `numberAvailable`.
    pub available: u32,
    /// `numberUnavailable`.
    pub unavailable: u32,
    /// The number of the newest revision.
    pub revision: u64,
    /// The generation of the spec that this is about.
    pub observed_generation: u64,
}
