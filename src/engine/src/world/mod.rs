//! A box in virtual time that follows a script instead of running anything: what the engine is tried on, forecast with
//! and simulated by. It answers every action with exactly one event, as the shell does, and decides nothing.
//!
//! Start at [`Simulation`], which runs an engine on a [`World`]; [`script`] says what a box can be told to do.

mod answers;
mod images;
mod lost;
pub mod script;
mod simulation;

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::action::{Action, ContainerAction};
use crate::event::{ContainerEvent, CreateFailure, Event, Exit, HookResult, ProbeResult, SandboxFailure};
use crate::spec::{Attempt, ContainerIndex, ImageOf, VolumeIndex};
use crate::time::Instant;
use script::{AttemptScript, Script, StartScript, StopScript};

pub use lost::LostAnswer;
pub use simulation::{Moment, Simulation};

const SIGKILL: u8 = 9;
/// When what hangs is answered.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// A box that follows a [`Script`].
#[derive(Clone, Debug)]
pub struct World {
    script: Script,
    /// What will happen, unordered: it is never much.
    agenda: Vec<Scheduled>,
    /// Breaks ties: first agreed, first done.
    agreed: u64,
    sandbox_tries: u32,
    containers: Vec<Process>,
    /// The images that were pulled.
    pulled: BTreeSet<ImageNumber>,
}

/// An image of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ImageNumber {
    /// One container's own.
    Of(ContainerIndex),
    /// Of several.
    Shared(u16),
    /// Of a volume.
    Volume(VolumeIndex),
}

#[derive(Clone, Debug)]
struct Scheduled {
    at: Instant,
    agreed: u64,
    event: Event,
}

/// One container of the box.
#[derive(Clone, Copy, Debug, Default)]
struct Process {
    attempt: Attempt,
    /// Which image was asked for last.
    image_of: ImageOf,
    /// How often this attempt failed to get its image, got one that is no good, and failed to be created.
    image_failures: u32,
    pull_failures: u32,
    unusable_images: u32,
    create_failures: u32,
    /// When it was started.
    started: Option<Instant>,
    exited: bool,
}

