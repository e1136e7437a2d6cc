//! How one running container is stopped (R5.2): preStop hook, its turn, stop signal, SIGKILL. When, and who before
//! whom, is `termination`'s business.

use alloc::format;
use core::time::Duration;

use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::{PreStop, Running, Stop, StopStage, StopWhy};
use crate::event::Hook;
use crate::hook::HookRun;
use crate::pod::{Engine, Turn};
use crate::probe::Probing;
use crate::spec::{ContainerIndex, Kind, SidecarPreStop};
use crate::status::GraceUse;
use crate::time::Instant;

/// R5.2 (c): the least time between the stop signal and SIGKILL.
const MINIMUM_GRACE: Duration = Duration::from_secs(2);
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
            && why == StopWhy::PodEnds
            && self.spec().sidecar_pre_stop == SidecarPreStop::AtTurn;
        // R5.10: a sidecar that is being ended for a probe or hook is still wanted: it goes on to be restarted.
        let supervised = self.restarts_while_ending(index);
        let Some(running) = self.container_mut(index).running_mut() else { return };
        if let Some(stop) = &mut running.stop {
            if why != StopWhy::PodEnds || !supervised {
                stop.why = why;
            }
            stop.join(deadline);
            turn.changed();
            return;
        }
        let killing = match why {
            // Whoever saw it fail has said so.
            StopWhy::Probe => None,
            StopWhy::Resize => Some(format!("Container {name} resize requires restart")),
            // The kubelet's whole message (kuberuntime_container.go `startContainer`).
            StopWhy::PostStart => Some("FailedPostStartHook".into()),
            StopWhy::PodEnds | StopWhy::RestartAll => Some(format!("Stopping container {name}")),
        };
        if let Some(message) = killing {
            turn.record(Severity::Normal, EventReason::Killing, Some(index), message);
        }
        let (stage, pre_stop) = if at_turn {
            (StopStage::Turn { since: now }, PreStop::Due)
        } else {
            let due = if deadline > now { hook } else { None };
            (StopStage::Hook { since: now, run: self.begin_hook(turn, index, Hook::PreStop, due) }, PreStop::Past)
        };
        let stop = Stop { why, began: now, deadline, stage, pre_stop, used: GraceUse::default() };
        if let Some(running) = self.container_mut(index).running_mut() {
            running.stop = Some(stop);
        }
        turn.changed();
    }

    /// One step of R5.2 where it is due.
    pub(crate) fn advance_stop(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let Some(stop) = self.container(index).running().and_then(|running| running.stop.as_ref()) else { return };
        let expired = stop.deadline <= now;
        let for_itself = stop.why != StopWhy::PodEnds && (self.ending.is_none() || self.restarts_while_ending(index));
        let waits = self.kind(index) == Kind::Sidecar && !for_itself && !self.turn_has_come(index);
        match stop.stage {
            StopStage::Hook { run, .. } => {
                if run != HookRun::Over && !expired {
                    return;
                }
                if waits && !expired {
                    self.set_stage(turn, index, StopStage::Turn { since: now });
                } else {
                    self.signal_stop(turn, index);
                }
            }
            StopStage::Turn { .. } => {
                if waits && !expired {
                    return;
                }
                let hook = self.container_spec(index).pre_stop;
                if stop.pre_stop == PreStop::Due && hook.is_some() && !expired {
                    let run = self.begin_hook(turn, index, Hook::PreStop, hook);
                    self.set_stage(turn, index, StopStage::Hook { since: now, run });
                    if let Some(stop) =
                        self.container_mut(index).running_mut().and_then(|running| running.stop.as_mut())
                    {
                        stop.pre_stop = PreStop::Past;
                    }
                } else {
                    self.signal_stop(turn, index);
                }
            }
            StopStage::Signaled { at, kill_at } => {
                if kill_at <= now {
                    self.set_stage(turn, index, StopStage::Killed { signaled: at });
                    let attempt = self.container(index).attempt;
                    turn.act(index, attempt, ContainerAction::Kill);
                }
            }
            StopStage::Killed { .. } => {}
        }
    }

    fn signal_stop(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let spec = self.container_spec(index);
        let signal = spec.stop_signal.or(self.container(index).image_stop_signal).unwrap_or(SIGTERM);
        let container = self.container_mut(index);
        let attempt = container.attempt;
        let Some(stop) = container.running_mut().and_then(|running| running.stop.as_mut()) else { return };
        debug_assert!(stop.signaled_at().is_none(), "I8: one stop signal");
        // R5.2 (c).
        let kill_at = stop.deadline.max(now.after(MINIMUM_GRACE));
        stop.leave_stage(now);
        stop.stage = StopStage::Signaled { at: now, kill_at };
        turn.act(index, attempt, ContainerAction::Signal(signal));
    }

    fn set_stage(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, stage: StopStage) {
        let now = turn.now.monotonic;
        if let Some(stop) = self.container_mut(index).running_mut().and_then(|running| running.stop.as_mut()) {
            stop.leave_stage(now);
            stop.stage = stage;
            turn.changed();
        }
    }

    /// Notes that a running container has been sent SIGKILL, whatever it was at.
    pub(crate) fn mark_killed(&mut self, now: Instant, index: ContainerIndex, why: StopWhy) {
        let Some(running) = self.container_mut(index).running_mut() else { return };
        match &mut running.stop {
            Some(stop) => {
                stop.leave_stage(now);
                stop.why = why;
                stop.stage = StopStage::Killed { signaled: stop.signaled_at().unwrap_or(now) };
            }
            None => {
                let stage = StopStage::Killed { signaled: now };
                let used = GraceUse::default();
                running.stop = Some(Stop { why, began: now, deadline: now, stage, pre_stop: PreStop::Past, used });
            }
        }
    }
}

