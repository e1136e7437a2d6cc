//! The controller of DaemonSets: tables, and random ones held against what no history of one may break.

use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::daemon_set::{DaemonSet, DaemonSetSpec, DaemonUpdate};
use barepod_engine::replica::{
    Action, Amount, Event, IsReady, PodFact, PodNumber, RolloutProgress, Template, UndoRefusal,
};

use super::job_play::now;
use super::play::{Play, step, template};
use super::random::{Random, seeds};

const FACTS: u32 = 40;
const ALL_FACTS: u64 = 100_000;

fn rolling(max_surge: u32) -> DaemonUpdate {
    DaemonUpdate::RollingUpdate { max_surge: Amount::Count(max_surge) }
}

fn spec(letter: char) -> DaemonSetSpec {
    let (min_ready, history_limit) = (Duration::ZERO, Some(10));
    DaemonSetSpec { template: template(letter), update: rolling(0), min_ready, history_limit, generation: 1 }
}

fn surge(letter: char) -> DaemonSetSpec {
    DaemonSetSpec { update: DaemonUpdate::RollingUpdate { max_surge: Amount::Percent(10) }, ..spec(letter) }
}

fn settled(spec: DaemonSetSpec) -> Play<DaemonSet> {
    Play::settled(DaemonSet::new(spec))
}

/// `current/updated/ready/available/unavailable`.
fn is(play: &Play<DaemonSet>) -> String {
    let status = play.controller.status();
    let all = [status.current, status.updated, status.ready, status.available, status.unavailable];
    all.map(|count| count.to_string()).join("/")
}

/// R13.3, R13.5, R13.16, R15.1.
#[test]
fn one_pod() {
    let (mut play, asked) = Play::new(DaemonSet::new(spec('a')));
    assert_eq!(asked, "+0a");
    play.goes(&[(0, "refused 0", ""), (1, "tick", "+1a"), (2, "up 1", "")]);
    assert_eq!((is(&play).as_str(), play.next()), ("1/1/1/1/0", None));
    // The next one when it has ended, also where somebody deletes it.
    play.goes(&[(3, "leave 1", ""), (4, "end 1", "+2a"), (5, "up 2", ""), (6, "end 2", "+3a"), (7, "end 3", "")]);
    assert_eq!((is(&play).as_str(), play.next()), ("0/0/0/0/1", Some(17)));
    play.goes(&[(17, "tick", "+4a"), (18, "up 4", ""), (19, "stop", "-4"), (20, "end 4", ""), (21, "begin", "+5a")]);
    // The box is started anew.
    play.goes(&[(22, "up 5", ""), (1, "reboot", "+6a")]);
    assert_eq!(play.controller.under_way().len(), 1);
}

/// R13.17, R15.2.
#[test]
fn the_old_one_goes_first() {
    let mut play = settled(spec('a'));
    assert_eq!(play.change(1, spec('b')), "-0");
    assert_eq!(is(&play), "1/0/0/0/1");
    assert_eq!(play.controller.rollout(), RolloutProgress::Updating { updated: 0, wanted: 1 });
    play.goes(&[(2, "tick", ""), (3, "end 0", "+1b"), (4, "made 1", "")]);
    assert_eq!(play.controller.rollout(), RolloutProgress::NotAvailable { available: 0, wanted: 1 });
    play.goes(&[(5, "ready 1", "")]);
    assert_eq!(play.controller.rollout(), RolloutProgress::Done);
    assert_eq!(is(&play), "1/1/1/1/0");
    // One that has never got Ready, too.
    play.goes(&[(6, "unready 1", "")]);
    assert_eq!(play.change(7, spec('c')), "-1");
}

