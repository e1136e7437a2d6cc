//! What the pod's status must say (R8).

use super::*;

impl Reference {
    /// I7: phase, conditions, counts and states agree with what happened.
    pub fn agrees(&self, status: &PodStatus) -> Result<(), String> {
        if self.lost {
            return Ok(());
        }
        let mains = || (0..self.ones.len()).filter(|&i| self.kind(i) == Kind::Main);
        let terminal = self.over || self.sandbox == Sandbox::Removing;
        let phase = if terminal {
            if self.succeeded() { Phase::Succeeded } else { Phase::Failed }
        } else if mains().all(|i| self.ones[i].ran) || self.ending.is_some() && mains().any(|i| self.ones[i].ran) {
            Phase::Running
        } else {
            Phase::Pending
        };
        if phase != status.phase {
            return Err(format!("I7: {:?}, not {phase:?}", status.phase));
        }
        if status.exit_code != self.over.then(|| self.exit_code()) {
            return Err(format!("I7: exit code {:?}", status.exit_code));
        }
        if status.containers.len() != self.ones.len() {
            return Err(format!("I7: {} containers", status.containers.len()));
        }
        let mut all_ready = !terminal;
        for (i, container) in status.containers.iter().enumerate() {
            let one = &self.ones[i];
            let running = one.stage == Stage::Running;
            let started = running && one.post_start == PostStart::Past && self.startup_passed(i);
            let readiness = self.spec.containers[i].readiness_probe.is_none() || one.probes[2].passed;
            // R8.3: exited 0. One that did while all are killed to begin again waits for that.
            let has_ended = matches!(container.state, ContainerState::Terminated(_));
            let ready = match self.kind(i) {
                Kind::Init => one.done && has_ended,
                Kind::Sidecar | Kind::Main => started && readiness,
                Kind::Ephemeral => false,
            };
            all_ready &= ready || matches!(self.kind(i), Kind::Init | Kind::Ephemeral);
            let count = if one.created { one.attempt } else { one.attempt.saturating_sub(1) };
            let is_running = matches!(container.state, ContainerState::Running { .. });
            if (running, started, ready, count)
                != (is_running, container.started, container.ready, container.restart_count)
            {
                return Err(format!("I7: {} is {container:?}, not {one:?}", container.name));
            }
            let code = match (&container.state, &container.last_state) {
                (ContainerState::Terminated(last), _) | (_, Some(last)) => Some(last.exit_code),
                (_, None) => None,
            };
            if code != one.code {
                return Err(format!("I7: {} ended with {code:?}, not {:?}", container.name, one.code));
            }
        }
        let holds = |kind| status.conditions.iter().any(|condition| condition.kind == kind && condition.status);
        let expected = [
            (ConditionKind::ContainersReady, all_ready),
            (ConditionKind::Ready, all_ready && self.spec.readiness_gates.is_empty()),
            (ConditionKind::PodReadyToStartContainers, self.sandbox == Sandbox::Up),
            (ConditionKind::AllContainersRestarting, self.restarting && !self.anew),
        ];
        match expected.into_iter().find(|(kind, expected)| holds(*kind) != *expected) {
            Some((kind, expected)) => Err(format!("I7: {kind:?} should be {expected}")),
            None => Ok(()),
        }
    }
}
