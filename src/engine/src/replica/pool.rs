//! The pods that a controller has, and which of too many go first (R13.4).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

use super::event::{Action, IsReady, PodFact, PodNumber, Template};

/// One that hasn't ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pod {
    pub template: Template,
    pub ordinal: Option<u32>,
    pub stage: Stage,
    pub ready_since: Option<Instant>,
    pub restarts: u32,
    pub cost: i32,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Asked for.
    Creating,
    /// It runs.
    Running,
    /// The controller has it deleted.
    Deleted,
    /// Somebody else deletes it.
    Leaving,
}

impl Pod {
    /// Whether it counts as one of those that are wanted.
    pub fn is_active(&self) -> bool {
        match self.stage {
            Stage::Creating | Stage::Running => true,
            Stage::Deleted | Stage::Leaving => false,
        }
    }

    /// Since when it is available or from when it will be, unless that changes; `None` for one that isn't Ready.
    pub fn available_from(&self, min_ready: Duration) -> Option<Instant> {
        self.ready_since.filter(|_| self.is_active()).map(|since| since.after(min_ready))
    }

    pub fn is_available(&self, min_ready: Duration, now: Instant) -> bool {
        self.available_from(min_ready).is_some_and(|at| at <= now)
    }

    pub fn is_ready(&self) -> bool {
        self.is_active() && self.ready_since.is_some()
    }
}

/// What a fact means for more than its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Made,
    Refused,
    /// It isn't there any more.
    Gone,
}

/// How many pods there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Those that are there and aren't being deleted.
    pub replicas: u32,
    /// Those of them that are Ready.
    pub ready: u32,
    /// Those of them that have been Ready for `minReadySeconds`.
    pub available: u32,
    /// Those that are being deleted and haven't ended.
    pub terminating: u32,
}

