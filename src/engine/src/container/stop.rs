//! How one running instance is stopped (R5.2): preStop hook, its turn, stop signal, SIGKILL. When, and who before whom, the
//! pod says; how far it is, and what is to be done next, is known here alone.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::hook::HookRun;
use crate::spec::HookSpec;
use crate::status::{GraceEnd, GraceUse};
use crate::time::Instant;

/// R5.2 (c): the least time between the stop signal and SIGKILL.
const MINIMUM_GRACE: Duration = Duration::from_secs(2);

/// The procedure of R5.2 on one instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stop {
    why: StopWhy,
    /// When its grace runs out.
    deadline: Instant,
    stage: StopStage,
    pre_stop: PreStop,
    used: GraceUse,
}

/// Why a container is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopWhy {
    /// The pod ends.
    PodEnds,
    /// A liveness or startup probe failed (R5.13).
    Probe,
    /// Its postStart hook failed (R7.1).
    PostStart,
    /// All containers are restarted (R3.7).
    RestartAll,
    /// Its new resources ask for it.
    Resize,
    /// Somebody asked for its restart (R3.9).
    Restart,
    /// What it is made of has changed (R3.10).
    Changed,
}

/// Whether the preStop hook of a container that is stopped is still to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum PreStop {
    Due,
    Past,
}

/// How far the procedure of R5.2 is.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum StopStage {
    /// (a)
    Hook { since: Instant, run: HookRun },
    /// (b)
    Turn { since: Instant },
    /// (d), (e)
    Signaled { at: Instant, kill_at: Instant },
    /// After (e).
    Killed { signaled: Instant },
}

/// What one step of the procedure came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopStep {
    /// It waits.
    Rests,
    /// It is further, and nothing is to be done.
    Moved,
    /// The preStop hook is to be run by the shell.
    RunHook,
    /// The stop signal is to be sent.
    Signal,
    /// SIGKILL is to be sent.
    Kill,
}

impl Stop {
    /// Begins with the preStop hook (R5.5), which is run where there is grace. Where it [is asked for](Self::hook_mut), the
    /// shell is to run it.
    pub fn with_hook(why: StopWhy, now: Instant, deadline: Instant, hook: Option<HookSpec>) -> Self {
        let due = if deadline > now { hook } else { None };
        let stage = StopStage::Hook { since: now, run: HookRun::begin(due, now) };
        Self { why, deadline, stage, pre_stop: PreStop::Past, used: GraceUse::default() }
    }

    /// Begins with its turn; the preStop hook comes then (R5.17), or when it is stopped after a restart (R5.10).
    pub fn at_turn(why: StopWhy, now: Instant, deadline: Instant) -> Self {
        let stage = StopStage::Turn { since: now };
        Self { why, deadline, stage, pre_stop: PreStop::Due, used: GraceUse::default() }
    }

    /// Begins where it ends.
    pub fn killed(why: StopWhy, now: Instant) -> Self {
        let stage = StopStage::Killed { signaled: now };
        Self { why, deadline: now, stage, pre_stop: PreStop::Past, used: GraceUse::default() }
    }

    /// What it is stopped for.
    pub fn why(&self) -> StopWhy {
        self.why
    }

    /// Whether grace is left.
    pub fn has_grace(&self, now: Instant) -> bool {
        self.deadline > now
    }

    /// Its preStop hook, where that is what it is at.
    pub fn hook_mut(&mut self) -> Option<&mut HookRun> {
        match &mut self.stage {
            StopStage::Hook { run, .. } => Some(run),
            StopStage::Turn { .. } | StopStage::Signaled { .. } | StopStage::Killed { .. } => None,
        }
    }

    /// The shell is to run its preStop hook, and has yet to answer.
    pub fn asks_for_hook(&self) -> bool {
        matches!(self.stage, StopStage::Hook { run, .. } if run.is_asked())
    }

    /// It has been sent neither its stop signal nor SIGKILL.
    pub fn is_before_signal(&self) -> bool {
        self.signaled_at().is_none()
    }

    /// It has been sent SIGKILL.
    pub fn is_killed(&self) -> bool {
        matches!(self.stage, StopStage::Killed { .. })
    }

