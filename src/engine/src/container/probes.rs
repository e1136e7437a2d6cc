//! The probes of one running instance (R6): when each is due, what a row of results comes to. Which of them run now the pod
//! says as well: [`Probing`].

use serde::{Deserialize, Serialize};

use super::hook::TRIES;
use crate::event::{Probe, ProbeResult};
use crate::spec::{ContainerSpec, ProbeSpec};
use crate::time::Instant;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probing {
    pub startup: bool,
    pub liveness: bool,
    pub readiness: bool,
}

/// What became of a probe, or of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeStep {
    /// Nothing.
    Rests,
    /// It is further, and nothing is to be done.
    Moved,
    /// It is to be run.
    Run,
    /// Its result is to be told.
    Tell,
    /// The same, and with it it has failed (R6.6).
    Failed,
}

/// All that there are.
pub(crate) const ALL: [Probe; 3] = [Probe::Startup, Probe::Liveness, Probe::Readiness];

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
        let due = |probe: Probe| match (self.get(probe)?.schedule, probing.of(probe)) {
            (Schedule::Due { at }, true) => Some(at),
            (Schedule::Due { .. } | Schedule::Rests | Schedule::Runs { .. }, true | false) => None,
        };
        ALL.into_iter().filter_map(due).min()
    }

    /// Whether an answer is still to come.
    pub fn runs(&self, probe: Probe) -> bool {
        self.get(probe).is_some_and(|prober| matches!(prober.schedule, Schedule::Runs { .. }))
    }

    /// Runs one that is due.
    pub fn advance(&mut self, probe: Probe, spec: &ProbeSpec, probing: Probing, now: Instant) -> ProbeStep {
        let Some(prober) = self.get_mut(probe) else { return ProbeStep::Rests };
        match (prober.schedule, probing.of(probe)) {
            (Schedule::Rests, true) => {
                prober.schedule = Schedule::Due { at: prober.from.max(now) };
                ProbeStep::Moved
            }
            (Schedule::Due { at }, true) if at <= now => {
                prober.schedule = Schedule::Runs { next: at.after(spec.period).max(now), tries: 1 };
                ProbeStep::Run
            }
            (Schedule::Due { .. }, false) => {
                prober.schedule = Schedule::Rests;
                ProbeStep::Rests
            }
            (Schedule::Due { .. }, true) | (Schedule::Rests, false) | (Schedule::Runs { .. }, true | false) => {
                ProbeStep::Rests
            }
        }
    }

    /// Takes in the shell's answer.
    pub fn answered(&mut self, probe: Probe, spec: &ProbeSpec, probing: Probing, result: &ProbeResult) -> ProbeStep {
        let Some(prober) = self.get_mut(probe) else { return ProbeStep::Rests };
        let Schedule::Runs { next, tries } = prober.schedule else { return ProbeStep::Rests };
        // No probe is blamed for its container's end, nor is another one run until that is known.
        if *result == ProbeResult::ContainerEnds {
            return ProbeStep::Rests;
        }
        prober.schedule = Schedule::Due { at: next };
        // Nobody asks any more.
        if !probing.of(probe) {
            return ProbeStep::Moved;
        }
        if matches!(result, ProbeResult::Error { .. }) && tries < TRIES {
            prober.schedule = Schedule::Runs { next, tries: tries + 1 };
            return ProbeStep::Run;
        }
        let outcome = match result {
            ProbeResult::Success | ProbeResult::Warning { .. } => Outcome::Good,
            ProbeResult::Failure { .. } => Outcome::Bad,
            // R6.5: as if it had not been.
            ProbeResult::Error { .. } | ProbeResult::ContainerEnds => return ProbeStep::Tell,
        };
        prober.row = if prober.row.0 == outcome { (outcome, prober.row.1.saturating_add(1)) } else { (outcome, 1) };
        let threshold = match outcome {
            Outcome::Good => spec.success_threshold,
            Outcome::Bad => spec.failure_threshold,
        };
        let reached = prober.row.1 >= threshold;
        if reached {
            prober.verdict = outcome;
        }
        if reached && outcome == Outcome::Bad { ProbeStep::Failed } else { ProbeStep::Tell }
    }

    fn get(&self, probe: Probe) -> Option<&Prober> {
        match probe {
            Probe::Startup => self.startup.as_ref(),
            Probe::Liveness => self.liveness.as_ref(),
            Probe::Readiness => self.readiness.as_ref(),
        }
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
    fn of(&self, probe: Probe) -> bool {
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
