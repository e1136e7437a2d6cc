//! How the pod ends (R5): who is told to stop when, how long each has, when the wait is over.

use core::time::Duration;

use alloc::string::ToString;

use super::ending::{Cause, Ending};
use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::{EventReason, Severity};
use crate::container::stop::{Stop, StopWhy};
use crate::container::{Container, Life, WhileEnding};
use crate::spec::{ContainerIndex, Kind};
use crate::status::{Deletion, PodReason};
use crate::time::Instant;

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
        let reserved = self.spec.sidecar_grace.unwrap_or(Duration::ZERO);
        let Some(ending) = &mut self.ending else { return };
        ending.shorten(turn.now.monotonic, grace, reserved);
        for (container, spec) in self.containers.iter_mut().zip(&self.spec.containers) {
            container.shorten(ending.deadline, ending.deadline_of(spec.kind));
        }
    }

    /// R5.7, forced: SIGKILL to everything, now.
    pub(crate) fn kill_requested(&mut self, turn: &mut Turn<'_>) {
        self.deletion_requested(turn, Duration::ZERO);
        self.kill_all(turn);
    }

    /// R5.19.
    pub(crate) fn interrupted(&mut self, turn: &mut Turn<'_>) {
        if self.interrupted {
            return self.kill_requested(turn);
        }
        self.interrupted = true;
        self.deletion_requested(turn, self.spec.grace_period);
    }

    /// SIGKILL to everything that is there, and to whatever appears, now that the pod ends.
    pub(crate) fn kill_all(&mut self, turn: &mut Turn<'_>) {
        if let Some(ending) = &mut self.ending {
            ending.killed = true;
        }
        for index in self.indices() {
            self.kill_now(turn, index);
            self.container_mut(index).mark_killed(turn.now.monotonic, StopWhy::PodEnds);
        }
    }

    /// From here on the pod is bound to end.
    pub(crate) fn begin_ending(&mut self, turn: &mut Turn<'_>, cause: Cause, grace: Duration) {
        let reserved = self.spec().sidecar_grace.unwrap_or(Duration::ZERO);
        self.end_instead_of_restart();
        let ending = Ending::begin(cause, turn.now.monotonic, grace, reserved);
        self.ending = Some(ending);
        self.restarting_all = RestartingAll::No;
        turn.changed();
        for index in self.indices() {
            let own = ending.deadline_of(self.kind(index));
            self.give_up_ahead(turn, index);
            let container = self.container_mut(index);
            match container.life {
                // R4.7, R2.8.
                Life::Waiting | Life::Retry { .. } | Life::BackOff { .. } => container.life = Life::Over,
                Life::Created => self.kill_now(turn, index),
                Life::Running(_) => self.begin_stop(turn, index, StopWhy::PodEnds, grace),
                // A creation or a start may hang: it has until the end of the grace (`advance_while_ending`), and no longer
                // where a restart that this takes over gave it more (R3.9).
                Life::Starting { .. } => container.shorten(ending.deadline, own),
                Life::Preparing
                | Life::Pulling { .. }
                | Life::Abandoned
                | Life::Creating { .. }
                | Life::Discarded
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
            self.container_mut(index).mark_killed(turn.now.monotonic, StopWhy::PodEnds);
        } else if self.restarts_while_ending(index) {
            if let Some(running) = self.container_mut(index).running_mut() {
                running.stop = Some(Stop::at_turn(StopWhy::PodEnds, turn.now.monotonic, ending.deadline));
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

    /// R5.20: it is counted from the start, so that it may be over already.
    pub(crate) fn active_deadline_set(&mut self, turn: &mut Turn<'_>, length: Duration) {
        let before = self.spec.active_deadline;
        self.spec.active_deadline = Some(before.map_or(length, |before| before.min(length)));
        turn.changed();
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
            && self.indices().all(|index| self.kind(index) != Kind::Main || self.container(index).is_over())
    }

    /// Sidecars that are restarted while the mains stop (R5.10), and creations and starts that outlive the grace.
    fn advance_while_ending(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if self.restarts_while_ending(index) {
            self.begin_if_due_again(turn, index);
            self.start_if_created(turn, index);
            return;
        }
        let Some(ending) = self.ending else { return };
        let own = ending.deadline_of(self.kind(index));
        match self.container_mut(index).advance_while_ending(turn.now.monotonic, ending.deadline, own) {
            WhileEnding::Rests => {}
            WhileEnding::Moved => turn.changed(),
            WhileEnding::IsToBeKilled => self.kill_now(turn, index),
        }
    }

    fn begin_if_due_again(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        // `Waiting` was never started, and nothing new is (R2.8).
        if !matches!(self.container(index).life, Life::Waiting) {
            self.begin_if_due(turn, index);
        }
    }
}
