//! Who watches is told when the pod's end takes a while: whom it waits for. Nothing is decided here.

use std::time::Duration;

use barepod_engine::spec::ContainerIndex;
use barepod_engine::time::Instant;

use super::audience::Wait;
use super::{Supervisor, SupervisorError, now};
use crate::control::Waiting;
use crate::runtime::container::reap_ended;

/// An end that is quicker than this needs no words.
const FIRST: Duration = Duration::from_millis(1_500);
/// Between two notices.
const NEXT: Duration = Duration::from_secs(10);

/// Whether the alarm for the next notice is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    None,
    /// It is; for these containers.
    Due {
        at: Instant,
        of: Vec<ContainerIndex>,
    },
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Supervisor<'_> {
    /// Sets the alarm once there is somebody to wait for, and to an earlier time where it comes to be somebody else.
    pub(super) fn plan_notice(&mut self) -> Result<(), SupervisorError> {
        let now = now().monotonic;
        let awaited = self.awaited(now);
        let soon = now.after(FIRST);
        match &self.notice {
            _ if awaited.is_empty() => Ok(()),
            Notice::Due { of, .. } if *of == awaited => Ok(()),
            Notice::Due { at, .. } if *at <= soon => {
                self.notice = Notice::Due { at: *at, of: awaited };
                Ok(())
            }
            Notice::None | Notice::Due { .. } => self.set_notice(soon, awaited),
        }
    }

    fn awaited(&self, now: Instant) -> Vec<ContainerIndex> {
        self.engine.awaited(now).iter().map(|one| one.container).collect()
    }

    pub(super) fn notice_due(&mut self) {
        self.notice_alarm.acknowledge();
        // One who could not be reaped before may be what is waited for.
        reap_ended();
        self.notice = Notice::None;
        let Some(wait) = Wait::of(&self.engine.awaited(now().monotonic)) else { return };
        self.audience.waits_for_containers(&wait, self.interrupts);
        let waiting = Waiting {
            containers: wait.containers.iter().map(|container| self.name(*container).to_owned()).collect(),
            left_millis: millis(wait.left),
            grace_millis: millis(wait.grace),
        };
        self.control.tell_waiting(&waiting);
        if let Err(error) = self.set_notice(now().monotonic.after(NEXT), wait.containers) {
            self.audience.warn(&error.to_string());
        }
    }

    fn set_notice(&mut self, at: Instant, of: Vec<ContainerIndex>) -> Result<(), SupervisorError> {
        self.notice = Notice::Due { at, of };
        self.notice_alarm.set(Some(at)).map_err(|errno| SupervisorError::of("timerfd_settime", errno.into()))
    }
}
