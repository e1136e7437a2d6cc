//! What users see (R8), worked out from the state.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::conditions::Transition;
use super::{Engine, PodLife, RestartingAll};
use crate::container::{Container, Life};
use crate::spec::{ContainerIndex, Kind};
use crate::status::{
    Condition, ConditionKind, ContainerState, ContainerStatus, Phase, PodStatus, Terminated, WaitingReason,
};
use crate::time::WallTime;

impl Engine {
    /// The pod's status. A function of what was told so far (I7).
    pub fn status(&self) -> PodStatus {
        let (exit_code, exit_source) = (self.life == PodLife::Finished).then(|| self.exit()).unzip();
        PodStatus {
            phase: self.phase(),
            reason: self.reason,
            message: self.message.clone(),
            conditions: self.conditions(),
            start_time: self.start_time,
            deletion: self.deletion,
            containers: self.indices().map(|index| self.container_status(index)).collect(),
            exit_code,
            exit_source,
        }
    }

    /// R8.1.
    fn phase(&self) -> Phase {
        if let Some(phase) = self.terminal {
            return phase;
        }
        let waits = self.indices().any(|index| self.kind(index) == Kind::Main && !self.container(index).done);
        // Deletion doesn't take a pod back to Pending: what never ran is not waited for any more.
        let ran = self.indices().any(|index| self.kind(index) == Kind::Main && self.container(index).done);
        if ran && (!waits || self.ending.is_some()) || !waits && self.inits_are_done() {
            Phase::Running
        } else {
            Phase::Pending
        }
    }

    fn container_status(&self, index: ContainerIndex) -> ContainerStatus {
        let spec = self.container_spec(index);
        let container = self.container(index);
        let (state, last_state) = self.states(container);
        ContainerStatus {
            name: spec.name.clone(),
            kind: spec.kind,
            state,
            last_state,
            restart_count: if container.made { container.attempt.0 } else { container.attempt.0.saturating_sub(1) },
            ready: self.is_ready(index),
            started: container.is_started(),
            container_id: container.container_id.clone(),
            image_id: container.image_id.clone(),
            grace_use: container.grace_use,
        }
    }

    /// Of one container: `state`.
    pub(crate) fn status_of(&self, container: &Container) -> ContainerState {
        self.states(container).0
    }

    /// R8.3: `state` and `lastState`.
    fn states(&self, container: &Container) -> (ContainerState, Option<Terminated>) {
        let waiting = |reason, message: &str| ContainerState::Waiting { reason, message: message.into() };
        let default = if self.spec().containers.iter().any(|spec| spec.kind.gates()) {
            WaitingReason::PodInitializing
        } else {
            WaitingReason::ContainerCreating
        };
        let last = container.last.clone();
        match &container.life {
            Life::Waiting
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Starting { .. } => (waiting(default, ""), last),
            Life::Retry { reason, message, .. } => (waiting(*reason, message), last),
            Life::BackOff { message: Some(message), .. } => (waiting(WaitingReason::CrashLoopBackOff, message), last),
            Life::Running(running) => (ContainerState::Running { started_at: running.since_wall }, last),
            Life::BackOff { message: None, .. } | Life::Discarded | Life::Removing(_) | Life::Over => match last {
                Some(terminated) => (ContainerState::Terminated(terminated), container.previous.clone()),
                // R8.6: what never ran stays waiting.
                None => (waiting(default, ""), None),
            },
        }
    }

    /// R8.3.
    fn is_ready(&self, index: ContainerIndex) -> bool {
        let container = self.container(index);
        match self.kind(index) {
            // One that succeeded while all containers are killed to begin again (R3.7, R2.7) waits for that, unready.
            Kind::Init => container.done && matches!(self.states(container).0, ContainerState::Terminated(_)),
            // R8.11.
            Kind::Ephemeral => false,
            Kind::Main | Kind::Sidecar => {
                container.is_started() && container.running().is_some_and(|running| running.probes.readiness_passes())
            }
        }
    }

    fn inits_are_done(&self) -> bool {
        self.indices().all(|index| !self.is_incomplete(index))
    }

