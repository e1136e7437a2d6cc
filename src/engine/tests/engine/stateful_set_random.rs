//! Random StatefulSets with random pods, held against what no history of one may break: never two pods of one place, none that is
//! not wanted, with OrderedReady none before those below are available and none deleted before those above have gone, never fewer
//! available than an update may leave, always the wanted state where the world is kind, and none of it otherwise for one that was
//! saved and loaded (R12.1).

use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::replica::{Action, Amount, Event, IsReady, PodFact, PodNumber, Rounding, Template};
use barepod_engine::stateful_set::{ClaimRetention, Management, StatefulSet, StatefulSetSpec, UpdateStrategy};

use super::job_play::now;
use super::play::{check_waits, step, template};
use super::random::{Random, seeds};
use super::stateful_set::spec;

/// Facts for each StatefulSet, before the world is kind.
const FACTS: u32 = 60;
/// Facts of each run.
const ALL_FACTS: u64 = 200_000;

impl Random {
    fn stateful_set(&mut self, generation: u64) -> StatefulSetSpec {
        let max_unavailable =
            if self.one_in(2) { Amount::Count(1 + self.below(3)) } else { Amount::Percent(self.below(101)) };
        let partition = if self.one_in(2) { 0 } else { self.below(5) };
        StatefulSetSpec {
            start: self.of(&[0, 0, 0, 2]),
            management: self.of(&[Management::OrderedReady, Management::OrderedReady, Management::Parallel]),
            update: match self.one_in(5) {
                true => UpdateStrategy::OnDelete,
                false => UpdateStrategy::RollingUpdate { partition, max_unavailable },
            },
            min_ready: Duration::from_secs(self.of(&[0, 0, 5, 60])),
            history_limit: Some(self.below(3)),
            when_scaled: self.of(&[ClaimRetention::Retain, ClaimRetention::Delete]),
            generation,
            ..spec(self.of(&['a', 'b', 'c']), self.below(6))
        }
    }
}

/// What a bystander knows of a pod.
#[derive(Clone, Copy)]
struct Seen {
    template: Template,
    ordinal: u32,
    is_made: bool,
    is_going: bool,
    ready_since: Option<u64>,
}

/// A StatefulSet, and what a bystander makes of it.
struct Watched {
    set: StatefulSet,
    spec: StatefulSetSpec,
    seed: u64,
    millis: u64,
    pods: BTreeMap<PodNumber, Seen>,
    made: u32,
    is_stopped: bool,
    facts: u32,
}

impl Watched {
    fn new(seed: u64, spec: StatefulSetSpec) -> Self {
        let (pods, millis, made, facts) = (BTreeMap::new(), 0, 0, 0);
        Self { set: StatefulSet::new(spec), spec, seed, millis, pods, made, is_stopped: false, facts }
    }

    fn is_wanted(&self, ordinal: u32) -> bool {
        (self.spec.start..self.spec.start + self.spec.replicas).contains(&ordinal)
    }

    fn is_available(&self, seen: &Seen) -> bool {
        let min_ready = u64::try_from(self.spec.min_ready.as_millis()).unwrap();
        !seen.is_going && seen.ready_since.is_some_and(|since| since + min_ready <= self.millis)
    }

    /// How many places that are wanted have nobody who is available.
    fn missing(&self) -> u32 {
        let there = self.pods.values().filter(|seen| self.is_wanted(seen.ordinal) && self.is_available(seen));
        self.spec.replicas - u32::try_from(there.count()).unwrap()
    }

