//! The engine itself: the pod's state, and one step of it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::{Action, ContainerAction, EventReason, EventRecord, LimitsOf, Severity};
use crate::container::{Container, Life};
use crate::derive::Transitions;
use crate::event::{Event, SandboxFailure};
use crate::spec::{Attempt, ContainerIndex, ContainerSpec, Kind, PodSpec};
use crate::status::{Deletion, Phase, PodReason};
use crate::termination::{Cause, Ending};
use crate::time::{Instant, Now, WallTime};

/// Errors that leave no exited instance (R4.5), and a sandbox that can't be made, are tried again after this.
const RETRY: Duration = Duration::from_secs(10);

/// The lifecycle of one pod. Can be saved and loaded at any time between two steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Engine {
    pub(crate) spec: PodSpec,
    pub(crate) life: PodLife,
    pub(crate) containers: Vec<Container>,
    pub(crate) began: Option<Instant>,
    pub(crate) start_time: Option<WallTime>,
    pub(crate) ending: Option<Ending>,
    pub(crate) deletion: Option<Deletion>,
    /// R3.7, R2.7: all containers are being ended, to start again.
    pub(crate) restarting_all: RestartingAll,
    /// R8.2: stays True once a main started.
    pub(crate) initialized: bool,
    pub(crate) terminal: Option<Phase>,
    pub(crate) reason: Option<PodReason>,
    pub(crate) message: String,
    pub(crate) transitions: Transitions,
    /// When it was evicted.
    #[serde(default)]
    pub(crate) evicted: Option<WallTime>,
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
    No,
}

/// One step's time and what it asks for.
pub(crate) struct Turn<'a> {
    pub now: Now,
    actions: &'a mut Vec<Action>,
    /// What can wait until the reactions to the fact are out: removals and records.
    later: Vec<Action>,
    moved: bool,
}

