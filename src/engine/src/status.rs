//! What users see of a pod (R8); `report` turns it into a `v1` status. A function of the engine's state alone.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{ContainerIndex, Kind};
use crate::time::WallTime;

/// The pod's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodStatus {
    /// R8.1.
    pub phase: Phase,
    /// Why, where Kubernetes gives a reason for the pod (`DeadlineExceeded`, `Evicted`, ours: `SupervisorLost`).
    pub reason: Option<PodReason>,
    /// For people; empty where there is nothing to say.
    pub message: String,
    /// R8.2, in Kubernetes' order.
    pub conditions: Vec<Condition>,
    /// When the pod began.
    pub start_time: Option<WallTime>,
    /// Set once deletion was requested: `metadata.deletionTimestamp` and `deletionGracePeriodSeconds`.
    pub deletion: Option<Deletion>,
    /// All containers in the order of the spec.
    pub containers: Vec<ContainerStatus>,
    /// Set once the pod has ended: exit code of `barepod run` (docs/exit-codes.md).
    pub exit_code: Option<u8>,
    /// Whose that is.
    #[serde(default)]
    pub exit_source: Option<ExitSource>,
}

/// Whose the exit code of `barepod run` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitSource {
    /// This container's, which failed.
    Container(ContainerIndex),
    /// The pod's: it succeeded (0), or failed without a container to blame (1).
    Pod,
    /// `--timeout` ran out (124).
    TimedOut,
}

/// The five phases of which a pod on one box knows four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// `status.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PodReason {
    DeadlineExceeded,
    Evicted,
    SupervisorLost,
    UnexpectedAdmissionError,
    /// Ours: `--fail-fast`.
    FailFast,
    /// Ours: `--timeout`.
    TimedOut,
}

/// A deletion request that is being carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was requested.
    pub requested: WallTime,
    /// The grace period in force.
    pub grace_period: Duration,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Which.
    pub kind: ConditionKind,
    /// `True` or `False`.
    pub status: bool,
    /// One word, where there is one (`ContainersNotReady`, `PodCompleted`, ...).
    pub reason: Option<String>,
    /// For people; empty where there is nothing to say.
    pub message: String,
    /// When `status` last changed.
    pub last_transition: WallTime,
}

/// The conditions of R8.2 (and R3.7), serialized as Kubernetes writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ConditionKind {
    PodReadyToStartContainers,
    Initialized,
    Ready,
    ContainersReady,
    PodScheduled,
    AllContainersRestarting,
    /// KEP-1287: there only while a container is restarted with new resources.
    PodResizeInProgress,
    /// KEP-3329: there only once the pod was evicted.
    DisruptionTarget,
}

/// One container's status (R8.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// Its role.
    pub kind: Kind,
    /// What it is doing.
    pub state: ContainerState,
    /// How the instance before the one in `state` ended.
    pub last_state: Option<Terminated>,
    /// R3.8.
    pub restart_count: u32,
    /// R8.3.
    pub ready: bool,
    /// R8.3.
    pub started: bool,
    /// Of the newest instance that was created.
    pub container_id: Option<String>,
    /// `imageID`, once known.
    pub image_id: Option<String>,
    /// R5.18, once it was told to stop.
    pub grace_use: Option<GraceUse>,
}

/// A container's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Not running; will or may run.
    Waiting {
        /// One word of R8.4.
        reason: WaitingReason,
        /// For people; empty where there is nothing to say.
        message: String,
    },
    /// Running.
    Running {
        /// Since when.
        started_at: WallTime,
    },
    /// Ended.
    Terminated(Terminated),
}

/// Waiting reasons (R8.4), serialized as Kubernetes writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum WaitingReason {
    PodInitializing,
    ContainerCreating,
    CrashLoopBackOff,
    ErrImagePull,
    SignatureValidationFailed,
    ImagePullBackOff,
    ErrImageNeverPull,
    ImageInspectError,
    InvalidImageName,
    CreateContainerConfigError,
    CreateContainerError,
    RunContainerError,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// 0..=255.
    pub exit_code: i32,
    /// The signal that ended it, where one did.
    pub signal: Option<i32>,
    /// One word.
    pub reason: TerminatedReason,
    /// R8.7.
    pub message: String,
    /// `None` where it never ran.
    pub started_at: Option<WallTime>,
    /// When it ended.
    pub finished_at: Option<WallTime>,
    /// Of this instance.
    pub container_id: Option<String>,
}

/// Terminated reasons (R8.4), serialized as Kubernetes writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum TerminatedReason {
    Completed,
    Error,
    OOMKilled,
    StartError,
    ContainerStatusUnknown,
}

/// R5.18: how a container used the grace period. Shown as `10s in preStop, 19s stopping, killed at the end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct GraceUse {
    /// In its preStop hook.
    pub hook: Duration,
    /// Waiting for its turn.
    pub turn: Duration,
    /// Between its stop signal and its exit.
    pub stopping: Duration,
    /// How it ended.
    #[serde(default)]
    pub end: GraceEnd,
}

/// How a container that was told to stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum GraceEnd {
    /// By itself.
    #[default]
    Exited,
    /// By SIGKILL.
    Killed,
}

impl fmt::Display for GraceUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.hook, "in preStop"), (self.turn, "waiting for its turn"), (self.stopping, "stopping")];
        let mut comma = "";
        for (time, what) in parts {
            if let Some(time) = Seconds::of(time) {
                write!(f, "{comma}{time} {what}")?;
                comma = ", ";
            }
        }
        match self.end {
            GraceEnd::Killed => write!(f, "{comma}killed at the end"),
            GraceEnd::Exited if comma.is_empty() => f.write_str("nothing"),
            GraceEnd::Exited => Ok(()),
        }
    }
}

/// A time as `1.5s`: rounded to a millisecond, of which there is at least one.
struct Seconds(u128);

impl Seconds {
    fn of(time: Duration) -> Option<Self> {
        let millis = (time.as_nanos() + 500_000) / 1_000_000;
        (millis > 0).then_some(Self(millis))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millis) = (self.0 / 1000, self.0 % 1000);
        match (millis % 10, millis % 100, millis) {
            (_, _, 0) => write!(f, "{whole}s"),
            (_, 0, _) => write!(f, "{whole}.{}s", millis / 100),
            (0, _, _) => write!(f, "{whole}.{:02}s", millis / 10),
            _ => write!(f, "{whole}.{millis:03}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// R5.18
    #[test]
    fn the_use_of_the_grace_in_words() {
        let of = |hook, turn, stopping, end| {
            let millis = Duration::from_millis;
            GraceUse { hook: millis(hook), turn: millis(turn), stopping: millis(stopping), end }.to_string()
        };
        assert_eq!(of(0, 0, 0, GraceEnd::Exited), "nothing");
        assert_eq!(of(0, 0, 0, GraceEnd::Killed), "killed at the end");
        assert_eq!(of(10_000, 0, 1_500, GraceEnd::Exited), "10s in preStop, 1.5s stopping");
        assert_eq!(
            of(0, 61_020, 7, GraceEnd::Killed),
            "61.02s waiting for its turn, 0.007s stopping, killed at the end"
        );
    }
}
