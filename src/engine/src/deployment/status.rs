//! `status` of a Deployment.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::replica::{Condition, Counts, Revision};

/// What users see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStatus {
    /// `replicas`, `readyReplicas`, `availableReplicas`, `terminatingReplicas`.
    pub counts: Counts,
    /// Those of the new template.
    pub updated: u32,
    /// How many more are to be available, those that may be above `replicas` in a rollout among them.
    pub unavailable: u32,
    /// The generation of the spec that this is about.
    pub observed_generation: u64,
    /// The annotation `deployment.kubernetes.io/revision`; 0 before there is one.
    pub revision: u64,
    /// In the order in which they came.
    pub conditions: Vec<Condition>,
}

/// What would be a ReplicaSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfRevisionStatus {
    /// Which.
    pub revision: Revision,
    /// How many pods it is to have.
    pub size: u32,
    /// Those that it has.
    pub counts: Counts,
}
