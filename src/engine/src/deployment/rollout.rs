//! How many pods each revision is to have (R13.8 to R13.10).

use crate::replica::{Counts, Reason};
use crate::time::{Instant, Now};

use super::spec::Size;
use super::{Deployment, Rollout, Strategy};

impl Deployment {
    /// Sets sizes as far as they can be set now, and says whether any has changed.
    pub(super) fn roll(&mut self, now: Now) -> bool {
        let is_scaled = self.revisions.iter().any(|one| one.size > 0)
            && self.size.is_some_and(|size| size.replicas != self.spec.replicas);
        if is_scaled || self.spec.rollout == Rollout::Paused {
            let moves = self.scale(now.monotonic);
            self.size = Some(Size { replicas: self.spec.replicas, most: self.spec.most() });
            // What is left to be done for the new template comes after it.
            return moves || is_scaled;
        }
        self.size = Some(Size { replicas: self.spec.replicas, most: self.spec.most() });
        match self.spec.strategy {
            Strategy::RollingUpdate { .. } => {
                let new = self.begin_revision(now);
                self.grow_new(new) || self.shrink_old(new, now.monotonic)
            }
            Strategy::Recreate => {
                let template = self.spec.template;
                let old = self.revisions.iter_mut().filter(|one| one.template != template && one.size > 0);
                let moves = old.map(|one| one.size = 0).count() > 0;
                // R13.10: until the last old one has ended no new one is made.
                if moves || self.pool.has_any(|pod| pod.template != template) {
                    return moves;
                }
                let new = self.begin_revision(now);
                self.set_size(new, self.spec.replicas)
            }
        }
    }

    /// R13.6, R13.12.
    fn begin_revision(&mut self, now: Now) -> usize {
        let is_new = self.new_revision().is_none();
        let at = self.number_new_revision();
        if is_new {
            self.say_progress(Reason::NewReplicaSetCreated, now);
        } else if self.progressed.is_none() {
            self.say_progress(Reason::FoundNewReplicaSet, now);
        }
        at
    }

    /// R13.8: as many new ones as `maxSurge` leaves room for.
    fn grow_new(&mut self, new: usize) -> bool {
        let size = self.revisions[new].size;
        if size > self.spec.replicas {
            return self.set_size(new, self.spec.replicas);
        }
        let room = self.spec.most().saturating_sub(self.total_size());
        self.set_size(new, size + room.min(self.spec.replicas - size))
    }

    /// R13.9: as many old ones fewer as `maxUnavailable` allows, those that aren't available first.
    fn shrink_old(&mut self, new: usize, now: Instant) -> bool {
        let least = self.spec.least();
        let of_new = self.revisions[new].size.saturating_sub(self.available_of(new, now));
        let mut spare = self.total_size().saturating_sub(least).saturating_sub(of_new);
        let old = |at: &usize| *at != new;
        let mut moves = false;
        // Available ones are counted before any goes.
        let available: u32 = (0..self.revisions.len()).map(|at| self.available_of(at, now)).sum();
        if spare == 0 {
            return false;
        }
        for at in (0..self.revisions.len()).filter(old) {
            let size = self.revisions[at].size;
            let broken = size.saturating_sub(self.available_of(at, now)).min(spare);
            spare -= broken;
            moves |= self.set_size(at, size - broken);
        }
        let mut over = available.saturating_sub(least);
        for at in (0..self.revisions.len()).filter(old) {
            let size = self.revisions[at].size;
            let fewer = size.min(over);
            over -= fewer;
            moves |= self.set_size(at, size - fewer);
        }
        moves
    }

    pub(super) fn set_size(&mut self, at: usize, size: u32) -> bool {
        core::mem::replace(&mut self.revisions[at].size, size) != size
    }

    pub(super) fn total_size(&self) -> u32 {
        self.revisions.iter().fold(0, |sum, one| sum.saturating_add(one.size))
    }

