//! Instances that ended: what becomes of them (R3, R4), and of the pod.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::ending::Cause;
use super::{Engine, RestartingAll, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::restart::{EndedBy, Verdict, go_duration, verdict};
use crate::container::stop::{Stop, StopWhy};
use crate::container::{AfterRemoval, Life};
use crate::event::Exit;
use crate::spec::{ContainerIndex, Kind};
use crate::status::{GraceEnd, GraceUse, Terminated, TerminatedReason, WaitingReason};
use crate::time::Instant;

/// Exit code where it could not be learnt (R8.4).
const UNKNOWN: i32 = 137;

impl Engine {
    pub(crate) fn exited(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        exit: Exit,
        oom_killed: bool,
        message: String,
    ) {
        let (started_at, ended_by) = match &self.container(index).life {
            Life::Running(running) => {
                let ended_by = match running.stop.as_ref().map(Stop::why) {
                    Some(StopWhy::Probe) => EndedBy::Probe,
                    Some(StopWhy::Resize | StopWhy::Restart | StopWhy::Changed) => EndedBy::Request,
                    Some(StopWhy::PodEnds | StopWhy::PostStart | StopWhy::RestartAll) | None => EndedBy::Anything,
                };
                (Some(running.since_wall), ended_by)
            }
            // Its end overtook the answer to its start.
            Life::Starting { .. } => {
                if self.kind(index) == Kind::Main {
                    self.initialized = true;
                }
                (Some(turn.now.wall), EndedBy::Anything)
            }
            Life::Created | Life::Discarded => return self.discarded(turn, index),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Removing(_)
            | Life::Over => return,
        };
        let (exit_code, signal) = match exit {
            Exit::Code(code) => (i32::from(code), None),
            Exit::Signal(signal) => (128 + i32::from(signal), Some(i32::from(signal))),
            Exit::Unknown => (UNKNOWN, None),
        };
        let reason = match (exit, oom_killed) {
            (Exit::Unknown, _) => TerminatedReason::ContainerStatusUnknown,
            (Exit::Code(0), _) => TerminatedReason::Completed,
            (Exit::Code(_) | Exit::Signal(_), true) => TerminatedReason::OOMKilled,
            (Exit::Code(_) | Exit::Signal(_), false) => TerminatedReason::Error,
        };
        let terminated = Terminated {
            exit_code,
            signal,
            reason,
            message,
            started_at,
            finished_at: Some(turn.now.wall),
            container_id: self.container(index).container_id.clone(),
        };
        self.note_grace_use(turn, index);
        self.ended(turn, index, terminated, ended_by);
    }

    /// It existed, but its program was never executed: as if it had not been.
    pub(crate) fn discarded(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let at = turn.now.monotonic.after(self.retry_delay());
        let after = match (self.is_wanted(index), self.is_restarting(index)) {
            (true, _) => AfterRemoval::Retry { at },
            (false, true) => AfterRemoval::Recreate,
            (false, false) => AfterRemoval::Over,
        };
        let container = self.container_mut(index);
        container.life = Life::Removing(after);
        turn.act(index, container.attempt, ContainerAction::Remove);
    }

    /// An instance ended: what becomes of it (R3), and of the pod.
    pub(crate) fn ended(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        terminated: Terminated,
        ended_by: EndedBy,
    ) {
        let exit_code = terminated.exit_code;
        let container = self.container_mut(index);
        container.previous = container.last.replace(terminated);
        let verdict = verdict(self.container_spec(index), self.spec().restart_policy, exit_code, ended_by);
        let kind = self.kind(index);
        let restart = match (&self.ending, self.restarting_all, verdict) {
            (Some(_), _, _) => self.restarts_while_ending(index),
            // R3.11.
            (None, _, _) if kind == Kind::Ephemeral => false,
            (None, RestartingAll::Yes | RestartingAll::Anew | RestartingAll::InOrder(_), _)
            | (None, RestartingAll::No, Verdict::RestartAll | Verdict::Restart) => true,
            (None, RestartingAll::No, Verdict::Stay | Verdict::PodFails) => false,
        };
        let in_order = self.restarts_in_order() && self.is_restarting(index);
        let requested = ended_by == EndedBy::Request || in_order;
        let at_once = requested && self.ending.is_none() && !self.kills_for_restart();
        let backoff = self.spec().backoff;
        let now = turn.now.monotonic;
        let container = self.container_mut(index);
        container.ended_at = Some(now);
        let after = if at_once {
            AfterRemoval::AtOnce
        } else if restart {
            let delay = container.backoff.delay_after(now, &backoff);
            AfterRemoval::Restart { at: now.after(delay), delay }
        } else {
            AfterRemoval::Over
        };
        // R2.1; a main that ended has run (R8.1), also where that overtook the answer to its start.
        if kind == Kind::Main || kind == Kind::Init && verdict == Verdict::Stay {
            container.done = true;
        }
        container.life = Life::Removing(after);
        turn.act(index, container.attempt, ContainerAction::Remove);
        if self.ending.is_some() || self.restarting_all != RestartingAll::No {
            return;
        }
        match verdict {
            Verdict::RestartAll => self.restarting_all = RestartingAll::Yes,
            Verdict::PodFails => {
                let grace = self.spec().grace_period;
                self.begin_ending(turn, Cause::InitFailed, grace);
            }
            Verdict::Restart | Verdict::Stay => {}
        }
    }

    fn note_grace_use(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let container = self.container_mut(index);
        let Some(stop) = container.running().and_then(|running| running.stop.as_ref()) else { return };
        if stop.why() != StopWhy::PodEnds {
            return;
        }
        let used = stop.grace_used(now);
        container.grace_use = Some(used);
        if used == GraceUse::default() {
            return;
        }
        let severity = match used.end {
            GraceEnd::Exited => Severity::Normal,
            GraceEnd::Killed => Severity::Warning,
        };
        let name = &self.container_spec(index).name;
        let message = format!("Container {name} used of the grace period: {used}");
        turn.record(severity, EventReason::GracePeriodUsed, Some(index), message);
    }

    pub(crate) fn removed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let Life::Removing(after) = self.container(index).life else { return };
        turn.changed();
        let restarts = self.ending.is_none() || self.restarts_while_ending(index);
        let life = match after {
            AfterRemoval::Restart { at, delay } if restarts => self.back_off(turn, index, at, delay),
            AfterRemoval::Recreate if self.ending.is_none() => Life::Waiting,
            AfterRemoval::AtOnce if self.ending.is_none() => {
                let container = self.container_mut(index);
                container.next_attempt();
                Life::Waiting
            }
            AfterRemoval::AtOnce if restarts => Life::BackOff { at: turn.now.monotonic, message: None },
            AfterRemoval::Retry { at } if restarts => {
                let message = "the container's process ended before it was started".into();
                Life::Retry { at, reason: WaitingReason::RunContainerError, message, backs_off: None }
            }
            AfterRemoval::Restart { .. }
            | AfterRemoval::Recreate
            | AfterRemoval::AtOnce
            | AfterRemoval::Retry { .. }
            | AfterRemoval::Over => Life::Over,
        };
        self.container_mut(index).life = life;
    }

    /// It starts again at `at`, which is `delay` after its end; where that is still to come it says so (R4.4).
    pub(crate) fn back_off(&self, turn: &mut Turn<'_>, index: ContainerIndex, at: Instant, delay: Duration) -> Life {
        let waits = at > turn.now.monotonic;
        if waits {
            let spec = self.spec();
            let name = &self.container_spec(index).name;
            let message = format!(
                "Back-off restarting failed container {name} in pod {}_{}({})",
                spec.name, spec.namespace, spec.uid
            );
            turn.record(Severity::Warning, EventReason::BackOff, Some(index), message);
        }
        Life::BackOff { at, message: waits.then(|| self.back_off_message(index, delay)) }
    }

    /// R4.4, with the kubelet's words.
    fn back_off_message(&self, index: ContainerIndex, delay: Duration) -> String {
        let spec = self.spec();
        let name = &self.container_spec(index).name;
        format!(
            "back-off {} restarting failed container={name} pod={}_{}({})",
            go_duration(delay),
            spec.name,
            spec.namespace,
            spec.uid
        )
    }
}
