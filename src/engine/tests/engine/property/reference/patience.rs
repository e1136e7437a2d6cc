//! When the pod is not waited for any longer (ours: `--fail-fast`, `--timeout`).

use super::*;

impl Reference {
    /// Ours: `--fail-fast`, then `--timeout`.
    pub(super) fn patience_ends(&self, now: Instant) -> Option<Why> {
        let fails = || {
            let failed = |i: &usize| {
                let one = &self.ones[*i];
                let over = matches!(one.stage, Stage::Gone | Stage::Removing) && one.fate == Fate::Over;
                self.kind(*i) == Kind::Main && over && (!one.done || one.code != Some(0))
            };
            if let Some(i) = (0..self.ones.len()).find(failed) {
                return Some(Why::FailFast(Some(i)));
            }
            // It was tried, and is to be tried once more.
            if let Some(i) = (0..self.ones.len()).find(|&i| self.ones[i].unmade && !self.is_extra(i)) {
                return Some(Why::FailFast(Some(i)));
            }
            matches!(self.sandbox, Sandbox::Retry(_)).then_some(Why::FailFast(None))
        };
        let why = if self.spec.fail_fast == FailFast::Yes && !self.restarting && self.in_order.is_none() {
            fails()
        } else {
            None
        };
        let late = self.spec.timeout.zip(self.began).is_some_and(|(length, began)| began.after(length) <= now);
        why.or(late.then_some(Why::TimedOut))
    }
}
