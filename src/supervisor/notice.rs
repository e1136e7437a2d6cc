//! Who watches is told when the pod's end takes a while: whom it waits for. Nothing is decided here.

use std::time::Duration;

use super::{Supervisor, SupervisorError, now};
use crate::control::Waiting;
use crate::runtime::container::reap_ended;

/// An end that is quicker than this needs no words.
const FIRST: Duration = Duration::from_millis(1_500);
/// Between two notices.
const NEXT: Duration = Duration::from_secs(10);

/// Whether the alarm for the next notice is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    None,
    Due,
}

fn millis(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl Supervisor<'_> {
    /// Sets the alarm once there is somebody to wait for.
    pub(super) fn plan_notice(&mut self) -> Result<(), SupervisorError> {
        if self.notice == Notice::Due || self.engine.awaited(now().monotonic).is_empty() {
            return Ok(());
        }
        self.notice = Notice::Due;
        self.set_notice(FIRST)
    }

    pub(super) fn notice_due(&mut self) {
        self.notice_alarm.acknowledge();
        // One who could not be reaped before may be what is waited for.
        reap_ended();
        let awaited = self.engine.awaited(now().monotonic);
        self.notice = Notice::None;
        if awaited.is_empty() {
            return;
        }
        self.audience.waits_for_containers(&awaited, self.interrupts);
        let waiting = Waiting {
            containers: awaited.iter().map(|one| self.name(one.container).to_owned()).collect(),
            left_millis: millis(awaited.iter().map(|one| one.left).max()),
            grace_millis: millis(awaited.first().map(|one| one.grace)),
        };
        self.control.tell_waiting(&waiting);
        match self.set_notice(NEXT) {
            Ok(()) => self.notice = Notice::Due,
            Err(error) => self.audience.warn(&error.to_string()),
        }
    }

    fn set_notice(&mut self, after: Duration) -> Result<(), SupervisorError> {
        let at = now().monotonic.after(after);
        self.notice_alarm.set(Some(at)).map_err(|errno| SupervisorError::of("timerfd_settime", errno.into()))
    }
}
