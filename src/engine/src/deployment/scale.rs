//! R13.11: a Deployment that is scaled in the middle of a rollout, or paused, keeps the proportion of its revisions: neither good nor
//! bad news of the new one come faster by it.

use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::time::Instant;

use super::{Deployment, Strategy};

impl Deployment {
    /// Whether any size has changed.
    pub(super) fn scale(&mut self, now: Instant) -> bool {
        let replicas = self.spec.replicas;
        let active: Vec<usize> = (0..self.revisions.len()).filter(|at| self.revisions[*at].size > 0).collect();
        if active.len() < 2 {
            // The only one that has pods has them all; where none has, the new one, or the youngest.
            let newest = || self.new_revision().or_else(|| self.revisions.len().checked_sub(1));
            let newest = newest().filter(|at| !self.waits_for_others(*at));
            return active.first().copied().or(newest).is_some_and(|at| self.set_size(at, replicas));
        }
        if self.new_revision().is_some_and(|new| self.is_saturated(new, now)) {
            let old = active.into_iter().filter(|at| Some(*at) != self.new_revision());
            let old: Vec<usize> = old.collect();
            return old.into_iter().filter(|at| self.set_size(*at, 0)).count() > 0;
        }
        match self.spec.strategy {
            Strategy::Recreate => false,
            Strategy::RollingUpdate { .. } => {
                let sizes: Vec<u32> = active.iter().map(|at| self.revisions[*at].size).collect();
                let most = if replicas > 0 { self.spec.most() } else { 0 };
                let before = self.size.map_or(self.said.counts.replicas, |size| size.most);
                let sizes = proportions(&sizes, most, before);
                active.into_iter().zip(sizes).filter(|(at, size)| self.set_size(*at, *size)).count() > 0
            }
        }
    }

    /// R13.10, for one that was paused before the last old pod had ended.
    fn waits_for_others(&self, at: usize) -> bool {
        let template = self.revisions[at].template;
        self.spec.strategy == Strategy::Recreate && self.pool.has_any(|pod| pod.template != template)
    }

    fn is_saturated(&self, new: usize, now: Instant) -> bool {
        let replicas = self.spec.replicas;
        let is_sized = self.size.is_some_and(|size| size.replicas == replicas);
        is_sized && self.revisions[new].size == replicas && self.available_of(new, now) == replicas
    }
}

/// New sizes of revisions, the oldest first, where there may be `most` pods and were `before`. What rounding leaves over goes to the
/// largest; among equal ones the youngest grows first, and the oldest shrinks first.
fn proportions(sizes: &[u32], most: u32, before: u32) -> Vec<u32> {
    let total: i128 = sizes.iter().map(|size| i128::from(*size)).sum();
    let missing = i128::from(most) - total;
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    let grows = missing > 0;
    order.sort_by_key(|at| (Reverse(sizes[*at]), if grows { Reverse(*at) } else { Reverse(sizes.len() - *at) }));
    let mut new: Vec<i128> = sizes.iter().map(|size| i128::from(*size)).collect();
    let mut left = missing;
    for at in &order {
        let size = i128::from(sizes[*at]);
        let fraction = match (most, i128::from(before)) {
            (0, _) => -size,
            (_, 0) => 0,
            (most, before) => (2 * size * i128::from(most) + before) / (2 * before) - size,
        };
        let share = if grows { fraction.clamp(0, left) } else { fraction.clamp(left, 0) };
        new[*at] += share;
        left -= share;
    }
    if let Some(largest) = order.first() {
        new[*largest] = (new[*largest] + left).max(0);
    }
    new.into_iter().map(|size| u32::try_from(size).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::proportions;

    /// R13.11: sizes, the oldest first; how many there may be and might be before; and sizes afterwards.
    #[test]
    fn revisions_keep_their_proportion() {
        for (sizes, most, before, wanted) in [
            (&[3, 2][..], 10, 5, &[6, 4][..]),
            (&[3, 2], 3, 5, &[2, 1]),
            (&[1, 8], 4, 9, &[0, 4]),
            (&[2, 3, 2], 10, 7, &[3, 4, 3]),
            (&[3, 8, 2], 8, 13, &[2, 5, 1]),
            // What is left over.
            (&[1, 1, 1], 4, 3, &[1, 1, 2]),
            (&[1, 1, 1], 2, 3, &[0, 1, 1]),
            (&[2, 2], 5, 4, &[2, 3]),
            // To nothing.
            (&[1, 2, 3], 0, 6, &[0, 0, 0]),
            // With pods above the number, which changes as well.
            (&[6, 6], 22, 12, &[11, 11]),
            (&[8, 5], 56, 13, &[34, 22]),
            (&[3, 7], 14, 10, &[4, 10]),
            (&[1, 2], 3, 3, &[1, 2]),
            // Of an unknown size before all goes to the largest.
            (&[1, 2], 5, 0, &[1, 4]),
            (&[u32::MAX, 5], u32::MAX, 7, &[u32::MAX - 5, 5]),
        ] {
            assert_eq!(proportions(sizes, most, before), wanted, "{sizes:?} {before} -> {most}");
        }
    }
}
