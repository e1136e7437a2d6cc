//! What hooks and probes answer, by their scripts; and containers that come later.

use alloc::string::ToString;

use super::script::{AttemptScript, HookScript, ProbeScript};
use super::{Process, World};
use crate::event::{ContainerEvent, Hook, HookResult, Probe, ProbeResult};
use crate::spec::ContainerIndex;
use crate::time::Instant;

impl World {
    /// A container of the box: one that came later (R2.9) is new to it.
    pub(super) fn process(&mut self, container: ContainerIndex) -> &mut Process {
        let index = usize::from(container.0);
        if index >= self.containers.len() {
            self.containers.resize(index + 1, Process::default());
        }
        &mut self.containers[index]
    }
}

impl AttemptScript {
    pub(super) fn hook(&self, hook: Hook) -> HookScript {
        match hook {
            Hook::PostStart => self.post_start,
            Hook::PreStop => self.pre_stop,
        }
    }

    pub(super) fn probe(&self, probe: Probe) -> ProbeScript {
        match probe {
            Probe::Startup => self.startup,
            Probe::Liveness => self.liveness,
            Probe::Readiness => self.readiness,
        }
    }
}

impl HookScript {
    pub(super) fn run(self, now: Instant, hook: Hook, never: Instant) -> (Instant, ContainerEvent) {
        let at = self.takes.map_or(never, |takes| now.after(takes));
        let message = || "scripted".to_string();
        let result = match (self.fails, self.errs) {
            (true, true) => HookResult::Error { message: message() },
            (true, false) => HookResult::Failure { message: message() },
            (false, _) => HookResult::Success,
        };
        (at, ContainerEvent::HookDone { hook, result })
    }
}

impl ProbeScript {
    pub(super) fn run(self, now: Instant, started: Instant, probe: Probe) -> (Instant, ContainerEvent) {
        let at = now.after(self.takes);
        let age = at.since(started);
        let good = age >= self.good_from && self.good_until.is_none_or(|until| age < until);
        let message = || "scripted".to_string();
        let result = match (good, self.errs) {
            (true, _) => ProbeResult::Success,
            (false, true) => ProbeResult::Error { message: message() },
            (false, false) => ProbeResult::Failure { message: message() },
        };
        (at, ContainerEvent::ProbeDone { probe, result })
    }
}
