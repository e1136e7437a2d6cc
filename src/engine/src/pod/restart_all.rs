//! All containers begin again: by a rule of one of them (R3.7), or because the sandbox is gone (R2.7).

use core::time::Duration;

use super::ending::Cause;
use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::{EventReason, Severity};
use crate::container::Life;
use crate::container::stop::StopWhy;
use crate::spec::{Attempt, Kind, RestartPolicy};

impl Engine {
    /// R3.7, R2.7: all containers are killed at once, and what comes up meanwhile too; where somebody asked for it they are
    /// stopped in order (R3.9). Not where the pod's end turned out to be
    /// due at the same moment (R5.15): then it is that which stops them.
    pub(crate) fn kill_for_restart(&mut self, turn: &mut Turn<'_>) {
        if self.ending.is_some() {
            return;
        }
        match self.restarting_all {
            RestartingAll::No => return,
            RestartingAll::InOrder(asked) => return self.stop_for_restart(turn, asked),
            RestartingAll::Yes | RestartingAll::Anew => {}
        }
        for index in self.indices() {
            if !self.is_restarting(index) {
                continue;
            }
            self.kill_now(turn, index);
            self.container_mut(index).mark_killed(turn.now.monotonic, StopWhy::RestartAll);
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
        if self.restarting_all == RestartingAll::No || !self.restarted_are_settled() {
            return;
        }
        if self.restarts_in_order() {
            return self.start_again_in_order(turn);
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
            if kind == Kind::Ephemeral {
                if anew {
                    self.begin_ephemeral_again(index);
                }
                continue;
            }
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
                    | Life::Pulling { .. }
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
}
