//! Conditions of controllers.

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// Whether a controller acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Course {
    /// It hasn't begun.
    New,
    Going,
    Stopped,
}

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `type`.
    pub kind: ConditionKind,
    /// `status`.
    pub status: Truth,
    /// `reason`.
    pub reason: Reason,
    /// `lastUpdateTime`.
    pub updated: WallTime,
    /// `lastTransitionTime`.
    pub since: WallTime,
}

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionKind {
    /// As many are available as there must be at least.
    Available,
    /// The rollout goes on, or has come to its end.
    Progressing,
    /// A pod can't be made.
    ReplicaFailure,
}

/// `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// `reason`, by its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Reason {
    MinimumReplicasAvailable,
    MinimumReplicasUnavailable,
    NewReplicaSetCreated,
    FoundNewReplicaSet,
    ReplicaSetUpdated,
    NewReplicaSetAvailable,
    ProgressDeadlineExceeded,
    DeploymentPaused,
    DeploymentResumed,
    FailedCreate,
}
