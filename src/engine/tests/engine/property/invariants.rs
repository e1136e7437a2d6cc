//! I1 to I8 of docs/lifecycle.md, from nothing but the facts told and the actions asked for.

mod actions;
mod facts;

pub use facts::answers;

use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::event::Event;
use barepod_engine::spec::{ImageSpec, Kind, PodSpec};
use barepod_engine::status::Phase;
use barepod_engine::time::Instant;
use barepod_engine::world::Moment;
use barepod_engine::world::script::Latencies;

/// How far one container is, as its facts and actions tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Gone,
    Imaging,
    Imaged,
    Creating,
    Created,
    Starting,
    Running,
    Ended,
    Removing,
}

#[derive(Clone, Debug)]
struct Seen {
    stage: Stage,
    attempt: u32,
    /// It was done, or ran, once.
    done: bool,
    hook_ok: bool,
    startup_ok: bool,
    /// Something went wrong with this attempt for which it may be stopped alone.
    blamed: bool,
    /// It was restarted for new resources or on request once, which doesn't count for its back-off.
    resized: bool,
    signaled: bool,
    exited_at: Option<Instant>,
    /// Its image was looked for last, and isn't there.
    absent: bool,
    /// It was killed since it was begun.
    given_up: bool,
    /// What it may have as its image: a change may have come too late.
    images: Vec<ImageSpec>,
    /// Actions that wait for their answer.
    open: Vec<ContainerAction>,
}

impl Seen {
    fn new(image: ImageSpec) -> Self {
        Self {
            stage: Stage::Gone,
            attempt: 0,
            done: false,
            hook_ok: false,
            startup_ok: false,
            blamed: false,
            resized: false,
            signaled: false,
            exited_at: None,
            absent: false,
            given_up: false,
            images: vec![image],
            open: Vec::new(),
        }
    }
}

pub struct Invariants {
    spec: PodSpec,
    slack: Duration,
    /// What is done again after a crash takes its time again.
    again: Duration,
    seen: Vec<Seen>,
    /// The earliest moment at which a deletion's grace is over.
    stop_deadline: Option<Instant>,
    /// The earliest at which the grace of a restart in order may be over.
    restart_deadline: Option<Instant>,
    /// The earliest at which the grace of a pod that fails fast may be over.
    impatient: Option<Instant>,
    /// The last moment at which something may have begun the pod's end by itself.
    last_end: Instant,
    began: Option<Instant>,
    making_sandbox: bool,
    had_sandbox: bool,
    interrupted: bool,
    removing_sandbox: bool,
    over: bool,
    /// Some image was pulled.
    pulled: bool,
}

impl Invariants {
    pub fn new(spec: &PodSpec, latencies: &Latencies) -> Self {
        let Latencies { sandbox, remove_sandbox, image, pull, create, start, kill, remove } = *latencies;
        let made = image + pull + create + start;
        let slack = sandbox + remove_sandbox + made + kill * 2 + remove + Duration::from_secs(1);
        Self {
            slack,
            again: slack,
            seen: spec.containers.iter().map(|one| Seen::new(one.image.clone())).collect(),
            spec: spec.clone(),
            stop_deadline: None,
            restart_deadline: None,
            impatient: None,
            last_end: Instant::default(),
            began: None,
            making_sandbox: false,
            had_sandbox: false,
            interrupted: false,
            removing_sandbox: false,
            over: false,
            pulled: false,
        }
    }

    /// The supervisor has died: what is under way may be done again. That signals were sent nobody tells any more.
    pub fn crashed(&mut self) {
        self.slack += self.again;
        let is_signal = |action: &ContainerAction| matches!(action, ContainerAction::Signal(_) | ContainerAction::Kill);
        self.seen.iter_mut().for_each(|seen| seen.open.retain(|action| !is_signal(action)));
    }

    pub fn witness(&mut self, engine: &Engine, moment: Moment<'_>) -> Result<(), String> {
        if self.over && !moment.actions.is_empty() {
            return Err("I4: an action after the end".into());
        }
        self.take_in(moment.at, moment.event);
        for added in engine.spec().containers.iter().skip(self.seen.len()) {
            if added.kind != Kind::Ephemeral || !matches!(moment.event, Event::EphemeralAdded { .. }) {
                return Err(format!("R2.9: {} has come by itself", added.name));
            }
            self.seen.push(Seen::new(added.image.clone()));
            self.spec.containers.push(added.clone());
        }
        for action in moment.actions {
            self.ask(moment.at, action)?;
        }
        self.order(moment.actions)?;
        self.afterwards(engine, moment.at)
    }

    /// What others wait for comes before what is only tidying up.
    fn order(&self, actions: &[Action]) -> Result<(), String> {
        let late = |action: &Action| {
            matches!(action, Action::Record(_) | Action::Container { action: ContainerAction::Remove, .. })
        };
        let first = actions.iter().position(late).unwrap_or(actions.len());
        let prompt = actions[first..].iter().all(|action| late(action) || action.is_last());
        let last = actions.iter().position(Action::is_last);
        if !prompt {
            return Err("a reaction comes after a removal or record".into());
        }
        if last.is_some_and(|at| at + 1 != actions.len()) {
            return Err("I4: the last word isn't the last action".into());
        }
        Ok(())
    }

    fn afterwards(&self, engine: &Engine, now: Instant) -> Result<(), String> {
        let next = engine.next_deadline();
        if self.over && next.is_some() {
            return Err("I4: a timer is armed after the end".into());
        }
        if let Some(next) = next
            && next <= now
        {
            return Err(format!("I8: the next deadline is {next:?}, it is {now:?} already"));
        }
        let alive = |seen: &Seen| matches!(seen.stage, Stage::Created | Stage::Running) || !seen.open.is_empty();
        let running = self.seen.iter().any(alive);
        let sandbox =
            self.making_sandbox || self.removing_sandbox || self.seen.iter().all(|seen| seen.stage == Stage::Gone);
        if !self.over && next.is_none() && !running && !sandbox {
            return Err("I8: no way forward".into());
        }
        if self.over {
            let status = engine.status();
            if !matches!(status.phase, Phase::Succeeded | Phase::Failed) || status.exit_code.is_none() {
                return Err(format!("I4: over, and {:?}", status.phase));
            }
        }
        Ok(())
    }
}
