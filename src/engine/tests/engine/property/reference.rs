//! The rules once more, as plainly as possible: after each fact every container is asked, again and again until nothing
//! moves, what should have been done with it by now. Slow, without timers, without order; the engine must agree.

mod patience;
mod probes;
mod status;

use std::time::Duration;

use barepod_engine::action::{Action, ContainerAction, LimitsOf};
use barepod_engine::event::{ContainerEvent, Event, Exit, Hook, HookResult, Probe, ProbeResult, ResizeWay};
use barepod_engine::spec::*;
use barepod_engine::status::{ConditionKind, ContainerState, Phase, PodStatus};
use barepod_engine::time::Instant;

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
    /// The next attempt, at once and without back-off: it was ended for new resources.
    Resized,
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
    /// Stopped alone, for a probe, its postStart or new resources.
    alone: bool,
    /// For new resources.
    resize: bool,
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
    over: bool,
    lost: bool,
    ones: Vec<One>,
    asked: Vec<Action>,
}

const PROBES: [Probe; 3] = [Probe::Startup, Probe::Liveness, Probe::Readiness];

fn spec_of(spec: &ContainerSpec, probe: usize) -> Option<&ProbeSpec> {
    [&spec.startup_probe, &spec.liveness_probe, &spec.readiness_probe][probe].as_ref()
}

impl Reference {
    pub fn new(spec: &PodSpec) -> Self {
        let one = One {
            stage: Stage::Gone,
            fate: Fate::Try(Instant::default()),
            attempt: 0,
            created: false,
            done: false,
            ran: false,
            code: None,
            ended: None,
            unmade: false,
            delay: Duration::ZERO,
            raised: None,
            pull: None,
            image_signal: None,
            started: Instant::default(),
            post_start: PostStart::Past,
            probes: [Prober::default(); 3],
            stop: None,
            killed: false,
            kill_at: None,
            outdated: false,
            pod_shrinks: false,
        };
        Self {
            ones: vec![one; spec.containers.len()],
            spec: spec.clone(),
            began: None,
            sandbox: Sandbox::None,
            ending: None,
            restarting: false,
            anew: false,
            over: false,
            lost: false,
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
        if self.ending.is_some() { self.kept(i) } else { !self.restarting }
    }

    fn gate(&self, i: usize) -> bool {
        (0..i).all(|j| self.kind(j) == Kind::Main || self.ones[j].done)
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
            Event::Kill => self.stop(now, Duration::ZERO, true),
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
                    stop.resize = true;
                    self.ones[i].stop = Some(stop);
                }
            }
            Event::SandboxReady if self.sandbox == Sandbox::Asked => self.sandbox = Sandbox::Up,
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

    /// R2.7.
    fn sandbox_lost(&mut self, now: Instant) {
        self.sandbox = Sandbox::Lost;
        let never = self.spec.restart_policy == RestartPolicy::Never;
        if self.ending.is_none() && never && self.ones.iter().any(|one| one.created || one.attempt > 0) {
            self.end(now, Why::Natural, Duration::ZERO);
        }
        match &mut self.ending {
            Some(ending) => ending.forced = true,
            None => (self.restarting, self.anew) = (true, true),
        }
    }

    /// How a resize that asks for a restart is carried out; `None`: not at all.
    pub fn resize_way(&self, i: usize) -> Option<ResizeWay> {
        if self.ending.is_some() || self.over || self.kind(i) == Kind::Init {
            return None;
        }
        Some(match self.ones[i].stage {
            Stage::Gone | Stage::Removing => ResizeWay::NextInstance,
            Stage::Running => ResizeWay::Restart,
            Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting => ResizeWay::InPlace,
        })
    }

