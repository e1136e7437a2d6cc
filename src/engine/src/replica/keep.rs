//! As many pods of one kind as are wanted (R13.1 to R13.4).

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Instant;

use super::event::{Action, Template};
use super::making::Making;
use super::pool::{Pod, Pool, Stage};

/// Which pods count, how many of them are wanted, and what new ones are made from.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<F> {
    pub count: u32,
    pub template: Template,
    pub min_ready: Duration,
    pub fits: F,
}

impl Pool {
    /// Makes what is missing as far as it may be made now, and deletes what is too many.
    pub fn keep<F: Fn(&Pod) -> bool + Copy>(
        &mut self,
        wanted: Wanted<F>,
        making: &mut Making,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Wanted { count, template, min_ready, fits } = wanted;
        let active = self.active(fits);
        self.delete_least(active.saturating_sub(count), fits, (min_ready, now), actions);
        let missing = count.saturating_sub(active);
        for _ in 0..making.next_batch(missing, self.in_the_making(fits), now) {
            self.create(template, None, actions);
        }
    }

    /// When the next one may be made that is missing, where nothing else is waited for.
    pub fn next_try<F: Fn(&Pod) -> bool + Copy>(&self, wanted: Wanted<F>, making: &Making) -> Option<Instant> {
        let waits = self.active(wanted.fits) < wanted.count && self.in_the_making(wanted.fits) == 0;
        if waits { making.waits_until(Instant::default()) } else { None }
    }

    pub fn active(&self, fits: impl Fn(&Pod) -> bool) -> u32 {
        self.count(|pod| pod.is_active() && fits(pod))
    }

    fn in_the_making(&self, fits: impl Fn(&Pod) -> bool) -> u32 {
        self.count(|pod| pod.stage == Stage::Creating && fits(pod))
    }
}
