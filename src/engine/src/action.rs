//! What the engine asks the world to do, as one ordered list.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::event::{Hook, Probe};
use crate::spec::{Attempt, ContainerIndex, ImageOf};
use crate::time::WallTime;

/// Something to be done, in the order of the list. Each but `WriteLimits`, `Record`, `Finish` and `GiveUp` is answered by
/// exactly one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Make the sandbox: namespaces, pod cgroup, volumes; after `SandboxLost` what of it is missing. Answer: `SandboxReady`
    /// or `SandboxFailed`, after which nothing of it is there.
    CreateSandbox,
    /// Remove the sandbox and what lives as long as it. Answer: `SandboxRemoved`. While `CreateSandbox` is under way: give
    /// that up and remove what there is; it isn't answered any more.
    RemoveSandbox,
    /// Do something with one attempt of one container.
    Container {
        /// Which container.
        container: ContainerIndex,
        /// Which attempt.
        attempt: Attempt,
        /// What to do.
        action: ContainerAction,
    },
    /// Write the limits that the manifest has by now to a cgroup. Not answered: a pod whose limits can't be changed goes on.
    WriteLimits(LimitsOf),
    /// Write down a Kubernetes Event. Not answered.
    Record(EventRecord),
    /// The pod has ended and the sandbox is gone: leave with this exit code (docs/exit-codes.md). The last action. Not answered.
    Finish {
        /// Exit code of `barepod run`.
        exit_code: u8,
    },
    /// Nothing of the pod ever was, nor will be (R4.8): leave with an error, as if it had not been asked for. The last action.
    /// Not answered.
    GiveUp,
}

impl Action {
    /// Whether nothing more is asked for after it.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finish { .. } | Self::GiveUp)
    }
}

/// Whose limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitsOf {
    /// The pod's.
    Pod,
    /// Those of the instance of this container that is there.
    Container(ContainerIndex),
}

/// Something to be done with one attempt of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerAction {
    /// Look whether this image of it is there. Answer: `ImageReady`, `ImageAbsent`, `ImageFailed` or `ImageUnusable`.
    PrepareImage(ImageOf),
    /// Pull this image of it, whether it is there or not. Answer: `ImagePulled`, `ImageFailed` or `ImageUnusable`.
    PullImage(ImageOf),
    /// Create it, ready to start. Answer: `Created` or `CreateFailed`.
    Create,
    /// Execute its program. Answer: `Started` or `StartFailed`.
    Start,
    /// Send this signal to its init process. Answer: `Signaled`.
    Signal(i32),
    /// SIGKILL to everything in it, and to what finds or pulls its image or makes it, which is then answered as well. Answer:
    /// `Signaled`.
    Kill,
    /// It has exited (or failed to start): end what is left in its cgroup and remove it. Its logs stay. Answer: `Removed`.
    Remove,
    /// Run this hook. Answer: `HookDone`. It dies with its container (R5.6).
    RunHook(Hook),
    /// Run this probe. Answer: `ProbeDone`.
    Probe(Probe),
}

/// A Kubernetes Event (R8.8); called a record, as *event* is the engine's input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When.
    pub time: WallTime,
    /// `Normal` or `Warning`.
    pub severity: Severity,
    /// What, in one word of Kubernetes' list.
    pub reason: EventReason,
    /// The container it is about; `None`: the pod.
    pub container: Option<ContainerIndex>,
    /// For people.
    pub message: String,
}

/// The type of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// As expected.
    Normal,
    /// Not as expected.
    Warning,
}

/// Reasons of Kubernetes Events (R8.8), serialized as Kubernetes writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum EventReason {
    Pulling,
    Pulled,
    Created,
    Started,
    Killing,
    BackOff,
    Unhealthy,
    ProbeWarning,
    FailedPostStartHook,
    FailedPreStopHook,
    Failed,
    InspectFailed,
    ErrImageNeverPull,
    FailedMount,
    FailedCreatePodSandBox,
    DeadlineExceeded,
    Evicted,
    ExceededGracePeriod,
    SandboxChanged,
    ResizeStarted,
    ResizeCompleted,
    UnexpectedAdmissionError,
    /// Ours: the pod can't succeed any more, and `--fail-fast` ends it.
    FailFast,
    /// Ours: the pod was not done when its `--timeout` ran out.
    TimedOut,
    /// Ours (R3.9): somebody asked for a restart.
    RestartRequested,
    /// Ours (R5.18): how a container that was stopped with its pod used the grace period.
    GracePeriodUsed,
    /// The kubelet's, and not the engine's, which knows no Secrets: one of `imagePullSecrets` isn't there.
    FailedToRetrieveImagePullSecret,
    /// Ours, and not the engine's: somebody sent a container a signal by `barepod kill`.
    SignalSent,
    /// Ours, and not the engine's, which knows no logs: what a container printed could not be written to its log.
    FailedWriteLog,
    /// Ours: the supervisor ended without finishing the pod, and what was left has been removed.
    SupervisorLost,
}
