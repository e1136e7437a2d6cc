//! What a Job's controller is told, and what it asks for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use crate::replica::{IsReady, PodNumber};

use super::spec::{JobSpec, PodCondition, Suspension};

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobEvent {
    /// The Job is there.
    Begin,
    /// Nothing but that time has passed.
    Tick,
    /// A pod that was asked for runs.
    Created(PodNumber),
    /// One that was asked for couldn't be made (R11.9).
    NotCreated(PodNumber),
    /// A pod has become Ready, or isn't so any more.
    Ready(PodNumber, IsReady),
    /// All containers of a pod together have been restarted so often.
    Restarted(PodNumber, u32),
    /// Somebody else deletes a pod, which hasn't ended yet.
    Leaving(PodNumber),
    /// A pod has ended.
    Ended(PodNumber, PodEnd),
    /// `suspend` has changed.
    Suspend(Suspension),
    /// `parallelism` has changed.
    Parallelism(u32),
    /// There is another spec: what may change has changed (R11.17).
    Changed(Box<JobSpec>),
}

/// How a pod has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PodEnd {
    Succeeded,
    Failed {
        /// Names and exit codes of containers that have ended, mains first, then inits.
        exits: Vec<(String, i32)>,
        /// The pod's conditions.
        conditions: Vec<PodCondition>,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobAction {
    /// Make a pod; answered by `Created` or `NotCreated`, and by `Ended`.
    Create {
        /// Which.
        pod: PodNumber,
        /// Of an Indexed Job: its completion index.
        index: Option<u32>,
    },
    /// End a pod with its grace; answered by `Ended`.
    Delete(PodNumber),
    /// Forget the Job and its pods (R11.15).
    Forget,
}