    fn tell(&mut self, event: Event<StatefulSetSpec>) {
        let mut gone = Vec::new();
        match &event {
            Event::Pod(pod, PodFact::Ended) => gone.extend(self.pods.remove(pod)),
            Event::Pod(pod, PodFact::NotCreated) => _ = self.pods.remove(pod),
            Event::Pod(pod, PodFact::Leaving) => self.pods.get_mut(pod).unwrap().is_going = true,
            Event::Pod(pod, PodFact::Ready(IsReady::Yes)) => {
                let seen = self.pods.get_mut(pod).unwrap();
                seen.ready_since = seen.ready_since.or(Some(self.millis));
                seen.is_made = true;
            }
            Event::Pod(pod, PodFact::Ready(IsReady::No)) => self.pods.get_mut(pod).unwrap().ready_since = None,
            Event::Spec(spec) => self.spec = *spec,
            Event::Pod(pod, PodFact::Created) => self.pods.get_mut(pod).unwrap().is_made = true,
            Event::Rebooted => gone.extend(std::mem::take(&mut self.pods).into_values()),
            Event::Stop => self.is_stopped = true,
            Event::Begin => self.is_stopped = false,
            _ => {}
        }
        self.facts += 1;
        for action in step(&mut self.set, now(self.millis), event, (self.facts, self.seed)) {
            self.look(&action, &gone);
        }
        self.check();
    }

    fn look(&mut self, action: &Action, gone: &[Seen]) {
        let seed = self.seed;
        let is_ordered = self.spec.management == Management::OrderedReady;
        match action {
            Action::Create { pod, template, ordinal } => {
                let ordinal = ordinal.unwrap();
                assert!(!self.is_stopped && self.is_wanted(ordinal), "{seed}: {pod:?} is made");
                assert_eq!(pod.0, self.made, "{seed}");
                self.made += 1;
                assert!(self.pods.values().all(|seen| seen.ordinal != ordinal), "{seed}: a second one of {ordinal}");
                let below = (self.spec.start..ordinal)
                    .all(|below| self.pods.values().any(|seen| seen.ordinal == below && self.is_available(seen)));
                assert!(below || !is_ordered, "{seed}: {ordinal} comes before those below it");
                let seen = Seen { template: *template, ordinal, is_made: false, is_going: false, ready_since: None };
                self.pods.insert(*pod, seen);
            }
            Action::Delete(pod) => {
                let seen = self.pods[pod];
                assert!(!seen.is_going, "{seed}: {pod:?} is deleted twice");
                let was_available = self.is_available(&seen);
                self.pods.get_mut(pod).unwrap().is_going = true;
                if self.is_stopped {
                    return;
                }
                if !self.is_wanted(seen.ordinal) {
                    let highest =
                        self.pods.values().filter(|one| !self.is_wanted(one.ordinal)).map(|one| one.ordinal).max();
                    assert!(highest == Some(seen.ordinal) || !is_ordered, "{seed}: {pod:?} goes before {highest:?}");
                    return;
                }
                let UpdateStrategy::RollingUpdate { partition, max_unavailable } = self.spec.update else {
                    panic!("{seed}: {pod:?} is deleted for an update");
                };
                assert!(seen.template != self.spec.template, "{seed}: {pod:?} is new");
                assert!(seen.ordinal - self.spec.start >= partition, "{seed}: {pod:?} is below the partition");
                let most = max_unavailable.of(self.spec.replicas, Rounding::Down).max(1);
                assert!(!was_available || self.missing() <= most, "{seed}: {} are missing", self.missing());
            }
            Action::DeleteClaims(ordinal) => {
                let is_of = gone.iter().any(|gone| gone.ordinal == *ordinal);
                let is_due = self.spec.when_scaled == ClaimRetention::Delete && !self.is_wanted(*ordinal);
                assert!(is_of && is_due, "{seed}: {action:?}");
            }
        }
    }

    fn check(&self) {
        let (status, seed) = (self.set.status(), self.seed);
        assert_eq!(status.replicas as usize, self.pods.len(), "{seed}: {status:?}");
        let available = self.pods.values().filter(|seen| self.is_available(seen)).count();
        assert_eq!(status.available as usize, available, "{seed}: {status:?}");
        let asked = self.pods.values().filter(|seen| seen.is_going || !seen.is_made).count();
        check_waits(&self.set, now(self.millis), asked, self.pods.values().map(|seen| seen.template), seed);
    }