    /// R8.2: notes which conditions changed, and when. Their words are found when somebody asks.
    pub(crate) fn note_conditions(&mut self, now: WallTime) {
        let ready = self.terminal.is_none() && self.indices().all(|index| !self.is_unready(index));
        let restarting = self.restarting_all == RestartingAll::Yes;
        let initialized = self.is_initialized();
        let sandbox = self.life == PodLife::Up;
        let gated = !self.spec().readiness_gates.is_empty();
        let transitions = &mut self.transitions;
        transitions.sandbox.note(sandbox, now);
        transitions.initialized.note(initialized, now);
        transitions.ready.note(ready && !gated, now);
        transitions.containers_ready.note(ready, now);
        transitions.scheduled.note(true, now);
        if restarting || transitions.restarting.known() {
            transitions.restarting.note(restarting, now);
        }
    }

    /// R8.2, in Kubernetes' order.
    fn conditions(&self) -> Vec<Condition> {
        let transitions = &self.transitions;
        let (initialized_reason, initialized_message) = self.why_initialized();
        let (containers_reason, containers_message) = self.why_ready();
        let (reason, message) = match self.unmet_gates() {
            Some(unmet) if transitions.containers_ready.holds() => (Some("ReadinessGatesNotReady"), unmet),
            Some(_) | None => (containers_reason, containers_message.clone()),
        };
        let none = || (None, String::new());
        [
            (ConditionKind::PodReadyToStartContainers, transitions.sandbox, none()),
            (ConditionKind::Initialized, transitions.initialized, (initialized_reason, initialized_message)),
            (ConditionKind::Ready, transitions.ready, (reason, message)),
            (ConditionKind::ContainersReady, transitions.containers_ready, (containers_reason, containers_message)),
            (ConditionKind::PodScheduled, transitions.scheduled, none()),
            (ConditionKind::AllContainersRestarting, transitions.restarting, none()),
        ]
        .into_iter()
        .filter_map(|(kind, Transition(noted), (reason, message))| {
            let (status, last_transition) = noted?;
            Some(Condition { kind, status, reason: reason.map(ToString::to_string), message, last_transition })
        })
        .chain(self.resizing_since().map(|last_transition| Condition {
            kind: ConditionKind::PodResizeInProgress,
            status: true,
            reason: None,
            message: String::new(),
            last_transition,
        }))
        .chain(self.evicted.map(|last_transition| Condition {
            kind: ConditionKind::DisruptionTarget,
            status: true,
            reason: Some("TerminationByKubelet".to_string()),
            message: self.message.clone(),
            last_transition,
        }))
        .collect()
    }

    fn is_unready(&self, index: ContainerIndex) -> bool {
        matches!(self.kind(index), Kind::Sidecar | Kind::Main) && !self.is_ready(index)
    }

    /// Reason and message of `ContainersReady`.
    fn why_ready(&self) -> (Option<&'static str>, String) {
        match self.terminal {
            Some(Phase::Succeeded) => (Some("PodCompleted"), String::new()),
            Some(Phase::Failed | Phase::Pending | Phase::Running) => (Some("PodFailed"), String::new()),
            None => match self.names(|index| self.is_unready(index)) {
                None => (None, String::new()),
                Some(names) => (Some("ContainersNotReady"), format!("containers with unready status: [{names}]")),
            },
        }
    }

    /// What `Ready` says where only the readiness gates are missing: nobody sets their conditions here.
    fn unmet_gates(&self) -> Option<String> {
        let gates = &self.spec().readiness_gates;
        let unmet = gates
            .iter()
            .map(|gate| format!("corresponding condition of pod readiness gate \"{gate}\" does not exist."))
            .collect::<Vec<_>>();
        (!unmet.is_empty()).then(|| unmet.join(", "))
    }

    fn is_incomplete(&self, index: ContainerIndex) -> bool {
        self.kind(index).gates() && !self.container(index).done
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.initialized
            || self.terminal == Some(Phase::Succeeded)
            || self.indices().all(|index| !self.is_incomplete(index))
    }

    /// Reason and message of `Initialized`.
    fn why_initialized(&self) -> (Option<&'static str>, String) {
        if self.terminal == Some(Phase::Succeeded) {
            return (Some("PodCompleted"), String::new());
        }
        if self.is_initialized() {
            return (None, String::new());
        }
        let names = self.names(|index| self.is_incomplete(index)).unwrap_or_default();
        (Some("ContainersNotInitialized"), format!("containers with incomplete status: [{names}]"))
    }

    /// The names of the containers of which this is true, as Go prints a list; `None` where it is true of none.
    fn names(&self, is_one: impl Fn(ContainerIndex) -> bool) -> Option<String> {
        let names: Vec<&str> = self
            .indices()
            .filter(|&index| is_one(index))
            .map(|index| self.container_spec(index).name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}
