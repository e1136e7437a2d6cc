//! What the world tells the engine. An event is a fact, never a request to decide.

use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{Attempt, ContainerIndex, ImageSpec};

/// A fact. The answers to actions name the container and attempt of their action; the answer to an action on an
/// older attempt is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The pod is to be run. The first event, once.
    Begin,
    /// Instead of `Begin`: the pod can't be run on this box as it is now.
    Rejected {
        /// Why, in the kubelet's words where it has some.
        message: String,
    },
    /// Time has passed: some deadline may be due.
    Tick,
    /// Deletion was requested (R5): `grace` overrides the pod's grace period. Zero: R5.7.
    Stop {
        /// The request's grace period; `None`: the pod's.
        grace: Option<Duration>,
    },
    /// SIGINT, as Ctrl-C sends it: the first asks for deletion, each further one for it at once (R5.19).
    Interrupt,
    /// Forced deletion: SIGKILL to everything, now (`--force`).
    Kill,
    /// The supervisor that ran the pod is gone and everything it had started has been ended: nothing runs any more and
    /// how the running containers ended could not be learnt (R8.6). The pod fails. Fed by the next command that cleans up after it.
    SupervisorLost,
    /// What all containers share has gone, and every process of the pod with it (the pid 1 of a shared pid namespace was
    /// killed). The exits of containers are told as ever, before or after.
    SandboxLost,
    /// A container's resources are changed (KEP-1287): its manifest's already, its cgroup's as `way` says.
    Resized {
        /// Which container.
        container: ContainerIndex,
        /// As [`crate::Engine::resize_way`] said.
        way: ResizeWay,
        /// What was changed, for events.
        summary: String,
    },
    /// Somebody asks for containers to be stopped and started again (R3.9). Nothing comes of it where
    /// [`crate::Engine::restart_brings`] would refuse it.
    Restart {
        /// Which.
        of: RestartOf,
        /// The request's grace period; `None`: the pod's.
        grace: Option<Duration>,
    },
    /// What a container is made of has changed: its image (R3.10). Nothing comes of it where
    /// [`crate::Engine::change_brings`] would refuse it.
    DefinitionChanged {
        /// Which.
        container: ContainerIndex,
        /// Where its image comes from now.
        image: ImageSpec,
    },
    /// The pod's `activeDeadlineSeconds` (R5.15) have been set while it runs. They only ever become fewer: more change nothing.
    ActiveDeadline {
        /// They.
        length: Duration,
    },
    /// The pod has one more ephemeral container (R2.9), behind all others. Nothing comes of it where
    /// [`crate::Engine::takes_ephemeral`] would refuse it.
    EphemeralAdded {
        /// Its name.
        name: String,
        /// Where its image comes from. Nothing else is to be known of it: it has neither probes nor hooks nor a restart policy.
        image: ImageSpec,
    },
    /// The pod uses more disk than it may.
    StorageExceeded(StorageExceeded),
    /// Answer to `CreateSandbox`: namespaces, cgroup and volumes are there.
    SandboxReady,
    /// Answer to `CreateSandbox`: it could not be made; tried again later (event FailedCreatePodSandBox).
    SandboxFailed {
        /// Which event it gives.
        failure: SandboxFailure,
        /// What failed, on what, why.
        message: String,
    },
    /// Answer to `RemoveSandbox`.
    SandboxRemoved,
    /// About one attempt of one container.
    Container {
        /// Which container.
        container: ContainerIndex,
        /// Which attempt.
        attempt: Attempt,
        /// What happened.
        event: ContainerEvent,
    },
}

/// What is to be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartOf {
    /// All main containers and sidecars, in order.
    Pod,
    /// One of them.
    Container(ContainerIndex),
}

/// Which limit of disk use was exceeded; the limits as the manifest writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageExceeded {
    /// An emptyDir holds more than its `sizeLimit`.
    EmptyDir {
        /// The volume's name.
        volume: String,
        /// Its limit.
        limit: String,
    },
    /// All containers together with their logs and the emptyDirs use more than the sum of the limits.
    Pod {
        /// The sum.
        limit: String,
    },
    /// A container's writable layer and logs use more than its limit of `ephemeral-storage`.
    Container {
        /// Which.
        container: ContainerIndex,
        /// Its limit.
        limit: String,
    },
}

/// What `resizePolicy` says about the resources that are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResizePolicy {
    /// A running container keeps running.
    NotRequired,
    /// It is restarted to take notice.
    RestartContainer,
}

/// How a resize is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResizeWay {
    /// The cgroup of the instance that is there is changed.
    InPlace,
    /// The instance is ended, and the next one made with the new amounts.
    Restart,
    /// None is there: the next one is made with the new amounts.
    NextInstance,
}

/// Why a sandbox could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxFailure {
    /// Namespaces or cgroup: event FailedCreatePodSandBox.
    Sandbox,
    /// A volume (R10.5): event FailedMount.
    Mount,
    /// The network that the pod must have (R4.8).
    Network,
}

