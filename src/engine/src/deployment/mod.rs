//! The controller of a Deployment (R13.6 to R13.15).
//!
//! In Kubernetes a Deployment sets the sizes of ReplicaSets, and their controller makes and ends pods until they have them. Here one
//! state machine has the revisions with their sizes, and the pods: what a ReplicaSet's status would say late and in part is simply
//! known, nothing has to be matched by owners and labels, and one thing is saved. Sizes are decided by the same rules, in the same
//! order, from the same numbers, so that the outcome is that of a cluster whose ReplicaSets are told of at once.
//!
//! Where to start reading: [`Deployment::step`] takes a fact; `rollout` sets the sizes of revisions, `scale` does in the middle of a
//! rollout where `replicas` changes, `replica/keep.rs` makes and deletes pods until each revision has its size, `progress` says in
//! conditions how it goes, and `history` knows old revisions.

mod history;
mod progress;
mod rollout;
mod scale;
mod spec;
mod status;
mod view;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::replica::{Action, Conditions, Course, Event, Making, Pod, PodFact, PodNumber, Pool, Template, Wanted};
use crate::time::{Instant, Now};

use spec::Size;
pub use spec::{DeploymentSpec, Rollout, Strategy};
pub use status::{DeploymentStatus, OfRevisionStatus};

/// A Deployment and its pods.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    spec: DeploymentSpec,
    course: Course,
    pool: Pool,
    /// In the order in which they were first made.
    revisions: Vec<OfRevision>,
    /// For what the sizes of revisions were decided last.
    size: Option<Size>,
    conditions: Conditions,
    /// What the status said last: a rollout goes on where it gets better.
    said: DeploymentStatus,
    /// When the rollout last went on, where Progressing says so.
    progressed: Option<Instant>,
    /// When it was told something last.
    seen: Instant,
}

/// What would be a ReplicaSet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OfRevision {
    template: Template,
    number: u64,
    /// How many pods it is to have.
    size: u32,
    making: Making,
}

impl Deployment {
    /// One that hasn't begun.
    pub fn new(spec: DeploymentSpec) -> Self {
        Self {
            spec,
            course: Course::New,
            pool: Pool::default(),
            revisions: Vec::new(),
            size: None,
            conditions: Conditions::default(),
            said: DeploymentStatus::default(),
            progressed: None,
            seen: Instant::default(),
        }
    }

    /// Takes a fact and appends what is to be done. What is said of a pod that has ended already is left alone.
    pub fn step(&mut self, now: Now, event: Event<DeploymentSpec>, actions: &mut Vec<Action>) {
        self.seen = now.monotonic;
        match event {
            Event::Begin => {
                // The time for which it was stopped isn't one in which the rollout stood still.
                self.progressed =
                    self.progressed.map(|at| if self.course == Course::Stopped { now.monotonic } else { at });
                self.course = Course::Going;
            }
            Event::Stop => self.course = Course::Stopped,
            Event::Rebooted => {
                self.pool.forget_all();
                self.revisions.iter_mut().for_each(|one| one.making = Making::default());
                self.progressed = self.progressed.map(|_| now.monotonic);
            }
            Event::Tick => {}
            Event::Pod(pod, fact) => self.take(pod, fact, now.monotonic),
            Event::Spec(spec) => {
                self.spec = spec;
                // Pods that were new are old now: what comes of it is progress, and that isn't.
                if self.course == Course::Going {
                    self.say(now);
                }
            }
        }
        match self.course {
            Course::New => {}
            Course::Going => self.advance(now, actions),
            Course::Stopped => {
                self.revisions.iter_mut().for_each(|one| one.making.stopped());
                self.pool.delete_all(actions);
                self.say(now);
            }
        }
    }

    fn take(&mut self, number: PodNumber, fact: PodFact, now: Instant) {
        let Some(fate) = self.pool.take(number, fact, now) else { return };
        if let Some(revision) = self.revisions.iter_mut().find(|one| one.template == fate.0.template) {
            revision.making.take(number, fate, self.pool.next_number(), now);
        }
    }

    /// Sizes change what pods there are, which changes sizes: new ones only grow and old ones only shrink, until nothing moves.
    fn advance(&mut self, now: Now, actions: &mut Vec<Action>) {
        loop {
            let moves = self.roll(now);
            for at in 0..self.revisions.len() {
                let mut making = self.revisions[at].making;
                self.pool.keep(self.wanted(&self.revisions[at]), &mut making, now.monotonic, actions);
                self.revisions[at].making = making;
            }
            self.say(now);
            if !moves {
                break;
            }
        }
        self.forget_history();
    }

    fn wanted(&self, revision: &OfRevision) -> Wanted<impl Fn(&Pod) -> bool + Copy + use<>> {
        let template = revision.template;
        let fits = move |pod: &Pod| pod.template == template;
        Wanted { count: revision.size, template, min_ready: self.spec.min_ready, fits }
    }

    /// When [`Self::step`] is to be called though nothing has happened.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.course {
            Course::New | Course::Stopped => None,
            Course::Going => {
                let tries = self.revisions.iter().filter_map(|one| self.pool.next_try(self.wanted(one), &one.making));
                let available = self.pool.next_available(self.spec.min_ready, self.seen);
                tries.chain(available).chain(self.is_late_at()).min()
            }
        }
    }

    /// What was asked for and isn't answered yet.
    pub fn under_way(&self) -> Vec<Action> {
        self.pool.under_way()
    }

    /// Templates whose text is still needed.
    pub fn templates(&self) -> BTreeSet<Template> {
        self.revisions.iter().map(|one| one.template).chain([self.spec.template]).collect()
    }

    /// The revision of the spec's template, where there is one.
    fn new_revision(&self) -> Option<usize> {
        self.revisions.iter().position(|one| one.template == self.spec.template)
    }
}
