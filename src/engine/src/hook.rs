//! Hooks (R7): postStart holds "started", preStop eats from the grace. What a handler does is the shell's business.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::{Stop, StopStage, StopWhy};
use crate::event::{Hook, HookResult};
use crate::pod::{Engine, Turn};
use crate::spec::{ContainerIndex, HookSpec};
use crate::time::Instant;

/// R6.5: how often a probe or hook is tried that can't be carried out.
pub(crate) const TRIES: u8 = 3;

/// How far a hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HookRun {
    /// The shell runs it. `tries`: how often it was asked to, this time included.
    Handler { tries: u8 },
    /// A `sleep` that ends then (R7.4).
    Sleep { until: Instant },
    /// It is over, or there is none.
    Over,
    /// It failed: as a postStart its container is never started (R2.3) but ended (R7.1).
    Failed,
    /// A postStart that is never run, for the pod ended first: its container isn't started (R2.3).
    Skipped,
}

impl Engine {
    /// Starts a hook and gives how far it is then.
    pub(crate) fn begin_hook(
        &self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        hook: Hook,
        spec: Option<HookSpec>,
    ) -> HookRun {
        match spec {
            None => HookRun::Over,
            Some(HookSpec::Sleep(length)) => HookRun::Sleep { until: turn.now.monotonic.after(length) },
            Some(HookSpec::Handler) => {
                turn.act(index, self.container(index).attempt, ContainerAction::RunHook(hook));
                HookRun::Handler { tries: 1 }
            }
        }
    }

    /// The shell's answer to `RunHook`.
    pub(crate) fn hook_done(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, hook: Hook, result: HookResult) {
        let failure = match result {
            HookResult::Success => None,
            HookResult::Failure { message } => Some(message),
            HookResult::Error { message } => {
                if self.try_hook_again(turn, index, hook) {
                    return;
                }
                Some(message)
            }
            // Nobody is to blame. Its container's end is what is waited for.
            HookResult::ContainerEnds => return,
        };
        match hook {
            Hook::PostStart => self.post_start_done(turn, index, failure),
            Hook::PreStop => {
                // One that was given up died with its container (R5.6): nobody waits for it, and that it ends isn't news.
                if let Some(run) = self.run_of(index, hook)
                    && matches!(run, HookRun::Handler { .. })
                {
                    *run = HookRun::Over;
                    if let Some(message) = failure {
                        turn.record(Severity::Warning, EventReason::FailedPreStopHook, Some(index), message);
                    }
                }
            }
        }
    }

    /// A hook that could not be carried out is tried as a probe is (R6.5), for as long as its result means something.
    fn try_hook_again(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, hook: Hook) -> bool {
        let container = self.container(index);
        let attempt = container.attempt;
        let stop = container.running().and_then(|running| running.stop.as_ref());
        let wanted = match hook {
            Hook::PostStart => self.is_wanted(index) && (stop.is_none() || self.restarts_while_ending(index)),
            Hook::PreStop => stop.is_some_and(|stop| stop.deadline > turn.now.monotonic),
        };
        let Some(HookRun::Handler { tries }) = self.run_of(index, hook) else { return false };
        let again = wanted && *tries < TRIES;
        if again {
            *tries += 1;
            turn.act(index, attempt, ContainerAction::RunHook(hook));
        }
        again
    }

    /// How far a hook of a running instance is; `None`: there is no such instance, or the hook isn't what it is at.
    fn run_of(&mut self, index: ContainerIndex, hook: Hook) -> Option<&mut HookRun> {
        let running = self.container_mut(index).running_mut()?;
        match (hook, &mut running.stop) {
            (Hook::PostStart, _) => Some(&mut running.post_start),
            (Hook::PreStop, Some(Stop { stage: StopStage::Hook { run, .. }, .. })) => Some(run),
            (Hook::PreStop, Some(_) | None) => None,
        }
    }

    fn post_start_done(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, failure: Option<String>) {
        let Some(running) = self.container(index).running() else { return };
        if !matches!(running.post_start, HookRun::Handler { .. }) {
            return;
        }
        let stopping = running.stop.is_some();
        if stopping && failure.is_some() && !self.restarts_while_ending(index) {
            // It died with the container that is being stopped: it isn't started for that.
            return;
        }
        if let Some(running) = self.container_mut(index).running_mut() {
            running.post_start = if failure.is_some() { HookRun::Failed } else { HookRun::Over };
        }
        // R7.1: it is killed.
        if let Some(message) = failure {
            turn.record(Severity::Warning, EventReason::FailedPostStartHook, Some(index), message);
            let grace = self.spec().grace_period;
            self.begin_stop(turn, index, StopWhy::PostStart, grace);
        }
    }

    /// Ends sleeps that are over.
    pub(crate) fn wake_hooks(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let Some(running) = self.container_mut(index).running_mut() else { return };
        if let HookRun::Sleep { until } = running.post_start
            && until <= now
        {
            running.post_start = HookRun::Over;
            turn.changed();
        }
        if let Some(stop) = &mut running.stop
            && let StopStage::Hook { run, .. } = &mut stop.stage
            && let HookRun::Sleep { until } = *run
            && until <= now
        {
            *run = HookRun::Over;
            turn.changed();
        }
    }
}
