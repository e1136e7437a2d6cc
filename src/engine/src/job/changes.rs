//! R11.17: what may change of a Job that has begun.

use alloc::vec::Vec;

use super::event::JobAction;
use super::pods::Stage;
use super::spec::JobSpec;
use super::{Job, count};

impl Job {
    /// Takes what may change; all else stays as it is.
    pub(super) fn change(&mut self, new: JobSpec, actions: &mut Vec<JobAction>) {
        let is_elastic = self.is_indexed() && new.completions == Some(new.parallelism) && self.ending.is_none();
        self.spec = JobSpec {
            parallelism: new.parallelism,
            completions: if is_elastic { new.completions } else { self.spec.completions },
            backoff_limit: new.backoff_limit,
            max_failed_indexes: new.max_failed_indexes,
            active_deadline: new.active_deadline,
            ttl_after_finished: new.ttl_after_finished,
            suspension: new.suspension,
            replacement: new.replacement,
            ..self.spec.clone()
        };
        if is_elastic {
            self.leave_out_indexes(actions);
        }
    }

    /// Indexes that are none any more: their pods go and count for nothing, and nothing is known of them.
    fn leave_out_indexes(&mut self, actions: &mut Vec<JobAction>) {
        let end = self.spec.parallelism;
        let is_left = |index: &u32| *index < end;
        self.completed.retain(is_left);
        self.failed_indexes.retain(is_left);
        self.of_indexes.retain(|index, _| is_left(index));
        self.succeeded = count(self.completed.len());
        let beyond = self.pods.iter_mut().filter(|(_, pod)| pod.stage.is_active() && pod.index >= Some(end));
        for (number, pod) in beyond {
            pod.stage = Stage::TakenBack;
            actions.push(JobAction::Delete(*number));
        }
    }

    /// Whether there is no such index any more.
    pub(super) fn is_beyond(&self, index: Option<u32>) -> bool {
        index.zip(self.spec.completions).is_some_and(|(index, end)| index >= end)
    }
}