    fn stop(&mut self, now: Instant, grace: Duration, forced: bool) {
        if self.ending.is_none() {
            self.end(now, Why::Stopped, grace);
        }
        let reserve = self.spec.sidecar_grace.unwrap_or_default();
        let ending = self.ending.as_mut().unwrap();
        ending.deadline = ending.deadline.min(now.after(grace));
        ending.mains = ending.mains.min(now.after(grace.saturating_sub(reserve)));
        ending.keeps &= grace > SECOND;
        ending.forced |= forced;
        for i in 0..self.ones.len() {
            let deadline = self.grace_end(i).unwrap();
            let total = self.ending.unwrap().deadline;
            let one = &mut self.ones[i];
            let limit = if one.stage == Stage::Starting { deadline } else { total };
            one.kill_at = one.kill_at.map(|at| at.min(limit));
            if let Some(stop) = &mut one.stop {
                stop.deadline = stop.deadline.min(deadline);
                if let Some(at) = stop.signaled {
                    stop.kill_at = stop.kill_at.min(stop.deadline.max(at.after(2 * SECOND)));
                }
            }
        }
    }

    fn end(&mut self, now: Instant, why: Why, grace: Duration) {
        let reserve = self.spec.sidecar_grace.unwrap_or_default();
        (self.restarting, self.anew) = (false, false);
        self.ending = Some(Ending {
            why,
            deadline: now.after(grace),
            mains: now.after(grace.saturating_sub(reserve)),
            keeps: grace > SECOND && !matches!(why, Why::Natural | Why::InitFailed | Why::Evicted),
            forced: false,
        });
        for i in 0..self.ones.len() {
            match self.ones[i].stage {
                Stage::Gone => self.ones[i].fate = Fate::Over,
                Stage::Creating => self.ones[i].kill_at = Some(now.after(grace)),
                Stage::Running => {
                    let deadline = self.grace_end(i).unwrap();
                    let kept = self.kept(i);
                    match &mut self.ones[i].stop {
                        Some(stop) => {
                            stop.alone &= kept;
                            stop.deadline = deadline;
                            if let Some(at) = stop.signaled {
                                stop.kill_at = stop.kill_at.min(deadline.max(at.after(2 * SECOND)));
                            }
                        }
                        None => self.ones[i].stop = Some(self.new_stop(i, false, deadline)),
                    }
                }
                Stage::Imaging | Stage::Created | Stage::Starting | Stage::Removing => {}
            }
        }
    }

    fn new_stop(&self, i: usize, alone: bool, deadline: Instant) -> Stop {
        let at_turn = !alone && self.kind(i) == Kind::Sidecar && self.spec.sidecar_pre_stop == SidecarPreStop::AtTurn;
        Stop { alone, resize: false, deadline, at_turn, hook: PreStop::Due, signaled: None, kill_at: deadline }
    }

