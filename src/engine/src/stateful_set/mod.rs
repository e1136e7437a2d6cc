//! The controller of a StatefulSet (R14): pods with places, which are numbered by ordinals, and made, updated and deleted in their
//! order. Who runs it names a pod and its host by the ordinal, and has its claims there before it is made.
//!
//! Where to start reading: [`StatefulSet::step`] takes a fact; `places` makes and deletes pods until each place has one, and
//! `update` replaces those of another template.

mod places;
mod spec;
mod status;
mod update;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::replica::{
    Action, Course, Event, History, Making, Pod, PodFact, PodNumber, Pool, Revision, Template, UndoRefusal, What,
    way_back,
};
use crate::time::{Instant, Now};

pub use spec::{ClaimRetention, Management, StatefulSetSpec, UpdateStrategy};
pub use status::StatefulSetStatus;

/// A StatefulSet and its pods.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatefulSet {
    spec: StatefulSetSpec,
    course: Course,
    pool: Pool,
    history: History,
    /// What the first pods keep while a rollout goes on.
    current: Template,
    /// How fast pods are made, and those that couldn't be.
    making: Making,
    /// Those that have ended by themselves, by ordinal.
    ends: BTreeMap<u32, Making>,
    /// When a pod may be made that is missing.
    next_try: Option<Instant>,
    /// When it was told something last.
    seen: Instant,
}

impl StatefulSet {
    /// One that hasn't begun.
    pub fn new(spec: StatefulSetSpec) -> Self {
        Self {
            spec,
            course: Course::New,
            pool: Pool::default(),
            history: History::default(),
            current: spec.template,
            making: Making::default(),
            ends: BTreeMap::new(),
            next_try: None,
            seen: Instant::default(),
        }
    }

    /// Takes a fact and appends what is to be done. What is said of a pod that has ended already is left alone.
    pub fn step(&mut self, now: Now, event: Event<StatefulSetSpec>, actions: &mut Vec<Action>) {
        let now = now.monotonic;
        self.seen = now;
        match event {
            Event::Begin => self.course = Course::Going,
            Event::Stop => self.course = Course::Stopped,
            Event::Rebooted => {
                self.making = Making::default();
                self.ends.clear();
                let gone = self.pool.forget_all().into_iter();
                gone.filter_map(|pod| pod.ordinal).for_each(|ordinal| self.place_is_left(ordinal, actions));
            }
            Event::Tick => {}
            Event::Pod(pod, fact) => self.take(pod, fact, now, actions),
            Event::Spec(spec) => {
                if spec.template != self.spec.template {
                    // What kept pods of the old one from being made says nothing of the new one's.
                    self.making = Making::default();
                    self.ends.clear();
                }
                self.spec = spec;
                if self.course == Course::New {
                    self.current = spec.template;
                }
            }
        }
        self.next_try = None;
        match self.course {
            Course::New => {}
            Course::Going => {
                self.history.add(self.spec.template);
                if self.fill_places(now, actions) {
                    self.update(now, actions);
                }
                self.end_rollout(now);
                self.forget_history();
            }
            Course::Stopped => {
                self.making.stopped();
                self.pool.delete_all(actions);
            }
        }
    }

    fn take(&mut self, number: PodNumber, fact: PodFact, now: Instant, actions: &mut Vec<Action>) {
        let Some((before, what)) = self.pool.take(number, fact, now) else { return };
        let ordinal = before.ordinal.unwrap_or_default();
        match what {
            What::Made => self.making.made(),
            What::Refused if before.is_active() => self.making.refused(now),
            What::Gone if before.is_active() => {
                self.ends.entry(ordinal).or_default().ended(number, self.pool.next_number(), now);
            }
            What::Refused | What::Gone => {}
        }
        if what == What::Gone {
            self.place_is_left(ordinal, actions);
        }
    }

    /// R14.9.
    fn place_is_left(&self, ordinal: u32, actions: &mut Vec<Action>) {
        let is_over = !self.spec.ordinals().contains(&ordinal);
        if is_over && self.spec.when_scaled == ClaimRetention::Delete {
            actions.push(Action::DeleteClaims(ordinal));
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
        let known = self.history.all().iter().map(|one| one.template);
        known.chain([self.spec.template, self.current]).collect()
    }

    /// The revisions that there are, the oldest first.
    pub fn revisions(&self) -> &[Revision] {
        self.history.all()
    }

    /// R14.8: the template that `rollout undo` makes the spec's again: that of this revision; `None`: of the one before the newest.
    pub fn undo(&self, to: Option<u64>) -> Result<Template, UndoRefusal> {
        way_back(self.history.all(), to, self.spec.template)
    }

    fn forget_history(&mut self) {
        let (pool, spec, current) = (&self.pool, &self.spec, self.current);
        let is_needed = |template| {
            template == spec.template || template == current || pool.has_any(|pod: &Pod| pod.template == template)
        };
        self.history.keep(spec.history_limit, is_needed);
    }
}