/// What happened to one attempt of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerEvent {
    /// Answer to `PrepareImage`.
    ImageReady {
        /// What the image or bundle is named, for `imageID`.
        image_id: String,
        /// Number of the stop signal that the image or bundle asks for (R5.12).
        stop_signal: Option<i32>,
    },
    /// Answer to `PrepareImage`, of an image from a store: it isn't there.
    ImageAbsent,
    /// Answer to `PullImage`: it is there now.
    ImagePulled {
        /// What the image is named, for `imageID`.
        image_id: String,
        /// Number of the stop signal that the image asks for (R5.12).
        stop_signal: Option<i32>,
        /// How many bytes it has, for the event.
        size: u64,
    },
    /// Answer to `PrepareImage` and `PullImage`: it can't be had; tried again with back-off.
    ImageFailed {
        /// Which waiting reason it gives.
        failure: ImageFailure,
        /// What failed, on what, why.
        message: String,
    },
    /// Answer to `PrepareImage` and `PullImage`: what it names is there, but no container can be made of it. The kubelet's runtimes find that
    /// out when they create the container: waiting reason CreateContainerError, tried again later (R4.5).
    ImageUnusable {
        /// What the image or bundle is named, for `imageID`.
        image_id: String,
        /// What is wrong with it.
        message: String,
    },
    /// Answer to `Create`: the container exists, its process waits to be started.
    Created {
        /// `containerID`, e.g. `barepod://0f3a...`.
        container_id: String,
    },
    /// Answer to `Create`: there is no container; tried again later (R4.5).
    CreateFailed {
        /// Which waiting reason it gives.
        failure: CreateFailure,
        /// What failed, on what, why.
        message: String,
    },
    /// Answer to `Start`: the container's program was executed.
    Started,
    /// Answer to `Start`: the program could not be executed (StartError, exit code 128). The container has ended; no
    /// `Exited` follows.
    StartFailed {
        /// What failed, on what, why.
        message: String,
    },
    /// The container's init process ended. May come at any time after `Created`, once, also before the answer to
    /// an action on it that is still under way.
    Exited {
        /// How it ended.
        exit: Exit,
        /// The kernel's OOM killer ended a process of this container.
        oom_killed: bool,
        /// R8.7: the termination message; empty where there is none.
        message: String,
    },
    /// Answer to `Signal` and `Kill`: it was sent, or the process was gone already (then `Exited` comes or came).
    Signaled,
    /// Answer to `Remove`: processes, cgroup and files of this attempt are gone.
    Removed,
    /// Answer to `RunHook`.
    HookDone {
        /// Which hook.
        hook: Hook,
        /// How it went.
        result: HookResult,
    },
    /// Answer to `Probe`.
    ProbeDone {
        /// Which probe.
        probe: Probe,
        /// How it went.
        result: ProbeResult,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code (0..=255).
    Code(u8),
    /// By this signal (R8.5).
    Signal(u8),
    /// It could not be learnt (ContainerStatusUnknown, 137).
    Unknown,
}

/// Why an image can't be had (R8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageFailure {
    /// It could not be pulled (`ErrImagePull`, later `ImagePullBackOff`), or looked at (`ImageInspectError`).
    Pull,
    /// It was not pulled, as it isn't trusted (`SignatureValidationFailed`, later `ImagePullBackOff`).
    Signature,
    /// `ErrImageNeverPull`.
    NeverPull,
    /// `InvalidImageName`.
    InvalidName,
}

/// Why a container could not be created (R8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreateFailure {
    /// `CreateContainerConfigError`: what the manifest asks for can't be worked out (env, config, user).
    Config,
    /// `CreateContainerError`: it could not be made.
    Create,
    /// `RunContainerError`: it was made but could not be readied to run.
    Run,
}

/// The two lifecycle hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hook {
    /// `lifecycle.postStart`.
    PostStart,
    /// `lifecycle.preStop`.
    PreStop,
}

/// How a hook went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookResult {
    /// Well.
    Success,
    /// It failed.
    Failure {
        /// Why, for the event.
        message: String,
    },
    /// It could not be carried out at all. It is asked for again at once, three times in all; then it has failed.
    Error {
        /// Why, for the event.
        message: String,
    },
    /// It failed, or could not be carried out, and its container's end is why: that end comes or has come as `Exited`.
    ContainerEnds,
}

/// The three probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Probe {
    /// `startupProbe`.
    Startup,
    /// `livenessProbe`.
    Liveness,
    /// `readinessProbe`.
    Readiness,
}

/// How a probe went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeResult {
    /// Well.
    Success,
    /// Well, with a warning (event ProbeWarning, R6.5).
    Warning {
        /// What was odd.
        message: String,
    },
    /// It failed; a time-out is a failure.
    Failure {
        /// Why, for the event (R6.11).
        message: String,
    },
    /// It could not be carried out at all (R6.5). It is asked for again at once, three times in all; then it counts as nothing.
    Error {
        /// Why, for the event.
        message: String,
    },
    /// It failed, or could not be carried out, and its container's end is why: that end comes or has come as `Exited`.
    ContainerEnds,
}
