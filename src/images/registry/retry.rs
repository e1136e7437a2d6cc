//! When what failed is tried again, and for how long.

use std::time::Duration;

/// When what failed is tried again: after `first`, and each time after twice as long, but never longer than `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often, after the first attempt.
    pub attempts: u32,
    /// How often where the network went away in the middle of a pull: nobody is reached, by no name.
    pub outages: u32,
    pub first: Duration,
    /// Also of what a registry may ask for (Retry-After).
    pub longest: Duration,
}

impl Default for Retries {
    /// 15 seconds in all, three minutes in an outage.
    fn default() -> Self {
        Self { attempts: 4, outages: 8, first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

/// What is left of the attempts.
#[derive(Debug)]
pub(super) struct Patience {
    retries: Retries,
    /// How many there are.
    attempts: u32,
    used: u32,
}

impl Patience {
    pub fn new(retries: Retries) -> Self {
        Self { retries, attempts: retries.attempts, used: 0 }
    }

    /// With an outage.
    pub fn of_outages(retries: Retries) -> Self {
        Self { attempts: retries.outages, ..Self::new(retries) }
    }

    /// There was progress: as if nothing had failed yet.
    pub fn renew(&mut self) {
        self.used = 0;
    }

    /// Waits for the next attempt; `asked`: how long the registry wants to be left alone. `false`: no more attempts, or that
    /// is too long.
    pub fn wait(&mut self, asked: Option<Duration>) -> bool {
        let Some(wait) = self.next(asked) else { return false };
        // It has no descriptor: the registry itself is to have this time.
        #[expect(clippy::disallowed_methods, reason = "a time that the registry asked for, or needs")]
        std::thread::sleep(wait);
        true
    }

    fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.used >= self.attempts || asked.is_some_and(|asked| asked > self.retries.longest) {
            return None;
        }
        let own = self.retries.first.saturating_mul(1 << self.used.min(16)).min(self.retries.longest);
        self.used += 1;
        Some(asked.unwrap_or_default().max(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_to_an_end() {
        let seconds = Duration::from_secs;
        let retries = Retries { attempts: 4, outages: 6, first: seconds(1), longest: seconds(5) };
        let mut patience = Patience::new(retries);
        assert_eq!(patience.next(None), Some(seconds(1)));
        assert_eq!(patience.next(Some(seconds(6))), None, "longer than anybody waits");
        assert_eq!(patience.next(Some(seconds(5))), Some(seconds(5)));
        assert_eq!(patience.next(Some(seconds(1))), Some(seconds(4)));
        assert_eq!(patience.next(None), Some(seconds(5)));
        assert_eq!(patience.next(None), None);
        patience.renew();
        assert_eq!(patience.next(None), Some(seconds(1)));
        let mut patience = Patience::of_outages(retries);
        let all: Vec<_> = std::iter::from_fn(|| patience.next(None)).collect();
        assert_eq!(all, [1, 2, 4, 5, 5, 5].map(seconds));
    }
}
