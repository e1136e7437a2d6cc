//! What a restart that somebody asked for (R3.9) means for one container.

use super::{AfterRemoval, Container, Life, Running};
use crate::spec::Attempt;
use crate::time::Instant;

/// What a container does while all that the pod runs is being stopped to start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UntilRestart {
    /// Nothing.
    Rests,
    /// It is further.
    Moved,
    /// It is to be sent SIGKILL.
    IsToBeKilled,
    /// It is to be told to stop.
    IsToBeStopped,
}

impl Container {
    /// The number of the instance that a restart brings. `ends_starts`: what is about to run is ended, too.
    pub fn attempt_after_restart(&self, ends_starts: bool) -> Attempt {
        let another = match &self.life {
            Life::Running(_) | Life::BackOff { .. } | Life::Over => true,
            Life::Starting { .. } => ends_starts,
            Life::Removing(AfterRemoval::Restart { .. } | AfterRemoval::AtOnce | AfterRemoval::Over) => true,
            Life::Removing(AfterRemoval::Recreate | AfterRemoval::Retry { .. })
            | Life::Waiting
            | Life::Retry { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded => false,
        };
        if another { Attempt(self.attempt.0 + 1) } else { self.attempt }
    }

    /// Of what doesn't run nothing is waited for any more: no back-off, no next try. What has ended for good comes back.
    pub fn restart_at_once(&mut self, now: Instant) {
        match &mut self.life {
            Life::BackOff { .. } | Life::Over => {
                self.next_attempt();
                self.life = Life::Waiting;
            }
            Life::Retry { .. } => self.life = Life::Waiting,
            Life::Removing(after) => match after {
                AfterRemoval::Restart { .. } | AfterRemoval::Over => *after = AfterRemoval::AtOnce,
                AfterRemoval::Retry { at } => *at = now,
                AfterRemoval::Recreate | AfterRemoval::AtOnce => {}
            },
            Life::Waiting
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_) => {}
        }
    }

    /// While all are being stopped. A start may hang: it has until `deadline`.
    pub fn advance_until_restart(&mut self, now: Instant, deadline: Instant) -> UntilRestart {
        match &mut self.life {
            // Nothing of the container has run that the grace could be for.
            Life::Preparing | Life::Pulling { .. } | Life::Creating { killed: false, .. } | Life::Created => {
                UntilRestart::IsToBeKilled
            }
            Life::Starting { kill_at: kill_at @ None, killed: false } => {
                *kill_at = Some(deadline);
                UntilRestart::Moved
            }
            Life::Starting { kill_at: Some(at), killed: false } if *at <= now => UntilRestart::IsToBeKilled,
            Life::Running(Running { stop: None, .. }) => UntilRestart::IsToBeStopped,
            Life::Creating { .. }
            | Life::Starting { .. }
            | Life::Running(_)
            | Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Abandoned
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => UntilRestart::Rests,
        }
    }
}