impl Stop {
    /// R5.8: a shorter grace.
    pub fn shorten(&mut self, deadline: Instant) {
        self.deadline = self.deadline.min(deadline);
        if let StopStage::Signaled { at, kill_at } = &mut self.stage {
            *kill_at = (*kill_at).min(self.deadline.max(at.after(MINIMUM_GRACE)));
        }
    }

    /// The pod ends while this container is stopped for itself: the pod's grace wins (R5.13).
    fn join(&mut self, deadline: Instant) {
        match &mut self.stage {
            StopStage::Hook { .. } | StopStage::Turn { .. } => self.deadline = deadline,
            StopStage::Signaled { at, kill_at } => {
                self.deadline = deadline;
                *kill_at = (*kill_at).min(deadline.max(at.after(MINIMUM_GRACE)));
            }
            StopStage::Killed { .. } => {}
        }
    }

    fn signaled_at(&self) -> Option<Instant> {
        match self.stage {
            StopStage::Hook { .. } | StopStage::Turn { .. } => None,
            StopStage::Signaled { at, .. } | StopStage::Killed { signaled: at } => Some(at),
        }
    }

    /// Adds up the time spent in the stage that ends (R5.18).
    fn leave_stage(&mut self, now: Instant) {
        match self.stage {
            StopStage::Hook { since, .. } => self.used.hook += now.since(since),
            StopStage::Turn { since } => self.used.turn += now.since(since),
            StopStage::Signaled { .. } | StopStage::Killed { .. } => {}
        }
    }
}

impl Running {
    /// When this instance needs attention though nothing happens.
    pub(crate) fn next_deadline(&self, probing: Probing) -> Option<Instant> {
        let hook = sleep_end(self.post_start);
        let stop = self.stop.as_ref().and_then(|stop| match stop.stage {
            StopStage::Hook { run, .. } => Some(sleep_end(run).map_or(stop.deadline, |end| end.min(stop.deadline))),
            StopStage::Turn { .. } => Some(stop.deadline),
            StopStage::Signaled { kill_at, .. } => Some(kill_at),
            StopStage::Killed { .. } => None,
        });
        [hook, stop, self.probes.next(probing)].into_iter().flatten().min()
    }
}

fn sleep_end(run: HookRun) -> Option<Instant> {
    match run {
        HookRun::Sleep { until } => Some(until),
        HookRun::Handler { .. } | HookRun::Over | HookRun::Failed | HookRun::Skipped => None,
    }
}
