//! The controller of a ReplicaSet, and of a ReplicationController, which is the same (R13.1 to R13.5): as many pods as are wanted,
//! whatever becomes of them. A template that changes is for new pods alone.
//!
//! How pods are kept is in `replica/keep.rs`, which a Deployment's revisions use as well.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::replica::{Action, Condition, Conditions, Counts, Course, Event, Making, Pod, Pool, Template, Wanted};
use crate::time::{Instant, Now};

/// `spec` of an `apps/v1` ReplicaSet or a `v1` ReplicationController. Defaults are the API server's and filled in by who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSetSpec {
    /// How many pods there are to be.
    pub replicas: u32,
    /// What new ones are made from.
    pub template: Template,
    /// `minReadySeconds`.
    pub min_ready: Duration,
    /// `metadata.generation`.
    pub generation: u64,
}

/// `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSetStatus {
    /// `replicas`, `readyReplicas`, `availableReplicas`, `terminatingReplicas`.
    pub counts: Counts,
    /// Those that have the labels of the template.
    pub fully_labeled: u32,
    /// The generation of the spec that this is about.
    pub observed_generation: u64,
    /// ReplicaFailure, where a pod can't be made.
    pub conditions: Vec<Condition>,
}

/// A ReplicaSet and its pods.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicaSet {
    spec: ReplicaSetSpec,
    course: Course,
    pool: Pool,
    making: Making,
    conditions: Conditions,
    /// When it was told something last.
    seen: Instant,
}

impl ReplicaSet {
    /// One that hasn't begun.
    pub fn new(spec: ReplicaSetSpec) -> Self {
        let (pool, making, conditions) = (Pool::default(), Making::default(), Conditions::default());
        Self { spec, course: Course::New, pool, making, conditions, seen: Instant::default() }
    }

    /// Takes a fact and appends what is to be done. What is said of a pod that has ended already is left alone.
    pub fn step(&mut self, now: Now, event: Event<ReplicaSetSpec>, actions: &mut Vec<Action>) {
        self.seen = now.monotonic;
        match event {
            Event::Begin => self.course = Course::Going,
            Event::Stop => self.course = Course::Stopped,
            Event::Rebooted => {
                self.pool.forget_all();
                self.making = Making::default();
            }
            Event::Tick => {}
            Event::Pod(pod, fact) => {
                if let Some(fate) = self.pool.take(pod, fact, now.monotonic) {
                    self.making.take(pod, fate, self.pool.next_number(), now.monotonic);
                }
            }
            Event::Spec(spec) => {
                if self.spec.template != spec.template {
                    // What kept pods of the old one from being made says nothing of the new one's.
                    self.making = Making::default();
                }
                self.spec = spec;
            }
        }
        match self.course {
            Course::New => {}
            Course::Going => self.pool.keep(self.wanted(), &mut self.making, now.monotonic, actions),
            Course::Stopped => {
                self.making.stopped();
                self.pool.delete_all(actions);
            }
        }
        self.conditions.say_failure(self.making.is_refused(), now.wall);
    }

    /// When [`Self::step`] is to be called though nothing has happened.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.course {
            Course::New | Course::Stopped => None,
            Course::Going => {
                let available = self.pool.next_available(self.spec.min_ready, self.seen);
                [available, self.pool.next_try(self.wanted(), &self.making)].into_iter().flatten().min()
            }
        }
    }

    /// What was asked for and isn't answered yet.
    pub fn under_way(&self) -> Vec<Action> {
        self.pool.under_way()
    }

    /// Templates whose text is still needed.
    pub fn templates(&self) -> BTreeSet<Template> {
        self.pool.templates_in_the_making().chain([self.spec.template]).collect()
    }

    /// What users see.
    pub fn status(&self) -> ReplicaSetStatus {
        let labels = self.spec.template.labels;
        ReplicaSetStatus {
            counts: self.pool.counts(|_| true, self.spec.min_ready, self.seen),
            fully_labeled: self.pool.active(|pod| pod.template.labels == labels),
            observed_generation: self.spec.generation,
            conditions: self.conditions.all().to_vec(),
        }
    }

    fn wanted(&self) -> Wanted<fn(&Pod) -> bool> {
        let ReplicaSetSpec { replicas, template, min_ready, .. } = self.spec;
        Wanted { count: replicas, template, min_ready, fits: |_| true }
    }
}
