//! Probes (R6): when each is due, what a row of results means.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::{StopStage, StopWhy};
use crate::event::{Probe, ProbeResult};
use crate::hook::{HookRun, TRIES};
use crate::pod::{Engine, RestartingAll, Turn};
use crate::spec::{ContainerIndex, ContainerSpec, Kind, ProbeSpec, RestartPolicy};
use crate::time::Instant;

/// R6.11: a probe's output in an event is cut to this many bytes.
const OUTPUT: usize = 1024;

/// The probes of one running instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Probes {
    startup: Option<Prober>,
    liveness: Option<Prober>,
    readiness: Option<Prober>,
}

/// One probe of one running instance.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Prober {
    /// When it may run first.
    from: Instant,
    schedule: Schedule,
    /// Equal results in a row, and which.
    row: (Outcome, u32),
    /// What counts since a threshold was reached (R6.2, R6.5).
    verdict: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Schedule {
    /// It doesn't run.
    Rests,
    /// It runs next then.
    Due { at: Instant },
    /// It runs; the next one is due then. `tries`: how often it was asked for, this time included.
    Runs { next: Instant, tries: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Outcome {
    Good,
    Bad,
}

/// Which probes of a container run now (R6.4, R6.6, R6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probing {
    startup: Activity,
    liveness: Activity,
    readiness: Activity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Runs,
    Rests,
}

impl Activity {
    fn when(condition: bool) -> Self {
        if condition { Self::Runs } else { Self::Rests }
    }
}

const ALL: [Probe; 3] = [Probe::Startup, Probe::Liveness, Probe::Readiness];

impl Probes {
    pub fn new(spec: &ContainerSpec, started: Instant) -> Self {
        let prober = |probe: &Option<ProbeSpec>, verdict| {
            probe.as_ref().map(|probe| Prober {
                from: started.after(probe.initial_delay),
                schedule: Schedule::Rests,
                row: (verdict, 0),
                verdict,
            })
        };
        Self {
            startup: prober(&spec.startup_probe, Outcome::Bad),
            liveness: prober(&spec.liveness_probe, Outcome::Good),
            readiness: prober(&spec.readiness_probe, Outcome::Bad),
        }
    }

    pub fn startup_passed(&self) -> bool {
        self.startup.is_none_or(|prober| prober.verdict == Outcome::Good)
    }

    /// R6.2: without a probe there is nothing against it.
    pub fn readiness_passes(&self) -> bool {
        self.readiness.is_none_or(|prober| prober.verdict == Outcome::Good)
    }

    /// When the next probe is due.
    pub fn next(&self, probing: Probing) -> Option<Instant> {
        let due = |prober: Option<Prober>, activity| match (prober.map(|prober| prober.schedule), activity) {
            (Some(Schedule::Due { at }), Activity::Runs) => Some(at),
            (
                Some(Schedule::Due { .. } | Schedule::Rests | Schedule::Runs { .. }) | None,
                Activity::Runs | Activity::Rests,
            ) => None,
        };
        [
            due(self.startup, probing.startup),
            due(self.liveness, probing.liveness),
            due(self.readiness, probing.readiness),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn get_mut(&mut self, probe: Probe) -> Option<&mut Prober> {
        match probe {
            Probe::Startup => self.startup.as_mut(),
            Probe::Liveness => self.liveness.as_mut(),
            Probe::Readiness => self.readiness.as_mut(),
        }
    }
}

impl Probing {
    fn of(&self, probe: Probe) -> Activity {
        match probe {
            Probe::Startup => self.startup,
            Probe::Liveness => self.liveness,
            Probe::Readiness => self.readiness,
        }
    }
}

impl ContainerSpec {
    /// Its `startupProbe`, `livenessProbe` or `readinessProbe`, if it has one.
    pub fn probe(&self, probe: Probe) -> Option<&ProbeSpec> {
        match probe {
            Probe::Startup => self.startup_probe.as_ref(),
            Probe::Liveness => self.liveness_probe.as_ref(),
            Probe::Readiness => self.readiness_probe.as_ref(),
        }
    }
}

impl Engine {
    /// Which probes of this container run now.
    pub(crate) fn probing(&self, index: ContainerIndex) -> Probing {
        let Some(running) = self.container(index).running() else {
            return Probing { startup: Activity::Rests, liveness: Activity::Rests, readiness: Activity::Rests };
        };
        // The kubelet's workers see a container only once its postStart hook has returned.
        let hooked = running.post_start == HookRun::Over;
        let startup_passed = running.probes.startup_passed();
        let guarded = match &running.stop {
            None => true,
            Some(stop) => match (stop.why, &stop.stage) {
                // R5.10, R6.9: a sidecar's as long as it would be restarted, a main's no longer.
                (StopWhy::PodEnds, StopStage::Hook { .. } | StopStage::Turn { .. }) => {
                    self.restarts_while_ending(index)
                }
                (StopWhy::PodEnds, StopStage::Signaled { .. } | StopStage::Killed { .. })
                | (StopWhy::Probe | StopWhy::PostStart | StopWhy::RestartAll | StopWhy::Resize, _) => false,
            },
        };
        Probing {
            startup: Activity::when(hooked && !startup_passed && guarded),
            liveness: Activity::when(hooked && startup_passed && guarded),
            // R3.7: there nothing is asked any more.
            readiness: Activity::when(hooked && startup_passed && self.restarting_all == RestartingAll::No),
        }
    }

    /// Runs the probes that are due.
    pub(crate) fn advance_probes(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let probing = self.probing(index);
        for probe in ALL {
            let Some(period) = self.container_spec(index).probe(probe).map(|spec| spec.period) else { continue };
            let container = self.container_mut(index);
            let attempt = container.attempt;
            let Some(prober) = container.running_mut().and_then(|running| running.probes.get_mut(probe)) else {
                continue;
            };
            match (prober.schedule, probing.of(probe)) {
                (Schedule::Rests, Activity::Runs) => {
                    prober.schedule = Schedule::Due { at: prober.from.max(now) };
                    turn.changed();
                }
                (Schedule::Due { at }, Activity::Runs) if at <= now => {
                    prober.schedule = Schedule::Runs { next: at.after(period).max(now), tries: 1 };
                    turn.act(index, attempt, ContainerAction::Probe(probe));
                }
                (Schedule::Due { .. }, Activity::Rests) => prober.schedule = Schedule::Rests,
                (Schedule::Due { .. }, Activity::Runs)
                | (Schedule::Rests, Activity::Rests)
                | (Schedule::Runs { .. }, Activity::Runs | Activity::Rests) => {}
            }
        }
    }

    /// The shell's answer to `Probe`.
    pub(crate) fn probe_done(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, probe: Probe, result: ProbeResult) {
        let activity = self.probing(index).of(probe);
        let Some(spec) = self.container_spec(index).probe(probe) else { return };
        let (successes, failures) = (spec.success_threshold, spec.failure_threshold);
        let container = self.container_mut(index);
        let attempt = container.attempt;
        let Some(prober) = container.running_mut().and_then(|running| running.probes.get_mut(probe)) else { return };
        let Schedule::Runs { next, tries } = prober.schedule else { return };
        // No probe is blamed for its container's end, nor is another one run until that is known.
        if result == ProbeResult::ContainerEnds {
            return;
        }
        prober.schedule = Schedule::Due { at: next };
        turn.changed();
        // Nobody asks any more.
        if activity == Activity::Rests {
            return;
        }
        if matches!(result, ProbeResult::Error { .. }) && tries < TRIES {
            prober.schedule = Schedule::Runs { next, tries: tries + 1 };
            return turn.act(index, attempt, ContainerAction::Probe(probe));
        }
        let outcome = match &result {
            ProbeResult::Success | ProbeResult::Warning { .. } => Outcome::Good,
            ProbeResult::Failure { .. } => Outcome::Bad,
            // R6.5: as if it had not been.
            ProbeResult::Error { .. } => return self.record_probe(turn, index, probe, result),
            ProbeResult::ContainerEnds => return,
        };
        prober.row = if prober.row.0 == outcome { (outcome, prober.row.1.saturating_add(1)) } else { (outcome, 1) };
        let threshold = match outcome {
            Outcome::Good => successes,
            Outcome::Bad => failures,
        };
        let reached = prober.row.1 >= threshold;
        if reached {
            prober.verdict = outcome;
        }
        self.record_probe(turn, index, probe, result);
        if reached && outcome == Outcome::Bad {
            self.probe_failed(turn, index, probe);
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
        let who = if spec.kind == Kind::Main { "Container" } else { "Init container" };
        let policy = spec.restart_policy.unwrap_or(self.spec().restart_policy);
        let then = if spec.kind == Kind::Main && policy != RestartPolicy::Never { ", will be restarted" } else { "" };
        let what = format!("{who} {} failed {which} probe{then}", spec.name);
        let grace = spec.probe(probe).and_then(|spec| spec.grace_period).unwrap_or(self.spec().grace_period);
        turn.record(Severity::Normal, EventReason::Killing, Some(index), what);
        self.begin_stop(turn, index, StopWhy::Probe, grace);
    }

    fn record_probe(&self, turn: &mut Turn<'_>, index: ContainerIndex, probe: Probe, result: ProbeResult) {
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
            ProbeResult::Failure { message } => {
                (EventReason::Unhealthy, format!("{name} probe failed: {}", cut(&message)))
            }
            ProbeResult::Error { message } => (
                EventReason::Unhealthy,
                format!("{name} probe errored and resulted in unknown state: {}", cut(&message)),
            ),
        };
        turn.record(Severity::Warning, reason, Some(index), text);
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(OUTPUT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}
