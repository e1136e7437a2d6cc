//! The rules once more, as plainly as possible: after each fact every container is asked, again and again until nothing
//! moves, what should have been done with it by now. Slow, without timers, without order; the engine must agree.

mod ending;
mod ephemeral;
mod facts;
mod patience;
mod probes;
mod pulls;
mod requested;
mod restarts;
mod settling;
mod status;

use std::time::Duration;

use barepod_engine::action::{Action, ContainerAction, LimitsOf};
use barepod_engine::event::{
    ContainerEvent, Event, Exit, Hook, HookResult, Probe, ProbeResult, ResizeWay, RestartOf, SandboxFailure,
};
use barepod_engine::spec::*;
use barepod_engine::status::{ConditionKind, ContainerState, Phase, PodStatus};
use barepod_engine::time::Instant;

use pulls::Early;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Gone,
    Imaging,
    Creating,
    Created,
    Starting,
    Running,
    Removing,
}

/// What comes once nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// This attempt, not before then.
    Try(Instant),
    /// The next attempt, not before then.
    Restart(Instant),
    /// The next attempt, at once and without back-off: it was ended for new resources, or because somebody asked for it.
    AtOnce,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PreStop {
    Due,
    /// Asked for so many times.
    Open(u8),
    Sleeps(Instant),
    Past,
}