/// R15.3.
#[test]
fn the_new_one_comes_first() {
    let slow = |letter| DaemonSetSpec { min_ready: Duration::from_secs(10), ..surge(letter) };
    let mut play = settled(slow('a'));
    play.goes(&[(10, "tick", "")]);
    assert_eq!((play.change(20, slow('b')).as_str(), is(&play).as_str()), ("+1b", "1/0/1/1/0"));
    play.goes(&[(21, "up 1", ""), (30, "tick", ""), (31, "tick", "-0")]);
    assert_eq!(is(&play), "1/1/1/1/0");
    // Another one meanwhile: what isn't as good as the oldest goes.
    assert_eq!(play.change(32, slow('c')), "+2c");
    play.goes(&[(33, "made 2", "")]);
    assert_eq!(play.change(34, slow('d')), "-2 +3d");
    // Back to the oldest: it is there.
    assert_eq!(play.change(35, slow('b')), "-3");
    // An old one that isn't available is no use beside a new one.
    play.goes(&[(36, "unready 1", "")]);
    assert_eq!(play.change(37, slow('e')), "+4e");
    play.goes(&[(38, "made 4", "-1")]);
    // One that somebody deletes is waited for.
    let mut play = settled(surge('a'));
    play.goes(&[(1, "leave 0", "")]);
    assert_eq!((play.change(2, surge('b')).as_str(), play.at(3, "end 0").as_str()), ("", "+1b"));
    // A new one that can't be made leaves the old one alone.
    let mut play = settled(surge('a'));
    assert_eq!(play.change(1, surge('b')), "+1b");
    play.goes(&[(1, "refused 1", ""), (2, "tick", "+2b"), (3, "up 2", "-0")]);
}

/// R15.4.
#[test]
fn only_when_it_is_deleted() {
    let on_delete = |letter| DaemonSetSpec { update: DaemonUpdate::OnDelete, ..spec(letter) };
    let mut play = settled(on_delete('a'));
    assert_eq!((play.change(1, on_delete('b')).as_str(), is(&play).as_str()), ("", "1/0/1/1/0"));
    assert_eq!(play.controller.rollout(), RolloutProgress::OnDelete);
    play.goes(&[(2, "leave 0", ""), (3, "end 0", "+1b"), (4, "up 1", "")]);
    // In the middle of a surge: the oldest stays.
    let mut play = settled(surge('a'));
    assert_eq!(play.change(1, surge('b')), "+1b");
    assert_eq!(play.change(2, on_delete('b')), "-1");
}

/// R15.5.
#[test]
fn the_way_back() {
    let limited = |letter| DaemonSetSpec { history_limit: Some(0), ..spec(letter) };
    let mut play = settled(limited('a'));
    assert_eq!(play.controller.undo(None), Err(UndoRefusal::Unknown));
    assert_eq!(play.change(1, limited('b')), "-0");
    // What the pod has is kept beside the limit.
    assert_eq!((play.controller.undo(None), play.controller.status().revision), (Ok(template('a')), 2));
    assert_eq!(play.controller.templates().len(), 2);
    play.goes(&[(2, "end 0", "+1b")]);
    assert_eq!((play.controller.undo(None), play.controller.revisions().len()), (Err(UndoRefusal::Unknown), 1));
    assert_eq!(play.controller.undo(Some(2)), Err(UndoRefusal::Current));
}

/// What a bystander knows of a pod.
#[derive(Clone, Copy)]
struct Seen {
    template: Template,
    is_going: bool,
    ready_since: Option<u64>,
}

/// A DaemonSet, and what a bystander makes of it.
struct Watched {
    set: DaemonSet,
    spec: DaemonSetSpec,
    seed: u64,
    millis: u64,
    pods: BTreeMap<PodNumber, Seen>,
    facts: u32,
    is_stopped: bool,
}

impl Watched {
    fn available(&self) -> usize {
        let min_ready = u64::try_from(self.spec.min_ready.as_millis()).unwrap();
        let is_available =
            |seen: &&Seen| !seen.is_going && seen.ready_since.is_some_and(|since| since + min_ready <= self.millis);
        self.pods.values().filter(is_available).count()
    }