    fn hear_one(&mut self, now: Instant, i: usize, event: &ContainerEvent) {
        let wanted = self.wanted(i);
        let stage = self.ones[i].stage;
        match (event, stage) {
            (ContainerEvent::ImageReady { stop_signal, .. }, Stage::Imaging) => {
                self.ones[i].image_signal = *stop_signal;
                self.ones[i].pull = None;
                if wanted {
                    self.ones[i].stage = Stage::Creating;
                    self.ones[i].killed = false;
                    self.ones[i].kill_at = None;
                    self.ones[i].outdated = false;
                    if std::mem::take(&mut self.ones[i].pod_shrinks) {
                        self.asked.push(Action::WriteLimits(LimitsOf::Pod));
                    }
                    self.ask(i, ContainerAction::Create);
                } else {
                    self.unmade(i);
                }
            }
            // As a creation that fails (R4.5).
            (ContainerEvent::ImageUnusable { .. }, Stage::Imaging) if wanted => {
                let at = now.after(self.retry());
                self.ones[i].image_signal = None;
                self.ones[i].pull = None;
                self.ones[i].stage = Stage::Gone;
                self.ones[i].fate = Fate::Try(at);
                self.ones[i].unmade = true;
            }
            (ContainerEvent::ImageFailed { .. }, Stage::Imaging) if wanted => {
                let first = self.retry();
                let one = &mut self.ones[i];
                let delay = one.pull.map_or(first, |delay| (delay * 2).min(300 * SECOND).max(first));
                one.pull = Some(delay);
                one.stage = Stage::Gone;
                one.fate = Fate::Try(now.after(delay));
                one.unmade = true;
            }
            (ContainerEvent::CreateFailed { .. }, Stage::Creating) if wanted => {
                let at = now.after(self.retry());
                self.ones[i].stage = Stage::Gone;
                self.ones[i].fate = Fate::Try(at);
                self.ones[i].unmade = true;
            }
            (ContainerEvent::ImageFailed { .. } | ContainerEvent::ImageUnusable { .. }, Stage::Imaging)
            | (ContainerEvent::CreateFailed { .. }, Stage::Creating) => self.unmade(i),
            (ContainerEvent::Created { .. }, Stage::Creating) => {
                self.ones[i].stage = Stage::Created;
                self.ones[i].created = true;
                self.ones[i].killed = false;
                if std::mem::take(&mut self.ones[i].outdated) {
                    self.asked
                        .push(Action::WriteLimits(LimitsOf::Container(ContainerIndex(u16::try_from(i).unwrap()))));
                }
            }
            (ContainerEvent::Started, Stage::Starting) => self.started(now, i),
            (ContainerEvent::StartFailed { .. }, Stage::Starting) => self.ended(now, i, 128),
            (ContainerEvent::Exited { exit, .. }, Stage::Starting | Stage::Running) => {
                let code = match exit {
                    Exit::Code(code) => i32::from(*code),
                    Exit::Signal(signal) => 128 + i32::from(*signal),
                    Exit::Unknown => 137,
                };
                self.ended(now, i, code);
            }
            (ContainerEvent::Exited { .. }, Stage::Created) => {
                let retry = self.retry();
                let one = &mut self.ones[i];
                one.stage = Stage::Removing;
                one.unmade = !one.killed;
                one.fate = if one.killed { Fate::Over } else { Fate::Try(now.after(retry)) };
                if self.restarting && one.killed {
                    one.fate = Fate::Try(now);
                }
                self.ask(i, ContainerAction::Remove);
            }
            (ContainerEvent::Removed, Stage::Removing) => {
                let (ends, kept) = (self.ending.is_some(), self.kept(i));
                let one = &mut self.ones[i];
                one.stage = Stage::Gone;
                if ends && !kept {
                    one.fate = Fate::Over;
                } else if one.fate == Fate::Resized {
                    one.fate = Fate::Restart(now);
                    if !ends {
                        one.attempt += 1;
                        one.created = false;
                        one.fate = Fate::Try(now);
                    }
                }
            }
            (ContainerEvent::HookDone { hook: Hook::PreStop, result }, Stage::Running) => {
                let Some(stop) = &mut self.ones[i].stop else { return };
                let PreStop::Open(tries) = stop.hook else { return };
                let due = stop.signaled.is_none() && stop.deadline > now;
                if matches!(result, HookResult::Error { .. }) && tries < 3 && due {
                    stop.hook = PreStop::Open(tries + 1);
                    self.ask(i, ContainerAction::RunHook(Hook::PreStop));
                } else if *result != HookResult::ContainerEnds {
                    stop.hook = PreStop::Past;
                }
            }
            (ContainerEvent::HookDone { hook: Hook::PostStart, result }, Stage::Running) => {
                let PostStart::Open(tries) = self.ones[i].post_start else { return };
                if matches!(result, HookResult::Error { .. }) && tries < 3 && self.wanted(i) {
                    self.ones[i].post_start = PostStart::Open(tries + 1);
                    return self.ask(i, ContainerAction::RunHook(Hook::PostStart));
                }
                if *result == HookResult::ContainerEnds {
                    return;
                }
                let failed = *result != HookResult::Success;
                if failed && self.ones[i].stop.is_some() && !self.kept(i) {
                    return;
                }
                self.ones[i].post_start = if failed { PostStart::Failed } else { PostStart::Past };
                if failed {
                    self.blame(now, i, self.spec.grace_period);
                }
            }
            (ContainerEvent::ProbeDone { probe, result }, Stage::Running) => self.probed(now, i, *probe, result),
            _ => {}
        }
    }

