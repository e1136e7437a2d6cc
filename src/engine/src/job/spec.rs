//! A Job, as far as its controller goes. Defaults are the API server's and filled in by who makes it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::replica::PodBackoff as JobBackoff;

/// `spec` of a `batch/v1` Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// How many pods run at once at most.
    pub parallelism: u32,
    /// How many must succeed; `None`: one success ends the making of pods.
    pub completions: Option<u32>,
    /// `completionMode: Indexed`: one success for each number below `completions`.
    pub mode: CompletionMode,
    /// How many failures are borne.
    pub backoff_limit: u32,
    /// How many failures of each index are borne; then `backoff_limit` holds as well.
    pub backoff_limit_per_index: Option<u32>,
    /// How many indexes may fail before all is given up; `None`: any number.
    pub max_failed_indexes: Option<u32>,
    /// `podFailurePolicy.rules`.
    pub failure_rules: Vec<FailureRule>,
    /// `successPolicy.rules`.
    pub success_rules: Vec<SuccessRule>,
    /// How long it may take, from its start or from when it was last resumed.
    pub active_deadline: Option<Duration>,
    /// How long it is remembered once it has finished.
    pub ttl_after_finished: Option<Duration>,
    /// Whether it begins suspended.
    pub suspension: Suspension,
    /// When a pod that goes is replaced.
    pub replacement: Replacement,
    /// The template's `restartPolicy`.
    pub restarts: Restarts,
    /// R11.8.
    pub backoff: JobBackoff,
}

/// `completionMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CompletionMode {
    NonIndexed,
    Indexed,
}

/// `suspend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Suspension {
    Suspended,
    Active,
}

/// `podReplacementPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replacement {
    /// As soon as it is being deleted.
    TerminatingOrFailed,
    /// Once it has ended.
    Failed,
}

/// The pods' `restartPolicy`; `Always` is no Job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Restarts {
    Never,
    OnFailure,
}

/// A rule of `podFailurePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRule {
    /// What follows.
    pub action: FailureAction,
    /// From what.
    pub on: FailureMatch,
}

/// `action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureAction {
    /// The Job fails at once.
    FailJob,
    /// The pod's index fails at once.
    FailIndex,
    /// The failure counts towards no limit.
    Ignore,
    /// As without a policy.
    Count,
}

/// `onExitCodes`, `onPodConditions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureMatch {
    /// A container has ended with such a code, which is never 0.
    ExitCodes {
        /// This one; `None`: any.
        container: Option<String>,
        /// Whether the code is among `values`.
        operator: CodeOperator,
        /// Codes.
        values: Vec<i32>,
    },
    /// The pod has one of these conditions.
    Conditions(Vec<PodCondition>),
}

/// `operator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CodeOperator {
    In,
    NotIn,
}

/// A condition of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCondition {
    /// `type`.
    pub kind: String,
    /// `status`: True, False, Unknown.
    pub status: String,
}

/// A rule of `successPolicy`: all that it says must be so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessRule {
    /// Which indexes count; `None`: all.
    pub indexes: Option<Vec<(u32, u32)>>,
    /// How many of them must have succeeded; `None`: all of them.
    pub count: Option<u32>,
}
