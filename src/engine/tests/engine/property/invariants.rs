//! I1 to I8 of docs/lifecycle.md, from nothing but the facts told and the actions asked for.

use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::event::{ContainerEvent, Event, Exit, Hook, HookResult, Probe, ProbeResult, ResizeWay};
use barepod_engine::spec::{FailFast, Kind, PodSpec};
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
    /// It was restarted for new resources once, which doesn't count for its back-off.
    resized: bool,
    signaled: bool,
    exited_at: Option<Instant>,
    /// Actions that wait for their answer.
    open: Vec<ContainerAction>,
}

pub struct Invariants {
    spec: PodSpec,
    slack: Duration,
    seen: Vec<Seen>,
    /// The earliest moment at which a deletion's grace is over.
    stop_deadline: Option<Instant>,
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
}

impl Invariants {
    pub fn new(spec: &PodSpec, latencies: &Latencies) -> Self {
        let seen = Seen {
            stage: Stage::Gone,
            attempt: 0,
            done: false,
            hook_ok: false,
            startup_ok: false,
            blamed: false,
            resized: false,
            signaled: false,
            exited_at: None,
            open: Vec::new(),
        };
        let Latencies { sandbox, remove_sandbox, image, create, start, kill, remove } = *latencies;
        Self {
            slack: sandbox + remove_sandbox + image + create + start + kill * 2 + remove + Duration::from_secs(1),
            seen: vec![seen; spec.containers.len()],
            spec: spec.clone(),
            stop_deadline: None,
            impatient: None,
            last_end: Instant::default(),
            began: None,
            making_sandbox: false,
            had_sandbox: false,
            interrupted: false,
            removing_sandbox: false,
            over: false,
        }
    }

    pub fn witness(&mut self, engine: &Engine, moment: Moment<'_>) -> Result<(), String> {
        if self.over && !moment.actions.is_empty() {
            return Err("I4: an action after the end".into());
        }
        self.take_in(moment.at, moment.event);
        for action in moment.actions {
            self.ask(moment.at, action)?;
        }
        self.order(moment.actions)?;
        self.afterwards(engine, moment.at)
    }

