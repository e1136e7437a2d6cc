//! How the pod ends (R5): who is told to stop when, how long each has, when the wait is over.

use core::time::Duration;

use alloc::string::ToString;
use serde::{Deserialize, Serialize};

use crate::action::{EventReason, Severity};
use crate::container::{After, Container, Life, PreStop, Running, Stop, StopStage, StopWhy};
use crate::pod::{Engine, PodLife, RestartingAll, Turn};
use crate::spec::{ContainerIndex, Kind};
use crate::status::{Deletion, GraceUse, Phase, PodReason, Terminated, TerminatedReason};
use crate::time::Instant;

/// R5.10: with a grace of this or less sidecars aren't restarted.
const NO_RESTARTS_BELOW: Duration = Duration::from_secs(1);

/// The end of the pod, from the moment it is bound to come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub cause: Cause,
    pub began: Instant,
    /// When the grace runs out for sidecars.
    pub deadline: Instant,
    /// When it runs out for all others (R5.17).
    pub mains_deadline: Instant,
    /// Whether sidecars are still restarted (R5.10).
    pub restarts: bool,
    /// Forced: SIGKILL to whatever appears.
    pub killed: bool,
}

/// Why the pod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// R5.1.
    Natural,
    /// R3.3.
    InitFailed,
    /// A stop request.
    Deletion,
    /// R5.15.
    Deadline,
    /// It used more disk than it may.
    Eviction,
    /// `--timeout` ran out.
    TimedOut,
    /// `--fail-fast`: it could not succeed any more, for the sake of this container, or of its sandbox.
    FailFast { container: Option<ContainerIndex> },
}

impl Ending {
    /// When the grace of a container of this kind runs out (R5.17).
    pub fn deadline_of(&self, kind: Kind) -> Instant {
        match kind {
            Kind::Sidecar => self.deadline,
            Kind::Init | Kind::Main => self.mains_deadline,
        }
    }
}

impl Engine {
    /// A stop request: deletion, or R5.8.
    pub(crate) fn deletion_requested(&mut self, turn: &mut Turn<'_>, grace: Duration) {
        let shorter = self.deletion.is_none_or(|deletion| grace < deletion.grace_period);
        if shorter {
            let requested = self.deletion.map_or(turn.now.wall, |deletion| deletion.requested);
            self.deletion = Some(Deletion { requested, grace_period: grace });
        }
        if self.ending.is_none() {
            return self.begin_ending(turn, Cause::Deletion, grace);
        }
        self.shorten_ending(turn, grace);
    }

    /// R5.8: what is left of the grace is this at most.
    pub(crate) fn shorten_ending(&mut self, turn: &mut Turn<'_>, grace: Duration) {
        let deadline = turn.now.monotonic.after(grace);
        let reserved = self.spec.sidecar_grace.unwrap_or(Duration::ZERO);
        let Some(ending) = &mut self.ending else { return };
        ending.deadline = ending.deadline.min(deadline);
        ending.mains_deadline = ending.mains_deadline.min(turn.now.monotonic.after(grace.saturating_sub(reserved)));
        if grace <= NO_RESTARTS_BELOW {
            ending.restarts = false;
        }
        let ending = *ending;
        for (container, spec) in self.containers.iter_mut().zip(&self.spec.containers) {
            match &mut container.life {
                Life::Creating { kill_at: Some(at), .. } => *at = (*at).min(deadline),
                Life::Starting { kill_at: Some(at), .. } => *at = (*at).min(ending.deadline_of(spec.kind)),
                Life::Running(Running { stop: Some(stop), .. }) => stop.shorten(ending.deadline_of(spec.kind)),
                Life::Creating { kill_at: None, .. }
                | Life::Starting { kill_at: None, .. }
                | Life::Running(Running { stop: None, .. })
                | Life::Waiting
                | Life::Retry { .. }
                | Life::BackOff { .. }
                | Life::Preparing
                | Life::Abandoned
                | Life::Created
                | Life::Discarded
                | Life::Removing(_)
                | Life::Over => {}
            }
        }
    }

    /// R5.7, forced: SIGKILL to everything, now.
    pub(crate) fn kill_requested(&mut self, turn: &mut Turn<'_>) {
        self.deletion_requested(turn, Duration::ZERO);
        self.kill_all(turn);
    }

    /// SIGKILL to everything that is there, and to whatever appears, now that the pod ends.
    pub(crate) fn kill_all(&mut self, turn: &mut Turn<'_>) {
        if let Some(ending) = &mut self.ending {
            ending.killed = true;
        }
        for index in self.indices() {
            self.kill_now(turn, index);
            self.mark_killed(turn.now.monotonic, index, StopWhy::PodEnds);
        }
    }

