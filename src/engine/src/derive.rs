//! What users see (R8), worked out from the state.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::container::{Container, Done, Life, Made};
use crate::pod::{Engine, Initialized, PodLife, RestartingAll};
use crate::spec::{ContainerIndex, Kind};
use crate::status::{
    Condition, ConditionKind, ContainerState, ContainerStatus, Phase, PodStatus, Terminated, WaitingReason,
};
use crate::time::WallTime;

impl Engine {
    /// The pod's status. A function of what was told so far (I7).
    pub fn status(&self) -> PodStatus {
        PodStatus {
            phase: self.phase(),
            reason: self.reason,
            message: self.message.clone(),
            conditions: self.conditions.clone(),
            start_time: self.start_time,
            deletion: self.deletion,
            containers: self.indices().map(|index| self.container_status(index)).collect(),
            exit_code: (self.life == PodLife::Finished).then(|| self.exit_code()),
        }
    }

    /// R8.1.
    fn phase(&self) -> Phase {
        if let Some(phase) = self.terminal {
            return phase;
        }
        let waits = self.indices().any(|index| {
            self.kind(index) == Kind::Main
                && self.container(index).done == Done::No
                && self.container(index).last.is_none()
        });
        // Deletion doesn't take a pod back to Pending: what never ran is not waited for any more.
        let ran = self.indices().any(|index| self.kind(index) == Kind::Main && self.container(index).done == Done::Yes);
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
            restart_count: match container.made {
                Made::Yes => container.attempt.0,
                Made::No => container.attempt.0.saturating_sub(1),
            },
            ready: self.is_ready(index),
            started: container.is_started(),
            container_id: container.container_id.clone(),
            image_id: container.image_id.clone(),
            grace_use: container.grace_use,
        }
    }

    /// R8.3: `state` and `lastState`.
    fn states(&self, container: &Container) -> (ContainerState, Option<Terminated>) {
        let waiting = |reason, message: &str| ContainerState::Waiting { reason, message: message.into() };
        let default = if self.spec().containers.iter().any(|spec| spec.kind != Kind::Main) {
            WaitingReason::PodInitializing
        } else {
            WaitingReason::ContainerCreating
        };
        let last = container.last.clone();
        match &container.life {
            Life::Waiting | Life::Preparing | Life::Creating { .. } | Life::Created | Life::Starting => {
                (waiting(default, ""), last)
            }
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
            Kind::Init => container.done == Done::Yes,
            Kind::Main | Kind::Sidecar => {
                container.is_started() && container.running().is_some_and(|running| running.probes.readiness_passes())
            }
        }
    }

    fn inits_are_done(&self) -> bool {
        self.indices().all(|index| self.kind(index) == Kind::Main || self.container(index).done == Done::Yes)
    }

    /// R8.2: writes down the conditions, keeping the time of the last change of each.
    pub(crate) fn note_conditions(&mut self, now: WallTime) {
        let mut conditions: Vec<Condition> = Vec::with_capacity(6);
        for (kind, status, reason, message) in self.current_conditions() {
            let before = self.conditions.iter().find(|condition| condition.kind == kind);
            let last_transition = match before {
                Some(before) if before.status == status => before.last_transition,
                Some(_) | None => now,
            };
            conditions.push(Condition { kind, status, reason, message, last_transition });
        }
        self.conditions = conditions;
    }

    fn current_conditions(&self) -> Vec<(ConditionKind, bool, Option<String>, String)> {
        let sandbox = matches!(self.life, PodLife::Up);
        let unready: Vec<&str> = self
            .indices()
            .filter(|&index| self.kind(index) != Kind::Init && !self.is_ready(index))
            .map(|index| self.container_spec(index).name.as_str())
            .collect();
        let (ready_reason, ready_message) = match self.terminal {
            Some(Phase::Succeeded) => (Some("PodCompleted".to_string()), String::new()),
            Some(Phase::Failed | Phase::Pending | Phase::Running) => (Some("PodFailed".to_string()), String::new()),
            None if unready.is_empty() => (None, String::new()),
            None => (
                Some("ContainersNotReady".to_string()),
                format!("containers with unready status: [{}]", unready.join(" ")),
            ),
        };
        let containers_ready = self.terminal.is_none() && unready.is_empty();
        let gates = &self.spec().readiness_gates;
        let ready = containers_ready && gates.is_empty();
        let gate = (containers_ready && !gates.is_empty()).then(|| {
            let unmet: Vec<String> = gates
                .iter()
                .map(|gate| format!("corresponding condition of pod readiness gate \"{gate}\" does not exist."))
                .collect();
            (Some("ReadinessGatesNotReady".to_string()), unmet.join(", "))
        });
        let (gate_reason, gate_message) = gate.unwrap_or((ready_reason.clone(), ready_message.clone()));
        let (initialized, init_reason, init_message) = self.initialized_condition();
        let mut conditions = vec![
            (ConditionKind::PodReadyToStartContainers, sandbox, None, String::new()),
            (ConditionKind::Initialized, initialized, init_reason, init_message),
            (ConditionKind::Ready, ready, gate_reason, gate_message),
            (ConditionKind::ContainersReady, containers_ready, ready_reason, ready_message),
            (ConditionKind::PodScheduled, true, None, String::new()),
        ];
        let known = self.conditions.iter().any(|condition| condition.kind == ConditionKind::AllContainersRestarting);
        let restarting = self.restarting_all == RestartingAll::Yes;
        if known || restarting {
            conditions.push((ConditionKind::AllContainersRestarting, restarting, None, String::new()));
        }
        conditions
    }

    fn initialized_condition(&self) -> (bool, Option<String>, String) {
        let incomplete: Vec<&str> = self
            .indices()
            .filter(|&index| self.kind(index) != Kind::Main && self.container(index).done == Done::No)
            .map(|index| self.container_spec(index).name.as_str())
            .collect();
        let done = self.initialized == Initialized::Yes || incomplete.is_empty();
        if self.terminal == Some(Phase::Succeeded) {
            return (true, Some("PodCompleted".to_string()), String::new());
        }
        if done {
            return (true, None, String::new());
        }
        let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
        (false, Some("ContainersNotInitialized".to_string()), message)
    }
}
