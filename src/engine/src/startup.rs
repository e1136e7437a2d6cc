//! What may run next (R2): entries of initContainers one after the other, then the mains; restarts that are due; and
//! the restart of all containers (R3.7).

use core::time::Duration;

use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::{Container, Life, Running, Stop, StopStage, StopWhy};
use crate::hook::HookRun;
use crate::pod::{Engine, PodLife, RestartingAll, Turn};
use crate::spec::{Attempt, ContainerIndex, Kind, RestartPolicy};
use crate::termination::Cause;

impl Engine {
    /// Starts what is due.
    pub(crate) fn advance_startup(&mut self, turn: &mut Turn<'_>) {
        if self.life != PodLife::Up || self.restarting_all != RestartingAll::No {
            return;
        }
        for index in self.indices() {
            match self.kind(index) {
                Kind::Main => self.advance_main(turn, index),
                Kind::Init | Kind::Sidecar => {
                    self.begin_if_due(turn, index);
                    self.start_if_created(turn, index);
                    if self.kind(index) == Kind::Sidecar && self.container(index).is_started() {
                        self.container_mut(index).done = true;
                    }
                    // R2.1, R2.2: nothing behind it until it is done once (R2.6).
                    if !self.container(index).done {
                        return;
                    }
                }
            }
        }
    }

    /// R2.4: made at once, started in spec order; a main's postStart holds up the mains behind it.
    fn advance_main(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        self.begin_if_due(turn, index);
        let held = self.indices().take_while(|&other| other < index).any(|other| {
            self.kind(other) == Kind::Main
                && match &self.container(other).life {
                    // An OCI hook that hangs in a restart hangs that container only.
                    Life::Preparing | Life::Abandoned | Life::Creating { .. } => !self.container(other).done,
                    Life::Created | Life::Starting { .. } => true,
                    Life::Running(running) => running.post_start != HookRun::Over && running.stop.is_none(),
                    Life::Waiting
                    | Life::Retry { .. }
                    | Life::BackOff { .. }
                    | Life::Discarded
                    | Life::Removing(_)
                    | Life::Over => false,
                }
        });
        if !held {
            self.start_if_created(turn, index);
        }
    }

    /// Whether nothing but time holds up the next attempt (R2.1, R2.2, R2.8, R5.10).
    pub(crate) fn may_begin(&self, index: ContainerIndex) -> bool {
        if self.ending.is_some() {
            return self.restarts_while_ending(index);
        }
        self.life == PodLife::Up
            && self.restarting_all == RestartingAll::No
            && self
                .indices()
                .take_while(|&other| other < index)
                .all(|other| self.kind(other) == Kind::Main || self.container(other).done)
    }

    /// Begins an attempt where it waits for nothing any more.
    pub(crate) fn begin_if_due(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let backoff = self.spec().backoff;
        let container = self.container_mut(index);
        match container.life {
            Life::Waiting => {}
            Life::Retry { at, .. } if at <= now => {}
            Life::BackOff { at, .. } if at <= now => {
                container.attempt = Attempt(container.attempt.0 + 1);
                container.made = false;
                container.backoff.raise(now, &backoff);
            }
            // An init that is done stays so.
            Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => return,
        }
        container.life = Life::Preparing;
        turn.act(index, container.attempt, ContainerAction::PrepareImage);
    }

    pub(crate) fn start_if_created(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if matches!(self.container(index).life, Life::Created) {
            self.assert_order(index);
            let container = self.container_mut(index);
            container.life = Life::Starting { kill_at: None, killed: false };
            turn.act(index, container.attempt, ContainerAction::Start);
        }
    }

    /// I1, I2: holds when a start is asked for, and still when it is answered.
    pub(crate) fn assert_order(&self, index: ContainerIndex) {
        let in_front = || self.indices().take_while(move |&other| other < index);
        debug_assert!(
            self.ending.is_some()
                || in_front().all(|other| self.kind(other) == Kind::Main || self.container(other).done),
            "I1: what is in front is done"
        );
        debug_assert!(
            self.kind(index) != Kind::Init
                || self.indices().all(|other| {
                    other == index || self.kind(other) != Kind::Init || !self.container(other).is_executing()
                }),
            "I2: one init at a time"
        );
    }

    /// Whether an attempt that is being made shall go on.
    pub(crate) fn is_wanted(&self, index: ContainerIndex) -> bool {
        if self.ending.is_some() { self.restarts_while_ending(index) } else { self.restarting_all == RestartingAll::No }
    }

