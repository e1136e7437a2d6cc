//! The end of a pod, once it is bound to come: why, and until when.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{ContainerIndex, Kind};
use crate::time::Instant;

/// R5.10: with a grace of this or less sidecars aren't restarted.
const NO_RESTARTS_BELOW: Duration = Duration::from_secs(1);

/// The end of the pod, from the moment it is bound to come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub cause: Cause,
    pub began: Instant,
    /// When the grace runs out for sidecars.
    pub deadline: Instant,
    /// When it runs out for all others (R5.17).
    pub mains_deadline: Instant,
    /// Whether sidecars are still restarted (R5.10).
    pub restarts: bool,
    /// Forced: SIGKILL to whatever appears.
    pub killed: bool,
}

/// Why the pod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// R5.1.
    Natural,
    /// R3.3.
    InitFailed,
    /// A stop request.
    Deletion,
    /// R5.15.
    Deadline,
    /// It used more disk than it may.
    Eviction,
    /// `--timeout` ran out.
    TimedOut,
    /// `--fail-fast`: it could not succeed any more, for the sake of this container, or of its sandbox.
    FailFast { container: Option<ContainerIndex> },
}

impl Ending {
    /// It begins now; `reserved`: what of the grace is the sidecars' alone (R5.17).
    pub fn begin(cause: Cause, now: Instant, grace: Duration, reserved: Duration) -> Self {
        let restarts = match cause {
            Cause::Deletion | Cause::Deadline | Cause::TimedOut | Cause::FailFast { .. } => grace > NO_RESTARTS_BELOW,
            Cause::Natural | Cause::InitFailed | Cause::Eviction => false,
        };
        let (deadline, mains_deadline) = (now.after(grace), now.after(grace.saturating_sub(reserved)));
        Self { cause, began: now, deadline, mains_deadline, restarts, killed: false }
    }

    /// R5.8: what is left of the grace is this at most.
    pub fn shorten(&mut self, now: Instant, grace: Duration, reserved: Duration) {
        self.deadline = self.deadline.min(now.after(grace));
        self.mains_deadline = self.mains_deadline.min(now.after(grace.saturating_sub(reserved)));
        self.restarts &= grace > NO_RESTARTS_BELOW;
    }

    /// When the grace of a container of this kind runs out (R5.17).
    pub fn deadline_of(&self, kind: Kind) -> Instant {
        match kind {
            Kind::Sidecar => self.deadline,
            Kind::Init | Kind::Main | Kind::Ephemeral => self.mains_deadline,
        }
    }
}
