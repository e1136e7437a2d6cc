//! `status` of a Job.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// What users see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Pods that run or are being made.
    pub active: u32,
    /// Those of them that are Ready.
    pub ready: u32,
    /// Pods that are being deleted and haven't ended.
    pub terminating: u32,
    /// Pods that have succeeded, of an Indexed Job one for each index.
    pub succeeded: u32,
    /// Pods that have failed and count.
    pub failed: u32,
    /// `1,3-5`; empty for other Jobs.
    pub completed_indexes: String,
    /// Likewise; `None` without `backoffLimitPerIndex`.
    pub failed_indexes: Option<String>,
    /// When it began, or was resumed.
    pub start_time: Option<WallTime>,
    /// When it was Complete.
    pub completion_time: Option<WallTime>,
    /// In the order in which they came.
    pub conditions: Vec<JobCondition>,
}

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCondition {
    /// `type`.
    pub kind: ConditionKind,
    /// `status: "True"`, which is false only of Suspended.
    pub is_true: bool,
    /// `reason`.
    pub reason: Reason,
    /// `lastTransitionTime`.
    pub since: WallTime,
}

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionKind {
    /// `suspend` holds.
    Suspended,
    /// It will fail: its pods are being ended.
    FailureTarget,
    /// It will be complete: its pods are being ended.
    SuccessCriteriaMet,
    /// It has failed, and no pod is left.
    Failed,
    /// It has succeeded, and no pod is left.
    Complete,
}

/// `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Reason {
    JobSuspended,
    JobResumed,
    BackoffLimitExceeded,
    DeadlineExceeded,
    PodFailurePolicy,
    MaxFailedIndexesExceeded,
    FailedIndexes,
    CompletionsReached,
    SuccessPolicy,
}

impl Reason {
    /// Whether a Job ends well by it.
    pub(super) fn is_success(self) -> bool {
        match self {
            Self::CompletionsReached | Self::SuccessPolicy => true,
            Self::JobSuspended
            | Self::JobResumed
            | Self::BackoffLimitExceeded
            | Self::DeadlineExceeded
            | Self::PodFailurePolicy
            | Self::MaxFailedIndexesExceeded
            | Self::FailedIndexes => false,
        }
    }
}
