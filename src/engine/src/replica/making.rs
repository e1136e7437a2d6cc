//! How fast pods of one template are made: few at first (R13.2), and later where they couldn't be made or have ended (R13.3).

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

use super::event::PodNumber;
use super::pool::{Pod, What};
use super::tries::{Failures, PodBackoff, TRIES};

/// For so long none may have ended by itself for the row of those that did to be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// The pods of one template that were made and have failed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Making {
    /// The next batch is twice as many as the one before.
    doublings: u32,
    refusals: Failures,
    ends: Ends,
}

/// Pods that have ended by themselves.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Ends {
    row: u32,
    last: Instant,
    /// Pods below this number were there when the last one ended.
    below: u32,
}

impl Making {
    /// Takes what has become of a pod that was `before`; `next` is the number of the next pod. One that was being deleted says
    /// nothing of those to come.
    pub fn take(&mut self, number: PodNumber, (before, what): (Pod, What), next: u32, now: Instant) {
        match what {
            What::Made => self.made(),
            What::Refused if before.is_active() => self.refused(now),
            What::Gone if before.is_active() => self.ended(number, next, now),
            What::Refused | What::Gone => {}
        }
    }

    /// One runs.
    pub fn made(&mut self) {
        self.refusals = Failures::default();
    }

    /// One couldn't be made.
    pub fn refused(&mut self, now: Instant) {
        self.doublings = 0;
        self.refusals.add_of_one_try(TRIES, now);
    }

    /// One has ended by itself; `next` is the number of the next pod.
    pub fn ended(&mut self, pod: PodNumber, next: u32, now: Instant) {
        let Ends { row, last, below } = self.ends;
        if row > 0 && now.since(last) > FORGOTTEN_AFTER {
            self.ends = Ends { row: 1, last: now, below: next };
        } else if row == 0 || pod.0 >= below {
            // Those that were there when the last one ended have ended with it.
            self.ends = Ends { row: row.saturating_add(1), last: now, below: next };
        }
    }

    /// All are to end, and the next ones begin with one again.
    pub fn stopped(&mut self) {
        self.doublings = 0;
    }

    /// Whether one could not be made, and none since.
    pub fn is_refused(&self) -> bool {
        self.refusals.has_any()
    }

    /// When the next may be made, where that isn't now.
    pub fn waits_until(&self, now: Instant) -> Option<Instant> {
        let Ends { row, last, .. } = self.ends;
        // The first that ends is replaced at once.
        let ended = last.after(PodBackoff::default().delay(row.saturating_sub(1)));
        self.refusals.until(TRIES).max(Some(ended)).filter(|at| *at > now)
    }

    /// How many of those that are missing are to be made now, where so many are being made.
    pub fn next_batch(&mut self, missing: u32, in_the_making: u32, now: Instant) -> u32 {
        if missing == 0 {
            self.doublings = 0;
            return 0;
        }
        if in_the_making > 0 || self.waits_until(now).is_some() {
            return 0;
        }
        let batch = 1u32.checked_shl(self.doublings).unwrap_or(u32::MAX);
        self.doublings = self.doublings.saturating_add(1);
        missing.min(batch)
    }
}