    fn unmade(&mut self, i: usize) {
        self.ones[i].stage = Stage::Gone;
        self.ones[i].fate = if self.ending.is_some() { Fate::Over } else { Fate::Try(Instant::default()) };
    }

    fn started(&mut self, now: Instant, i: usize) {
        self.ones[i].stage = Stage::Running;
        self.ones[i].started = now;
        self.ones[i].stop = None;
        self.ones[i].probes = [Prober::default(); 3];
        self.ones[i].ran = true;
        self.ones[i].done |= self.kind(i) == Kind::Main;
        // One more kill for what was killed while it started: it may have missed it.
        self.ones[i].killed = false;
        let wanted = self.wanted(i);
        if let Some(deadline) = self.grace_end(i) {
            let mut stop = self.new_stop(i, false, deadline);
            stop.at_turn |= wanted;
            self.ones[i].stop = Some(stop);
        }
        self.ones[i].post_start = match self.spec.containers[i].post_start {
            None => PostStart::Past,
            Some(_) if !wanted => PostStart::Failed,
            Some(HookSpec::Sleep(length)) => PostStart::Sleeps(now.after(length)),
            Some(HookSpec::Handler) => {
                self.ask(i, ContainerAction::RunHook(Hook::PostStart));
                PostStart::Open(1)
            }
        };
    }

    /// It is to be stopped alone.
    fn blame(&mut self, now: Instant, i: usize, grace: Duration) {
        let deadline = self.grace_end(i).unwrap_or(now.after(grace));
        match &mut self.ones[i].stop {
            Some(stop) => stop.alone = true,
            None => self.ones[i].stop = Some(self.new_stop(i, true, deadline)),
        }
    }

    fn verdict(&self, i: usize, code: i32) -> (bool, bool) {
        let spec = &self.spec.containers[i];
        if self.ones[i].stop.as_ref().is_some_and(|stop| stop.resize) {
            return (true, false);
        }
        let probe = self.ones[i].stop.as_ref().is_some_and(|stop| stop.alone)
            && self.ones[i].probes[..2].iter().zip(0..).any(|(prober, probe)| {
                spec_of(spec, probe).is_some_and(|spec| prober.row <= -i64::from(spec.failure_threshold))
            });
        let policy = spec.restart_policy.unwrap_or(self.spec.restart_policy);
        let rule = spec
            .restart_rules
            .iter()
            .find(|rule| rule.exit_codes.contains(&code) == (rule.operator == ExitCodeOperator::In));
        let rule = rule.map(|rule| rule.action).filter(|_| !probe && (spec.kind != Kind::Init || code != 0));
        match rule {
            Some(RestartRuleAction::Restart) => return (true, false),
            Some(RestartRuleAction::RestartAllContainers) => return (true, true),
            None => {}
        }
        let again = match (spec.kind, policy) {
            (Kind::Sidecar, _) => true,
            (Kind::Init, RestartPolicy::Never) => false,
            (Kind::Init, _) => code != 0,
            (Kind::Main, RestartPolicy::Always) => true,
            (Kind::Main, RestartPolicy::OnFailure) => code != 0 || probe,
            (Kind::Main, RestartPolicy::Never) => false,
        };
        (again, false)
    }

    fn delay(&mut self, i: usize, exited: Instant) -> Duration {
        let reset = self.spec.backoff.reset_after;
        let one = &mut self.ones[i];
        if one.raised.is_some_and(|raised| exited.since(raised) > reset) {
            one.delay = Duration::ZERO;
        }
        one.delay
    }

