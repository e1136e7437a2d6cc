//! The rules of probes (R6).

use super::*;

impl Reference {
    pub(super) fn active(&self, i: usize, probe: usize) -> bool {
        let one = &self.ones[i];
        if one.stage != Stage::Running || one.post_start != PostStart::Past {
            return false;
        }
        let started = self.startup_passed(i);
        // What has been sent SIGKILL is as good as gone (R3.7, R6.6): only a new instance is guarded again.
        let guarded = !one.killed
            && match &one.stop {
                None => !self.restarting,
                Some(stop) => !stop.alone && stop.signaled.is_none() && self.kept(i),
            };
        match probe {
            0 => !started && guarded,
            1 => started && guarded,
            _ => started && !self.restarting,
        }
    }

    pub(super) fn startup_passed(&self, i: usize) -> bool {
        self.spec.containers[i].startup_probe.is_none() || self.ones[i].probes[0].passed
    }

    pub(super) fn probed(&mut self, now: Instant, i: usize, probe: Probe, result: &ProbeResult) {
        let p = PROBES.iter().position(|other| *other == probe).unwrap();
        let tries = self.ones[i].probes[p].open;
        // Its container's end is no result: it stays open.
        if tries == 0 || *result == ProbeResult::ContainerEnds {
            return;
        }
        let active = self.active(i, p);
        let spec = spec_of(&self.spec.containers[i], p).unwrap().clone();
        let prober = &mut self.ones[i].probes[p];
        prober.open = 0;
        if !active {
            return;
        }
        if matches!(result, ProbeResult::Error { .. }) && tries < 3 {
            prober.open = tries + 1;
            return self.ask(i, ContainerAction::Probe(probe));
        }
        match result {
            ProbeResult::Success | ProbeResult::Warning { .. } => prober.row = prober.row.max(0) + 1,
            ProbeResult::Failure { .. } => prober.row = prober.row.min(0) - 1,
            ProbeResult::Error { .. } | ProbeResult::ContainerEnds => return,
        }
        if prober.row >= i64::from(spec.success_threshold) {
            prober.passed = true;
        } else if prober.row <= -i64::from(spec.failure_threshold) {
            prober.passed = false;
            if p < 2 {
                self.blame(now, i, spec.grace_period.unwrap_or(self.spec.grace_period));
            }
        }
    }

    pub(super) fn settle_probes(&mut self, now: Instant, i: usize) -> bool {
        let mut moved = false;
        for (p, probe) in PROBES.into_iter().enumerate() {
            let Some(spec) = spec_of(&self.spec.containers[i], p) else { continue };
            let (from, period) = (self.ones[i].started.after(spec.initial_delay), spec.period);
            let active = self.active(i, p);
            let prober = &mut self.ones[i].probes[p];
            if prober.open > 0 {
                continue;
            }
            if !active {
                prober.due = None;
                continue;
            }
            let due = *prober.due.get_or_insert(from.max(now));
            if due <= now {
                prober.due = Some(due.after(period).max(now));
                prober.open = 1;
                self.ask(i, ContainerAction::Probe(probe));
                moved = true;
            }
        }
        moved
    }
}
