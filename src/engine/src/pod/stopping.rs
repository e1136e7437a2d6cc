//! Containers that are stopped (R5.2): what the pod says about it. Who is stopped when is `termination`'s business.

use alloc::format;
use core::time::Duration;

use super::{Engine, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::stop::{Stop, StopStep, StopWhy};
use crate::event::Hook;
use crate::spec::{ContainerIndex, Kind, SidecarPreStop};

const SIGTERM: i32 = 15;

impl Engine {
    /// Tells a running container to stop, by R5.2.
    pub(crate) fn begin_stop(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, why: StopWhy, grace: Duration) {
        let now = turn.now.monotonic;
        let deadline = match &self.ending {
            // R5.13: the deletion's grace wins.
            Some(ending) => ending.deadline_of(self.kind(index)),
            None => now.after(grace),
        };
        let spec = self.container_spec(index);
        let (hook, name) = (spec.pre_stop, spec.name.clone());
        let at_turn = spec.kind == Kind::Sidecar
            && (why == StopWhy::PodEnds || self.restarts_in_order())
            && self.spec().sidecar_pre_stop == SidecarPreStop::AtTurn;
        // R5.10: a sidecar that is being ended for a probe or hook is still wanted: it goes on to be restarted.
        let supervised = self.restarts_while_ending(index);
        let container = self.container_mut(index);
        let attempt = container.attempt;
        let Some(running) = container.running_mut() else { return };
        if let Some(stop) = &mut running.stop {
            stop.join((why != StopWhy::PodEnds || !supervised).then_some(why), deadline);
            turn.changed();
            return;
        }
        let killing = match why {
            // Whoever saw it fail has said so.
            StopWhy::Probe => None,
            StopWhy::Resize => Some(format!("Container {name} resize requires restart")),
            // The kubelet's words (computePodActions).
            StopWhy::Changed => Some(format!("Container {name} definition changed, will be restarted")),
            StopWhy::Restart => Some(format!("Stopping container {name}, will be restarted")),
            // The kubelet's whole message (kuberuntime_container.go `startContainer`).
            StopWhy::PostStart => Some("FailedPostStartHook".into()),
            StopWhy::PodEnds | StopWhy::RestartAll => Some(format!("Stopping container {name}")),
        };
        if let Some(message) = killing {
            turn.record(Severity::Normal, EventReason::Killing, Some(index), message);
        }
        let mut stop =
            if at_turn { Stop::at_turn(why, now, deadline) } else { Stop::with_hook(why, now, deadline, hook) };
        let runs_hook = stop.hook_mut().is_some_and(|run| run.is_asked());
        running.stop = Some(stop);
        turn.changed();
        if runs_hook {
            turn.act(index, attempt, ContainerAction::RunHook(Hook::PreStop));
        }
    }

    /// One step of R5.2 where it is due.
    pub(crate) fn advance_stop(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let Some(stop) = self.container(index).running().and_then(|running| running.stop.as_ref()) else { return };
        let for_itself = stop.why() != StopWhy::PodEnds
            && !self.restarts_in_order()
            && (self.ending.is_none() || self.restarts_while_ending(index));
        let waits = self.kind(index) == Kind::Sidecar && !for_itself && !self.turn_has_come(index);
        let (container, spec) = self.container_and_spec(index);
        let (attempt, of_image) = (container.attempt, container.image_stop_signal);
        let Some(stop) = container.running_mut().and_then(|running| running.stop.as_mut()) else { return };
        match stop.advance(now, waits, spec.pre_stop) {
            StopStep::Rests => {}
            StopStep::Moved => turn.changed(),
            StopStep::RunHook => turn.act(index, attempt, ContainerAction::RunHook(Hook::PreStop)),
            StopStep::Signal => {
                let signal = spec.stop_signal.or(of_image).unwrap_or(SIGTERM);
                turn.act(index, attempt, ContainerAction::Signal(signal));
            }
            StopStep::Kill => turn.act(index, attempt, ContainerAction::Kill),
        }
    }

    /// SIGKILL to whatever of it is in the world.
    pub(crate) fn kill_now(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let container = self.container_mut(index);
        if container.kill() {
            turn.act(index, container.attempt, ContainerAction::Kill);
        }
    }
}
