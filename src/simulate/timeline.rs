//! What happened in a simulation, in order of time: states, events, signals, hooks, requests; for people as a table and
//! for programs as one JSON object a line with keys that `barepod events -o json` has too.

mod show;
mod words;

use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, ContainerAction, EventRecord, Severity};
use barepod_engine::event::{ContainerEvent, Event, HookResult};
use barepod_engine::spec::{Attempt, ContainerIndex, PodSpec};
use barepod_engine::status::{
    Condition, ConditionKind, ContainerState, ContainerStatus, Phase, PodStatus, Terminated, WaitingReason,
};
use barepod_engine::time::Instant;
use barepod_engine::world::Moment;

use super::End;
use super::script::Request;
use words::{hook_name, running, signal_name, terminated};

pub use show::{json, length, table};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counted from the pod's beginning.
    pub at: Duration,
    /// What sort of thing.
    pub kind: EntryKind,
    /// One word.
    pub reason: String,
    /// The container's name; `None`: the pod.
    pub container: Option<String>,
    /// Of a container's state: which instance, counted from 0 as restartCount is.
    pub attempt: Option<u32>,
    /// Of an ended container, and of the pod's end.
    pub exit_code: Option<i32>,
    /// For people; may be empty.
    pub message: String,
}

/// What sort of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A Kubernetes Event of type Normal.
    Normal,
    /// A Kubernetes Event of type Warning.
    Warning,
    /// A container's state, or whether it is started or ready, changed.
    State,
    /// The pod's phase or a condition changed, or it ended.
    Pod,
    /// A signal is sent.
    Signal,
    /// A hook's handler begins, or is done.
    Hook,
    /// Somebody asks for the pod's end, or something befalls it.
    Request,
    /// The simulation is over before the pod is.
    End,
}

/// What was last said about a container's state.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Waiting(WaitingReason, u32),
    Running { restarts: u32, started: bool, ready: bool },
    Terminated { restarts: u32, ended: Terminated },
}

/// Watches a simulation and writes down what changes.
#[derive(Debug)]
pub(super) struct Recorder {
    names: Vec<String>,
    entries: Vec<Entry>,
    said: Vec<Said>,
    phase: Option<Phase>,
    conditions: Vec<(ConditionKind, bool)>,
    has_sandbox: bool,
    finished: Option<u8>,
}

impl Recorder {
    pub fn new(pod: &PodSpec) -> Self {
        let names: Vec<String> = pod.containers.iter().map(|one| one.name.clone()).collect();
        Self {
            said: vec![Said::Nothing; names.len()],
            names,
            entries: Vec::new(),
            phase: None,
            conditions: Vec::new(),
            has_sandbox: false,
            finished: None,
        }
    }

    /// The exit code of a pod that has ended.
    pub fn finished(&self) -> Option<u8> {
        self.finished
    }

    pub fn count(&self) -> usize {
        self.entries.len()
    }

    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    pub fn request(&mut self, at: Instant, request: &Request) {
        if let Event::StorageExceeded(_) = &request.event {
            // The event that it gives says which limit.
            return;
        }
        if request.event == Event::SandboxLost {
            let message = if self.has_sandbox { "its pid 1 is gone" } else { "there is none now: nothing is lost" };
            return self.add(at, EntryKind::Request, None, "SandboxLost", message.to_owned());
        }
        let message = match &request.event {
            Event::Kill => "at once".to_owned(),
            Event::Stop { grace: Some(grace) } => format!("grace period {}", length(*grace)),
            _ => "with the pod's own grace period".to_owned(),
        };
        self.add(at, EntryKind::Request, None, "Stop", message);
    }

    /// Says why the simulation ended where the pod didn't.
    pub fn end(&mut self, at: Duration, end: End) {
        let message = match end {
            End::Finished(_) => return,
            End::Quiet => "nothing more happens by itself",
            End::Until => "the simulation ends here; the pod goes on",
            End::TooMuch => "too much to tell; the simulation is given up",
        };
        let at = Instant::default().after(at);
        self.add(at, EntryKind::End, None, "End", message.to_owned());
    }

    /// One step: what the fact changed, what was written down about it, what is done about it.
    pub fn witness(&mut self, engine: &Engine, moment: Moment<'_>) {
        let at = moment.at;
        self.hook_done(at, moment.event);
        let status = engine.status();
        for index in 0..status.containers.len() {
            self.container(at, index, &status.containers[index]);
        }
        for action in moment.actions {
            if let Action::Record(record) = action {
                self.record(at, record);
            }
        }
        self.pod(at, &status);
        for action in moment.actions {
            match action {
                Action::Container { container, attempt, action } => self.action(at, *container, *attempt, *action),
                Action::Finish { exit_code } => {
                    self.finished = Some(*exit_code);
                    self.add(at, EntryKind::Pod, None, "Ended", format!("exit code {exit_code}"));
                    self.last().exit_code = Some((*exit_code).into());
                }
                Action::CreateSandbox
                | Action::RemoveSandbox
                | Action::WriteLimits(_)
                | Action::Record(_)
                // No script has a sandbox without the network that it must have.
                | Action::GiveUp => {}
            }
        }
    }

    fn add(&mut self, at: Instant, kind: EntryKind, container: Option<usize>, reason: &str, message: String) {
        self.entries.push(Entry {
            at: at.since(Instant::default()),
            kind,
            reason: reason.to_owned(),
            container: container.map(|index| self.names[index].clone()),
            attempt: None,
            exit_code: None,
            message,
        });
    }

