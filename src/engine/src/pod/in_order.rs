//! The restart of all that a pod runs, in order (R3.9), until nothing of it is left: how long who has.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::Kind;
use crate::time::Instant;

/// When the grace of a restart in order runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InOrder {
    /// For sidecars.
    deadline: Instant,
    /// For mains (R5.17).
    mains_deadline: Instant,
}

impl InOrder {
    /// It begins now; `reserved`: what of the grace is the sidecars' alone.
    pub fn begin(now: Instant, grace: Duration, reserved: Duration) -> Self {
        Self { deadline: now.after(grace), mains_deadline: now.after(grace.saturating_sub(reserved)) }
    }

    /// As of a deletion (R5.8): asked for once more, it can only become shorter.
    pub fn join(&mut self, before: Self) {
        self.deadline = self.deadline.min(before.deadline);
        self.mains_deadline = self.mains_deadline.min(before.mains_deadline);
    }

    /// For a container of this kind.
    pub fn deadline_of(&self, kind: Kind) -> Instant {
        match kind {
            Kind::Sidecar => self.deadline,
            Kind::Init | Kind::Main | Kind::Ephemeral => self.mains_deadline,
        }
    }
}