    fn ended(&mut self, now: Instant, i: usize, code: i32) {
        let (again, all) = self.verdict(i, code);
        let kept = self.kept(i);
        let again = if self.ending.is_some() { kept } else { again || self.restarting };
        let resized = self.ones[i].stop.as_ref().is_some_and(|stop| stop.resize);
        let fate = match again {
            true if resized && self.ending.is_none() && !self.restarting => Fate::Resized,
            true => Fate::Restart(now.after(self.delay(i, now))),
            false => Fate::Over,
        };
        let kind = self.kind(i);
        let one = &mut self.ones[i];
        one.stage = Stage::Removing;
        one.code = Some(code);
        one.ended = Some(now);
        one.stop = None;
        one.ran = true;
        one.fate = fate;
        one.done |= kind == Kind::Main || kind == Kind::Init && code == 0;
        self.ask(i, ContainerAction::Remove);
        if self.ending.is_some() || self.restarting {
            return;
        }
        if all {
            self.restarting = true;
        } else if kind == Kind::Init && code != 0 && !again {
            self.end(now, Why::InitFailed, self.spec.grace_period);
        }
    }

    /// One round of asking everybody; whether anything moved.
    fn settle(&mut self, now: Instant) -> bool {
        let mut moved = false;
        let deadline = self.spec.active_deadline.zip(self.began).map(|(length, began)| began.after(length));
        let there = self.ones.iter().any(|one| !matches!(one.stage, Stage::Gone | Stage::Removing));
        if let Some(ending) = &mut self.ending {
            if there
                && deadline.is_some_and(|at| at <= now)
                && matches!(ending.why, Why::Natural | Why::InitFailed | Why::Stopped)
            {
                ending.why = Why::Deadline;
                moved = true;
            }
        } else {
            let mains_over = self.sandbox == Sandbox::Up
                && !self.restarting
                && (0..self.ones.len()).all(|i| {
                    self.kind(i) != Kind::Main
                        || matches!(self.ones[i].stage, Stage::Gone | Stage::Removing)
                            && self.ones[i].fate == Fate::Over
                });
            let why = match deadline {
                Some(deadline) if deadline <= now => Some(Why::Deadline),
                _ if mains_over => Some(Why::Natural),
                _ => self.patience_ends(now),
            };
            if let Some(why) = why {
                self.end(now, why, self.spec.grace_period);
                moved = true;
            }
        }
        if let Some(ending) = &mut self.ending
            && ending.keeps
            && ending.deadline <= now
        {
            ending.keeps = false;
            moved = true;
        }
        for i in (0..self.ones.len()).rev() {
            moved |= self.settle_one(now, i);
        }
        for i in 0..self.ones.len() {
            moved |= match self.ones[i].stage {
                Stage::Gone => self.settle_gone(now, i),
                Stage::Created => self.settle_created(i),
                _ => false,
            };
        }
        moved |= self.settle_restart();
        moved | self.settle_pod(now)
    }

    fn settle_one(&mut self, now: Instant, i: usize) -> bool {
        if let PostStart::Sleeps(until) = self.ones[i].post_start
            && until <= now
        {
            self.ones[i].post_start = PostStart::Past;
            return true;
        }
        if self.kind(i) == Kind::Sidecar
            && self.ending.is_none()
            && !self.restarting
            && self.ones[i].stage == Stage::Running
            && self.ones[i].post_start == PostStart::Past
            && self.startup_passed(i)
            && !self.ones[i].done
        {
            self.ones[i].done = true;
            return true;
        }
        let kill = match self.ones[i].stage {
            Stage::Imaging | Stage::Creating | Stage::Starting | Stage::Running | Stage::Created
                if self.ones[i].killed =>
            {
                false
            }
            Stage::Imaging => !self.wanted(i),
            Stage::Creating => {
                if self.ending.is_some() && !self.kept(i) && self.ones[i].kill_at.is_none() {
                    self.ones[i].kill_at = self.ending.map(|ending| ending.deadline);
                }
                let late = self.ones[i].kill_at.is_some_and(|at| at <= now) && !self.kept(i);
                self.restarting || self.forced() || late
            }
            Stage::Created => !self.wanted(i),
            Stage::Starting => {
                if self.ending.is_some() && !self.kept(i) && self.ones[i].kill_at.is_none() {
                    self.ones[i].kill_at = self.grace_end(i);
                }
                let late = self.ones[i].kill_at.is_some_and(|at| at <= now) && !self.kept(i);
                self.restarting || self.forced() || late
            }
            Stage::Running => {
                let late =
                    self.ones[i].stop.as_ref().is_some_and(|stop| stop.signaled.is_some() && stop.kill_at <= now);
                self.restarting || self.forced() || late
            }
            Stage::Gone | Stage::Removing => false,
        };
        if kill {
            self.ones[i].killed = true;
            self.ask(i, ContainerAction::Kill);
            return true;
        }
        match self.ones[i].stage {
            Stage::Running => {
                let stopped = !self.ones[i].killed && self.settle_stop(now, i);
                stopped | self.settle_probes(now, i)
            }
            Stage::Gone | Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting | Stage::Removing => {
                false
            }
        }
    }