    fn last(&mut self) -> &mut Entry {
        self.entries.last_mut().expect("an entry was just added")
    }

    fn hook_done(&mut self, at: Instant, event: &Event) {
        // A failure has a record of its own.
        if let Event::Container {
            container,
            event: ContainerEvent::HookDone { hook, result: HookResult::Success },
            ..
        } = event
        {
            self.add(at, EntryKind::Hook, Some(container.0.into()), hook_name(*hook), "done".to_owned());
        }
    }

    fn record(&mut self, at: Instant, record: &EventRecord) {
        let kind = match record.severity {
            Severity::Normal => EntryKind::Normal,
            Severity::Warning => EntryKind::Warning,
        };
        let container = record.container.map(|index| usize::from(index.0));
        self.add(at, kind, container, &format!("{:?}", record.reason), record.message.clone());
    }

    fn action(&mut self, at: Instant, container: ContainerIndex, attempt: Attempt, action: ContainerAction) {
        let index = Some(usize::from(container.0));
        match action {
            ContainerAction::Signal(number) => {
                self.add(at, EntryKind::Signal, index, &signal_name(number), String::new());
            }
            ContainerAction::Kill => self.add(at, EntryKind::Signal, index, "SIGKILL", String::new()),
            ContainerAction::RunHook(hook) => {
                self.add(at, EntryKind::Hook, index, hook_name(hook), "begins".to_owned());
            }
            ContainerAction::PrepareImage(_)
            | ContainerAction::PullImage(_)
            | ContainerAction::Create
            | ContainerAction::Start
            | ContainerAction::Remove
            | ContainerAction::Probe(_) => return,
        }
        self.last().attempt = Some(attempt.0);
    }

    fn container(&mut self, at: Instant, index: usize, status: &ContainerStatus) {
        let restarts = status.restart_count;
        let (said, reason, message, exit_code) = match &status.state {
            // Nothing is there and nothing is wrong.
            ContainerState::Waiting {
                reason: WaitingReason::PodInitializing | WaitingReason::ContainerCreating,
                ..
            } => return,
            ContainerState::Waiting { reason, message } => {
                (Said::Waiting(*reason, restarts), format!("{reason:?}"), message.clone(), None)
            }
            ContainerState::Running { .. } => {
                let (started, ready) = (status.started, status.ready);
                let message = running(status.kind, restarts, started, ready);
                (Said::Running { restarts, started, ready }, "Running".to_owned(), message, None)
            }
            ContainerState::Terminated(ended) => {
                let said = Said::Terminated { restarts, ended: ended.clone() };
                (said, "Terminated".to_owned(), terminated(ended, status.grace_use), Some(ended.exit_code))
            }
        };
        if self.said[index] == said {
            return;
        }
        // R4: on its way from one instance to the next it shows its last end once more, without anything new.
        if let (Said::Waiting(..), Said::Terminated { ended: now, .. }) = (&self.said[index], &said)
            && self.ends_said(index).is_some_and(|code| code == now.exit_code)
        {
            return;
        }
        self.said[index] = said;
        self.add(at, EntryKind::State, Some(index), &reason, message);
        let entry = self.last();
        entry.attempt = Some(restarts);
        entry.exit_code = exit_code;
    }

    /// The exit code last told of this container.
    fn ends_said(&self, index: usize) -> Option<i32> {
        let name = &self.names[index];
        let told = self.entries.iter().rev().find(|entry| {
            entry.kind == EntryKind::State && entry.container.as_ref() == Some(name) && entry.exit_code.is_some()
        });
        told.and_then(|entry| entry.exit_code)
    }

    fn pod(&mut self, at: Instant, status: &PodStatus) {
        if self.phase != Some(status.phase) {
            self.phase = Some(status.phase);
            let reason = status.reason.map(|reason| format!("{reason:?}")).unwrap_or_default();
            let message = [reason, status.message.clone()].into_iter().filter(|text| !text.is_empty());
            let message = message.collect::<Vec<_>>().join(": ");
            self.add(at, EntryKind::Pod, None, &format!("{:?}", status.phase), message);
        }
        for condition in &status.conditions {
            self.condition(at, condition);
        }
    }

    fn condition(&mut self, at: Instant, condition: &Condition) {
        match condition.kind {
            ConditionKind::PodReadyToStartContainers => {
                self.has_sandbox = condition.status;
                return;
            }
            // They say nothing that isn't said already.
            ConditionKind::PodScheduled | ConditionKind::ContainersReady => return,
            ConditionKind::Initialized
            | ConditionKind::Ready
            | ConditionKind::AllContainersRestarting
            | ConditionKind::PodResizeInProgress
            | ConditionKind::DisruptionTarget => {}
        }
        let known = self.conditions.iter_mut().find(|(kind, _)| *kind == condition.kind);
        match known {
            Some((_, before)) if *before == condition.status => return,
            Some((_, before)) => *before = condition.status,
            None => {
                self.conditions.push((condition.kind, condition.status));
                // All begin as False.
                if !condition.status {
                    return;
                }
            }
        }
        let reason = format!("{:?}={}", condition.kind, if condition.status { "True" } else { "False" });
        let words = condition.reason.iter().chain(Some(&condition.message)).filter(|text| !text.is_empty());
        let message = words.map(String::as_str).collect::<Vec<_>>().join(": ");
        self.add(at, EntryKind::Pod, None, &reason, message);
    }
}
