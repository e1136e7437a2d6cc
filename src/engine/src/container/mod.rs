//! One container: where its current attempt stands, and what it remembers of earlier ones. Nothing here knows the pod: what
//! depends on other containers comes in as arguments, and what is to be done goes out as results.

mod ahead;
mod asked;
pub(crate) mod hook;
mod life;
pub(crate) mod probes;
pub(crate) mod resize;
pub(crate) mod restart;
pub(crate) mod stop;

use alloc::string::{String, ToString};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{Attempt, Backoff, ImageOf};
use crate::status::{GraceUse, Terminated, TerminatedReason};
use crate::time::{Instant, WallTime};
pub(crate) use ahead::Ahead;
pub(crate) use asked::UntilRestart;
use hook::HookRun;
pub(crate) use life::{AfterRemoval, Life, Running, WhileEnding};
use probes::Probing;
use resize::{OutdatedLimits, Resizing};
use restart::BackoffState;
use stop::{Stop, StopWhy};

/// What the engine holds of one container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Container {
    /// Where it stands.
    pub life: Life,
    /// The attempt that `life` is about, or that comes next.
    pub attempt: Attempt,
    /// Whether an instance of `attempt` was ever created.
    pub made: bool,
    /// How the newest instance that ended did so, and the one before.
    pub last: Option<Terminated>,
    pub previous: Option<Terminated>,
    /// R2.1, R2.6: whether an entry of initContainers was done, or a main ever ran, in this life of the sandbox.
    pub done: bool,
    /// When the newest instance that ended did so.
    pub ended_at: Option<Instant>,
    /// R4.
    pub backoff: BackoffState,
    /// Image pulls have a back-off of their own.
    pub pull_backoff: Option<Duration>,
    pub container_id: Option<String>,
    pub image_id: Option<String>,
    /// Which image is looked for or pulled, or could not be had (R8.17).
    #[serde(default, skip_serializing_if = "ImageOf::is_container")]
    pub image_of: ImageOf,
    /// Its image before its turn (R8.15).
    #[serde(default, skip_serializing_if = "Ahead::is_no")]
    pub ahead: Ahead,
    /// The stop signal its image asks for (R5.12).
    pub image_stop_signal: Option<i32>,
    /// R5.18.
    pub grace_use: Option<GraceUse>,
    /// New resources that it is being restarted for.
    #[serde(default)]
    pub resizing: Option<Resizing>,
    /// What is to be written to cgroups when its next instance is made.
    #[serde(default)]
    pub outdated: OutdatedLimits,
}

impl Container {
    pub fn new() -> Self {
        Self {
            life: Life::Waiting,
            attempt: Attempt(0),
            made: false,
            last: None,
            previous: None,
            done: false,
            ended_at: None,
            backoff: BackoffState::default(),
            pull_backoff: None,
            container_id: None,
            image_id: None,
            image_of: ImageOf::Container,
            ahead: Ahead::No,
            image_stop_signal: None,
            grace_use: None,
            resizing: None,
            outdated: OutdatedLimits::default(),
        }
    }

