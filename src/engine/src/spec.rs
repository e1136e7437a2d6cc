//! The part of a pod that its lifecycle depends on. `plan` makes it from a checked `v1::Pod`.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Index of a container in [`PodSpec::containers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContainerIndex(pub u16);

/// The number of an instance of a container, from 0. It is also the restart count of that instance (R3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Attempt(pub u32);

/// A pod, as far as its lifecycle goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSpec {
    /// `metadata.name`, for messages (R4.4).
    pub name: String,
    /// `metadata.namespace`, for messages.
    pub namespace: String,
    /// `metadata.uid`, for messages.
    pub uid: String,
    /// `spec.restartPolicy`.
    pub restart_policy: RestartPolicy,
    /// `spec.terminationGracePeriodSeconds`.
    pub grace_period: Duration,
    /// `spec.activeDeadlineSeconds` (R5.15).
    pub active_deadline: Option<Duration>,
    /// How long the pod may take, until its mains have ended; then it is deleted (ours: `--timeout`).
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Whether it ends as soon as it can't succeed any more (ours: `--fail-fast`).
    #[serde(default)]
    pub fail_fast: FailFast,
    /// Restart back-off (R4).
    pub backoff: Backoff,
    /// R5.17: the last part of the grace that is reserved for the sidecars.
    pub sidecar_grace: Option<Duration>,
    /// R5.5, R5.17: when preStop hooks of sidecars run.
    pub sidecar_pre_stop: SidecarPreStop,
    /// Names of `spec.readinessGates`' condition types; a pod with any is never Ready here unless they are met (R8.2).
    pub readiness_gates: Vec<String>,
    /// Whether images of later containers are brought here while init containers run (ours: R8.15).
    #[serde(default, skip_serializing_if = "Ahead::is_default")]
    pub ahead: Ahead,
    /// All entries of `initContainers` in their order, then all of `containers` in theirs, then the ephemeral containers that
    /// were added while the pod ran (R2.9).
    pub containers: Vec<ContainerSpec>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// `name`.
    pub name: String,
    /// What role it has.
    pub kind: Kind,
    /// Where its image comes from.
    #[serde(default, skip_serializing_if = "ImageSpec::is_folder")]
    pub image: ImageSpec,
    /// Images of the volumes that it mounts, in the pod's order: those that come from a store (R8.17).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeImage>,
    /// The container's own `restartPolicy` (KEP-5307); `None` where the pod's holds. Never set for a sidecar.
    pub restart_policy: Option<RestartPolicy>,
    /// `restartPolicyRules` in their order (KEP-5307, KEP-5532).
    pub restart_rules: Vec<RestartRule>,
    /// `startupProbe`.
    pub startup_probe: Option<ProbeSpec>,
    /// `livenessProbe`.
    pub liveness_probe: Option<ProbeSpec>,
    /// `readinessProbe`.
    pub readiness_probe: Option<ProbeSpec>,
    /// `lifecycle.postStart`.
    pub post_start: Option<HookSpec>,
    /// `lifecycle.preStop`.
    pub pre_stop: Option<HookSpec>,
    /// Number of the stop signal: `lifecycle.stopSignal`; `None` where the image's, else SIGTERM, holds (R5.12).
    pub stop_signal: Option<i32>,
}

impl ContainerSpec {
    /// An ephemeral container: all that there is to it is its name and its image.
    pub fn ephemeral(name: String, image: ImageSpec) -> Self {
        Self {
            name,
            kind: Kind::Ephemeral,
            image,
            volumes: Vec::new(),
            restart_policy: None,
            restart_rules: Vec::new(),
            startup_probe: None,
            liveness_probe: None,
            readiness_probe: None,
            post_start: None,
            pre_stop: None,
            stop_signal: None,
        }
    }
}

/// Where the image of a container comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum ImageSpec {
    /// A folder on this box: it is looked at, and never pulled.
    #[default]
    Folder,
    /// The box's store of images, into which it can be pulled (R8.12).
    Store {
        /// As the manifest has it, for messages. Two containers that name the same have the same image.
        name: String,
        /// When it is pulled.
        policy: PullPolicy,
    },
}