impl Counts {
    fn of<'a>(pods: impl Iterator<Item = &'a Pod>, min_ready: Duration, now: Instant) -> Self {
        let mut counts = Self::default();
        for pod in pods {
            counts.replicas += u32::from(pod.is_active());
            counts.terminating += u32::from(!pod.is_active());
            counts.ready += u32::from(pod.is_ready());
            counts.available += u32::from(pod.is_available(min_ready, now));
        }
        counts
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pool {
    pods: BTreeMap<PodNumber, Pod>,
    next: u32,
}

impl Pool {
    /// Takes what has become of a pod; gives what it was before, and what that means. What is said of a pod that has ended already
    /// is left alone.
    pub fn take(&mut self, number: PodNumber, fact: PodFact, now: Instant) -> Option<(Pod, What)> {
        let pod = self.pods.get_mut(&number)?;
        let before = *pod;
        let what = match fact {
            PodFact::Created => {
                if pod.stage == Stage::Creating {
                    pod.stage = Stage::Running;
                }
                What::Made
            }
            // One that runs has been made.
            PodFact::NotCreated if pod.stage == Stage::Running => return None,
            PodFact::NotCreated => What::Refused,
            PodFact::Ended => What::Gone,
            PodFact::Ready(IsReady::Yes) => {
                pod.ready_since = pod.ready_since.or(Some(now));
                // Whoever is Ready has been made.
                if pod.stage != Stage::Creating {
                    return None;
                }
                pod.stage = Stage::Running;
                What::Made
            }
            PodFact::Ready(IsReady::No) => {
                pod.ready_since = None;
                return None;
            }
            PodFact::Restarted(restarts) => {
                pod.restarts = restarts;
                return None;
            }
            PodFact::Cost(cost) => {
                pod.cost = cost;
                return None;
            }
            PodFact::Leaving => {
                if pod.is_active() {
                    pod.stage = Stage::Leaving;
                }
                return None;
            }
        };
        if what != What::Made {
            self.pods.remove(&number);
        }
        Some((before, what))
    }

    pub fn create(&mut self, template: Template, ordinal: Option<u32>, actions: &mut Vec<Action>) {
        let number = PodNumber(self.next);
        self.next += 1;
        let (ready_since, restarts, cost) = (None, 0, 0);
        self.pods.insert(number, Pod { template, ordinal, stage: Stage::Creating, ready_since, restarts, cost });
        actions.push(Action::Create { pod: number, template, ordinal });
    }

    /// Deletes one that nobody deletes yet.
    pub fn delete(&mut self, number: PodNumber, actions: &mut Vec<Action>) {
        if let Some(pod) = self.pods.get_mut(&number).filter(|pod| pod.is_active()) {
            pod.stage = Stage::Deleted;
            actions.push(Action::Delete(number));
        }
    }

    pub fn delete_all(&mut self, actions: &mut Vec<Action>) {
        let all: Vec<PodNumber> = self.pods.keys().copied().collect();
        all.into_iter().for_each(|number| self.delete(number, actions));
    }

    /// Deletes so many active ones that fit: those first that are the least loss (R13.4).
    pub fn delete_least(
        &mut self,
        many: u32,
        fits: impl Fn(&Pod) -> bool,
        (min_ready, now): (Duration, Instant),
        actions: &mut Vec<Action>,
    ) {
        let worth = |(number, pod): &(&PodNumber, &Pod)| {
            let young = (Reverse(pod.ready_since), Reverse(pod.restarts), Reverse(number.0));
            let runs = pod.stage == Stage::Running;
            (runs, pod.is_ready(), pod.is_available(min_ready, now), pod.cost, young)
        };
        let mut active: Vec<_> = self.pods.iter().filter(|(_, pod)| pod.is_active() && fits(pod)).collect();
        active.sort_by_key(worth);
        let many = usize::try_from(many).unwrap_or(usize::MAX);
        let victims: Vec<PodNumber> = active.into_iter().take(many).map(|(number, _)| *number).collect();
        victims.into_iter().for_each(|number| self.delete(number, actions));
    }

    pub fn counts(&self, fits: impl Fn(&Pod) -> bool, min_ready: Duration, now: Instant) -> Counts {
        Counts::of(self.pods.values().filter(|pod| fits(pod)), min_ready, now)
    }

    pub fn count(&self, fits: impl Fn(&Pod) -> bool) -> u32 {
        u32::try_from(self.pods.values().filter(|pod| fits(pod)).count()).unwrap_or(u32::MAX)
    }

    pub fn iter(&self) -> impl Iterator<Item = (PodNumber, &Pod)> {
        self.pods.iter().map(|(number, pod)| (*number, pod))
    }

    pub fn has_any(&self, fits: impl Fn(&Pod) -> bool) -> bool {
        self.pods.values().any(fits)
    }

    /// All are gone. Numbers go on.
    pub fn forget_all(&mut self) -> Vec<Pod> {
        core::mem::take(&mut self.pods).into_values().collect()
    }

    /// What pods are made from that don't run yet.
    pub fn templates_in_the_making(&self) -> impl Iterator<Item = Template> {
        self.pods.values().filter(|pod| pod.stage == Stage::Creating).map(|pod| pod.template)
    }

    /// The number of the next pod.
    pub fn next_number(&self) -> u32 {
        self.next
    }

    /// When the next one becomes available.
    pub fn next_available(&self, min_ready: Duration, now: Instant) -> Option<Instant> {
        self.pods.values().filter_map(|pod| pod.available_from(min_ready)).filter(|at| *at > now).min()
    }

    /// What was asked for and isn't answered yet, for who goes on with a controller that was saved. A pod that somebody else deletes
    /// is asked to end once more, which changes nothing.
    pub fn under_way(&self) -> Vec<Action> {
        let asked = |(number, pod): (&PodNumber, &Pod)| match pod.stage {
            Stage::Creating => Some(Action::Create { pod: *number, template: pod.template, ordinal: pod.ordinal }),
            Stage::Running => None,
            Stage::Deleted | Stage::Leaving => Some(Action::Delete(*number)),
        };
        self.pods.iter().filter_map(asked).collect()
    }
}
