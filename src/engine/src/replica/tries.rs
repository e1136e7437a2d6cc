//! Failures in a row, and how long they are waited for.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// Waits between tries to make a pod that can't be made (R11.9, R13.3).
pub(crate) const TRIES: PodBackoff = PodBackoff { initial: Duration::from_secs(1), max: Duration::from_secs(60) };

/// Of failed pods (R11.8, R13.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodBackoff {
    /// After the first failure.
    pub initial: Duration,
    /// The longest.
    pub max: Duration,
}

impl Default for PodBackoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(10), max: Duration::from_secs(360) }
    }
}

impl PodBackoff {
    /// Before the next pod after so many failures in a row.
    pub fn delay(self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            _ => {
                let doubled = 2u32.checked_pow(failures - 1).and_then(|times| self.initial.checked_mul(times));
                doubled.unwrap_or(self.max).min(self.max)
            }
        }
    }
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Failures {
    row: u32,
    last: Option<Instant>,
}

impl Failures {
    pub fn add(&mut self, at: Instant) {
        self.row = self.row.saturating_add(1);
        self.last = Some(at);
    }

    /// Several before the next try belong to one.
    pub fn add_of_one_try(&mut self, backoff: PodBackoff, at: Instant) {
        if self.until(backoff).is_none_or(|over| over <= at) {
            self.add(at);
        }
    }

    /// When the next try may be; `None`: at once.
    pub fn until(&self, backoff: PodBackoff) -> Option<Instant> {
        self.last.map(|last| last.after(backoff.delay(self.row)))
    }

    /// Whether there was one.
    pub fn has_any(&self) -> bool {
        self.row > 0
    }
}
