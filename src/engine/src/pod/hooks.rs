//! Hooks of the pod (R7): postStart holds "started", preStop eats from the grace. What a handler does is the shell's business.

use super::{Engine, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::hook::{Answered, HookRun};
use crate::container::stop::StopWhy;
use crate::event::{Hook, HookResult};
use crate::spec::ContainerIndex;

impl Engine {
    /// The shell's answer to `RunHook`.
    pub(crate) fn hook_done(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, hook: Hook, result: HookResult) {
        let Some(running) = self.container(index).running() else { return };
        let stop = running.stop.as_ref();
        let wanted = match hook {
            // One that died with the container that is being stopped: the container isn't started for that.
            Hook::PostStart
                if stop.is_some() && result != HookResult::Success && !self.restarts_while_ending(index) =>
            {
                return;
            }
            Hook::PostStart => self.is_wanted(index),
            Hook::PreStop => stop.is_some_and(|stop| stop.has_grace(turn.now.monotonic)),
        };
        // One that was given up died with its container (R5.6): nobody waits for it, and that it ends isn't news.
        let Some(run) = self.run_of(index, hook) else { return };
        match (run.answered(result, wanted), hook) {
            (Answered::Ignored | Answered::Over, _) => {}
            (Answered::Again, _) => {
                turn.act(index, self.container(index).attempt, ContainerAction::RunHook(hook));
            }
            (Answered::Failed(message), Hook::PreStop) => {
                turn.record(Severity::Warning, EventReason::FailedPreStopHook, Some(index), message);
            }
            // R7.1: it is killed.
            (Answered::Failed(message), Hook::PostStart) => {
                turn.record(Severity::Warning, EventReason::FailedPostStartHook, Some(index), message);
                let grace = self.spec().grace_period;
                self.begin_stop(turn, index, StopWhy::PostStart, grace);
            }
        }
    }

    /// How far a hook of a running instance is; `None`: there is no such instance, or the hook isn't what it is at.
    fn run_of(&mut self, index: ContainerIndex, hook: Hook) -> Option<&mut HookRun> {
        let running = self.container_mut(index).running_mut()?;
        match hook {
            Hook::PostStart => Some(&mut running.post_start),
            Hook::PreStop => running.stop.as_mut()?.hook_mut(),
        }
    }

    /// Ends sleeps that are over.
    pub(crate) fn wake_hooks(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        for hook in [Hook::PostStart, Hook::PreStop] {
            if self.run_of(index, hook).is_some_and(|run| run.wake(turn.now.monotonic)) {
                turn.changed();
            }
        }
    }
}
