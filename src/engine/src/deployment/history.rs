//! Old revisions: their numbers, how many are kept, and the way back to one (R13.6, R13.14).

use alloc::vec::Vec;

use crate::replica::{Making, Revision, Template, UndoRefusal, way_back};

use super::{Deployment, OfRevision, Rollout};

impl Deployment {
    /// R13.6: the first number that no revision has had is that of a template which is new, or is gone back to.
    pub(super) fn number_new_revision(&mut self) -> usize {
        let newest = self.revisions.iter().map(|one| one.number).max().unwrap_or(0);
        match self.new_revision() {
            Some(at) => {
                if self.revisions[at].number < newest {
                    self.revisions[at].number = newest + 1;
                    self.revisions[at].making = Making::default();
                }
                at
            }
            None => {
                let (template, making) = (self.spec.template, Making::default());
                self.revisions.push(OfRevision { template, number: newest + 1, size: 0, making });
                self.revisions.len() - 1
            }
        }
    }

    /// The revisions that there are, the oldest first.
    pub fn revisions(&self) -> Vec<Revision> {
        let mut all: Vec<Revision> =
            self.revisions.iter().map(|one| Revision { number: one.number, template: one.template }).collect();
        all.sort_unstable_by_key(|one| one.number);
        all
    }

    /// R13.14: the template that `rollout undo` makes the spec's again: that of this revision; `None`: of the one before the newest.
    pub fn undo(&self, to: Option<u64>) -> Result<Template, UndoRefusal> {
        if self.spec.rollout == Rollout::Paused {
            return Err(UndoRefusal::Paused);
        }
        way_back(&self.revisions(), to, self.spec.template)
    }

    /// R13.14: no more old revisions than `revisionHistoryLimit` are kept once the rollout has come to its end; those with pods stay.
    pub(super) fn forget_history(&mut self) {
        let Some(limit) = self.spec.history_limit.and_then(|limit| usize::try_from(limit).ok()) else { return };
        if !self.is_complete() && self.spec.rollout == Rollout::Goes {
            return;
        }
        let mut old: Vec<OfRevision> =
            self.revisions.iter().copied().filter(|one| one.template != self.spec.template).collect();
        old.sort_unstable_by_key(|one| one.number);
        let over = old.len().saturating_sub(limit);
        for one in old.into_iter().take(over) {
            let has_pods = one.size > 0 || self.pool.has_any(|pod| pod.template == one.template);
            if !has_pods {
                self.revisions.retain(|kept| kept.template != one.template);
            }
        }
    }
}