    fn tell(&mut self, event: Event<DaemonSetSpec>) {
        match &event {
            Event::Pod(pod, PodFact::Ended) => _ = self.pods.remove(pod),
            Event::Pod(pod, PodFact::Leaving) => self.pods.get_mut(pod).unwrap().is_going = true,
            Event::Pod(pod, PodFact::Ready(ready)) => {
                let seen = self.pods.get_mut(pod).unwrap();
                seen.ready_since = (*ready == IsReady::Yes).then(|| seen.ready_since.unwrap_or(self.millis));
            }
            Event::Spec(spec) => self.spec = *spec,
            Event::Stop => self.is_stopped = true,
            Event::Begin => self.is_stopped = false,
            _ => {}
        }
        self.facts += 1;
        let before = self.available();
        let actions = step(&mut self.set, now(self.millis), event, (self.facts, self.seed));
        let surges = matches!(self.spec.update, DaemonUpdate::RollingUpdate { max_surge: Amount::Count(1) });
        for action in actions {
            match action {
                Action::Create { pod, template, .. } => {
                    assert!(!self.is_stopped && template == self.spec.template, "{}: {pod:?} is made", self.seed);
                    let active = self.pods.values().filter(|seen| !seen.is_going).count();
                    assert!(if surges { active < 2 } else { self.pods.is_empty() }, "{}: one too many", self.seed);
                    self.pods.insert(pod, Seen { template, is_going: false, ready_since: None });
                }
                Action::Delete(pod) => {
                    let seen = self.pods.get_mut(&pod).unwrap();
                    assert!(!std::mem::replace(&mut seen.is_going, true), "{}: {pod:?} is deleted twice", self.seed);
                }
                Action::DeleteClaims(_) => panic!("{}: {action:?}", self.seed),
            }
        }
        let is_lost = before > 0 && self.available() == 0;
        assert!(!is_lost || !surges || self.is_stopped, "{}: nobody is left", self.seed);
        let next = self.set.next_deadline();
        assert!(next.is_none_or(|at| at > now(self.millis).monotonic), "{}: {next:?}", self.seed);
    }

    fn happens(&mut self, random: &mut Random) {
        self.millis += u64::from(random.below(4)) * u64::from(random.below(8000));
        let pods: Vec<PodNumber> = self.pods.keys().copied().collect();
        let pod = (!pods.is_empty()).then(|| random.of(&pods));
        let event = match (random.below(12), pod) {
            (0..5, Some(pod)) => Event::Pod(pod, PodFact::Ready(random.of(&[IsReady::Yes, IsReady::Yes, IsReady::No]))),
            (5 | 6, Some(pod)) => Event::Pod(pod, PodFact::Ended),
            (7, Some(pod)) => Event::Pod(pod, PodFact::Leaving),
            (8, _) => Event::Spec(DaemonSetSpec { template: template(random.of(&['a', 'b', 'c'])), ..self.spec }),
            (9, _) if random.one_in(4) => {
                let update = random.of(&[rolling(0), rolling(1), DaemonUpdate::OnDelete]);
                Event::Spec(DaemonSetSpec { update, history_limit: Some(random.below(3)), ..self.spec })
            }
            (10, _) if random.one_in(4) => Event::Stop,
            (9 | 10, _) => Event::Begin,
            _ => Event::Tick,
        };
        self.tell(event);
    }

    /// Whatever it is asked for is done, and nobody meddles any more.
    fn settles(&mut self) {
        let update = if self.spec.update == DaemonUpdate::OnDelete { rolling(1) } else { self.spec.update };
        self.tell(Event::Spec(DaemonSetSpec { update, ..self.spec }));
        self.tell(Event::Begin);
        for _ in 0..100 {
            self.millis += 1;
            let going = self.pods.iter().find(|(_, seen)| seen.is_going).map(|(pod, _)| *pod);
            let unready = self.pods.iter().find(|(_, seen)| seen.ready_since.is_none()).map(|(pod, _)| *pod);
            match (going, unready, self.set.next_deadline()) {
                (Some(pod), _, _) => self.tell(Event::Pod(pod, PodFact::Ended)),
                (None, Some(pod), _) => self.tell(Event::Pod(pod, PodFact::Ready(IsReady::Yes))),
                (None, None, Some(at)) => {
                    self.millis = at.as_nanos().div_ceil(1_000_000);
                    self.tell(Event::Tick);
                }
                (None, None, None) => break,
            }
        }
        let templates: Vec<Template> = self.pods.values().map(|seen| seen.template).collect();
        assert_eq!((templates, self.available()), (vec![self.spec.template], 1), "{}", self.seed);
    }
}

/// R12.1, R15.1 to R15.4.
#[test]
fn random_daemon_sets_keep_the_rules() {
    for seed in seeds(ALL_FACTS, FACTS) {
        let mut random = Random(seed);
        let min_ready = Duration::from_secs(random.of(&[0, 5]));
        let spec = DaemonSetSpec { update: rolling(random.below(2)), min_ready, ..spec('a') };
        let (set, pods) = (DaemonSet::new(spec), BTreeMap::new());
        let mut watched = Watched { set, spec, seed, millis: 0, pods, facts: 0, is_stopped: false };
        watched.tell(Event::Begin);
        (0..FACTS).for_each(|_| watched.happens(&mut random));
        watched.settles();
    }
}