    /// From here on the pod is bound to end.
    pub(crate) fn begin_ending(&mut self, turn: &mut Turn<'_>, cause: Cause, grace: Duration) {
        let now = turn.now.monotonic;
        let reserved = self.spec().sidecar_grace.unwrap_or(Duration::ZERO);
        let restarts = match cause {
            Cause::Deletion | Cause::Deadline | Cause::TimedOut | Cause::FailFast { .. }
                if grace > NO_RESTARTS_BELOW =>
            {
                true
            }
            Cause::Deletion
            | Cause::Deadline
            | Cause::TimedOut
            | Cause::FailFast { .. }
            | Cause::Natural
            | Cause::InitFailed
            | Cause::Eviction => false,
        };
        self.ending = Some(Ending {
            cause,
            began: now,
            deadline: now.after(grace),
            mains_deadline: now.after(grace.saturating_sub(reserved)),
            restarts,
            killed: false,
        });
        self.restarting_all = RestartingAll::No;
        turn.changed();
        for index in self.indices() {
            let container = self.container_mut(index);
            match container.life {
                // R4.7, R2.8.
                Life::Waiting | Life::Retry { .. } | Life::BackOff { .. } => container.life = Life::Over,
                Life::Created => self.kill_now(turn, index),
                Life::Running(_) => self.begin_stop(turn, index, StopWhy::PodEnds, grace),
                // A creation or a start may hang: it has until the end of the grace (`advance_while_ending`).
                Life::Preparing
                | Life::Abandoned
                | Life::Creating { .. }
                | Life::Discarded
                | Life::Starting { .. }
                | Life::Removing(_)
                | Life::Over => {}
            }
        }
    }

    /// A container that came up while the pod ends: a sidecar by R5.10, or one whose start was under way.
    pub(crate) fn join_ending(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let Some(ending) = self.ending else { return };
        if ending.killed {
            self.kill_now(turn, index);
            self.mark_killed(turn.now.monotonic, index, StopWhy::PodEnds);
        } else if self.restarts_while_ending(index) {
            let now = turn.now.monotonic;
            let stop = Stop {
                why: StopWhy::PodEnds,
                began: now,
                deadline: ending.deadline,
                stage: StopStage::Turn { since: now },
                pre_stop: PreStop::Due,
                used: GraceUse::default(),
            };
            if let Some(running) = self.container_mut(index).running_mut() {
                running.stop = Some(stop);
            }
        } else {
            self.begin_stop(turn, index, StopWhy::PodEnds, Duration::ZERO);
        }
    }

    /// R5.10: whether a sidecar that exits now is started again though the pod ends; in a sandbox that is gone none is.
    pub(crate) fn restarts_while_ending(&self, index: ContainerIndex) -> bool {
        self.kind(index) == Kind::Sidecar
            && self.life == PodLife::Up
            && self.ending.is_some_and(|ending| ending.restarts && !ending.killed)
            && self.mains_run()
    }

    fn mains_run(&self) -> bool {
        self.indices().any(|index| self.kind(index) == Kind::Main && self.holds_turns(index))
    }

    /// R5.3, R5.4: only what runs is waited for.
    fn holds_turns(&self, index: ContainerIndex) -> bool {
        self.container(index).is_executing()
    }

    /// R5.3.
    pub(crate) fn turn_has_come(&self, index: ContainerIndex) -> bool {
        !self.mains_run()
            && !self
                .indices()
                .any(|later| later > index && self.kind(later) == Kind::Sidecar && self.holds_turns(later))
    }

    /// When `activeDeadlineSeconds` runs out (R5.15). A pod that ends already can still fail by it, as at the kubelet's
    /// (kubelet_pods.go, generateAPIPodStatus), as long as something of it is there.
    pub(crate) fn active_deadline(&self) -> Option<Instant> {
        let decided = self.ending.is_some_and(|ending| match ending.cause {
            Cause::Deadline | Cause::Eviction | Cause::TimedOut | Cause::FailFast { .. } => true,
            Cause::Natural | Cause::InitFailed | Cause::Deletion => !self.containers.iter().any(Container::is_live),
        });
        match (decided, self.began, self.spec().active_deadline) {
            (false, Some(began), Some(length)) => Some(began.after(length)),
            (true | false, None | Some(_), None | Some(_)) => None,
        }
    }

    /// R5.15: the pod fails. One that is being stopped keeps the grace it has.
    fn deadline_exceeded(&mut self, turn: &mut Turn<'_>) {
        self.reason = Some(PodReason::DeadlineExceeded);
        self.message = "Pod was active on the node longer than the specified deadline".to_string();
        let message = self.message.clone();
        turn.record(Severity::Normal, EventReason::DeadlineExceeded, None, message);
        if let Some(ending) = &mut self.ending {
            ending.cause = Cause::Deadline;
            return turn.changed();
        }
        let grace = self.spec().grace_period;
        self.begin_ending(turn, Cause::Deadline, grace);
    }

