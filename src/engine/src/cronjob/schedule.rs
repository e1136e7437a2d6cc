//! When Jobs are due. Who parses schedules and knows time zones implements [`Schedule`]; here it is only asked.

use core::time::Duration;

use crate::time::WallTime;

/// The times at which Jobs are due.
pub trait Schedule {
    /// The first time that is later than `after`; `None`: never.
    fn next(&self, after: WallTime) -> Option<WallTime>;

    /// The last time that is later than `after` and not later than `now`.
    ///
    /// Looked for from `now` backwards, so that it takes no longer after a year than after an hour.
    fn latest(&self, after: WallTime, now: WallTime) -> Option<WallTime> {
        let mut back = Duration::from_secs(60);
        let mut latest = loop {
            let from = now.before(back).max(after);
            match self.next(from).filter(|at| *at <= now) {
                Some(at) => break at,
                None if from == after => return None,
                None => back = back.saturating_mul(2),
            }
        };
        while let Some(at) = self.next(latest).filter(|at| *at <= now) {
            latest = at;
        }
        Some(latest)
    }

    /// How many times are later than `after` and not later than `now`; no more than `most` are counted.
    fn count(&self, after: WallTime, now: WallTime, most: u32) -> u32 {
        let mut at = after;
        for count in 0..most {
            match self.next(at).filter(|next| *next <= now) {
                Some(next) => at = next,
                None => return count,
            }
        }
        most
    }
}

/// `@every`: times with the same distance, from whichever time counted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every(pub Duration);

impl Schedule for Every {
    fn next(&self, after: WallTime) -> Option<WallTime> {
        Some(after.after(self.0))
    }

    fn latest(&self, after: WallTime, now: WallTime) -> Option<WallTime> {
        let every = i64::try_from(self.0.as_nanos()).ok().filter(|nanos| *nanos > 0)?;
        let passed = now.as_unix_nanos().saturating_sub(after.as_unix_nanos());
        let times = passed / every;
        (times > 0).then(|| WallTime::from_unix_nanos(after.as_unix_nanos() + times * every))
    }
}
