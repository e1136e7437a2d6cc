//! The pods that a Job has now, and the failures that the next ones wait for.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

use super::spec::JobBackoff;

/// Waits between tries to make a pod that can't be made (R11.9).
pub(super) const TRIES: JobBackoff = JobBackoff { initial: Duration::from_secs(1), max: Duration::from_secs(60) };

/// One that hasn't ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pod {
    pub index: Option<u32>,
    pub stage: Stage,
    pub is_ready: bool,
    pub restarts: u32,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Asked for.
    Creating,
    /// It runs.
    Running,
    /// The Job has it deleted, as it is one too many or the Job is suspended: its end counts for nothing.
    TakenBack,
    /// The Job has it deleted, as the Job ends.
    Ending,
    /// Somebody else deletes it, and it has been counted as failed.
    Counted,
    /// Likewise, and what it is counted as is seen when it has ended.
    Leaving,
}

impl Stage {
    /// Whether it takes a place of `parallelism`.
    pub fn is_active(self) -> bool {
        match self {
            Self::Creating | Self::Running => true,
            Self::TakenBack | Self::Ending | Self::Counted | Self::Leaving => false,
        }
    }
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Failures {
    row: u32,
    last: Option<Instant>,
}

impl Failures {
    pub fn add(&mut self, at: Instant) {
        self.row = self.row.saturating_add(1);
        self.last = Some(at);
    }

    /// When the next try may be; `None`: at once.
    pub fn until(&self, backoff: JobBackoff) -> Option<Instant> {
        self.last.map(|last| last.after(backoff.delay(self.row)))
    }
}
