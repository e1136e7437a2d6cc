//! The one place where the supervisor reads clocks.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use barepod_engine::time::{Instant, Now, WallTime};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

/// What the clocks read now. `CLOCK_BOOTTIME` counts while the box sleeps: a grace period that ran out meanwhile is over.
pub fn now() -> Now {
    let monotonic = clock_gettime(ClockId::Boottime);
    let wall = clock_gettime(ClockId::Realtime);
    Now {
        monotonic: Instant::from_nanos(nanos(monotonic).unsigned_abs()),
        wall: WallTime::from_unix_nanos(nanos(wall)),
    }
}

/// The wall clock as files and tables have it.
pub fn timestamp(wall: WallTime) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(wall.as_unix_nanos())).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// How long after a step that left something overdue the next one comes.
const OVERDUE: Duration = Duration::from_millis(100);

/// When to wake up for `deadline`, that of an engine that was last told the time `stepped`. What was due then has been
/// done, so a deadline that isn't later is a fault of the engine's (debug builds assert it there): it must not become a
/// loop that does nothing else any more.
pub fn wake_up(deadline: Option<Instant>, stepped: Instant) -> Option<Instant> {
    deadline.map(|at| if at > stepped { at } else { stepped.after(OVERDUE) })
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A timer for the event loop. It is armed with a point in time, so that a late wake-up doesn't move the next one.
#[derive(Debug)]
pub struct Alarm {
    fd: OwnedFd,
    armed: Option<Instant>,
}

impl Alarm {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// As timerfd_create(2).
    pub fn new() -> rustix::io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        Ok(Self { fd, armed: None })
    }

    /// Makes the descriptor readable at `deadline`, or never.
    ///
    /// # Errors
    /// As timerfd_settime(2).
    pub fn set(&mut self, deadline: Option<Instant>) -> rustix::io::Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        // A zero would disarm the timer; one nanosecond after boot is as much in the past.
        let nanos = deadline.map_or(0, |at| at.as_nanos().max(1));
        let value = Timespec {
            tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
        };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.armed = deadline;
        Ok(())
    }

    /// It went off: read it, so that it doesn't stay readable.
    pub fn acknowledge(&mut self) {
        let mut count = [0; 8];
        // Nothing to read (EAGAIN) means that it was set anew meanwhile.
        let _ = rustix::io::read(&self.fd, &mut count);
        self.armed = None;
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_is_no_hot_loop() {
        let at = |nanos| Some(Instant::from_nanos(nanos));
        let late = 7 + 100_000_000;
        for (deadline, wanted) in
            [(None, None), (at(8), at(8)), (at(7), at(late)), (at(6), at(late)), (at(0), at(late))]
        {
            assert_eq!(wake_up(deadline, Instant::from_nanos(7)), wanted);
        }
        // And so for ever: each step that leaves it overdue waits anew.
        let mut alarm = Alarm::new().unwrap();
        let stepped = now().monotonic;
        alarm.set(wake_up(Some(stepped), stepped)).unwrap();
        assert_eq!(rustix::io::read(&alarm.fd, &mut [0; 8]), Err(rustix::io::Errno::AGAIN));
    }
}