    fn take_in(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Begin => self.began = self.began.or(Some(now)),
            Event::Stop { .. } | Event::Interrupt | Event::Kill => {
                let grace = match event {
                    Event::Stop { grace } => grace.unwrap_or(self.spec.grace_period),
                    Event::Interrupt if !self.interrupted => self.spec.grace_period,
                    _ => Duration::ZERO,
                };
                self.interrupted |= *event == Event::Interrupt;
                let deadline = now.after(grace);
                self.stop_deadline = Some(self.stop_deadline.map_or(deadline, |before| before.min(deadline)));
            }
            // A pod that isn't begun uses nothing.
            Event::StorageExceeded(_) if self.began.is_some() => {
                let deadline = now.after(Duration::from_secs(1));
                self.stop_deadline = Some(self.stop_deadline.map_or(deadline, |before| before.min(deadline)));
            }
            Event::SupervisorLost => self.over = true,
            Event::Resized { container, way: ResizeWay::Restart, .. } => {
                if let Some(seen) = self.seen.get_mut(usize::from(container.0)) {
                    seen.blamed = true;
                    seen.resized = true;
                }
            }
            // All is dead.
            Event::SandboxLost => self.last_end = now,
            Event::Container { container, attempt, event } => {
                let index = usize::from(container.0);
                if index < self.seen.len() && self.seen[index].attempt == attempt.0 {
                    self.hear_container(now, index, event);
                }
            }
            Event::Tick
            | Event::StorageExceeded(_)
            | Event::Rejected { .. }
            | Event::Resized { .. }
            | Event::SandboxRemoved => {}
            Event::SandboxFailed { .. } => {
                self.making_sandbox = false;
                self.may_fail_fast(now);
            }
            Event::SandboxReady => {
                self.making_sandbox = false;
                self.had_sandbox = true;
            }
        }
    }

    /// Something could not be made, or failed: whether for good only the reference knows.
    fn may_fail_fast(&mut self, now: Instant) {
        if self.spec.fail_fast == FailFast::Yes {
            let deadline = now.after(self.spec.grace_period);
            self.impatient.get_or_insert(deadline);
        }
    }

    fn hear_container(&mut self, now: Instant, index: usize, event: &ContainerEvent) {
        let failed = matches!(
            event,
            ContainerEvent::ImageFailed { .. }
                | ContainerEvent::ImageUnusable { .. }
                | ContainerEvent::CreateFailed { .. }
                | ContainerEvent::StartFailed { .. }
                | ContainerEvent::Exited { .. }
        );
        if failed {
            self.may_fail_fast(now);
        }
        let spec = &self.spec.containers[index];
        let seen = &mut self.seen[index];
        let answered = |action: &ContainerAction| match (event, action) {
            (
                ContainerEvent::ImageReady { .. }
                | ContainerEvent::ImageFailed { .. }
                | ContainerEvent::ImageUnusable { .. },
                ContainerAction::PrepareImage,
            )
            | (ContainerEvent::Created { .. } | ContainerEvent::CreateFailed { .. }, ContainerAction::Create)
            | (ContainerEvent::Started | ContainerEvent::StartFailed { .. }, ContainerAction::Start)
            | (ContainerEvent::Signaled, ContainerAction::Signal(_) | ContainerAction::Kill)
            | (ContainerEvent::Removed, ContainerAction::Remove) => true,
            (ContainerEvent::HookDone { hook, .. }, ContainerAction::RunHook(asked)) => hook == asked,
            (ContainerEvent::ProbeDone { probe, .. }, ContainerAction::Probe(asked)) => probe == asked,
            _ => false,
        };
        if let Some(at) = seen.open.iter().position(answered) {
            seen.open.remove(at);
        }
        match event {
            ContainerEvent::ImageReady { .. } if seen.stage == Stage::Imaging => seen.stage = Stage::Imaged,
            ContainerEvent::ImageFailed { .. } | ContainerEvent::ImageUnusable { .. }
                if seen.stage == Stage::Imaging =>
            {
                seen.stage = Stage::Gone
            }
            ContainerEvent::Created { .. } if seen.stage == Stage::Creating => seen.stage = Stage::Created,
            ContainerEvent::CreateFailed { .. } if seen.stage == Stage::Creating => seen.stage = Stage::Gone,
            ContainerEvent::Started if seen.stage == Stage::Starting => {
                seen.stage = Stage::Running;
                seen.hook_ok |= spec.post_start.is_none();
                seen.startup_ok |= spec.startup_probe.is_none();
            }
            ContainerEvent::StartFailed { .. } if seen.stage == Stage::Starting => {
                seen.stage = Stage::Ended;
                seen.exited_at = Some(now);
                if spec.kind != Kind::Sidecar {
                    self.last_end = now;
                }
            }
            ContainerEvent::Exited { exit, .. } => {
                if matches!(seen.stage, Stage::Starting | Stage::Running) && spec.kind == Kind::Init {
                    seen.done |= *exit == Exit::Code(0);
                }
                if matches!(seen.stage, Stage::Created | Stage::Starting | Stage::Running) {
                    seen.stage = Stage::Ended;
                    seen.exited_at = Some(now);
                }
                if spec.kind != Kind::Sidecar {
                    self.last_end = now;
                }
            }
            ContainerEvent::Removed if seen.stage == Stage::Removing => seen.stage = Stage::Gone,
            ContainerEvent::HookDone { hook: Hook::PostStart, result } => match result {
                HookResult::Success => seen.hook_ok = true,
                HookResult::Failure { .. } | HookResult::Error { .. } => seen.blamed = true,
                HookResult::ContainerEnds => {}
            },
            ContainerEvent::ProbeDone { probe, result } => match (probe, result) {
                (Probe::Startup, ProbeResult::Success | ProbeResult::Warning { .. }) => seen.startup_ok = true,
                (Probe::Startup | Probe::Liveness, ProbeResult::Failure { .. }) => seen.blamed = true,
                _ => {}
            },
            _ => {}
        }
        // A sleep is the engine's own: it passes unseen.
        let slept = matches!(spec.post_start, Some(barepod_engine::spec::HookSpec::Sleep(_)));
        if spec.kind == Kind::Sidecar && seen.stage == Stage::Running && (seen.hook_ok || slept) && seen.startup_ok {
            seen.done = true;
        }
    }

    fn ask(&mut self, now: Instant, action: &Action) -> Result<(), String> {
        match action {
            Action::Container { container, attempt, action } => {
                if self.removing_sandbox {
                    return Err(format!("I4: {action:?} after the sandbox"));
                }
                self.ask_container(now, usize::from(container.0), attempt.0, *action)
                    .map_err(|problem| format!("{problem}: container {} {action:?}", container.0))
            }
            Action::RemoveSandbox => {
                self.removing_sandbox = true;
                // An image that is there is nothing of a container yet.
                let all_gone = self.seen.iter().all(|seen| matches!(seen.stage, Stage::Gone | Stage::Imaged));
                if all_gone { Ok(()) } else { Err("R5.16: the sandbox goes before a container".into()) }
            }
            Action::Finish { .. } => {
                self.over = true;
                let limit = self.stop_deadline.map(|deadline| deadline.after(Duration::from_secs(2) + self.slack));
                if limit.is_some_and(|limit| limit < now) {
                    return Err(format!("I5: the end comes at {now:?}, it should by {limit:?}"));
                }
                Ok(())
            }
            // R4.8
            Action::GiveUp if self.had_sandbox => Err("R4.8: given up though there was a sandbox".into()),
            Action::GiveUp => {
                self.over = true;
                Ok(())
            }
            Action::CreateSandbox => {
                self.making_sandbox = true;
                let exists = |seen: &Seen| !matches!(seen.stage, Stage::Gone | Stage::Imaged);
                if self.seen.iter().any(exists) {
                    Err("R2.7: a new sandbox beside old containers".into())
                } else {
                    Ok(())
                }
            }
            Action::WriteLimits(_) | Action::Record(_) => Ok(()),
        }
    }

    fn ask_container(
        &mut self,
        now: Instant,
        index: usize,
        attempt: u32,
        action: ContainerAction,
    ) -> Result<(), String> {
        let kind = self.spec.containers[index].kind;
        let stage = self.seen[index].stage;
        if self.seen[index].open.contains(&action) && action != ContainerAction::Kill {
            return Err("I8: asked for twice".into());
        }
        let before_done = self.seen[..index]
            .iter()
            .zip(&self.spec.containers)
            .all(|(seen, spec)| spec.kind == Kind::Main || seen.done);
        let next = match (action, stage) {
            (ContainerAction::PrepareImage, Stage::Gone | Stage::Imaged) => {
                self.prepare(now, index, attempt)?;
                Stage::Imaging
            }
            (ContainerAction::Create, Stage::Imaged) => Stage::Creating,
            (ContainerAction::Start, Stage::Created) => {
                if !before_done {
                    return Err("I1, R2.1: started before its turn".into());
                }
                let alone = (0..self.seen.len()).all(|other| {
                    other == index
                        || self.spec.containers[other].kind != Kind::Init
                        || !matches!(self.seen[other].stage, Stage::Starting | Stage::Running)
                });
                if kind == Kind::Init && !alone {
                    return Err("I2: two inits at a time".into());
                }
                self.seen[index].done |= kind == Kind::Main;
                Stage::Starting
            }
            (ContainerAction::Signal(_), Stage::Running) if !self.seen[index].signaled => {
                self.turn(now, index)?;
                self.seen[index].signaled = true;
                stage
            }
            (
                ContainerAction::Kill,
                Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting | Stage::Running,
            ) => stage,
            (ContainerAction::Remove, Stage::Ended) => Stage::Removing,
            (ContainerAction::RunHook(_) | ContainerAction::Probe(_), Stage::Running) => stage,
            _ => return Err(format!("I8: meaningless while {stage:?}")),
        };
        let seen = &mut self.seen[index];
        if attempt != seen.attempt {
            return Err("I8: another attempt".into());
        }
        seen.stage = next;
        seen.open.push(action);
        Ok(())
    }

    fn prepare(&mut self, now: Instant, index: usize, attempt: u32) -> Result<(), String> {
        let backoff = self.spec.backoff;
        let seen = &mut self.seen[index];
        let again = attempt == seen.attempt + 1;
        if !again && attempt != seen.attempt {
            return Err("R3.8: attempts are counted one by one".into());
        }
        if again {
            // R4.1: the second restart waits at least for the first delay, unless it ran long enough to be forgiven.
            let waited = seen.exited_at.map(|exited| now.since(exited));
            if attempt == 2
                && !seen.resized
                && waited.is_some_and(|waited| waited < backoff.initial)
                && now.since(Instant::default()) < backoff.reset_after
            {
                return Err(format!("I6: restarted after {waited:?}"));
            }
            seen.attempt = attempt;
            seen.hook_ok = false;
            seen.startup_ok = false;
            seen.blamed = false;
            seen.open.clear();
        }
        seen.signaled = false;
        Ok(())
    }

    /// I3, R5.3.
    fn turn(&self, now: Instant, index: usize) -> Result<(), String> {
        if self.spec.containers[index].kind != Kind::Sidecar || self.seen[index].blamed {
            return Ok(());
        }
        let natural = self.last_end.after(self.spec.grace_period);
        let active = self
            .spec
            .active_deadline
            .zip(self.began)
            .map(|(length, began)| began.after(length).after(self.spec.grace_period));
        let timeout =
            self.spec.timeout.zip(self.began).map(|(length, began)| began.after(length).after(self.spec.grace_period));
        let over = [Some(natural), active, timeout, self.impatient, self.stop_deadline]
            .into_iter()
            .flatten()
            .any(|deadline| deadline <= now);
        if over {
            return Ok(());
        }
        let holds = |other: &usize| {
            let later_sidecar = *other > index && self.spec.containers[*other].kind == Kind::Sidecar;
            (later_sidecar || self.spec.containers[*other].kind == Kind::Main)
                && self.seen[*other].stage == Stage::Running
        };
        match (0..self.seen.len()).find(holds) {
            Some(other) => Err(format!("I3: told to stop while {} runs", self.spec.containers[other].name)),
            None => Ok(()),
        }
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
