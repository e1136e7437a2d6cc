//! Where an attempt of a container stands, with just what is valid there.

use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::hook::HookRun;
use super::probes::{Probes, Probing};
use super::stop::Stop;
use crate::status::WaitingReason;
use crate::time::{Instant, WallTime};

/// Where a container's attempt stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Life {
    /// Nothing is there; started when it is its turn.
    Waiting,
    /// Nothing is there; the image or the container could not be made, tried again at `at`. Of a pull that failed it is said at
    /// `backs_off` that it waits (R8.14).
    Retry {
        at: Instant,
        reason: WaitingReason,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backs_off: Option<Instant>,
    },
    /// It exited and starts again at `at` (R4).
    BackOff { at: Instant, message: Option<String> },
    /// `PrepareImage` is under way.
    Preparing,
    /// `PullImage` is under way.
    Pulling { since: Instant },
    /// `PrepareImage` or `PullImage` is under way and was told to end: what it is for isn't wanted any more, and it may hang.
    Abandoned,
    /// `Create` is under way. At `kill_at` it is ended (an OCI hook may hang).
    Creating { kill_at: Option<Instant>, killed: bool },
    /// It exists; its program waits for its turn.
    Created,
    /// It exists and was killed before it was started.
    Discarded,
    /// `Start` is under way. At `kill_at` it is ended (an OCI hook may hang).
    Starting {
        #[serde(default)]
        kill_at: Option<Instant>,
        killed: bool,
    },
    /// Its program was executed.
    Running(Running),
    /// It has ended; `Remove` is under way.
    Removing(AfterRemoval),
    /// It has ended and isn't started again; or it never will be.
    Over,
}

/// What comes after a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AfterRemoval {
    /// It starts again, not before `at`.
    Restart { at: Instant, delay: Duration },
    /// It is created again as the same attempt: it was never started.
    Recreate,
    /// Likewise, after a while: its process died before it was started.
    Retry { at: Instant },
    /// It starts again at once, back-off or not: it was ended for new resources, or somebody asked for it.
    #[serde(rename = "Resized")]
    AtOnce,
    /// Nothing.
    Over,
}

/// What the pod's end means for what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhileEnding {
    /// Nothing yet.
    Rests,
    /// It is further.
    Moved,
    /// It is to be sent SIGKILL.
    IsToBeKilled,
}

/// A running instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub since: Instant,
    pub since_wall: WallTime,
    pub post_start: HookRun,
    pub probes: Probes,
    pub stop: Option<Stop>,
}

impl Running {
    /// When this instance needs attention though nothing happens.
    pub fn next_deadline(&self, probing: Probing) -> Option<Instant> {
        let stop = self.stop.as_ref().and_then(Stop::next_deadline);
        [self.post_start.sleeps_until(), stop, self.probes.next(probing)].into_iter().flatten().min()
    }
}
