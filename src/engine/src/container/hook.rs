//! One hook of a running instance (R7): how far it is, and what becomes of its answers.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::event::HookResult;
use crate::spec::HookSpec;
use crate::time::Instant;

/// R6.5: how often a probe or hook is tried that can't be carried out.
pub(super) const TRIES: u8 = 3;

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

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Nothing: nobody waits for it, or nobody is to blame and its container's end is what is waited for.
    Ignored,
    /// The shell is to run it once more.
    Again,
    /// It is over.
    Over,
    /// It failed, for this.
    Failed(String),
}

impl HookRun {
    /// Begins it. Where it [is asked for](Self::is_asked) then, the shell is to run it.
    pub fn begin(spec: Option<HookSpec>, now: Instant) -> Self {
        match spec {
            None => Self::Over,
            Some(HookSpec::Sleep(length)) => Self::Sleep { until: now.after(length) },
            Some(HookSpec::Handler) => Self::Handler { tries: 1 },
        }
    }

    /// The shell has yet to answer.
    pub fn is_asked(self) -> bool {
        matches!(self, Self::Handler { .. })
    }

    /// Takes in the shell's answer. One that could not be carried out is tried as a probe is, where its result is `wanted`.
    pub fn answered(&mut self, result: HookResult, wanted: bool) -> Answered {
        let Self::Handler { tries } = self else { return Answered::Ignored };
        let failure = match result {
            HookResult::ContainerEnds => return Answered::Ignored,
            HookResult::Error { .. } if wanted && *tries < TRIES => {
                *tries += 1;
                return Answered::Again;
            }
            HookResult::Success => None,
            HookResult::Failure { message } | HookResult::Error { message } => Some(message),
        };
        *self = if failure.is_some() { Self::Failed } else { Self::Over };
        failure.map_or(Answered::Over, Answered::Failed)
    }

    /// Ends a sleep that is over; whether it was one.
    pub fn wake(&mut self, now: Instant) -> bool {
        let woken = self.sleeps_until().is_some_and(|until| until <= now);
        if woken {
            *self = Self::Over;
        }
        woken
    }

    /// When it ends, where it is a sleep.
    pub fn sleeps_until(self) -> Option<Instant> {
        match self {
            Self::Sleep { until } => Some(until),
            Self::Handler { .. } | Self::Over | Self::Failed | Self::Skipped => None,
        }
    }
}
