//! What is told of a Deployment.

use alloc::vec::Vec;

use crate::replica::{ConditionKind, Reason, Revision, RolloutProgress};

use super::{Deployment, DeploymentStatus, OfRevisionStatus};

impl Deployment {
    /// What users see.
    pub fn status(&self) -> DeploymentStatus {
        self.said.clone()
    }

    /// What each revision has, that with the lowest number first.
    pub fn of_revisions(&self) -> Vec<OfRevisionStatus> {
        let of = |at: usize| {
            let one = self.revisions[at];
            let revision = Revision { number: one.number, template: one.template };
            OfRevisionStatus { revision, size: one.size, counts: self.counts_of(at, self.seen) }
        };
        let mut all: Vec<OfRevisionStatus> = (0..self.revisions.len()).map(of).collect();
        all.sort_unstable_by_key(|one| one.revision.number);
        all
    }

    /// R13.17: how far the rollout is.
    pub fn rollout(&self) -> RolloutProgress {
        let (said, wanted) = (&self.said, self.spec.replicas);
        let progressing = said.conditions.iter().find(|one| one.kind == ConditionKind::Progressing);
        match progressing.map(|one| one.reason) {
            Some(Reason::ProgressDeadlineExceeded) => RolloutProgress::Late,
            _ => RolloutProgress::of(said.updated, wanted, said.counts.replicas, said.counts.available, wanted),
        }
    }
}
