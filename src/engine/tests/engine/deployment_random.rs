//! Random Deployments with random pods, held against what no history of one may break: never more pods than `replicas` and
//! `maxSurge` by a new one, never fewer available than `replicas` less `maxUnavailable` by one that is deleted, none of another
//! template beside one that is to be recreated, no pod before its time, always the wanted state where the world is kind, and none of
//! it otherwise for one that was saved and loaded (R12.1).

use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::deployment::{Deployment, DeploymentSpec, Rollout, Strategy};
use barepod_engine::replica::{Action, Amount, Event, IsReady, PodFact, PodNumber, Reason, Rounding, Template};

use super::deployment::spec;
use super::job_play::now;
use super::play::{check_waits, step, template};
use super::random::{Random, seeds};

/// Facts for each Deployment, before the world is kind.
const FACTS: u32 = 60;
/// Facts of each run.
const ALL_FACTS: u64 = 200_000;

impl Random {
    fn deployment(&mut self, generation: u64) -> DeploymentSpec {
        let amount = |random: &mut Self| match random.one_in(2) {
            true => Amount::Count(random.below(4)),
            false => Amount::Percent(random.below(101)),
        };
        let strategy = match self.one_in(4) {
            true => Strategy::Recreate,
            false => Strategy::RollingUpdate { max_surge: amount(self), max_unavailable: amount(self) },
        };
        DeploymentSpec {
            strategy,
            min_ready: Duration::from_secs(self.of(&[0, 0, 5, 60])),
            progress_deadline: (!self.one_in(4)).then(|| Duration::from_secs(100)),
            history_limit: Some(self.below(3)),
            rollout: if self.one_in(8) { Rollout::Paused } else { Rollout::Goes },
            generation,
            ..spec(self.of(&['a', 'b', 'c', 'd']), self.below(8))
        }
    }
}

/// What a bystander knows of a pod.
#[derive(Clone, Copy)]
struct Seen {
    template: Template,
    is_made: bool,
    is_going: bool,
    ready_since: Option<u64>,
}

/// A Deployment, and what a bystander makes of it.
struct Watched {
    deployment: Deployment,
    spec: DeploymentSpec,
    seed: u64,
    millis: u64,
    pods: BTreeMap<PodNumber, Seen>,
    made: u32,
    is_stopped: bool,
    /// It has never had another strategy.
    is_recreated: bool,
    /// How many there might be at most since it began: what was begun under wider bounds may be kept up.
    most: usize,
    /// Its numbers and its strategy don't change.
    is_steady: bool,
    facts: u32,
}

impl Watched {
    fn new(seed: u64, spec: DeploymentSpec) -> Self {
        let deployment = Deployment::new(spec);
        let (pods, millis, made, facts) = (BTreeMap::new(), 0, 0, 0);
        let is_recreated = spec.strategy == Strategy::Recreate;
        let (is_stopped, is_steady, most) = (false, !seed.is_multiple_of(3), 0);
        Self { deployment, spec, seed, millis, pods, made, is_stopped, is_recreated, most, is_steady, facts }
    }

    /// How many there may be, and how many must be available.
    fn bounds(&self) -> (usize, usize) {
        let replicas = self.spec.replicas;
        let (up, down) = match self.spec.strategy {
            Strategy::Recreate => (0, replicas),
            Strategy::RollingUpdate { max_surge, max_unavailable } => {
                let up = max_surge.of(replicas, Rounding::Up);
                let down = max_unavailable.of(replicas, Rounding::Down);
                (up, if up == 0 { down.max(1) } else { down })
            }
        };
        ((replicas + up) as usize, replicas.saturating_sub(down) as usize)
    }

    fn is_available(&self, seen: &Seen) -> bool {
        let min_ready = u64::try_from(self.spec.min_ready.as_millis()).unwrap();
        !seen.is_going && seen.ready_since.is_some_and(|since| since + min_ready <= self.millis)
    }

    fn count(&self, fits: impl Fn(&Seen) -> bool) -> usize {
        self.pods.values().filter(|seen| fits(seen)).count()
    }