impl World {
    /// A box on which nothing has happened yet.
    pub fn new(script: Script) -> Self {
        let containers = script.containers.iter().map(|_| Process::default()).collect();
        Self { script, agenda: Vec::new(), agreed: 0, sandbox_tries: 0, containers, pulled: BTreeSet::new() }
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Instant> {
        self.agenda.iter().map(|scheduled| scheduled.at).filter(|&at| at < NEVER).min()
    }

    /// What happens next, and when.
    pub fn pop(&mut self) -> Option<(Instant, Event)> {
        let (index, first) =
            self.agenda.iter().enumerate().min_by_key(|(_, scheduled)| (scheduled.at, scheduled.agreed))?;
        if first.at == NEVER {
            return None;
        }
        let Scheduled { at, mut event, .. } = self.agenda.swap_remove(index);
        self.excuse(at, &mut event);
        if let Event::Container { container, attempt, event: ContainerEvent::Exited { .. } } = event {
            self.containers[usize::from(container.0)].exited = true;
            self.end_with(at, container, attempt);
        }
        self.note_pulled(&event);
        Some((at, event))
    }

    /// Takes in an action; its answer comes in its time.
    pub fn carry(&mut self, now: Instant, action: &Action) {
        let latencies = self.script.latencies;
        match action {
            Action::CreateSandbox => {
                let is_at = |at| at == self.sandbox_tries;
                let failure = match self.script.no_network_at.is_some_and(is_at) {
                    true => Some(SandboxFailure::Network),
                    false => (self.sandbox_tries < self.script.sandbox_failures).then_some(SandboxFailure::Sandbox),
                };
                self.sandbox_tries = self.sandbox_tries.saturating_add(1);
                let event = failure.map_or(Event::SandboxReady, |failure| Event::SandboxFailed {
                    failure,
                    message: "scripted".to_string(),
                });
                let at = if self.script.sandbox_hangs { NEVER } else { now.after(latencies.sandbox) };
                self.agree(at, event);
            }
            Action::RemoveSandbox => {
                // It may still be in the making.
                self.agenda.retain(|one| !matches!(one.event, Event::SandboxReady | Event::SandboxFailed { .. }));
                self.agree(now.after(latencies.remove_sandbox), Event::SandboxRemoved);
            }
            Action::Container { container, attempt, action } => {
                self.carry_container(now, *container, *attempt, *action)
            }
            Action::WriteLimits(_) | Action::Record(_) | Action::Finish { .. } | Action::GiveUp => {}
        }
    }

    fn carry_container(&mut self, now: Instant, container: ContainerIndex, attempt: Attempt, action: ContainerAction) {
        let latencies = self.script.latencies;
        let script = self.script.attempt(container, attempt);
        let process = self.process(container);
        if process.attempt != attempt {
            *process = Process { attempt, ..Process::default() };
        }
        let started = process.started.unwrap_or(now);
        let (at, event) = match action {
            ContainerAction::PrepareImage(of) => {
                process.image_of = of;
                let there = !script.image_absent || self.has_pulled(container);
                let at = if script.image_hangs { NEVER } else { now.after(latencies.image) };
                (at, self.process(container).look(&script, there))
            }
            ContainerAction::PullImage(of) => {
                process.image_of = of;
                let at = if script.pull_hangs { NEVER } else { now.after(latencies.pull) };
                (at, process.pull(&script))
            }
            ContainerAction::Create => return self.create(now, container, attempt, &script),
            ContainerAction::Start => return self.start(now, container, attempt, &script),
            ContainerAction::Signal(_) => {
                match script.on_stop {
                    StopScript::Ends(after, exit) => {
                        self.exit(now.after(after), container, attempt, exit);
                    }
                    StopScript::Ignores => {}
                }
                (now, ContainerEvent::Signaled)
            }
            ContainerAction::Kill => {
                self.kill(now.after(latencies.kill), container, attempt);
                (now, ContainerEvent::Signaled)
            }
            ContainerAction::Remove => {
                // The next try of this attempt, where there is one, is another process.
                process.started = None;
                process.exited = false;
                (now.after(latencies.remove), ContainerEvent::Removed)
            }
            ContainerAction::RunHook(hook) => script.hook(hook).run(now, hook, NEVER),
            ContainerAction::Probe(probe) => script.probe(probe).run(now, started, probe),
        };
        self.agree(at, Event::Container { container, attempt, event });
    }

    fn create(&mut self, now: Instant, container: ContainerIndex, attempt: Attempt, script: &AttemptScript) {
        let process = &mut self.containers[usize::from(container.0)];
        process.exited = false;
        process.started = None;
        let event = if process.create_failures < script.create_fails.0 {
            process.create_failures += 1;
            ContainerEvent::CreateFailed { failure: script.create_fails.1, message: "scripted".to_string() }
        } else {
            ContainerEvent::Created { container_id: "world://container".to_string() }
        };
        let at = if script.create_hangs { NEVER } else { now.after(self.script.latencies.create) };
        let created = matches!(event, ContainerEvent::Created { .. });
        self.agree(at, Event::Container { container, attempt, event });
        if created && let (Some(after), false) = (script.dies_unstarted, script.create_hangs) {
            self.exit(at.after(after), container, attempt, Exit::Code(1));
        }
    }

    fn start(&mut self, now: Instant, container: ContainerIndex, attempt: Attempt, script: &AttemptScript) {
        // It was started in time after all.
        self.forget(|event| matches!(event, ContainerEvent::Exited { .. }), container, attempt);
        let answered = now.after(self.script.latencies.start);
        let since = if script.start == StartScript::Overtaken { now } else { answered };
        self.containers[usize::from(container.0)].started = Some(since);
        let event = match script.start {
            StartScript::Works | StartScript::Overtaken => ContainerEvent::Started,
            StartScript::Fails | StartScript::Hangs => ContainerEvent::StartFailed { message: "scripted".to_string() },
        };
        if script.start == StartScript::Hangs {
            return self.agree(NEVER, Event::Container { container, attempt, event });
        }
        if script.start == StartScript::Overtaken
            && let Some((after, exit)) = script.ends
        {
            self.end(since.after(after), container, attempt, exit, script.oom_killed);
        }
        self.agree(answered, Event::Container { container, attempt, event });
        if script.start == StartScript::Works
            && let Some((after, exit)) = script.ends
        {
            self.end(since.after(after), container, attempt, exit, script.oom_killed);
        }
        if script.start == StartScript::Fails {
            self.containers[usize::from(container.0)].exited = true;
        }
    }

    fn exit(&mut self, at: Instant, container: ContainerIndex, attempt: Attempt, exit: Exit) {
        self.end(at, container, attempt, exit, false);
    }

    /// Its process ends then, unless it ends before.
    fn end(&mut self, at: Instant, container: ContainerIndex, attempt: Attempt, exit: Exit, oom_killed: bool) {
        let index = usize::from(container.0);
        if self.containers[index].exited {
            return;
        }
        let before = self.agenda.iter().find(|scheduled| {
            matches!(&scheduled.event, Event::Container { container: of, event: ContainerEvent::Exited { .. }, .. }
                if *of == container)
        });
        if before.is_some_and(|scheduled| scheduled.at <= at) {
            return;
        }
        self.forget(|event| matches!(event, ContainerEvent::Exited { .. }), container, attempt);
        let event = ContainerEvent::Exited { exit, oom_killed, message: String::new() };
        self.agree(at, Event::Container { container, attempt, event });
    }

    /// SIGKILL: to the process, or to what creates or starts it, or looks for its image.
    fn kill(&mut self, at: Instant, container: ContainerIndex, attempt: Attempt) {
        if self.kill_search(at, container, attempt) {
            return;
        }
        let hanging = self.agenda.iter_mut().find(|scheduled| {
            matches!(&scheduled.event, Event::Container { container: of, event: ContainerEvent::StartFailed { .. }, .. }
                if *of == container && scheduled.at == NEVER)
        });
        if let Some(scheduled) = hanging {
            scheduled.at = at;
            self.containers[usize::from(container.0)].exited = true;
            return;
        }
        let creation = self.agenda.iter_mut().find(|scheduled| {
            matches!(&scheduled.event, Event::Container { container: of, event, .. }
                if *of == container && is_creation(event))
        });
        match creation {
            Some(scheduled) if scheduled.at == NEVER => {
                let message = "killed".to_string();
                let event = ContainerEvent::CreateFailed { failure: CreateFailure::Create, message };
                scheduled.at = at;
                scheduled.event = Event::Container { container, attempt, event };
            }
            // It is made all the same, a moment later.
            Some(_) => {}
            None => self.exit(at, container, attempt, Exit::Signal(SIGKILL)),
        }
    }

    /// What runs in a container ends with it.
    fn end_with(&mut self, now: Instant, container: ContainerIndex, attempt: Attempt) {
        for scheduled in &mut self.agenda {
            let Event::Container { container: of, attempt: then, event } = &mut scheduled.event else { continue };
            if *of != container || *then != attempt {
                continue;
            }
            match event {
                ContainerEvent::HookDone { result, .. } => *result = HookResult::ContainerEnds,
                ContainerEvent::ProbeDone { result, .. } => *result = ProbeResult::ContainerEnds,
                ContainerEvent::ImageReady { .. }
                | ContainerEvent::ImageAbsent
                | ContainerEvent::ImagePulled { .. }
                | ContainerEvent::ImageUnusable { .. }
                | ContainerEvent::ImageFailed { .. }
                | ContainerEvent::Created { .. }
                | ContainerEvent::CreateFailed { .. }
                | ContainerEvent::Started
                | ContainerEvent::StartFailed { .. }
                | ContainerEvent::Exited { .. }
                | ContainerEvent::Signaled
                | ContainerEvent::Removed => continue,
            }
            scheduled.at = scheduled.at.min(now);
        }
    }

    /// What fails in the moment in which its container ends fails for that, and the shell sees it.
    fn excuse(&self, now: Instant, event: &mut Event) {
        let Event::Container { container, event, .. } = event else { return };
        let is_end = |scheduled: &Scheduled| {
            scheduled.at == now
                && matches!(&scheduled.event, Event::Container { container: of, event: ContainerEvent::Exited { .. }, .. }
                    if of == container)
        };
        let ends = self.agenda.iter().any(is_end);
        match event {
            ContainerEvent::HookDone { result, .. } if ends && *result != HookResult::Success => {
                *result = HookResult::ContainerEnds;
            }
            ContainerEvent::ProbeDone { result, .. } if ends && *result != ProbeResult::Success => {
                *result = ProbeResult::ContainerEnds;
            }
            _ => {}
        }
    }

    fn forget(&mut self, which: impl Fn(&ContainerEvent) -> bool, container: ContainerIndex, attempt: Attempt) {
        self.agenda.retain(|scheduled| {
            !matches!(&scheduled.event, Event::Container { container: of, attempt: then, event }
                if *of == container && *then == attempt && which(event))
        });
    }

    fn agree(&mut self, at: Instant, event: Event) {
        self.agreed += 1;
        self.agenda.push(Scheduled { at, agreed: self.agreed, event });
    }
}

fn is_creation(event: &ContainerEvent) -> bool {
    matches!(event, ContainerEvent::Created { .. } | ContainerEvent::CreateFailed { .. })
}
