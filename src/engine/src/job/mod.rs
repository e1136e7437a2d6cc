//! A Job's controller as a pure state machine (R11), beside the pod's: facts in, actions out, no clock and no I/O. Who runs it makes
//! and ends pods as it asks, and says what has become of them.
//!
//! Where to start reading: [`Job::step`] takes a fact; `counts` says what an ended pod counts as, `ends` when the Job ends and
//! with what, `manage` which pods are made and deleted.

mod changes;
mod counts;
mod ends;
mod event;
mod indexes;
mod manage;
mod pods;
mod policy;
mod spec;
mod status;
mod suspension;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use event::{IsReady, JobAction, JobEvent, PodEnd, PodNumber};
use pods::{Pod, Stage};
pub use spec::{
    CodeOperator, CompletionMode, FailureAction, FailureMatch, FailureRule, JobBackoff, JobSpec, PodCondition,
    Replacement, Restarts, SuccessRule, Suspension,
};
pub use status::{ConditionKind, JobCondition, JobStatus, Reason};

use crate::replica::Failures;
use crate::time::{Instant, Now, WallTime};

/// A Job and its pods.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    spec: JobSpec,
    has_begun: bool,
    /// Those that haven't ended.
    pods: BTreeMap<PodNumber, Pod>,
    next_pod: u32,
    succeeded: u32,
    failed: u32,
    /// Indexes that have succeeded, and those that have failed for good.
    completed: BTreeSet<u32>,
    failed_indexes: BTreeSet<u32>,
    /// Failures since the last success, all in all and of each index.
    failures: Failures,
    of_indexes: BTreeMap<u32, OfIndex>,
    /// Pods that couldn't be made, since the last one that could.
    refusals: Failures,
    /// From when the deadline counts.
    started: Option<(Instant, WallTime)>,
    completion_time: Option<WallTime>,
    conditions: Vec<JobCondition>,
    /// Why it ends, once that is decided.
    ending: Option<Reason>,
    finished: Option<Instant>,
    is_forgotten: bool,
}

/// Failures of an index.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct OfIndex {
    /// Those that count towards its limit, and those that don't.
    counted: u32,
    #[serde(default)]
    ignored: u32,
    failures: Failures,
}

impl Job {
    /// One that hasn't begun.
    pub fn new(spec: JobSpec) -> Self {
        Self {
            spec,
            has_begun: false,
            pods: BTreeMap::new(),
            next_pod: 0,
            succeeded: 0,
            failed: 0,
            completed: BTreeSet::new(),
            failed_indexes: BTreeSet::new(),
            failures: Failures::default(),
            of_indexes: BTreeMap::new(),
            refusals: Failures::default(),
            started: None,
            completion_time: None,
            conditions: Vec::new(),
            ending: None,
            finished: None,
            is_forgotten: false,
        }
    }

    /// Takes a fact and appends what is to be done. What is said of a pod that has ended already is left alone.
    pub fn step(&mut self, now: Now, event: JobEvent, actions: &mut Vec<JobAction>) {
        match event {
            JobEvent::Begin => self.has_begun = true,
            JobEvent::Tick => {}
            JobEvent::Created(pod) => self.made(pod),
            JobEvent::NotCreated(pod) => self.refused(pod, now.monotonic),
            JobEvent::Ready(pod, ready) => {
                if let Some(pod) = self.pods.get_mut(&pod) {
                    pod.is_ready = ready == IsReady::Yes;
                }
            }
            JobEvent::Restarted(pod, restarts) => {
                if let Some(pod) = self.pods.get_mut(&pod) {
                    pod.restarts = restarts;
                }
            }
            JobEvent::Leaving(pod) => self.leaves(pod, now.monotonic),
            JobEvent::Ended(pod, end) => self.ended(pod, &end, now.monotonic),
            JobEvent::Suspend(suspension) => self.spec.suspension = suspension,
            JobEvent::Parallelism(parallelism) => self.spec.parallelism = parallelism,
            JobEvent::Changed(spec) => self.change(*spec, actions),
        }
        self.advance(now, actions);
    }

    fn advance(&mut self, now: Now, actions: &mut Vec<JobAction>) {
        if !self.has_begun {
            return;
        }
        if self.finished.is_none() {
            self.start(now);
            self.decide(now);
            self.say_suspended(now);
            self.manage(now.monotonic, actions);
            self.finish(now);
        }
        if self.forget_at().is_some_and(|at| at <= now.monotonic) {
            self.is_forgotten = true;
            actions.push(JobAction::Forget);
        }
    }

    /// What was asked for and isn't answered yet, for who goes on with a Job that was saved. A pod that somebody else deletes is
    /// asked to end once more, which changes nothing.
    pub fn under_way(&self) -> Vec<JobAction> {
        let asked = |(number, pod): (&PodNumber, &Pod)| match pod.stage {
            Stage::Creating => Some(JobAction::Create { pod: *number, index: pod.index }),
            Stage::Running => None,
            Stage::TakenBack | Stage::Ending | Stage::Counted | Stage::Leaving => Some(JobAction::Delete(*number)),
        };
        self.pods.iter().filter_map(asked).collect()
    }

    /// R11.11: how often an index has failed before, as far as that counts, and how often it was ignored; `None` without
    /// `backoffLimitPerIndex`.
    pub fn failures_of(&self, index: u32) -> Option<(u32, u32)> {
        self.spec.backoff_limit_per_index?;
        let of = self.of_indexes.get(&index).copied().unwrap_or_default();
        Some((of.counted, of.ignored))
    }

    /// Whether it is Complete or Failed.
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// When [`Self::step`] is to be called though nothing has happened.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.has_begun {
            return None;
        }
        match self.finished {
            Some(_) => self.forget_at(),
            None => [self.deadline(), self.next_try()].into_iter().flatten().min(),
        }
    }

    /// What users see.
    pub fn status(&self) -> JobStatus {
        let count = |fits: &dyn Fn(&Pod) -> bool| {
            u32::try_from(self.pods.values().filter(|pod| fits(pod)).count()).unwrap_or(u32::MAX)
        };
        JobStatus {
            active: self.active(),
            ready: count(&|pod| pod.stage.is_active() && pod.is_ready),
            terminating: count(&|pod| !pod.stage.is_active()),
            succeeded: self.succeeded,
            failed: self.failed,
            completed_indexes: indexes::text(&self.completed),
            failed_indexes: self.spec.backoff_limit_per_index.map(|_| indexes::text(&self.failed_indexes)),
            start_time: self.started.map(|(_, wall)| wall),
            completion_time: self.completion_time,
            conditions: self.conditions.clone(),
        }
    }

    fn active(&self) -> u32 {
        u32::try_from(self.pods.values().filter(|pod| pod.stage.is_active()).count()).unwrap_or(u32::MAX)
    }

    fn is_indexed(&self) -> bool {
        self.spec.mode == CompletionMode::Indexed
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
