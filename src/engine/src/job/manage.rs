//! Which pods are made and deleted (R11.1, R11.4, R11.5, R11.7 to R11.9).

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use crate::replica::TRIES;
use crate::time::Instant;

use super::Job;
use super::event::{JobAction, PodNumber};
use super::pods::{Pod, Stage};
use super::spec::{Replacement, Suspension};

impl Job {
    pub(super) fn manage(&mut self, now: Instant, actions: &mut Vec<JobAction>) {
        if self.ending.is_some() {
            return self.end_all(Stage::Ending, |pod| actions.push(JobAction::Delete(pod)));
        }
        if self.spec.suspension == Suspension::Suspended {
            return self.end_all(Stage::TakenBack, |pod| actions.push(JobAction::Delete(pod)));
        }
        for _ in self.wanted()..self.active() {
            self.take_one_back(actions);
        }
        for (index, _) in self.next_places(self.room(), now).into_iter().take_while(|(_, later)| later.is_none()) {
            let pod = PodNumber(self.next_pod);
            self.next_pod += 1;
            self.pods.insert(pod, Pod { index, stage: Stage::Creating, is_ready: false, restarts: 0 });
            actions.push(JobAction::Create { pod, index });
        }
    }

    /// R11.1: how many should be active.
    fn wanted(&self) -> u32 {
        match self.spec.completions {
            // After a success those that run are left alone, and there are no new ones.
            None if self.succeeded > 0 => self.active(),
            None => self.spec.parallelism,
            Some(completions) => {
                let failed = u32::try_from(self.failed_indexes.len()).unwrap_or(u32::MAX);
                completions.saturating_sub(self.succeeded).saturating_sub(failed).min(self.spec.parallelism)
            }
        }
    }

    /// How many can be made now, by numbers alone (R11.7).
    fn room(&self) -> u32 {
        let going = match self.spec.replacement {
            Replacement::TerminatingOrFailed => 0,
            Replacement::Failed => self.pods.values().filter(|pod| !pod.stage.is_active()).count(),
        };
        let going = u32::try_from(going).unwrap_or(u32::MAX);
        self.wanted().saturating_sub(self.active()).saturating_sub(going)
    }

    /// For so many pods: which indexes are next, and until when each must wait after `now` (R11.5, R11.8). Fewer where no more are free.
    fn next_places(&self, many: u32, now: Instant) -> Vec<(Option<u32>, Option<Instant>)> {
        let many = usize::try_from(many).unwrap_or(usize::MAX);
        let backoff = self.spec.backoff;
        let later = |at: Option<Instant>| self.refusals.until(TRIES).max(at).filter(|at| *at > now);
        let of_all = later(self.failures.until(backoff));
        if !self.is_indexed() {
            // Where all wait one says it.
            return vec![(None, of_all); if of_all.is_some() { many.min(1) } else { many }];
        }
        let holds = |pod: &&Pod| pod.stage.is_active() || self.spec.replacement == Replacement::Failed;
        let taken: BTreeSet<u32> = self.pods.values().filter(holds).filter_map(|pod| pod.index).collect();
        let is_free = |index: &u32| {
            let sets = [&taken, &self.completed, &self.failed_indexes];
            sets.iter().all(|set| !set.contains(index))
        };
        let free = (0..self.spec.completions.unwrap_or(0)).filter(is_free);
        if self.spec.backoff_limit_per_index.is_none() {
            return free.take(many).map(|index| (Some(index), of_all)).collect();
        }
        let at = |index: u32| later(self.of_indexes.get(&index).and_then(|of| of.failures.until(backoff)));
        // Of those whose time has come the first.
        let mut places: Vec<_> = free.map(|index| (at(index), index)).collect();
        places.sort_unstable();
        places.into_iter().take(many).map(|(at, index)| (Some(index), at)).collect()
    }

    /// When a pod can be made for which there is room.
    pub(super) fn next_try(&self) -> Option<Instant> {
        let can = self.ending.is_none() && self.spec.suspension == Suspension::Active && self.room() > 0;
        if can { self.next_places(1, Instant::default()).first()?.1 } else { None }
    }

    /// R11.1: of too many those go first that are the least loss: not running, not Ready, restarted, young.
    fn take_one_back(&mut self, actions: &mut Vec<JobAction>) {
        let active = self.pods.iter_mut().filter(|(_, pod)| pod.stage.is_active());
        let worth = |(number, pod): &(&PodNumber, &mut Pod)| {
            let order = core::cmp::Reverse(number.0);
            (pod.stage == Stage::Running, pod.is_ready, core::cmp::Reverse(pod.restarts), order)
        };
        if let Some((number, pod)) = active.min_by_key(worth) {
            pod.stage = Stage::TakenBack;
            actions.push(JobAction::Delete(*number));
        }
    }
}