    fn forced(&self) -> bool {
        self.ending.is_some_and(|ending| ending.forced)
    }

    fn settle_gone(&mut self, now: Instant, i: usize) -> bool {
        if self.ending.is_some() && !self.kept(i) && self.ones[i].fate != Fate::Over {
            self.ones[i].fate = Fate::Over;
            return true;
        }
        let (at, next) = match self.ones[i].fate {
            Fate::Try(at) => (at, false),
            Fate::Restart(at) => (at, true),
            Fate::Resized | Fate::Over => return false,
        };
        let open = self.ending.is_some() || self.sandbox == Sandbox::Up && self.gate(i);
        if at > now || !open || !self.wanted(i) {
            return false;
        }
        let backoff = self.spec.backoff;
        let one = &mut self.ones[i];
        if next {
            one.attempt += 1;
            one.created = false;
            one.delay = if one.delay.is_zero() { backoff.initial } else { one.delay * 2 }.min(backoff.max);
            one.raised = Some(now);
        }
        one.stage = Stage::Imaging;
        one.killed = false;
        one.unmade = false;
        self.ask(i, ContainerAction::PrepareImage);
        true
    }

    fn settle_created(&mut self, i: usize) -> bool {
        let held = self.kind(i) == Kind::Main
            && (0..i).any(|j| {
                self.kind(j) == Kind::Main
                    && match self.ones[j].stage {
                        Stage::Imaging | Stage::Creating => !self.ones[j].done,
                        Stage::Created => !self.ones[j].killed,
                        Stage::Starting => true,
                        Stage::Running => self.ones[j].post_start != PostStart::Past && self.ones[j].stop.is_none(),
                        Stage::Gone | Stage::Removing => false,
                    }
            });
        let open = self.ending.is_some() || self.gate(i);
        if held || !open || !self.wanted(i) || self.ones[i].killed {
            return false;
        }
        self.ones[i].stage = Stage::Starting;
        self.ones[i].kill_at = None;
        self.ask(i, ContainerAction::Start);
        true
    }

    fn settle_stop(&mut self, now: Instant, i: usize) -> bool {
        let turn = self.kind(i) != Kind::Sidecar
            || !self.main_runs() && (i + 1..self.ones.len()).all(|j| self.kind(j) != Kind::Sidecar || !self.runs(j));
        let alone =
            self.ones[i].stop.as_ref().is_some_and(|stop| stop.alone) && (self.ending.is_none() || self.kept(i));
        let free = turn || alone;
        let pre_stop = self.spec.containers[i].pre_stop;
        let Some(stop) = &mut self.ones[i].stop else { return false };
        if stop.signaled.is_some() {
            return false;
        }
        let late = stop.deadline <= now;
        match stop.hook {
            PreStop::Due if late || pre_stop.is_none() => stop.hook = PreStop::Past,
            PreStop::Due if stop.at_turn && !free => return false,
            PreStop::Due => match pre_stop {
                Some(HookSpec::Sleep(length)) => stop.hook = PreStop::Sleeps(now.after(length)),
                Some(HookSpec::Handler) => {
                    stop.hook = PreStop::Open(1);
                    self.ask(i, ContainerAction::RunHook(Hook::PreStop));
                }
                None => {}
            },
            PreStop::Sleeps(until) if until <= now => stop.hook = PreStop::Past,
            PreStop::Sleeps(_) | PreStop::Open(_) if !late => return false,
            PreStop::Past if !late && !free => return false,
            PreStop::Sleeps(_) | PreStop::Open(_) | PreStop::Past => {
                stop.signaled = Some(now);
                stop.kill_at = stop.deadline.max(now.after(2 * SECOND));
                let signal = self.spec.containers[i].stop_signal.or(self.ones[i].image_signal);
                self.ask(i, ContainerAction::Signal(signal.unwrap_or(15)));
            }
        }
        true
    }