    pub(crate) fn advance_termination(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.monotonic;
        if self.active_deadline().is_some_and(|deadline| deadline <= now) {
            self.deadline_exceeded(turn);
        }
        if self.ending.is_none() && self.restarting_all == RestartingAll::No && self.mains_are_over() {
            let grace = self.spec().grace_period;
            self.begin_ending(turn, Cause::Natural, grace);
        }
        self.fail_fast(turn);
        if self.timeout().is_some_and(|timeout| timeout <= now) {
            self.timed_out(turn);
        }
        if let Some(ending) = &mut self.ending
            && ending.deadline <= now
        {
            ending.restarts = false;
        }
        self.kill_for_restart(turn);
        // Mains first: what follows from a step of theirs is seen by the sidecars in the same pass.
        for index in self.indices().collect::<alloc::vec::Vec<_>>().into_iter().rev() {
            self.advance_stop(turn, index);
            if self.ending.is_some() {
                self.advance_while_ending(turn, index);
            }
        }
    }

    /// R5.1.
    fn mains_are_over(&self) -> bool {
        self.life == PodLife::Up
            && self.indices().all(|index| {
                self.kind(index) != Kind::Main
                    || matches!(self.container(index).life, Life::Over | Life::Removing(After::Over))
            })
    }

    /// Sidecars that are restarted while the mains stop (R5.10), and creations and starts that outlive the grace.
    fn advance_while_ending(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if self.restarts_while_ending(index) {
            self.begin_if_due_again(turn, index);
            self.start_if_created(turn, index);
            return;
        }
        let now = turn.now.monotonic;
        let deadline = self.ending.map(|ending| ending.deadline);
        // A start may become a program that others wait for: it has what its kind has (R5.17).
        let own_deadline = self.ending.map(|ending| ending.deadline_of(self.kind(index)));
        let container = self.container_mut(index);
        match container.life {
            Life::BackOff { .. } | Life::Retry { .. } => {
                container.life = Life::Over;
                turn.changed();
            }
            // R5.16: it may hang, and nothing of the container is there yet that the grace could be for.
            Life::Preparing => self.kill_now(turn, index),
            Life::Created => self.kill_now(turn, index),
            Life::Creating { kill_at: Some(at), .. } if at <= now => self.kill_now(turn, index),
            Life::Creating { kill_at: ref mut kill_at @ None, killed: false } => {
                *kill_at = deadline;
                turn.changed();
            }
            Life::Starting { kill_at: Some(at), .. } if at <= now => self.kill_now(turn, index),
            Life::Starting { kill_at: ref mut kill_at @ None, killed: false } => {
                *kill_at = own_deadline;
                turn.changed();
            }
            Life::Creating { .. }
            | Life::Starting { .. }
            | Life::Waiting
            | Life::Abandoned
            | Life::Discarded
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => {}
        }
    }

    fn begin_if_due_again(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        // `Waiting` was never started, and nothing new is (R2.8).
        if !matches!(self.container(index).life, Life::Waiting) {
            self.begin_if_due(turn, index);
        }
    }

    /// R8.1: the phase the pod ends in.
    pub(crate) fn terminal_phase(&self, cause: Cause) -> Phase {
        let succeeded = match cause {
            Cause::Natural | Cause::Deletion => {
                self.indices().all(|index| self.kind(index) != Kind::Main || self.container(index).has_succeeded())
            }
            Cause::InitFailed | Cause::Deadline | Cause::Eviction | Cause::TimedOut | Cause::FailFast { .. } => false,
        };
        if succeeded { Phase::Succeeded } else { Phase::Failed }
    }

    /// R8.6: the supervisor is gone, and so is all it had started.
    pub(crate) fn lost(&mut self, turn: &mut Turn<'_>) {
        let wall = turn.now.wall;
        for container in &mut self.containers {
            let started_at = match &container.life {
                Life::Running(running) => Some(running.since_wall),
                Life::Starting { .. } => None,
                Life::Waiting
                | Life::Retry { .. }
                | Life::BackOff { .. }
                | Life::Preparing
                | Life::Abandoned
                | Life::Creating { .. }
                | Life::Created
                | Life::Discarded
                | Life::Removing(_)
                | Life::Over => {
                    container.life = Life::Over;
                    continue;
                }
            };
            container.life = Life::Over;
            container.previous = container.last.replace(Terminated {
                exit_code: 137,
                signal: None,
                reason: TerminatedReason::ContainerStatusUnknown,
                message: "The container could not be located when the pod was terminated".to_string(),
                started_at,
                finished_at: Some(wall),
                container_id: container.container_id.clone(),
            });
        }
        if self.terminal.is_none() {
            self.terminal = Some(Phase::Failed);
            let message =
                "The supervisor ended without finishing the pod; what was left of it has been removed".to_string();
            // One that was being evicted has failed for that.
            if self.evicted.is_none() {
                self.reason = Some(PodReason::SupervisorLost);
                self.message.clone_from(&message);
            }
            turn.record(Severity::Warning, EventReason::SupervisorLost, None, message);
        }
        self.restarting_all = RestartingAll::No;
        self.life = PodLife::Finished;
    }
}
