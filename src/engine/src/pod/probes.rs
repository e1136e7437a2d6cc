//! Probes of the pod (R6): which run now, and what the pod makes of their results.

use alloc::format;
use alloc::string::String;

use super::{Engine, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::hook::HookRun;
use crate::container::probes::{ALL, ProbeStep, Probing};
use crate::container::stop::StopWhy;
use crate::event::{Probe, ProbeResult};
use crate::spec::{ContainerIndex, Kind, RestartPolicy};

/// R6.11: a probe's output in an event is cut to this many bytes.
const OUTPUT: usize = 1024;

impl Engine {
    /// Which probes of this container run now.
    pub(crate) fn probing(&self, index: ContainerIndex) -> Probing {
        let Some(running) = self.container(index).running() else { return Probing::default() };
        // The kubelet's workers see a container only once its postStart hook has returned.
        let hooked = running.post_start == HookRun::Over;
        let startup_passed = running.probes.startup_passed();
        let guarded = match &running.stop {
            None => true,
            // R5.10, R6.9: a sidecar's as long as it would be restarted, a main's no longer.
            Some(stop) => {
                stop.why() == StopWhy::PodEnds && stop.is_before_signal() && self.restarts_while_ending(index)
            }
        };
        Probing {
            startup: hooked && !startup_passed && guarded,
            liveness: hooked && startup_passed && guarded,
            // R3.7: there nothing is asked any more.
            readiness: hooked && startup_passed && !self.kills_for_restart(),
        }
    }

    /// Runs the probes that are due.
    pub(crate) fn advance_probes(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        for probe in ALL {
            let probing = self.probing(index);
            let (container, spec) = self.container_and_spec(index);
            let (Some(running), Some(spec)) = (container.running_mut(), spec.probe(probe)) else { continue };
            let step = running.probes.advance(probe, spec, probing, turn.now.monotonic);
            self.probe_step(turn, index, probe, step, ProbeResult::Success);
        }
    }

    /// The shell's answer to `Probe`.
    pub(crate) fn probe_done(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, probe: Probe, result: ProbeResult) {
        let probing = self.probing(index);
        let (container, spec) = self.container_and_spec(index);
        let (Some(running), Some(spec)) = (container.running_mut(), spec.probe(probe)) else { return };
        let step = running.probes.answered(probe, spec, probing, &result);
        self.probe_step(turn, index, probe, step, result);
    }

    fn probe_step(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        probe: Probe,
        step: ProbeStep,
        result: ProbeResult,
    ) {
        match step {
            ProbeStep::Rests => {}
            ProbeStep::Moved => turn.changed(),
            ProbeStep::Run => turn.act(index, self.container(index).attempt, ContainerAction::Probe(probe)),
            ProbeStep::Tell => {
                turn.changed();
                record(turn, index, probe, result);
            }
            ProbeStep::Failed => {
                turn.changed();
                record(turn, index, probe, result);
                self.probe_failed(turn, index, probe);
            }
        }
    }

    /// R6.6: at its threshold; readiness only shows (R6.8).
    fn probe_failed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, probe: Probe) {
        let spec = self.container_spec(index);
        let which = match probe {
            Probe::Readiness => return,
            Probe::Liveness => "liveness",
            Probe::Startup => "startup",
        };
        // The kubelet's words (computePodActions, computeInitContainerActions).
        let who = if spec.kind.gates() { "Init container" } else { "Container" };
        let policy = spec.restart_policy.unwrap_or(self.spec().restart_policy);
        let then = if spec.kind == Kind::Main && policy != RestartPolicy::Never { ", will be restarted" } else { "" };
        let what = format!("{who} {} failed {which} probe{then}", spec.name);
        let grace = spec.probe(probe).and_then(|spec| spec.grace_period).unwrap_or(self.spec().grace_period);
        turn.record(Severity::Normal, EventReason::Killing, Some(index), what);
        self.begin_stop(turn, index, StopWhy::Probe, grace);
    }
}

fn record(turn: &mut Turn<'_>, index: ContainerIndex, probe: Probe, result: ProbeResult) {
    let name = match probe {
        Probe::Startup => "Startup",
        Probe::Liveness => "Liveness",
        Probe::Readiness => "Readiness",
    };
    let (reason, text) = match result {
        ProbeResult::Success | ProbeResult::ContainerEnds => return,
        ProbeResult::Warning { message } => {
            (EventReason::ProbeWarning, format!("{name} probe warning: {}", cut(&message)))
        }
        ProbeResult::Failure { message } => (EventReason::Unhealthy, format!("{name} probe failed: {}", cut(&message))),
        ProbeResult::Error { message } => {
            (EventReason::Unhealthy, format!("{name} probe errored and resulted in unknown state: {}", cut(&message)))
        }
    };
    turn.record(Severity::Warning, reason, Some(index), text);
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(OUTPUT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}
