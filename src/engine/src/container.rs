//! One container: where its current attempt stands, and what it remembers of earlier ones.

use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hook::HookRun;
use crate::probe::Probes;
use crate::resize::{OutdatedLimits, Resizing};
use crate::restart::BackoffState;
use crate::spec::Attempt;
use crate::status::{GraceUse, Terminated, WaitingReason};
use crate::time::{Instant, WallTime};

/// What the engine holds of one container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Container {
    /// Where it stands.
    pub life: Life,
    /// The attempt that `life` is about, or that comes next.
    pub attempt: Attempt,
    /// Whether an instance of `attempt` was ever created.
    pub made: bool,
    /// How the newest instance that ended did so, and the one before.
    pub last: Option<Terminated>,
    pub previous: Option<Terminated>,
    /// R2.1, R2.6: whether an entry of initContainers was done, or a main ever ran, in this life of the sandbox.
    pub done: bool,
    /// When the newest instance that ended did so.
    pub ended_at: Option<Instant>,
    /// R4.
    pub backoff: BackoffState,
    /// Image pulls have a back-off of their own.
    pub pull_backoff: Option<Duration>,
    pub container_id: Option<String>,
    pub image_id: Option<String>,
    /// The stop signal its image asks for (R5.12).
    pub image_stop_signal: Option<i32>,
    /// R5.18.
    pub grace_use: Option<GraceUse>,
    /// New resources that it is being restarted for.
    #[serde(default)]
    pub resizing: Option<Resizing>,
    /// What is to be written to cgroups when its next instance is made.
    #[serde(default)]
    pub outdated: OutdatedLimits,
}

/// Where a container's attempt stands.
// A pod has a handful of containers, and most of them run: boxing the large variant would only cost.
#[expect(clippy::large_enum_variant)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Life {
    /// Nothing is there; started when it is its turn.
    Waiting,
    /// Nothing is there; the image or the container could not be made, tried again at `at`.
    Retry { at: Instant, reason: WaitingReason, message: String },
    /// It exited and starts again at `at` (R4).
    BackOff { at: Instant, message: Option<String> },
    /// `PrepareImage` is under way.
    Preparing,
    /// `PrepareImage` is under way and was told to end: what it is for isn't wanted any more, and it may hang.
    Abandoned,
    /// `Create` is under way. At `kill_at` it is ended (an OCI hook may hang).
    Creating { kill_at: Option<Instant>, killed: bool },
    /// It exists; its program waits for its turn.
    Created,
    /// It exists and was killed before it was started.
    Discarded,
    /// `Start` is under way. At `kill_at` it is ended (an OCI hook may hang).
    Starting {
        #[serde(default)]
        kill_at: Option<Instant>,
        killed: bool,
    },
    /// Its program was executed.
    Running(Running),
    /// It has ended; `Remove` is under way.
    Removing(After),
    /// It has ended and isn't started again; or it never will be.
    Over,
}

/// What comes after a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum After {
    /// It starts again, not before `at`.
    Restart { at: Instant, delay: Duration },
    /// It is created again as the same attempt: it was never started.
    Recreate,
    /// Likewise, after a while: its process died before it was started.
    Retry { at: Instant },
    /// It starts again at once, back-off or not: it was ended for new resources.
    Resized,
    /// Nothing.
    Over,
}

/// A running instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub since: Instant,
    pub since_wall: WallTime,
    pub post_start: HookRun,
    pub probes: Probes,
    pub stop: Option<Stop>,
}

/// The procedure of R5.2 on one container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub why: StopWhy,
    pub began: Instant,
    /// When its grace runs out.
    pub deadline: Instant,
    pub stage: StopStage,
    pub pre_stop: PreStop,
    pub used: GraceUse,
}

/// Why a container is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopWhy {
    /// The pod ends.
    PodEnds,
    /// A liveness or startup probe failed (R5.13).
    Probe,
    /// Its postStart hook failed (R7.1).
    PostStart,
    /// All containers are restarted (R3.7).
    RestartAll,
    /// Its new resources ask for it.
    Resize,
}

/// Whether the preStop hook of a container that is stopped is still to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PreStop {
    Due,
    Past,
}

/// How far the procedure of R5.2 is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum StopStage {
    /// (a)
    Hook { since: Instant, run: HookRun },
    /// (b)
    Turn { since: Instant },
    /// (d), (e)
    Signaled { at: Instant, kill_at: Instant },
    /// After (e).
    Killed { signaled: Instant },
}

impl Container {
    pub fn new() -> Self {
        Self {
            life: Life::Waiting,
            attempt: Attempt(0),
            made: false,
            last: None,
            previous: None,
            done: false,
            ended_at: None,
            backoff: BackoffState::default(),
            pull_backoff: None,
            container_id: None,
            image_id: None,
            image_stop_signal: None,
            grace_use: None,
            resizing: None,
            outdated: OutdatedLimits::default(),
        }
    }

    /// Something of it is in the world, or about to be: processes, or an action that may bring one.
    pub fn is_live(&self) -> bool {
        match &self.life {
            Life::Preparing
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_) => true,
            Life::Waiting | Life::Retry { .. } | Life::BackOff { .. } | Life::Removing(_) | Life::Over => false,
        }
    }

    /// Its program runs, or is about to.
    pub fn is_executing(&self) -> bool {
        matches!(self.life, Life::Starting { .. } | Life::Running(_))
    }

    /// Nothing of it is left and nothing is under way.
    pub fn is_settled(&self) -> bool {
        !self.is_live() && !matches!(self.life, Life::Removing(_))
    }

    /// The running instance.
    pub fn running(&self) -> Option<&Running> {
        match &self.life {
            Life::Running(running) => Some(running),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Removing(_)
            | Life::Over => None,
        }
    }

    /// See [`Self::running`].
    pub fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.life {
            Life::Running(running) => Some(running),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Removing(_)
            | Life::Over => None,
        }
    }

    /// R8.3: running, past its startup probe and its postStart hook.
    pub fn is_started(&self) -> bool {
        self.running().is_some_and(|running| running.post_start == HookRun::Over && running.probes.startup_passed())
    }
}
