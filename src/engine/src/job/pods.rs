//! The pods that a Job has now.

use serde::{Deserialize, Serialize};

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