    pub(super) fn available_of(&self, at: usize, now: Instant) -> u32 {
        self.counts_of(at, now).available
    }

    pub(super) fn counts_of(&self, at: usize, now: Instant) -> Counts {
        let template = self.revisions[at].template;
        self.pool.counts(|pod| pod.template == template, self.spec.min_ready, now)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::deployment::{DeploymentSpec, OfRevision};
    use crate::replica::{Amount, IsReady, Making, PodFact, PodNumber, Template};
    use alloc::vec::Vec;
    use core::time::Duration;

    const OLD: Template = Template { id: 1, labels: 1 };
    const NEW: Template = Template { id: 2, labels: 1 };

    /// In the middle of a rollout: of the old and the new revision the size, and how many are available.
    fn rollout(replicas: u32, surge: u32, unavailable: u32, old: (u32, u32), new: (u32, u32)) -> Deployment {
        let (max_surge, max_unavailable) = (Amount::Count(surge), Amount::Count(unavailable));
        let mut deployment = Deployment::new(DeploymentSpec {
            replicas,
            template: NEW,
            strategy: Strategy::RollingUpdate { max_surge, max_unavailable },
            min_ready: Duration::ZERO,
            progress_deadline: None,
            history_limit: None,
            rollout: Rollout::Goes,
            generation: 1,
        });
        let mut pods = 0;
        for (number, template, (size, available)) in [(1, OLD, old), (2, NEW, new)] {
            deployment.revisions.push(OfRevision { template, number, size, making: Making::default() });
            for at in 0..size {
                deployment.pool.create(template, None, &mut Vec::new());
                if at < available {
                    let ready = PodFact::Ready(IsReady::Yes);
                    deployment.pool.take(PodNumber(pods), ready, Instant::default()).unwrap();
                }
                pods += 1;
            }
        }
        deployment
    }

    /// R13.8: `replicas`, `maxSurge`, old and new, and what the new one grows to.
    #[test]
    fn new_ones_grow_into_the_room_there_is() {
        for (replicas, surge, old, new, wanted) in
            [(10, 0, 10, 0, 0), (10, 2, 10, 0, 2), (10, 2, 5, 0, 7), (10, 2, 10, 2, 2), (10, 2, 2, 11, 10)]
        {
            let mut deployment = rollout(replicas, surge, 0, (old, old), (new, new));
            assert_eq!(deployment.grow_new(1), wanted != new, "{replicas} {surge} {old} {new}");
            assert_eq!(deployment.revisions[1].size, wanted, "{replicas} {surge} {old} {new}");
        }
    }

    /// R13.9: of 10 with `maxUnavailable`; old and new with how many available, and what the old one shrinks to.
    #[test]
    fn old_ones_shrink_as_far_as_enough_are_available() {
        for (surge, unavailable, old, new, wanted) in [
            (1, 0, (10, 10), (0, 0), 10),
            (1, 0, (10, 10), (1, 0), 10),
            (1, 0, (10, 10), (1, 1), 9),
            (0, 2, (10, 10), (0, 0), 8),
            // Those that aren't available first.
            (0, 2, (10, 8), (0, 0), 8),
            (0, 2, (10, 9), (0, 0), 8),
            (0, 2, (10, 1), (0, 0), 8),
            // New ones that aren't available don't make it worse.
            (0, 2, (8, 8), (2, 0), 8),
            (3, 2, (8, 7), (5, 0), 8),
            // A new one that is there at once after a bad one: bad ones go by as many as may be missing.
            (3, 2, (5, 0), (8, 7), 1),
        ] {
            let mut deployment = rollout(10, surge, unavailable, old, new);
            assert_eq!(deployment.shrink_old(1, Instant::default()), wanted != old.0, "{unavailable} {old:?} {new:?}");
            assert_eq!(deployment.revisions[0].size, wanted, "{surge} {unavailable} {old:?} {new:?}");
        }
    }
}