#[derive(Clone, Debug)]
struct Stop {
    /// Stopped alone, for a probe, its postStart, new resources or a restart.
    alone: bool,
    /// For new resources or a restart that was asked for.
    requested: bool,
    deadline: Instant,
    at_turn: bool,
    hook: PreStop,
    signaled: Option<Instant>,
    kill_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PostStart {
    /// Asked for so many times.
    Open(u8),
    Sleeps(Instant),
    Past,
    Failed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Prober {
    due: Option<Instant>,
    /// How often it was asked for since it was due, while it runs.
    open: u8,
    row: i64,
    passed: bool,
}

#[derive(Clone, Debug)]
struct One {
    stage: Stage,
    fate: Fate,
    attempt: u32,
    created: bool,
    done: bool,
    ran: bool,
    code: Option<i32>,
    ended: Option<Instant>,
    /// The last try to make it failed.
    unmade: bool,
    delay: Duration,
    raised: Option<Instant>,
    pull: Option<Duration>,
    /// While its image is got: it is pulled, not looked for.
    pulling: bool,
    /// It was there once.
    had_image: bool,
    early: Early,
    image_signal: Option<i32>,
    started: Instant,
    post_start: PostStart,
    probes: [Prober; 3],
    stop: Option<Stop>,
    killed: bool,
    kill_at: Option<Instant>,
    /// It was resized while it was created.
    outdated: bool,
    /// The pod's limits wait for its next instance.
    pod_shrinks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Natural,
    InitFailed,
    Stopped,
    Deadline,
    Evicted,
    TimedOut,
    /// For the sake of this container.
    FailFast(Option<usize>),
}

#[derive(Clone, Copy, Debug)]
struct Ending {
    why: Why,
    deadline: Instant,
    mains: Instant,
    keeps: bool,
    forced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandbox {
    None,
    Asked,
    Retry(Instant),
    Up,
    /// It was up (R2.7).
    Lost,
    Removing,
}

pub struct Reference {
    spec: PodSpec,
    began: Option<Instant>,
    sandbox: Sandbox,
    ending: Option<Ending>,
    restarting: bool,
    /// In a new sandbox.
    anew: bool,
    /// All that runs is stopped in order to start again (R3.9), until then: sidecars, and mains.
    in_order: Option<(Instant, Instant)>,
    over: bool,
    lost: bool,
    had_sandbox: bool,
    interrupted: bool,
    ones: Vec<One>,
    asked: Vec<Action>,
}

const PROBES: [Probe; 3] = [Probe::Startup, Probe::Liveness, Probe::Readiness];

fn spec_of(spec: &ContainerSpec, probe: usize) -> Option<&ProbeSpec> {
    [&spec.startup_probe, &spec.liveness_probe, &spec.readiness_probe][probe].as_ref()
}

impl Reference {
    pub fn new(spec: &PodSpec) -> Self {
        Self {
            ones: spec.containers.iter().map(|_| One::new()).collect(),
            spec: spec.clone(),
            began: None,
            sandbox: Sandbox::None,
            ending: None,
            restarting: false,
            anew: false,
            in_order: None,
            over: false,
            lost: false,
            had_sandbox: false,
            interrupted: false,
            asked: Vec::new(),
        }
    }

    /// Everything but records that must be asked for now, in no order.
    pub fn step(&mut self, now: Instant, event: &Event) -> &mut Vec<Action> {
        self.asked.clear();
        if !self.over {
            self.take_in(now, event);
            while !self.over && self.settle(now) {}
        }
        &mut self.asked
    }

    fn kind(&self, i: usize) -> Kind {
        self.spec.containers[i].kind
    }

    fn ask(&mut self, i: usize, action: ContainerAction) {
        let container = ContainerIndex(u16::try_from(i).unwrap());
        self.asked.push(Action::Container { container, attempt: Attempt(self.ones[i].attempt), action });
    }

    fn retry(&self) -> Duration {
        (10 * SECOND).min(self.spec.backoff.max)
    }

    fn main_runs(&self) -> bool {
        (0..self.ones.len()).any(|i| self.kind(i) == Kind::Main && self.runs(i))
    }

    fn runs(&self, i: usize) -> bool {
        matches!(self.ones[i].stage, Stage::Starting | Stage::Running)
    }

    /// R5.10.
    fn kept(&self, i: usize) -> bool {
        let keeps = self.ending.is_some_and(|ending| ending.keeps && !ending.forced);
        self.kind(i) == Kind::Sidecar && keeps && self.sandbox == Sandbox::Up && self.main_runs()
    }

    fn wanted(&self, i: usize) -> bool {
        if self.ending.is_some() {
            self.kept(i)
        } else {
            !self.restarts(i) && (self.in_order.is_none() || self.is_extra(i))
        }
    }

    fn gate(&self, i: usize) -> bool {
        self.is_extra(i) || (0..i).all(|j| self.kind(j) == Kind::Main || self.ones[j].done)
    }

    fn grace_end(&self, i: usize) -> Option<Instant> {
        self.ending.map(|ending| if self.kind(i) == Kind::Sidecar { ending.deadline } else { ending.mains })
    }

    fn take_in(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Begin if self.sandbox == Sandbox::None && self.began.is_none() => {
                self.began = Some(now);
                self.sandbox = Sandbox::Asked;
                self.asked.push(Action::CreateSandbox);
            }
            Event::Stop { grace } => self.stop(now, grace.unwrap_or(self.spec.grace_period), false),
            Event::Interrupt if !self.interrupted => {
                self.interrupted = true;
                self.stop(now, self.spec.grace_period, false);
            }
            Event::Interrupt | Event::Kill => self.stop(now, Duration::ZERO, true),
            // Once, while there is something that can use the disk.
            Event::StorageExceeded(_) if self.began.is_some() && self.sandbox != Sandbox::Removing => {
                if self.ending.is_none() {
                    self.end(now, Why::Evicted, SECOND);
                } else if self.ending.unwrap().why != Why::Evicted {
                    self.stop(now, SECOND, false);
                    let timed_out = self.ending.unwrap().why == Why::TimedOut;
                    self.ending.as_mut().unwrap().why = if timed_out { Why::TimedOut } else { Why::Evicted };
                }
            }
            // Only what has not begun can be refused.
            Event::Rejected { .. } if self.began.is_none() => {
                self.ones.iter_mut().for_each(|one| one.fate = Fate::Over);
                self.finish();
            }
            Event::SupervisorLost => {
                self.over = true;
                self.lost = true;
            }
            Event::SandboxLost if self.sandbox == Sandbox::Up => self.sandbox_lost(now),
            Event::Resized { container, way, .. }
                if self.ending.is_none() && usize::from(container.0) < self.ones.len() =>
            {
                let i = usize::from(container.0);
                self.ones[i].outdated |= *way == ResizeWay::InPlace && self.ones[i].stage == Stage::Creating;
                self.ones[i].pod_shrinks |= *way == ResizeWay::Restart;
                if *way == ResizeWay::Restart && self.ones[i].stage == Stage::Running && self.ones[i].stop.is_none() {
                    let mut stop = self.new_stop(i, true, now.after(self.spec.grace_period));
                    stop.requested = true;
                    self.ones[i].stop = Some(stop);
                }
            }
            Event::Restart { of, grace } if self.may_restart(*of) => {
                self.restart(now, *of, grace.unwrap_or(self.spec.grace_period));
            }
            Event::DefinitionChanged { container, image } if self.may_change(usize::from(container.0)) => {
                self.spec.containers[usize::from(container.0)].image = image.clone();
                self.ones[usize::from(container.0)].pull = None;
                self.drop_early(usize::from(container.0));
                self.restart(now, RestartOf::Container(*container), self.spec.grace_period);
            }
            Event::ActiveDeadline { length } => {
                let before = self.spec.active_deadline.unwrap_or(*length);
                self.spec.active_deadline = Some(before.min(*length));
            }
            Event::EphemeralAdded { name, image } if self.may_add(name) => {
                self.spec.containers.push(ContainerSpec::ephemeral(name.clone(), image.clone()));
                self.ones.push(One::new());
            }
            Event::SandboxReady if self.sandbox == Sandbox::Asked => {
                self.sandbox = Sandbox::Up;
                self.had_sandbox = true;
            }
            Event::SandboxFailed { failure: SandboxFailure::Network, .. }
                if self.sandbox == Sandbox::Asked && !self.had_sandbox =>
            {
                self.ones.iter_mut().for_each(|one| one.fate = Fate::Over);
                self.over = true;
                self.asked.push(Action::GiveUp);
            }
            Event::SandboxFailed { .. } if self.sandbox == Sandbox::Asked => {
                self.sandbox = Sandbox::Retry(now.after(self.retry()));
            }
            Event::SandboxRemoved if self.sandbox == Sandbox::Removing => self.finish(),
            Event::Container { container, attempt, event } => {
                let i = usize::from(container.0);
                if i < self.ones.len() && self.ones[i].attempt == attempt.0 {
                    self.hear_one(now, i, event);
                }
            }
            _ => {}
        }
    }
}
