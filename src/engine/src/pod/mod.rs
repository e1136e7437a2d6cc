//! The pod: its state, and what of its lifecycle depends on more than one container. Start reading at `step`.

mod ahead;
mod awaited;
mod conditions;
mod ending;
mod ephemeral;
mod eviction;
pub mod exit;
mod exits;
mod facts;
mod hooks;
mod images;
mod in_order;
mod making;
mod patience;
mod probes;
mod resize;
mod restart;
mod restart_all;
mod sandbox;
mod startup;
mod status;
mod step;
mod stopping;
mod termination;
mod turn;
mod under_way;
mod volume_images;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::spec::{ContainerIndex, ContainerSpec, Kind, PodSpec, VolumeIndex};
use crate::status::{Deletion, Phase, PodReason};
use crate::time::{Instant, WallTime};
pub use awaited::Awaited;
use conditions::Transitions;
use ending::Ending;
pub use ephemeral::EphemeralRefusal;
use in_order::InOrder;
pub use resize::ResizeRefusal;
pub use restart::RestartRefusal;
use turn::Turn;

/// Errors that leave no exited instance (R4.5), and a sandbox that can't be made, are tried again after this.
const RETRY: Duration = Duration::from_secs(10);

/// The lifecycle of one pod. Can be saved and loaded at any time between two steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Engine {
    spec: PodSpec,
    life: PodLife,
    containers: Vec<Container>,
    began: Option<Instant>,
    start_time: Option<WallTime>,
    ending: Option<Ending>,
    deletion: Option<Deletion>,
    /// R3.7, R2.7: all containers are being ended, to start again.
    restarting_all: RestartingAll,
    /// R8.2: stays True once a main started.
    initialized: bool,
    terminal: Option<Phase>,
    reason: Option<PodReason>,
    message: String,
    transitions: Transitions,
    /// When it was evicted.
    #[serde(default)]
    evicted: Option<WallTime>,
    /// Whether there ever was a sandbox.
    #[serde(default)]
    had_sandbox: bool,
    /// Whether a SIGINT has come.
    #[serde(default)]
    interrupted: bool,
    /// Volumes of this sandbox whose images are there (R8.17).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    volumes: BTreeSet<VolumeIndex>,
}

/// Where the pod as a whole stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PodLife {
    /// Before `Begin`.
    New,
    /// `CreateSandbox` is under way.
    MakingSandbox,
    /// The sandbox could not be made; tried again then.
    NoSandbox { retry: Instant },
    /// The sandbox is there.
    Up,
    /// It was there; what was in it is being ended (R2.7).
    Lost,
    /// All containers have ended; `RemoveSandbox` is under way.
    RemovingSandbox,
    /// `Finish` was said.
    Finished,
}

/// Whether all containers are being ended to start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RestartingAll {
    /// By a rule (R3.7).
    Yes,
    /// In a new sandbox (R2.7).
    Anew,
    /// Somebody asked for it: mains and sidecars, in order (R3.9).
    InOrder(InOrder),
    No,
}

impl Engine {
    /// A pod before its first event, which must be [`Event::Begin`].
    pub fn new(spec: PodSpec) -> Self {
        let containers = spec.containers.iter().map(|_| Container::new()).collect();
        Self {
            spec,
            life: PodLife::New,
            containers,
            began: None,
            start_time: None,
            ending: None,
            deletion: None,
            restarting_all: RestartingAll::No,
            initialized: false,
            terminal: None,
            reason: None,
            message: String::new(),
            transitions: Transitions::default(),
            evicted: None,
            had_sandbox: false,
            interrupted: false,
            volumes: BTreeSet::new(),
        }
    }

    /// The pod.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = ContainerIndex> + use<> {
        let count = u16::try_from(self.containers.len()).unwrap_or(u16::MAX);
        (0..count).map(ContainerIndex)
    }

    pub(crate) fn container(&self, index: ContainerIndex) -> &Container {
        &self.containers[usize::from(index.0)]
    }

    pub(crate) fn container_mut(&mut self, index: ContainerIndex) -> &mut Container {
        &mut self.containers[usize::from(index.0)]
    }

    /// Both at once, to change the one by the other.
    fn container_and_spec(&mut self, index: ContainerIndex) -> (&mut Container, &ContainerSpec) {
        let at = usize::from(index.0);
        (&mut self.containers[at], &self.spec.containers[at])
    }

    pub(crate) fn container_spec(&self, index: ContainerIndex) -> &ContainerSpec {
        &self.spec.containers[usize::from(index.0)]
    }

    pub(crate) fn kind(&self, index: ContainerIndex) -> Kind {
        self.container_spec(index).kind
    }

    /// R4.5: 10 s; *(ours)* less where the back-off is set below it.
    fn retry_delay(&self) -> Duration {
        RETRY.min(self.spec.backoff.max)
    }
}