    fn tell(&mut self, event: Event<DeploymentSpec>) {
        let mut is_resized = self.spec.rollout == Rollout::Paused;
        match &event {
            Event::Pod(pod, PodFact::Ended | PodFact::NotCreated) => _ = self.pods.remove(pod),
            Event::Pod(pod, PodFact::Leaving) => self.pods.get_mut(pod).unwrap().is_going = true,
            Event::Pod(pod, PodFact::Ready(IsReady::Yes)) => {
                let seen = self.pods.get_mut(pod).unwrap();
                seen.ready_since = seen.ready_since.or(Some(self.millis));
                seen.is_made = true;
            }
            Event::Pod(pod, PodFact::Ready(IsReady::No)) => self.pods.get_mut(pod).unwrap().ready_since = None,
            Event::Spec(spec) => {
                is_resized |= spec.replicas != self.spec.replicas || spec.rollout == Rollout::Paused;
                self.spec = *spec;
                self.is_recreated &= spec.strategy == Strategy::Recreate;
            }
            Event::Pod(pod, PodFact::Created) => self.pods.get_mut(pod).unwrap().is_made = true,
            Event::Rebooted => self.pods.clear(),
            Event::Stop => self.is_stopped = true,
            Event::Begin => self.is_stopped = false,
            _ => {}
        }
        self.most = self.most.max(self.bounds().0);
        self.facts += 1;
        for action in step(&mut self.deployment, now(self.millis), event, (self.facts, self.seed)) {
            self.look(&action, is_resized);
        }
        self.check();
    }

    fn look(&mut self, action: &Action, is_resized: bool) {
        let (seed, (_, least)) = (self.seed, self.bounds());
        match action {
            Action::Create { pod, template, ordinal } => {
                assert!(!self.is_stopped, "{seed}: {pod:?} is made for one that is stopped");
                assert_eq!((pod.0, *ordinal), (self.made, None), "{seed}");
                self.made += 1;
                let active = self.count(|seen| !seen.is_going);
                assert!(active < self.most, "{seed}: too many with {pod:?}");
                let old = self.count(|seen| seen.template != *template);
                assert!(old == 0 || !self.is_recreated, "{seed}: {pod:?} beside {old} old ones");
                let seen = Seen { template: *template, is_made: false, is_going: false, ready_since: None };
                self.pods.insert(*pod, seen);
            }
            Action::Delete(pod) => {
                let seen = self.pods[pod];
                assert!(!seen.is_going, "{seed}: {pod:?} is deleted twice");
                let was_available = self.is_available(&seen);
                self.pods.get_mut(pod).unwrap().is_going = true;
                let rolls = !is_resized && !self.is_stopped && self.spec.strategy != Strategy::Recreate;
                if rolls && was_available {
                    let left = self.count(|seen| self.is_available(seen));
                    assert!(left >= least, "{seed}: {left} of {least} are left without {pod:?}");
                }
            }
            Action::DeleteClaims(_) => panic!("{seed}: {action:?}"),
        }
    }

    fn check(&self) {
        let (status, seed) = (self.deployment.status(), self.seed);
        let counts = status.counts;
        let going = self.count(|seen| seen.is_going);
        assert_eq!((counts.replicas + counts.terminating) as usize, self.pods.len(), "{seed}: {status:?}");
        assert_eq!(counts.terminating as usize, going, "{seed}: {status:?}");
        assert_eq!(counts.available as usize, self.count(|seen| self.is_available(seen)), "{seed}: {status:?}");
        let new = self.count(|seen| !seen.is_going && seen.template == self.spec.template);
        assert_eq!(status.updated as usize, new, "{seed}: {status:?}");
        let asked = self.pods.values().filter(|seen| seen.is_going || !seen.is_made).count();
        check_waits(&self.deployment, now(self.millis), asked, self.pods.values().map(|seen| seen.template), seed);
    }

    /// Its clock begins anew.
    fn reboot(&mut self) -> Event<DeploymentSpec> {
        self.millis = 0;
        Event::Rebooted
    }

