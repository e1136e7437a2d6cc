//! Controllers that keep pods, told facts by their words and asked in words; and what holds of all of them.

use std::collections::BTreeSet;

use barepod_engine::daemon_set::{DaemonSet, DaemonSetSpec};
use barepod_engine::deployment::{Deployment, DeploymentSpec};
use barepod_engine::replica::{Action, Event, IsReady, PodFact, PodNumber, Template};
use barepod_engine::replica_set::{ReplicaSet, ReplicaSetSpec};
use barepod_engine::stateful_set::{StatefulSet, StatefulSetSpec};
use barepod_engine::time::{Instant, Now};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::job_play::now;

pub trait Controller {
    type Spec: Clone;

    fn step(&mut self, now: Now, event: Event<Self::Spec>, actions: &mut Vec<Action>);
    fn next_deadline(&self) -> Option<Instant>;
    fn under_way(&self) -> Vec<Action>;
    fn templates(&self) -> BTreeSet<Template>;
}

macro_rules! controller {
    ($controller:ty, $spec:ty) => {
        impl Controller for $controller {
            type Spec = $spec;

            fn step(&mut self, now: Now, event: Event<$spec>, actions: &mut Vec<Action>) {
                <$controller>::step(self, now, event, actions);
            }

            fn next_deadline(&self) -> Option<Instant> {
                <$controller>::next_deadline(self)
            }

            fn under_way(&self) -> Vec<Action> {
                <$controller>::under_way(self)
            }

            fn templates(&self) -> BTreeSet<Template> {
                <$controller>::templates(self)
            }
        }
    };
}

controller!(ReplicaSet, ReplicaSetSpec);
controller!(DaemonSet, DaemonSetSpec);
controller!(Deployment, DeploymentSpec);
controller!(StatefulSet, StatefulSetSpec);

/// How many facts apart one is saved and loaded.
const SAVED: u32 = 8;

/// Tells it the fact of this number, and now and then beside it one that was saved and loaded, which does the same (R12.1) and goes on.
pub fn step<C: Controller + Serialize + DeserializeOwned>(
    controller: &mut C,
    now: Now,
    event: Event<C::Spec>,
    (fact, seed): (u32, u64),
) -> Vec<Action> {
    let saved = |controller: &C| serde_json::to_string(controller).unwrap();
    let loaded = fact.is_multiple_of(SAVED).then(|| serde_json::from_str::<C>(&saved(controller)).unwrap());
    let mut actions = Vec::new();
    controller.step(now, event.clone(), &mut actions);
    if let Some(mut loaded) = loaded {
        let mut asked = Vec::new();
        loaded.step(now, event, &mut asked);
        assert_eq!((&asked, saved(&loaded)), (&actions, saved(controller)), "{seed}");
        *controller = loaded;
    }
    actions
}

/// So many of its wishes have no answer yet, it waits for nothing that has been, and it needs the templates of all its pods.
pub fn check_waits<C: Controller>(
    controller: &C,
    now: Now,
    asked: usize,
    mut of_pods: impl Iterator<Item = Template>,
    seed: u64,
) {
    assert_eq!(controller.under_way().len(), asked, "{seed}: asked for and not answered");
    let next = controller.next_deadline();
    assert!(next.is_none_or(|at| at > now.monotonic), "{seed}: {next:?} at {now:?}");
    let templates = controller.templates();
    assert!(of_pods.all(|template| templates.contains(&template)), "{seed}: {templates:?}");
}

/// The template of a letter.
pub fn template(letter: char) -> Template {
    Template { id: u64::from(u32::from(letter)), labels: 1 }
}

pub struct Play<C> {
    pub controller: C,
    pub second: u64,
}

impl<C: Controller> Play<C> {
    /// Begun at 0; what it asked for.
    pub fn new(controller: C) -> (Self, String) {
        let mut play = Self { controller, second: 0 };
        let asked = play.tell(Event::Begin);
        (play, asked)
    }

    /// Begun at 0, with all pods there that it asks for.
    pub fn settled(controller: C) -> Self {
        let (mut play, mut asked) = Self::new(controller);
        while !asked.is_empty() {
            let pod = |word: &str| word[1..].chars().take_while(char::is_ascii_digit).collect::<String>();
            let pods: Vec<String> = asked.split(' ').map(pod).collect();
            let asks: Vec<String> = pods.iter().map(|pod| play.at(0, &format!("up {pod}"))).collect();
            asked = asks.join(" ").trim().to_owned();
        }
        play
    }

    /// What it asks for then: `+3a` for a pod of template a, `+3a#1` for one with an ordinal, `-2`, `claims#1`.
    pub fn tell(&mut self, event: Event<C::Spec>) -> String {
        let mut actions = Vec::new();
        self.controller.step(now(self.second * 1000), event, &mut actions);
        let letter = |template: Template| char::from_u32(u32::try_from(template.id).unwrap()).unwrap();
        let words: Vec<String> = actions
            .iter()
            .map(|action| match action {
                Action::Create { pod, template, ordinal: None } => format!("+{}{}", pod.0, letter(*template)),
                Action::Create { pod, template, ordinal: Some(at) } => format!("+{}{}#{at}", pod.0, letter(*template)),
                Action::Delete(pod) => format!("-{}", pod.0),
                Action::DeleteClaims(ordinal) => format!("claims#{ordinal}"),
            })
            .collect();
        words.join(" ")
    }

    /// At this second: `made 0`, `refused 0`, `ready 0`, `unready 0`, `up 0` (made and ready), `restarts 0 3`, `cost 0 5`,
    /// `leave 0`, `end 0`, `stop`, `begin`, `reboot`, `tick`.
    pub fn at(&mut self, second: u64, words: &str) -> String {
        self.second = second;
        let words: Vec<&str> = words.split(' ').collect();
        let number = |at: usize| words[at].parse::<u32>().unwrap();
        let fact = match words[0] {
            "stop" => return self.tell(Event::Stop),
            "begin" => return self.tell(Event::Begin),
            "reboot" => return self.tell(Event::Rebooted),
            "tick" => return self.tell(Event::Tick),
            "up" => {
                let made = self.at(second, &format!("made {}", words[1]));
                let ready = self.at(second, &format!("ready {}", words[1]));
                return [made, ready].join(" ").trim().to_owned();
            }
            "made" => PodFact::Created,
            "refused" => PodFact::NotCreated,
            "ready" => PodFact::Ready(IsReady::Yes),
            "unready" => PodFact::Ready(IsReady::No),
            "restarts" => PodFact::Restarted(number(2)),
            "cost" => PodFact::Cost(words[2].parse().unwrap()),
            "leave" => PodFact::Leaving,
            "end" => PodFact::Ended,
            other => panic!("{other}"),
        };
        self.tell(Event::Pod(PodNumber(number(1)), fact))
    }

    /// Each second with what is told, and what must be asked for then.
    pub fn goes(&mut self, table: &[(u64, &str, &str)]) {
        for (second, told, asked) in table {
            assert_eq!(self.at(*second, told), *asked, "{told} at {second}");
        }
    }

    /// At this second it gets another spec; what it asks for then.
    pub fn change(&mut self, second: u64, spec: C::Spec) -> String {
        self.second = second;
        self.tell(Event::Spec(spec))
    }

    /// The second of the next deadline.
    pub fn next(&self) -> Option<u64> {
        self.controller.next_deadline().map(|at| at.as_nanos() / 1_000_000_000)
    }
}