    /// R3.7, R2.7: all containers are killed at once, and what comes up meanwhile too. Not where the pod's end turned out to be
    /// due at the same moment (R5.15): then it is that which stops them.
    pub(crate) fn kill_for_restart(&mut self, turn: &mut Turn<'_>) {
        if self.ending.is_some() || self.restarting_all == RestartingAll::No {
            return;
        }
        for index in self.indices() {
            self.kill_now(turn, index);
            self.mark_killed(turn.now.monotonic, index, StopWhy::RestartAll);
        }
    }

    /// R2.7: the pod's processes have gone with its sandbox. Start-up begins again in a new one, or the pod ends.
    pub(crate) fn sandbox_lost(&mut self, turn: &mut Turn<'_>) {
        if self.life != PodLife::Up {
            return;
        }
        self.life = PodLife::Lost;
        turn.changed();
        let ever_made = self.containers.iter().any(|one| one.made || one.attempt > Attempt(0));
        let ends = self.spec().restart_policy == RestartPolicy::Never && ever_made;
        if self.ending.is_some() || ends {
            if self.ending.is_none() {
                let message = "Pod sandbox is gone, and the pod isn't started again: its restartPolicy is Never".into();
                turn.record(Severity::Warning, EventReason::SandboxChanged, None, message);
                self.begin_ending(turn, Cause::Natural, Duration::ZERO);
            }
            return self.kill_all(turn);
        }
        let message = "Pod sandbox changed, it will be killed and re-created.".into();
        turn.record(Severity::Normal, EventReason::SandboxChanged, None, message);
        self.restarting_all = RestartingAll::Anew;
    }

    /// R3.7, R2.7: once nothing of any container is left, start-up begins again.
    pub(crate) fn advance_restart_all(&mut self, turn: &mut Turn<'_>) {
        if self.restarting_all == RestartingAll::No || !self.containers.iter().all(Container::is_settled) {
            return;
        }
        let anew = self.restarting_all == RestartingAll::Anew;
        self.restarting_all = RestartingAll::No;
        turn.changed();
        if anew {
            self.make_sandbox(turn);
        }
        let pod_policy = self.spec.restart_policy;
        let backoff = self.spec.backoff;
        for index in self.indices() {
            let spec = self.container_spec(index);
            let policy = spec.restart_policy.unwrap_or(pod_policy);
            let kind = spec.kind;
            let container = self.container_mut(index);
            let succeeded = container.last.as_ref().is_some_and(|last| last.exit_code == 0);
            if anew && kind == Kind::Main && policy == RestartPolicy::OnFailure && succeeded {
                container.life = Life::Over;
                continue;
            }
            container.done = false;
            let life = match (&container.life, container.ended_at) {
                (Life::Over, Some(ended)) => {
                    let delay = container.backoff.delay_after(ended, &backoff);
                    self.back_off(turn, index, ended.after(delay), delay)
                }
                (Life::Over, None) => Life::Waiting,
                // It could not be made in a sandbox that was gone.
                (Life::Retry { .. }, _) if anew => Life::Waiting,
                (
                    Life::Waiting
                    | Life::Retry { .. }
                    | Life::BackOff { .. }
                    | Life::Preparing
                    | Life::Abandoned
                    | Life::Creating { .. }
                    | Life::Created
                    | Life::Discarded
                    | Life::Starting { .. }
                    | Life::Running(_)
                    | Life::Removing(_),
                    _,
                ) => continue,
            };
            self.container_mut(index).life = life;
        }
    }

    /// SIGKILL to whatever of it is in the world.
    pub(crate) fn kill_now(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let container = self.container_mut(index);
        match &mut container.life {
            Life::Creating { killed, kill_at } => {
                *kill_at = None;
                if *killed {
                    return;
                }
                *killed = true;
            }
            Life::Preparing => container.life = Life::Abandoned,
            Life::Created => container.life = Life::Discarded,
            // Once is enough.
            Life::Running(Running { stop: Some(Stop { stage: StopStage::Killed { .. }, .. }), .. }) => return,
            Life::Starting { killed, kill_at } => {
                *kill_at = None;
                // Once more when the answer comes: it may have been sent before there was anything to kill.
                if *killed {
                    return;
                }
                *killed = true;
            }
            Life::Running(_) => {}
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Abandoned
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => return,
        }
        turn.act(index, container.attempt, ContainerAction::Kill);
    }
}