    /// One step where it is due; `waits`: its turn has not come. `hook`: its preStop hook.
    pub fn advance(&mut self, now: Instant, waits: bool, hook: Option<HookSpec>) -> StopStep {
        let expired = !self.has_grace(now);
        let waits = waits && !expired;
        match self.stage {
            StopStage::Hook { run, .. } => {
                if (run.is_asked() || run.sleeps_until().is_some()) && !expired {
                    return StopStep::Rests;
                }
                if waits {
                    self.enter(now, StopStage::Turn { since: now });
                    StopStep::Moved
                } else {
                    self.signal(now)
                }
            }
            StopStage::Turn { .. } => {
                if waits {
                    return StopStep::Rests;
                }
                if self.pre_stop == PreStop::Due && hook.is_some() && !expired {
                    self.pre_stop = PreStop::Past;
                    let run = HookRun::begin(hook, now);
                    self.enter(now, StopStage::Hook { since: now, run });
                    if run.is_asked() { StopStep::RunHook } else { StopStep::Moved }
                } else {
                    self.signal(now)
                }
            }
            StopStage::Signaled { at, kill_at } => {
                if kill_at > now {
                    return StopStep::Rests;
                }
                self.enter(now, StopStage::Killed { signaled: at });
                StopStep::Kill
            }
            StopStage::Killed { .. } => StopStep::Rests,
        }
    }

    fn signal(&mut self, now: Instant) -> StopStep {
        debug_assert!(self.is_before_signal(), "I8: one stop signal");
        // R5.2 (c).
        let kill_at = self.deadline.max(now.after(MINIMUM_GRACE));
        self.enter(now, StopStage::Signaled { at: now, kill_at });
        StopStep::Signal
    }

    /// It has been sent SIGKILL, whatever it was at.
    pub fn mark_killed(&mut self, now: Instant, why: StopWhy) {
        self.why = why;
        self.enter(now, StopStage::Killed { signaled: self.signaled_at().unwrap_or(now) });
    }

    /// R5.8: a shorter grace.
    pub fn shorten(&mut self, deadline: Instant) {
        self.deadline = self.deadline.min(deadline);
        if let StopStage::Signaled { at, kill_at } = &mut self.stage {
            *kill_at = (*kill_at).min(self.deadline.max(at.after(MINIMUM_GRACE)));
        }
    }

    /// It is stopped for something else as well: that grace wins (R5.13). `why`: where that is the reason from here on.
    pub fn join(&mut self, why: Option<StopWhy>, deadline: Instant) {
        self.why = why.unwrap_or(self.why);
        match &mut self.stage {
            StopStage::Hook { .. } | StopStage::Turn { .. } => self.deadline = deadline,
            StopStage::Signaled { at, kill_at } => {
                self.deadline = deadline;
                *kill_at = (*kill_at).min(deadline.max(at.after(MINIMUM_GRACE)));
            }
            StopStage::Killed { .. } => {}
        }
    }

    /// Whatever it is stopped for, it is wanted again, and has until `deadline` at most (R3.9).
    pub fn restart(&mut self, why: StopWhy, deadline: Instant) {
        self.why = why;
        self.shorten(deadline);
    }

    /// It isn't wanted again.
    pub fn end_with_pod(&mut self) {
        self.why = StopWhy::PodEnds;
    }

    /// When it needs attention though nothing happens.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.stage {
            StopStage::Hook { run, .. } => Some(run.sleeps_until().map_or(self.deadline, |end| end.min(self.deadline))),
            StopStage::Turn { .. } => Some(self.deadline),
            StopStage::Signaled { kill_at, .. } => Some(kill_at),
            StopStage::Killed { .. } => None,
        }
    }

    /// When it is killed at the latest, as far as that is known; `None`: it waits for others itself.
    pub fn awaited_until(&self, now: Instant) -> Option<Instant> {
        match self.stage {
            StopStage::Hook { .. } => Some(self.deadline),
            StopStage::Turn { .. } => None,
            StopStage::Signaled { kill_at, .. } => Some(kill_at),
            StopStage::Killed { .. } => Some(now),
        }
    }

    /// R5.18: how it has used the grace, where it ends now.
    pub fn grace_used(&self, now: Instant) -> GraceUse {
        let mut used = self.used;
        match self.stage {
            StopStage::Hook { since, .. } => used.hook += now.since(since),
            StopStage::Turn { since } => used.turn += now.since(since),
            StopStage::Signaled { at, .. } => used.stopping = now.since(at),
            StopStage::Killed { signaled: at } => {
                used.stopping = now.since(at);
                used.end = GraceEnd::Killed;
            }
        }
        used
    }

    fn signaled_at(&self) -> Option<Instant> {
        match self.stage {
            StopStage::Hook { .. } | StopStage::Turn { .. } => None,
            StopStage::Signaled { at, .. } | StopStage::Killed { signaled: at } => Some(at),
        }
    }

    /// Adds up the time spent in the stage that ends (R5.18).
    fn enter(&mut self, now: Instant, stage: StopStage) {
        match self.stage {
            StopStage::Hook { since, .. } => self.used.hook += now.since(since),
            StopStage::Turn { since } => self.used.turn += now.since(since),
            StopStage::Signaled { .. } | StopStage::Killed { .. } => {}
        }
        self.stage = stage;
    }
}