    /// Its clock begins anew.
    fn reboot(&mut self) -> Event<StatefulSetSpec> {
        self.millis = 0;
        Event::Rebooted
    }

    /// Some fact that can be.
    fn happens(&mut self, random: &mut Random) {
        self.millis += u64::from(random.below(4)) * u64::from(random.below(8000));
        let pods: Vec<PodNumber> = self.pods.keys().copied().collect();
        let pod = (!pods.is_empty()).then(|| random.of(&pods));
        let is_made = |one: &Action| matches!(one, Action::Create { pod: made, .. } if Some(*made) == pod);
        let event = match (random.below(24), pod) {
            (0..4, Some(pod)) => Event::Pod(pod, PodFact::Created),
            (4..12, Some(pod)) => Event::Pod(pod, PodFact::Ready(IsReady::Yes)),
            (12, Some(pod)) => Event::Pod(pod, PodFact::Ready(IsReady::No)),
            (13, Some(pod)) if self.set.under_way().iter().any(is_made) => Event::Pod(pod, PodFact::NotCreated),
            (14..17, Some(pod)) if self.pods[&pod].is_going || random.one_in(3) => Event::Pod(pod, PodFact::Ended),
            (17, Some(pod)) => Event::Pod(pod, PodFact::Leaving),
            (18, _) => Event::Spec(StatefulSetSpec { template: template(random.of(&['a', 'b', 'c'])), ..self.spec }),
            (19, _) => Event::Spec(StatefulSetSpec { replicas: random.below(6), ..self.spec }),
            (20, _) if random.one_in(3) => Event::Spec(random.stateful_set(self.spec.generation + 1)),
            (21, _) if random.one_in(4) => Event::Stop,
            (22, _) if random.one_in(8) => self.reboot(),
            (20..22, _) => Event::Begin,
            _ => Event::Tick,
        };
        self.tell(event);
    }

    /// Whatever it is asked for is done, and nobody meddles any more.
    fn settles(&mut self) {
        let update = UpdateStrategy::RollingUpdate { partition: 0, max_unavailable: Amount::Count(1) };
        self.tell(Event::Spec(StatefulSetSpec { update, ..self.spec }));
        self.tell(Event::Begin);
        for _ in 0..2000 {
            self.millis += 1;
            let going = self.pods.iter().find(|(_, seen)| seen.is_going).map(|(pod, _)| *pod);
            let unready = self.pods.iter().find(|(_, seen)| seen.ready_since.is_none()).map(|(pod, _)| *pod);
            if let Some(pod) = going {
                self.tell(Event::Pod(pod, PodFact::Ended));
            } else if let Some(pod) = unready {
                self.tell(Event::Pod(pod, PodFact::Ready(IsReady::Yes)));
            } else if let Some(at) = self.set.next_deadline() {
                self.millis = at.as_nanos().div_ceil(1_000_000);
                self.tell(Event::Tick);
            } else {
                break;
            }
        }
        let (status, seed, replicas) = (self.set.status(), self.seed, self.spec.replicas);
        let all = [status.replicas, status.ready, status.available, status.current, status.updated];
        assert_eq!((all, self.set.next_deadline()), ([replicas; 5], None), "{seed}: {status:?}");
        assert_eq!(status.current_revision, self.spec.template, "{seed}");
        let old = self.set.revisions().len() - 1;
        assert!(self.spec.history_limit.is_none_or(|limit| old <= limit as usize), "{seed}: {old} old revisions");
    }
}

/// R14.1, R14.2, R14.4, R14.6 to R14.9.
#[test]
fn random_stateful_sets_keep_the_rules() {
    for seed in seeds(ALL_FACTS, FACTS) {
        let mut random = Random(seed);
        let mut watched = Watched::new(seed, random.stateful_set(1));
        watched.tell(Event::Begin);
        for _ in 0..FACTS {
            watched.happens(&mut random);
        }
        watched.settles();
    }
}