    fn settle_restart(&mut self) -> bool {
        let all_gone = self.ones.iter().all(|one| one.stage == Stage::Gone);
        if !self.restarting || !all_gone {
            return false;
        }
        let anew = self.anew;
        (self.restarting, self.anew) = (false, false);
        if anew {
            self.sandbox = Sandbox::Asked;
            self.asked.push(Action::CreateSandbox);
        }
        for i in 0..self.ones.len() {
            let spec = &self.spec.containers[i];
            let on_failure = spec.restart_policy.unwrap_or(self.spec.restart_policy) == RestartPolicy::OnFailure;
            if anew && spec.kind == Kind::Main && on_failure && self.ones[i].code == Some(0) {
                self.ones[i].fate = Fate::Over;
                continue;
            }
            if anew && matches!(self.ones[i].fate, Fate::Try(_)) {
                self.ones[i].fate = Fate::Try(Instant::default());
            }
            self.ones[i].done = false;
            self.ones[i].ran = false;
            if self.ones[i].fate == Fate::Over {
                self.ones[i].fate = match self.ones[i].ended {
                    Some(ended) => Fate::Restart(ended.after(self.delay(i, ended))),
                    None => Fate::Try(Instant::default()),
                };
            }
        }
        true
    }

    fn settle_pod(&mut self, now: Instant) -> bool {
        let gone = self.ones.iter().all(|one| one.stage == Stage::Gone && one.fate == Fate::Over);
        match (self.sandbox, self.ending.is_some()) {
            (Sandbox::Retry(at), false) if at <= now => {
                self.sandbox = Sandbox::Asked;
                self.asked.push(Action::CreateSandbox);
                true
            }
            (Sandbox::None | Sandbox::Retry(_), true) if gone => {
                self.finish();
                true
            }
            (Sandbox::Up | Sandbox::Lost | Sandbox::Asked, true) if gone => {
                self.sandbox = Sandbox::Removing;
                self.asked.push(Action::RemoveSandbox);
                true
            }
            _ => false,
        }
    }

    fn finish(&mut self) {
        self.over = true;
        self.asked.push(Action::Finish { exit_code: self.exit_code() });
    }

    fn succeeded(&self) -> bool {
        self.ending.is_some_and(|ending| matches!(ending.why, Why::Natural | Why::Stopped))
            && !self.lost
            && self
                .ones
                .iter()
                .zip(&self.spec.containers)
                .all(|(one, spec)| spec.kind != Kind::Main || one.done && one.code == Some(0))
    }

    fn exit_code(&self) -> u8 {
        if self.succeeded() {
            return 0;
        }
        let failed = |kind| {
            let codes = self.ones.iter().zip(&self.spec.containers).filter(|(_, spec)| spec.kind == kind);
            codes.filter_map(|(one, _)| one.code).find(|code| *code != 0)
        };
        let main = failed(Kind::Main);
        let code = match self.ending.map(|ending| ending.why) {
            Some(Why::TimedOut) => Some(124),
            Some(Why::FailFast(one)) => one.and_then(|i| self.ones[i].code).filter(|code| *code != 0),
            Some(Why::Deadline | Why::Evicted) => main,
            Some(Why::Natural | Why::InitFailed | Why::Stopped) | None => main.or(failed(Kind::Init)),
        };
        u8::try_from(code.unwrap_or(1)).unwrap_or(1)
    }
}
