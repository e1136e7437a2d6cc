//! What a scripted box does when it is asked to: how long things take, how they end.

use alloc::vec::Vec;
use core::time::Duration;

use crate::event::{CreateFailure, Exit, ImageFailure};
use crate::spec::{Attempt, ContainerIndex};

/// A box and the containers on it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// How long the box takes for what it is asked for.
    pub latencies: Latencies,
    /// How often making the sandbox fails before it works.
    pub sandbox_failures: u32,
    /// The try of making it, from 0, at which there is no network for it.
    pub no_network_at: Option<u32>,
    /// Making it doesn't come to an end (a volume on a network file system that is gone).
    pub sandbox_hangs: bool,
    /// One per container of the pod, in its order; behind them those of ephemeral containers that come later.
    pub containers: Vec<ContainerScript>,
}

impl Script {
    /// What an attempt of a container does; of one that nothing is said of: [`AttemptScript::default`].
    pub fn attempt(&self, container: ContainerIndex, attempt: Attempt) -> AttemptScript {
        self.containers.get(usize::from(container.0)).map(|one| one.attempt(attempt)).unwrap_or_default()
    }
}

/// How long the box takes for what it is asked for. Zero everywhere by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latencies {
    /// `CreateSandbox`.
    pub sandbox: Duration,
    /// `RemoveSandbox`.
    pub remove_sandbox: Duration,
    /// `PrepareImage`.
    pub image: Duration,
    /// `PullImage`.
    pub pull: Duration,
    /// `Create`.
    pub create: Duration,
    /// `Start`.
    pub start: Duration,
    /// From SIGKILL to the exit, and until a killed `Create` gives up.
    pub kill: Duration,
    /// `Remove`.
    pub remove: Duration,
}

/// One container, attempt by attempt. The last attempt repeats for ever; none: [`AttemptScript::default`].
#[derive(Clone, Debug, Default)]
pub struct ContainerScript {
    /// Attempt 0 first.
    pub attempts: Vec<AttemptScript>,
    /// The number of its image, where others have the same: what was pulled for one is there for all.
    pub image: Option<u16>,
}

impl ContainerScript {
    /// Every attempt alike.
    pub fn always(attempt: AttemptScript) -> Self {
        Self { attempts: alloc::vec![attempt], image: None }
    }

    /// What this attempt does.
    pub fn attempt(&self, attempt: Attempt) -> AttemptScript {
        let index = usize::try_from(attempt.0).unwrap_or(usize::MAX);
        self.attempts.get(index).or(self.attempts.last()).copied().unwrap_or_default()
    }
}

/// One attempt. By default it is made and started at once, runs until it is told to stop, obeys at once with exit code
/// 143, and its hooks and probes succeed at once.
#[derive(Clone, Copy, Debug)]
pub struct AttemptScript {
    /// How often its image can't be had before it can, and why.
    pub image_fails: (u32, ImageFailure),
    /// How often it is there and no container can be made of it, before one can.
    pub image_unusable: u32,
    /// `PrepareImage` doesn't return until it is killed (a network file system that is gone).
    pub image_hangs: bool,
    /// It isn't there before it was pulled.
    pub image_absent: bool,
    /// How often it can't be pulled before it can, and why.
    pub pull_fails: (u32, ImageFailure),
    /// `PullImage` doesn't return until it is killed (a registry that says no more).
    pub pull_hangs: bool,
    /// The stop signal that its image asks for (R5.12).
    pub image_stop_signal: Option<i32>,
    /// How often it can't be created before it can, and why.
    pub create_fails: (u32, CreateFailure),
    /// `Create` doesn't return until it is killed (a hanging OCI hook).
    pub create_hangs: bool,
    /// Its process dies this long after it was created, if it wasn't started before.
    pub dies_unstarted: Option<Duration>,
    /// What becomes of its start.
    pub start: StartScript,
    /// When its program ends by itself, counted from its start, and how; `None`: never.
    pub ends: Option<(Duration, Exit)>,
    /// The OOM killer was at work when it ended by itself.
    pub oom_killed: bool,
    /// What it does when it is told to stop.
    pub on_stop: StopScript,
    /// Its postStart handler.
    pub post_start: HookScript,
    /// Its preStop handler.
    pub pre_stop: HookScript,
    /// Its startup probe.
    pub startup: ProbeScript,
    /// Its liveness probe.
    pub liveness: ProbeScript,
    /// Its readiness probe.
    pub readiness: ProbeScript,
}

/// What becomes of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartScript {
    /// The program runs.
    Works,
    /// It can't be executed.
    Fails,
    /// No answer comes until it is killed (a hanging OCI hook).
    Hangs,
    /// It runs and ends before the answer to its start is given (only where it `ends` within the start's latency).
    Overtaken,
}

/// What a program does with its stop signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopScript {
    /// It ends after this long, like this.
    Ends(Duration, Exit),
    /// Nothing.
    Ignores,
}

/// A hook's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookScript {
    /// How long it takes; `None`: until its container ends.
    pub takes: Option<Duration>,
    /// Whether it fails then.
    pub fails: bool,
    /// Where it fails it can't even be carried out.
    pub errs: bool,
}

/// A probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeScript {
    /// How long one takes.
    pub takes: Duration,
    /// How long after its container's start it begins to succeed.
    pub good_from: Duration,
    /// How long after its container's start it ceases to.
    pub good_until: Option<Duration>,
    /// Where it doesn't succeed it can't even be carried out.
    pub errs: bool,
}

impl Default for AttemptScript {
    fn default() -> Self {
        let hook = HookScript { takes: Some(Duration::ZERO), fails: false, errs: false };
        let probe = ProbeScript { takes: Duration::ZERO, good_from: Duration::ZERO, good_until: None, errs: false };
        Self {
            image_fails: (0, ImageFailure::Pull),
            image_unusable: 0,
            image_hangs: false,
            image_absent: false,
            pull_fails: (0, ImageFailure::Pull),
            pull_hangs: false,
            image_stop_signal: None,
            create_fails: (0, CreateFailure::Create),
            create_hangs: false,
            dies_unstarted: None,
            start: StartScript::Works,
            ends: None,
            oom_killed: false,
            on_stop: StopScript::Ends(Duration::ZERO, Exit::Code(143)),
            post_start: hook,
            pre_stop: hook,
            startup: probe,
            liveness: probe,
            readiness: probe,
        }
    }
}

impl AttemptScript {
    /// Ends by itself after this long with this code.
    pub fn ends(after: Duration, code: u8) -> Self {
        Self { ends: Some((after, Exit::Code(code))), ..Self::default() }
    }

    /// Runs until it is told to stop and takes this long to obey.
    pub fn stops_in(after: Duration) -> Self {
        Self { on_stop: StopScript::Ends(after, Exit::Code(143)), ..Self::default() }
    }

    /// Runs until it is killed.
    pub fn stubborn() -> Self {
        Self { on_stop: StopScript::Ignores, ..Self::default() }
    }
}