    /// Something of it is in the world, or about to be: processes, or an action that may bring one.
    pub fn is_live(&self) -> bool {
        match &self.life {
            Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_) => true,
            Life::Waiting | Life::Retry { .. } | Life::BackOff { .. } | Life::Removing(_) | Life::Over => false,
        }
    }

    /// Its program runs, or is about to.
    pub fn is_executing(&self) -> bool {
        matches!(self.life, Life::Starting { .. } | Life::Running(_))
    }

    /// Nothing of it is left and nothing is under way.
    pub fn is_settled(&self) -> bool {
        !self.is_live() && !matches!(self.life, Life::Removing(_))
    }

    /// Likewise, nor is its image being brought here.
    pub fn is_quiet(&self) -> bool {
        self.is_settled() && !self.ahead.is_under_way()
    }

    /// It has ended and isn't started again, or never will be.
    pub fn is_over(&self) -> bool {
        matches!(self.life, Life::Over | Life::Removing(AfterRemoval::Over))
    }

    /// R8.6: how it ended, if it ran, nobody knows any more.
    pub fn lose(&mut self, wall: WallTime) {
        let started_at = self.running().map(|running| running.since_wall);
        let executed = self.is_executing();
        self.life = Life::Over;
        self.ahead = Ahead::No;
        if executed {
            self.previous = self.last.replace(Terminated {
                exit_code: 137,
                signal: None,
                reason: TerminatedReason::ContainerStatusUnknown,
                message: "The container could not be located when the pod was terminated".to_string(),
                started_at,
                finished_at: Some(wall),
                container_id: self.container_id.clone(),
            });
        }
    }

    /// Its image is looked for or pulled, for an attempt that is wanted or not.
    pub fn is_preparing(&self) -> bool {
        matches!(self.life, Life::Preparing | Life::Pulling { .. } | Life::Abandoned)
    }

    /// It waits for a time: of another try, or of its restart.
    pub fn waits_for_a_time(&self) -> Option<Instant> {
        match self.life {
            Life::Retry { at, .. } | Life::BackOff { at, .. } => Some(at),
            Life::Waiting
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => None,
        }
    }

    /// The running instance.
    pub fn running(&self) -> Option<&Running> {
        if let Life::Running(running) = &self.life { Some(running) } else { None }
    }

    /// See [`Self::running`].
    pub fn running_mut(&mut self) -> Option<&mut Running> {
        if let Life::Running(running) = &mut self.life { Some(running) } else { None }
    }

    /// R8.3: running, past its startup probe and its postStart hook.
    pub fn is_started(&self) -> bool {
        self.running().is_some_and(|running| running.post_start == HookRun::Over && running.probes.startup_passed())
    }

    /// A main that has run and exited 0 (R8.1).
    pub fn has_succeeded(&self) -> bool {
        self.done && self.last.as_ref().is_some_and(|last| last.exit_code == 0)
    }

    /// R2.4: a main that holds up the start of those behind it.
    pub fn holds_up_mains(&self) -> bool {
        match &self.life {
            // An OCI hook that hangs in a restart hangs that container only.
            Life::Preparing | Life::Pulling { .. } | Life::Abandoned | Life::Creating { .. } => !self.done,
            Life::Created | Life::Starting { .. } => true,
            Life::Running(running) => running.post_start != HookRun::Over && running.stop.is_none(),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => false,
        }
    }

    /// Begins an attempt where it waits for nothing any more; whether it does.
    pub fn begin_if_due(&mut self, now: Instant, backoff: &Backoff) -> bool {
        match self.life {
            Life::Waiting => {}
            Life::Retry { at, .. } if at <= now => {}
            Life::BackOff { at, .. } if at <= now => {
                self.next_attempt();
                self.backoff.raise(now, backoff);
            }
            // An init that is done stays so.
            Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => return false,
        }
        self.life = Life::Preparing;
        true
    }

    /// What comes is another instance (R3.8).
    pub fn next_attempt(&mut self) {
        self.attempt = Attempt(self.attempt.0 + 1);
        self.made = false;
    }

    /// Whether SIGKILL is to be sent to whatever of it is in the world, which it is taken to be then.
    pub fn kill(&mut self) -> bool {
        match &mut self.life {
            // Once is enough. For a start it is said once more when its answer comes: it may have been sent before there was
            // anything to kill.
            Life::Creating { killed, kill_at } | Life::Starting { killed, kill_at } => {
                *kill_at = None;
                !core::mem::replace(killed, true)
            }
            Life::Preparing | Life::Pulling { .. } => {
                self.life = Life::Abandoned;
                true
            }
            Life::Created => {
                self.life = Life::Discarded;
                true
            }
            Life::Running(running) => !running.stop.as_ref().is_some_and(Stop::is_killed),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Abandoned
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => false,
        }
    }

    /// Notes that a running instance has been sent SIGKILL, whatever it was at.
    pub fn mark_killed(&mut self, now: Instant, why: StopWhy) {
        let Some(running) = self.running_mut() else { return };
        match &mut running.stop {
            Some(stop) => stop.mark_killed(now, why),
            None => running.stop = Some(Stop::killed(why, now)),
        }
    }

    /// R5.8: what is under way has until `deadline` at most where there is nothing yet that the grace could be for, else until
    /// `own`, the end of the grace of its kind.
    pub fn shorten(&mut self, deadline: Instant, own: Instant) {
        match &mut self.life {
            Life::Creating { kill_at: Some(at), .. } => *at = (*at).min(deadline),
            Life::Starting { kill_at: Some(at), .. } => *at = (*at).min(own),
            Life::Running(Running { stop: Some(stop), .. }) => stop.shorten(own),
            Life::Creating { kill_at: None, .. }
            | Life::Starting { kill_at: None, .. }
            | Life::Running(Running { stop: None, .. })
            | Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Created
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => {}
        }
    }

    /// A creation or a start may hang: while the pod ends it has until the end of the grace, `own` of its kind (R5.17), as a
    /// start may become a program that others wait for.
    pub fn advance_while_ending(&mut self, now: Instant, deadline: Instant, own: Instant) -> WhileEnding {
        match &mut self.life {
            Life::BackOff { .. } | Life::Retry { .. } => {
                self.life = Life::Over;
                WhileEnding::Moved
            }
            // R5.16: it may hang, and nothing of the container is there yet that the grace could be for.
            Life::Preparing | Life::Pulling { .. } | Life::Created => WhileEnding::IsToBeKilled,
            Life::Creating { kill_at: Some(at), .. } | Life::Starting { kill_at: Some(at), .. } if *at <= now => {
                WhileEnding::IsToBeKilled
            }
            Life::Creating { kill_at: kill_at @ None, killed: false } => {
                *kill_at = Some(deadline);
                WhileEnding::Moved
            }
            Life::Starting { kill_at: kill_at @ None, killed: false } => {
                *kill_at = Some(own);
                WhileEnding::Moved
            }
            Life::Creating { .. }
            | Life::Starting { .. }
            | Life::Waiting
            | Life::Abandoned
            | Life::Discarded
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => WhileEnding::Rests,
        }
    }

    /// When what is under way needs attention though nothing happens; not what waits behind a gate.
    pub fn next_deadline(&self, probing: Probing) -> Option<Instant> {
        match &self.life {
            Life::Creating { kill_at, .. } | Life::Starting { kill_at, .. } => *kill_at,
            Life::Running(running) => running.next_deadline(probing),
            Life::Retry { backs_off, .. } => *backs_off,
            Life::Waiting
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Created
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => None,
        }
    }
}