    /// Some fact that can be.
    fn happens(&mut self, random: &mut Random) {
        self.millis += u64::from(random.below(4)) * u64::from(random.below(8000));
        let pods: Vec<PodNumber> = self.pods.keys().copied().collect();
        let pod = (!pods.is_empty()).then(|| random.of(&pods));
        let event = match (random.below(24), pod) {
            (0..6, Some(pod)) => Event::Pod(pod, PodFact::Created),
            (6..11, Some(pod)) => Event::Pod(pod, PodFact::Ready(IsReady::Yes)),
            (11, Some(pod)) => Event::Pod(pod, PodFact::Ready(IsReady::No)),
            (12, Some(pod)) if self.pods[&pod].ready_since.is_none() => self.refused(pod),
            (13 | 14, Some(pod)) => Event::Pod(pod, PodFact::Ended),
            (15, Some(pod)) => Event::Pod(pod, PodFact::Leaving),
            (16, Some(pod)) => Event::Pod(pod, PodFact::Cost(i32::try_from(random.below(5)).unwrap() - 2)),
            (17, Some(pod)) => Event::Pod(pod, PodFact::Restarted(random.below(5))),
            (18, _) => Event::Spec(DeploymentSpec { template: template(random.of(&['a', 'b', 'c'])), ..self.spec }),
            (19, _) => {
                let spec = random.deployment(self.spec.generation + 1);
                let DeploymentSpec { strategy, replicas, min_ready, .. } =
                    if self.is_steady { self.spec } else { spec };
                Event::Spec(DeploymentSpec { strategy, replicas, min_ready, ..spec })
            }
            (20, _) if random.one_in(3) => Event::Stop,
            (22, _) if random.one_in(8) => self.reboot(),
            (20 | 21, _) => Event::Begin,
            _ => Event::Tick,
        };
        self.tell(event);
    }

    /// One that runs isn't refused any more.
    fn refused(&self, pod: PodNumber) -> Event<DeploymentSpec> {
        let is_made = |one: &Action| matches!(one, Action::Create { pod: made, .. } if *made == pod);
        match self.deployment.under_way().iter().any(is_made) {
            true => Event::Pod(pod, PodFact::NotCreated),
            false => Event::Tick,
        }
    }

    /// Whatever it is asked for is done, and nobody meddles any more.
    fn settles(&mut self) {
        let deadline = Some(Duration::from_secs(3600));
        self.tell(Event::Spec(DeploymentSpec { rollout: Rollout::Goes, progress_deadline: deadline, ..self.spec }));
        self.tell(Event::Begin);
        for _ in 0..2000 {
            self.millis += 1;
            let going = self.pods.iter().find(|(_, seen)| seen.is_going).map(|(pod, _)| *pod);
            let unready = self.pods.iter().find(|(_, seen)| seen.ready_since.is_none()).map(|(pod, _)| *pod);
            if let Some(pod) = going {
                self.tell(Event::Pod(pod, PodFact::Ended));
            } else if let Some(pod) = unready {
                self.tell(Event::Pod(pod, PodFact::Created));
                self.tell(Event::Pod(pod, PodFact::Ready(IsReady::Yes)));
            } else if let Some(at) = self.deployment.next_deadline() {
                self.millis = at.as_nanos().div_ceil(1_000_000);
                self.tell(Event::Tick);
            } else {
                break;
            }
        }
        let (status, seed, replicas) = (self.deployment.status(), self.seed, self.spec.replicas);
        let counts = status.counts;
        let all = [counts.replicas, counts.ready, counts.available, status.updated];
        assert_eq!((all, counts.terminating), ([replicas; 4], 0), "{seed}: {status:?}");
        let reasons: Vec<Reason> = status.conditions.iter().map(|one| one.reason).collect();
        assert!(reasons.contains(&Reason::NewReplicaSetAvailable), "{seed}: {reasons:?}");
        assert!(reasons.contains(&Reason::MinimumReplicasAvailable), "{seed}: {reasons:?}");
        assert_eq!(self.deployment.next_deadline(), None, "{seed}");
        let old = self.deployment.revisions().len() - 1;
        assert!(self.spec.history_limit.is_none_or(|limit| old <= limit as usize), "{seed}: {old} old revisions");
    }
}

/// R13.1, R13.8 to R13.12, R13.14, R13.15.
#[test]
fn random_deployments_keep_the_rules() {
    for seed in seeds(ALL_FACTS, FACTS) {
        let mut random = Random(seed);
        let mut watched = Watched::new(seed, random.deployment(1));
        watched.tell(Event::Begin);
        for _ in 0..FACTS {
            watched.happens(&mut random);
        }
        watched.settles();
    }
}
