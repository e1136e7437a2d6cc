//! Pods of another template are replaced from the highest ordinal on (R14.6 to R14.8).

use alloc::vec::Vec;

use crate::replica::{Action, PodNumber};
use crate::time::Instant;

use super::StatefulSet;
use super::spec::UpdateStrategy;

impl StatefulSet {
    /// R14.7: deletes as many as may be missing; their places are filled with the new template.
    pub(super) fn update(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.spec.update == UpdateStrategy::OnDelete {
            return;
        }
        let (mut free, mut costly): (Vec<PodNumber>, Vec<PodNumber>) = (Vec::new(), Vec::new());
        let pods = self.pods();
        let mut unavailable = 0;
        for ordinal in self.spec.ordinals().rev() {
            let Some((number, pod)) = pods.get(&ordinal) else {
                unavailable += 1;
                continue;
            };
            let is_available = self.is_available(pod, now);
            unavailable += u32::from(!is_available);
            if pod.template != self.spec.template && pod.is_active() && self.spec.is_updated(ordinal) {
                if is_available { costly.push(*number) } else { free.push(*number) }
            }
        }
        let spare = self.spec.max_unavailable().saturating_sub(unavailable);
        let spare = usize::try_from(spare).unwrap_or(usize::MAX);
        // One that isn't available is missing already.
        for number in free.into_iter().chain(costly.into_iter().take(spare)) {
            self.pool.delete(number, actions);
        }
    }

    /// R14.8: when all pods are of the new template, and Ready, it is what the next rollout begins from.
    pub(super) fn end_rollout(&mut self, now: Instant) {
        let status = self.status_at(now);
        let is_whole = [status.replicas, status.ready, status.updated].iter().all(|count| *count == self.spec.replicas);
        if is_whole && self.spec.update != UpdateStrategy::OnDelete {
            self.current = self.spec.template;
        }
    }
}
