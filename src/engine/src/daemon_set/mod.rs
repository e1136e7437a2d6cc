//! The controller of a DaemonSet on a box that is its only node (R15): one pod, and while it is updated with a surge two.
//!
//! Where to start reading: [`DaemonSet::step`] takes a fact, and `DaemonSet::advance` decides what follows from the pods that are there.

mod spec;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::replica::{
    Action, Course, Event, History, Making, Pod, PodNumber, Pool, Revision, RolloutProgress, Stage, Template,
    UndoRefusal, way_back,
};
use crate::time::{Instant, Now};

pub use spec::{DaemonSetSpec, DaemonSetStatus, DaemonUpdate};

/// A DaemonSet and its pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaemonSet {
    spec: DaemonSetSpec,
    course: Course,
    pool: Pool,
    history: History,
    making: Making,
    /// When a pod may be made that is missing.
    next_try: Option<Instant>,
    /// When it was told something last.
    seen: Instant,
}

impl DaemonSet {
    /// One that hasn't begun.
    pub fn new(spec: DaemonSetSpec) -> Self {
        let (pool, history, making) = (Pool::default(), History::default(), Making::default());
        Self { spec, course: Course::New, pool, history, making, next_try: None, seen: Instant::default() }
    }

    /// Takes a fact and appends what is to be done. What is said of a pod that has ended already is left alone.
    pub fn step(&mut self, now: Now, event: Event<DaemonSetSpec>, actions: &mut Vec<Action>) {
        let now = now.monotonic;
        self.seen = now;
        match event {
            Event::Begin => self.course = Course::Going,
            Event::Stop => self.course = Course::Stopped,
            Event::Rebooted => {
                self.pool.forget_all();
                self.making = Making::default();
            }
            Event::Tick => {}
            Event::Pod(pod, fact) => {
                if let Some(fate) = self.pool.take(pod, fact, now) {
                    self.making.take(pod, fate, self.pool.next_number(), now);
                }
            }
            Event::Spec(spec) => {
                if spec.template != self.spec.template {
                    // What kept a pod of the old one from being made says nothing of the new one's.
                    self.making = Making::default();
                }
                self.spec = spec;
            }
        }
        self.next_try = None;
        match self.course {
            Course::New => {}
            Course::Going => {
                self.history.add(self.spec.template);
                self.advance(now, actions);
                let (pool, current) = (&self.pool, self.spec.template);
                let is_needed = |template| template == current || pool.has_any(|pod: &Pod| pod.template == template);
                self.history.keep(self.spec.history_limit, is_needed);
            }
            Course::Stopped => {
                self.making.stopped();
                self.pool.delete_all(actions);
            }
        }
    }

    fn advance(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let template = self.spec.template;
        let is_available = |pod: &Pod| pod.is_available(self.spec.min_ready, now);
        let active: Vec<(PodNumber, Pod)> =
            self.pool.iter().filter(|(_, pod)| pod.is_active()).map(|(number, pod)| (number, *pod)).collect();
        let old = active.iter().find(|(_, pod)| pod.template != template).copied();
        let new = active.iter().find(|(_, pod)| pod.template == template).copied();
        let kept = match (old, new) {
            (Some(old), Some(new)) if self.spec.surges() => {
                // R15.3: the old one is there for as long as it is better than the new one.
                let is_over = is_available(&new.1) || !is_available(&old.1);
                [(!is_over).then_some(old.0), Some(new.0)]
            }
            // R15.2, R15.4: of those that are there together for another reason the oldest stays.
            _ => [active.first().map(|(number, _)| *number), None],
        };
        let is_replaced = matches!(self.spec.update, DaemonUpdate::RollingUpdate { .. }) && !self.spec.surges();
        let goes = |(number, pod): &&(PodNumber, Pod)| {
            !kept.contains(&Some(*number)) || (is_replaced && pod.template != template)
        };
        let gone: Vec<PodNumber> = active.iter().filter(goes).map(|(number, _)| *number).collect();
        gone.into_iter().for_each(|number| self.pool.delete(number, actions));
        let is_alone = !self.pool.has_any(|_| true);
        if is_alone || (self.spec.surges() && old.is_some() && new.is_none()) {
            self.make(now, actions);
        }
    }

    fn make(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let in_the_making = self.pool.count(|pod| pod.stage == Stage::Creating && pod.template == self.spec.template);
        match self.making.next_batch(1, in_the_making, now) {
            0 => self.next_try = self.making.waits_until(now),
            _ => self.pool.create(self.spec.template, None, actions),
        }
    }

    /// When [`Self::step`] is to be called though nothing has happened.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.course {
            Course::New | Course::Stopped => None,
            Course::Going => {
                [self.next_try, self.pool.next_available(self.spec.min_ready, self.seen)].into_iter().flatten().min()
            }
        }
    }

    /// What was asked for and isn't answered yet.
    pub fn under_way(&self) -> Vec<Action> {
        self.pool.under_way()
    }

    /// Templates whose text is still needed.
    pub fn templates(&self) -> BTreeSet<Template> {
        self.history.all().iter().map(|one| one.template).chain([self.spec.template]).collect()
    }

    /// The revisions that there are, the oldest first.
    pub fn revisions(&self) -> &[Revision] {
        self.history.all()
    }

    /// R15.5: the template that `rollout undo` makes the spec's again: that of this revision; `None`: of the one before the newest.
    pub fn undo(&self, to: Option<u64>) -> Result<Template, UndoRefusal> {
        way_back(self.history.all(), to, self.spec.template)
    }

    /// R13.17: how far the rollout is.
    pub fn rollout(&self) -> RolloutProgress {
        let DaemonSetStatus { updated, available, .. } = self.status();
        match self.spec.update {
            DaemonUpdate::OnDelete => RolloutProgress::OnDelete,
            DaemonUpdate::RollingUpdate { .. } => {
                RolloutProgress::of(updated, 1, self.pool.active(|_| true).max(1), available, 1)
            }
        }
    }

    /// What users see.
    pub fn status(&self) -> DaemonSetStatus {
        let counts = self.pool.counts(|_| true, self.spec.min_ready, self.seen);
        let oldest = self.pool.iter().map(|(_, pod)| pod).find(|pod| pod.is_active());
        DaemonSetStatus {
            desired: 1,
            current: (counts.replicas + counts.terminating).min(1),
            updated: u32::from(oldest.is_some_and(|pod| pod.template == self.spec.template)),
            ready: counts.ready.min(1),
            available: counts.available.min(1),
            unavailable: 1 - counts.available.min(1),
            revision: self.history.newest(),
            observed_generation: self.spec.generation,
        }
    }
}