impl Turn<'_> {
    pub fn act(&mut self, container: ContainerIndex, attempt: Attempt, action: ContainerAction) {
        self.changed();
        let action = Action::Container { container, attempt, action };
        match action {
            Action::Container { action: ContainerAction::Remove, .. } => self.later.push(action),
            Action::Container { .. }
            | Action::CreateSandbox
            | Action::RemoveSandbox
            | Action::WriteLimits(_)
            | Action::Record(_)
            | Action::Finish { .. } => self.actions.push(action),
        }
    }

    pub fn write_limits(&mut self, of: LimitsOf) {
        self.actions.push(Action::WriteLimits(of));
    }

    pub fn record(
        &mut self,
        severity: Severity,
        reason: EventReason,
        container: Option<ContainerIndex>,
        message: String,
    ) {
        let time = self.now.wall;
        self.later.push(Action::Record(EventRecord { time, severity, reason, container, message }));
    }

    /// Something is different now: others may have to react.
    pub fn changed(&mut self) {
        self.moved = true;
    }
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
        }
    }

    /// The pod.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// Takes in a fact and appends what is to be done now, reactions before tidying up.
    pub fn step(&mut self, now: Now, event: Event, actions: &mut Vec<Action>) {
        let mut turn = Turn { now, actions, later: Vec::new(), moved: false };
        if self.life != PodLife::Finished {
            self.take(&mut turn, event);
            // Each pass may make the next one necessary; each moves some container strictly onwards, so this ends.
            loop {
                turn.moved = false;
                self.advance(&mut turn);
                if !turn.moved {
                    break;
                }
            }
            self.note_conditions(now.wall);
            debug_assert!(
                self.next_deadline().is_none_or(|deadline| deadline > now.monotonic),
                "what was due has been done"
            );
        }
        let later = core::mem::take(&mut turn.later);
        // `Finish` is the last word.
        let finish = turn.actions.iter().position(|action| matches!(action, Action::Finish { .. }));
        let finish = finish.map(|at| turn.actions.remove(at));
        turn.actions.extend(later);
        turn.actions.extend(finish);
    }

    fn take(&mut self, turn: &mut Turn<'_>, event: Event) {
        match event {
            Event::Begin => {
                if self.life == PodLife::New {
                    self.began = Some(turn.now.monotonic);
                    self.start_time = Some(turn.now.wall);
                    self.make_sandbox(turn);
                }
            }
            Event::Rejected { message } => self.rejected(turn, &message),
            Event::Tick => {}
            Event::Stop { grace } => self.deletion_requested(turn, grace.unwrap_or(self.spec.grace_period)),
            Event::Kill => self.kill_requested(turn),
            Event::SupervisorLost => self.lost(turn),
            Event::Resized { container, way, summary } => self.resized(turn, container, way, summary),
            Event::SandboxLost => self.sandbox_lost(turn),
            Event::StorageExceeded(exceeded) => self.storage_exceeded(turn, &exceeded),
            Event::SandboxReady => {
                if self.life == PodLife::MakingSandbox {
                    self.life = PodLife::Up;
                }
            }
            Event::SandboxFailed { failure, message } => self.sandbox_failed(turn, failure, message),
            Event::SandboxRemoved => {
                if self.life == PodLife::RemovingSandbox {
                    self.finish(turn);
                }
            }
            Event::Container { container, attempt, event } => self.container_event(turn, container, attempt, event),
        }
    }

    /// Lets each concern have its say. What must be quick comes first.
    fn advance(&mut self, turn: &mut Turn<'_>) {
        for index in self.indices() {
            self.wake_hooks(turn, index);
        }
        self.advance_termination(turn);
        if self.ending.is_none() {
            self.advance_restart_all(turn);
            self.advance_startup(turn);
        }
        for index in self.indices() {
            self.advance_probes(turn, index);
        }
        match self.life {
            PodLife::NoSandbox { retry } if self.ending.is_none() && retry <= turn.now.monotonic => {
                self.make_sandbox(turn);
            }
            PodLife::NoSandbox { .. }
            | PodLife::New
            | PodLife::MakingSandbox
            | PodLife::Up
            | PodLife::Lost
            | PodLife::RemovingSandbox
            | PodLife::Finished => {}
        }
        self.advance_end(turn);
    }

    pub(crate) fn make_sandbox(&mut self, turn: &mut Turn<'_>) {
        self.life = PodLife::MakingSandbox;
        turn.changed();
        turn.actions.push(Action::CreateSandbox);
    }

    /// The kubelet's rejectPod: nothing of it is ever made.
    fn rejected(&mut self, turn: &mut Turn<'_>, message: &str) {
        if self.life != PodLife::New {
            return;
        }
        self.start_time = Some(turn.now.wall);
        self.terminal = Some(Phase::Failed);
        self.reason = Some(PodReason::UnexpectedAdmissionError);
        self.message = format!("Pod was rejected: {message}");
        for container in &mut self.containers {
            container.life = Life::Over;
        }
        turn.record(Severity::Warning, EventReason::UnexpectedAdmissionError, None, message.into());
        self.finish(turn);
    }

    fn sandbox_failed(&mut self, turn: &mut Turn<'_>, failure: SandboxFailure, message: String) {
        if self.life != PodLife::MakingSandbox {
            return;
        }
        self.life = PodLife::NoSandbox { retry: turn.now.monotonic.after(self.retry_delay()) };
        let (reason, message) = match failure {
            SandboxFailure::Sandbox => {
                (EventReason::FailedCreatePodSandBox, format!("Failed to create pod sandbox: {message}"))
            }
            SandboxFailure::Mount => (EventReason::FailedMount, message),
        };
        turn.record(Severity::Warning, reason, None, message);
    }

    /// Once the pod is bound to end and nothing of its containers is left, the sandbox goes (R5.16).
    fn advance_end(&mut self, turn: &mut Turn<'_>) {
        let Some(ending) = &self.ending else { return };
        if !self.containers.iter().all(Container::is_settled) {
            return;
        }
        match self.life {
            PodLife::New | PodLife::NoSandbox { .. } => {
                self.settle_phase(ending.cause);
                self.finish(turn);
            }
            // What is still to be made nobody waits for: a volume's place may hang (R5.16).
            PodLife::Up | PodLife::Lost | PodLife::MakingSandbox => {
                self.settle_phase(ending.cause);
                self.life = PodLife::RemovingSandbox;
                turn.changed();
                turn.actions.push(Action::RemoveSandbox);
            }
            PodLife::RemovingSandbox | PodLife::Finished => {}
        }
    }

    fn settle_phase(&mut self, cause: Cause) {
        for container in &mut self.containers {
            container.life = Life::Over;
        }
        self.terminal = Some(self.terminal_phase(cause));
    }

    fn finish(&mut self, turn: &mut Turn<'_>) {
        debug_assert!(self.containers.iter().all(Container::is_settled), "R5.16: the sandbox goes last");
        self.life = PodLife::Finished;
        turn.actions.push(Action::Finish { exit_code: self.exit().0 });
    }

    /// R4.5: 10 s; *(ours)* less where the back-off is set below it.
    pub(crate) fn retry_delay(&self) -> Duration {
        RETRY.min(self.spec.backoff.max)
    }

    /// When to call again though nothing happened; `None`: not before the next event.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.life == PodLife::Finished {
            return None;
        }
        let pod = match self.life {
            PodLife::NoSandbox { retry } if self.ending.is_none() => Some(retry),
            PodLife::NoSandbox { .. }
            | PodLife::New
            | PodLife::MakingSandbox
            | PodLife::Up
            | PodLife::Lost
            | PodLife::RemovingSandbox
            | PodLife::Finished => None,
        };
        let active = self.active_deadline().into_iter().chain(self.timeout());
        self.indices().filter_map(|index| self.container_deadline(index)).chain(pod).chain(active).min()
    }

    fn container_deadline(&self, index: ContainerIndex) -> Option<Instant> {
        let container = self.container(index);
        match &container.life {
            // A gate that is closed opens by an event, not by time.
            Life::Retry { at, .. } | Life::BackOff { at, .. } => self.may_begin(index).then_some(*at),
            Life::Creating { kill_at, .. } | Life::Starting { kill_at, .. } => *kill_at,
            Life::Running(running) => running.next_deadline(self.probing(index)),
            Life::Waiting
            | Life::Preparing
            | Life::Abandoned
            | Life::Created
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => None,
        }
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

    pub(crate) fn container_spec(&self, index: ContainerIndex) -> &ContainerSpec {
        &self.spec.containers[usize::from(index.0)]
    }

    pub(crate) fn kind(&self, index: ContainerIndex) -> Kind {
        self.container_spec(index).kind
    }
}
