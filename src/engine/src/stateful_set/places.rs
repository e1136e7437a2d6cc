//! A pod in each place, made upwards and deleted downwards (R14.1 to R14.5).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::replica::{Action, Making, Pod, PodNumber, Stage};
use crate::time::Instant;

use super::StatefulSet;
use super::spec::Management;

impl StatefulSet {
    /// Makes and deletes what can be now, and says whether all that is in the way of an update is done.
    pub(super) fn fill_places(&mut self, now: Instant, actions: &mut Vec<Action>) -> bool {
        match self.spec.management {
            Management::OrderedReady => self.fill_in_order(now, actions),
            Management::Parallel => {
                self.fill_at_once(now, actions);
                true
            }
        }
    }

    /// R14.2, R14.4: each step waits for those before it.
    fn fill_in_order(&mut self, now: Instant, actions: &mut Vec<Action>) -> bool {
        let pods = self.pods();
        for ordinal in self.spec.ordinals() {
            match pods.get(&ordinal) {
                None => {
                    self.make(&[ordinal], now, actions);
                    return false;
                }
                Some((_, pod)) if !self.is_available(pod, now) => return false,
                Some(_) => {}
            }
        }
        let over = self.over();
        let broken = |(_, pod): &&(PodNumber, Pod)| !self.is_available(pod, now);
        // The lowest that isn't available may go; others that aren't are waited for.
        let lowest_broken = over.iter().rev().find(broken).map(|(number, _)| *number);
        let Some((number, pod)) = over.first() else { return true };
        if self.is_available(pod, now) || (pod.is_active() && lowest_broken == Some(*number)) {
            self.pool.delete(*number, actions);
        }
        false
    }

    /// R14.3, R14.4.
    fn fill_at_once(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let pods = self.pods();
        let missing: Vec<u32> = self.spec.ordinals().filter(|ordinal| !pods.contains_key(ordinal)).collect();
        self.make(&missing, now, actions);
        for (number, _) in self.over() {
            self.pool.delete(number, actions);
        }
    }

    /// Makes pods for places, as many as may be begun now.
    fn make(&mut self, missing: &[u32], now: Instant, actions: &mut Vec<Action>) {
        let mut due = Vec::new();
        for ordinal in missing {
            match self.ends.get(ordinal).and_then(|ends: &Making| ends.waits_until(now)) {
                None => due.push(*ordinal),
                later => self.next_try = [self.next_try, later].into_iter().flatten().min(),
            }
        }
        let in_the_making = self.pool.count(|pod| pod.stage == Stage::Creating && self.is_in_range(pod));
        let many = u32::try_from(due.len()).unwrap_or(u32::MAX);
        let batch = self.making.next_batch(many, in_the_making, now);
        if batch == 0 && many > 0 && in_the_making == 0 {
            self.next_try = [self.next_try, self.making.waits_until(now)].into_iter().flatten().min();
        }
        for ordinal in due.into_iter().take(usize::try_from(batch).unwrap_or(usize::MAX)) {
            let template = if self.spec.is_updated(ordinal) { self.spec.template } else { self.current };
            self.pool.create(template, Some(ordinal), actions);
        }
    }

    /// Pods whose place isn't wanted, the highest first.
    fn over(&self) -> Vec<(PodNumber, Pod)> {
        let mut over: Vec<(PodNumber, Pod)> =
            self.pool.iter().filter(|(_, pod)| !self.is_in_range(pod)).map(|(number, pod)| (number, *pod)).collect();
        over.sort_by_key(|(_, pod)| core::cmp::Reverse(pod.ordinal));
        over
    }

    /// R14.1: of each place there is one at most.
    pub(super) fn pods(&self) -> BTreeMap<u32, (PodNumber, Pod)> {
        self.pool.iter().filter_map(|(number, pod)| Some((pod.ordinal?, (number, *pod)))).collect()
    }

    pub(super) fn is_in_range(&self, pod: &Pod) -> bool {
        pod.ordinal.is_some_and(|ordinal| self.spec.ordinals().contains(&ordinal))
    }

    pub(super) fn is_available(&self, pod: &Pod, now: Instant) -> bool {
        pod.is_available(self.spec.min_ready, now)
    }
}