/// A volume of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VolumeIndex(
    /// Its place in the pod's list.
    pub u16,
);

/// The image that a volume shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeImage {
    /// Which volume.
    pub volume: VolumeIndex,
    /// Where its image comes from: a store.
    pub image: ImageSpec,
}

/// What a container has an image for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum ImageOf {
    /// Its root file system.
    #[default]
    Container,
    /// A volume that it mounts (R8.17).
    Volume(VolumeIndex),
}

impl ImageOf {
    /// Whether it is its root file system's.
    pub fn is_container(&self) -> bool {
        *self == Self::Container
    }
}

/// Whether images are pulled before the turn of their containers (R8.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum Ahead {
    /// All at once.
    #[default]
    Yes,
    /// Each when its container's turn comes.
    No,
}

impl Ahead {
    fn is_default(&self) -> bool {
        *self == Self::Yes
    }
}

impl ImageSpec {
    /// Whether it is never pulled.
    pub fn is_folder(&self) -> bool {
        *self == Self::Folder
    }
}

/// `imagePullPolicy` (R8.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullPolicy {
    /// For each start of the container.
    Always,
    /// Where it isn't there.
    IfNotPresent,
    /// Not at all.
    Never,
}

/// Whether a pod ends as soon as it would wait for what no retry mends, or has failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum FailFast {
    /// As the kubelet has it: it is tried again, and the other containers go on.
    #[default]
    No,
    /// It ends.
    Yes,
}

/// The roles of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An entry of `initContainers` that runs to its end.
    Init,
    /// An entry of `initContainers` with `restartPolicy: Always` (KEP-753).
    Sidecar,
    /// An entry of `containers`.
    Main,
    /// One that was added while the pod ran (KEP-277): it is there to look at the others, and nothing of the pod depends on it.
    Ephemeral,
}

impl Kind {
    /// Whether it is an entry of `initContainers`, which holds up what stands behind it (R2.1).
    pub fn gates(self) -> bool {
        match self {
            Self::Init | Self::Sidecar => true,
            Self::Main | Self::Ephemeral => false,
        }
    }
}

/// When a container that exited is started again (R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// Whatever its exit code.
    Always,
    /// When it failed.
    OnFailure,
    /// Not at all.
    Never,
}

/// One of `restartPolicyRules`: the first that matches an exit code decides (R3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartRule {
    /// What to do.
    pub action: RestartRuleAction,
    /// How `exit_codes` are compared.
    pub operator: ExitCodeOperator,
    /// The codes.
    pub exit_codes: Vec<i32>,
}

/// What a rule that matches does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartRuleAction {
    /// Restart this container.
    Restart,
    /// Restart the whole pod in place (R3.7).
    RestartAllContainers,
}

/// `exitCodes.operator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitCodeOperator {
    /// The code is one of the values.
    In,
    /// The code is none of the values.
    NotIn,
}

/// Restart back-off (R4.1, R4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Delay of the second restart. 10 s by default.
    pub initial: Duration,
    /// Longest delay. 300 s by default.
    pub max: Duration,
    /// R4.2: how long after the last restart an exit must be for the count to start over. 600 s by default.
    pub reset_after: Duration,
}

/// The timing of a probe (R6.1); what it does is the shell's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSpec {
    /// `initialDelaySeconds`.
    pub initial_delay: Duration,
    /// `periodSeconds`.
    pub period: Duration,
    /// `timeoutSeconds`; the shell ends a probe that overruns and answers with a failure.
    pub timeout: Duration,
    /// `successThreshold`.
    pub success_threshold: u32,
    /// `failureThreshold`.
    pub failure_threshold: u32,
    /// `terminationGracePeriodSeconds` (R5.13).
    pub grace_period: Option<Duration>,
}

/// A lifecycle hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookSpec {
    /// `sleep`: a timer of the engine (R7.4).
    Sleep(Duration),
    /// `exec` or `httpGet`: run by the shell.
    Handler,
}

/// When preStop hooks of sidecars run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum SidecarPreStop {
    /// R5.5: at the very start of termination.
    #[default]
    AtBegin,
    /// R5.17: at the sidecar's turn.
    AtTurn,
}
