//! What controllers of pods are told, and what they ask for.

use serde::{Deserialize, Serialize};

/// A pod of a controller's; each has a number that no other one has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodNumber(pub u32);

/// A pod's Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum IsReady {
    Yes,
    No,
}

/// What pods are made from. Who runs a controller keeps the texts; two templates are the same text where they are equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Template {
    /// Of the whole text.
    pub id: u64,
    /// Of its labels alone.
    pub labels: u64,
}

/// A fact, for a controller whose spec is `S`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<S> {
    /// The controller's object is there, or goes on after `Stop`.
    Begin,
    /// All pods are to end until `Begin`; the spec stays as it is (R13.5).
    Stop,
    /// The box was started anew: all pods went with it, and time is counted from another moment (R13.16). Told before anything else.
    Rebooted,
    /// Nothing but that time has passed.
    Tick,
    /// Something has become of a pod.
    Pod(PodNumber, PodFact),
    /// The spec has changed to this.
    Spec(S),
}

/// What has become of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodFact {
    /// It was asked for, and runs.
    Created,
    /// It was asked for, and couldn't be made.
    NotCreated,
    /// It has become Ready, or isn't so any more.
    Ready(IsReady),
    /// All its containers together have been restarted so often.
    Restarted(u32),
    /// Its annotation `controller.kubernetes.io/pod-deletion-cost`, 0 where there is none.
    Cost(i32),
    /// Somebody else deletes it, and it hasn't ended yet.
    Leaving,
    /// It has ended, whichever way.
    Ended,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Make a pod; answered by `Created` or `NotCreated`, and by `Ended`.
    Create {
        /// Which.
        pod: PodNumber,
        /// From what.
        template: Template,
        /// Of a StatefulSet: which of its places it has.
        ordinal: Option<u32>,
    },
    /// End a pod with its grace; answered by `Ended`.
    Delete(PodNumber),
    /// Delete the claims of a StatefulSet's place, whose pod is gone.
    DeleteClaims(u32),
}
