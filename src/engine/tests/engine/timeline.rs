//! Runs a case and writes down what happened, one line a thing: `12.5 s1 signal 15`.

use std::time::Duration;

use barepod_engine::action::{Action, ContainerAction, LimitsOf};
use barepod_engine::event::{ContainerEvent, Event, Exit, Hook, Probe};
use barepod_engine::spec::{ContainerIndex, ImageOf, ImageSpec};
use barepod_engine::status::{ContainerStatus, PodStatus};
use barepod_engine::time::Instant;
use barepod_engine::world::{Moment, Simulation};

use crate::pods::{Case, secs};

/// What happens to a running pod from outside.
#[derive(Clone, Copy)]
pub enum From {
    Stop(f64, Option<f64>),
    Kill(f64),
    Interrupt(f64),
    Lost(f64),
    SandboxLost(f64),
}

/// A case that is being run.
pub struct Run {
    pub simulation: Simulation,
    pub lines: Vec<String>,
    names: Vec<String>,
}

pub fn stop(at: f64) -> From {
    From::Stop(at, None)
}

pub fn stop_in(at: f64, grace: f64) -> From {
    From::Stop(at, Some(grace))
}

/// Runs a case to its end, or for an hour.
pub fn run(case: Case, outside: &[From]) -> Run {
    let mut run = begin(case);
    for from in outside {
        let (at, event) = match *from {
            From::Stop(at, grace) => (at, Event::Stop { grace: grace.map(secs) }),
            From::Kill(at) => (at, Event::Kill),
            From::Interrupt(at) => (at, Event::Interrupt),
            From::Lost(at) => (at, Event::SupervisorLost),
            From::SandboxLost(at) => (at, Event::SandboxLost),
        };
        run.until(at);
        run.tell(&event);
    }
    run.until(3600.0);
    run
}

/// Tells a case to begin.
pub fn begin(case: Case) -> Run {
    let mut run = unbegun(case);
    run.tell(&Event::Begin);
    run
}

pub fn unbegun(case: Case) -> Run {
    let names = case.spec.containers.iter().map(|container| container.name.clone()).collect();
    Run { simulation: Simulation::new(case.spec, case.script), lines: Vec::new(), names }
}

impl Run {
    pub fn tell(&mut self, event: &Event) {
        let (lines, names) = (&mut self.lines, &self.names);
        self.simulation.tell(event, |_, moment| write(lines, names, moment));
    }

    /// Adds an ephemeral container.
    pub fn add(&mut self, name: &str) {
        if self.simulation.engine.takes_ephemeral(name).is_ok() {
            self.names.push(name.to_owned());
        }
        self.tell(&Event::EphemeralAdded { name: name.to_owned(), image: ImageSpec::Folder });
    }

    pub fn until(&mut self, at: f64) {
        let (lines, names) = (&mut self.lines, &self.names);
        let until = Instant::default().after(secs(at));
        self.simulation.run_until(until, |_, moment| write(lines, names, moment));
    }

    /// The lines that contain one of these words.
    pub fn of(&self, words: &[&str]) -> Vec<&str> {
        let has = |line: &str| words.iter().any(|word| line.split(' ').any(|part| part == *word));
        self.lines.iter().map(String::as_str).filter(|line| has(line)).collect()
    }

    /// What was done to containers, without how it was prepared.
    pub fn main_lines(&self) -> Vec<&str> {
        self.of(&["start", "exited", "signal", "kill", "hook", "finish"])
    }

    /// What the engine waits for.
    pub fn under_way(&self) -> Vec<String> {
        let line = |action| match action {
            Action::CreateSandbox => "sandbox create".to_owned(),
            Action::RemoveSandbox => "sandbox remove".to_owned(),
            Action::Container { container, action, .. } => {
                format!("{} {}", self.names[usize::from(container.0)], word(action))
            }
            other => panic!("nobody answers {other:?}"),
        };
        self.simulation.engine.under_way().into_iter().map(line).collect()
    }

    pub fn status(&self) -> PodStatus {
        self.simulation.engine.status()
    }

    pub fn container(&self, name: &str) -> ContainerStatus {
        self.status().containers.into_iter().find(|container| container.name == name).unwrap()
    }

    pub fn condition(&self, kind: barepod_engine::status::ConditionKind) -> barepod_engine::status::Condition {
        self.status().conditions.into_iter().find(|condition| condition.kind == kind).unwrap()
    }

    pub fn finish(&self) -> Option<&str> {
        self.lines.iter().rev().map(String::as_str).find(|line| line.contains(" finish "))
    }

    /// When this happened, every time.
    pub fn times(&self, what: &str) -> Vec<f64> {
        self.lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, rest)| *rest == what)
            .map(|(at, _)| at.parse().unwrap())
            .collect()
    }
}

fn write(lines: &mut Vec<String>, names: &[String], moment: Moment<'_>) {
    let at = seconds(moment.at.since(Instant::default()));
    let name = |index: ContainerIndex| names.get(usize::from(index.0)).map_or("?", String::as_str);
    if let Event::Container { container, event, .. } = moment.event {
        match event {
            ContainerEvent::Exited { exit, .. } => {
                let how = match exit {
                    Exit::Code(code) => code.to_string(),
                    Exit::Signal(signal) => format!("signal{signal}"),
                    Exit::Unknown => "unknown".into(),
                };
                lines.push(format!("{at} {} exited {how}", name(*container)));
            }
            ContainerEvent::Started => lines.push(format!("{at} {} runs", name(*container))),
            _ => {}
        }
    }
    for action in moment.actions {
        lines.push(match action {
            Action::CreateSandbox => format!("{at} sandbox create"),
            Action::WriteLimits(LimitsOf::Pod) => format!("{at} limits pod"),
            Action::WriteLimits(LimitsOf::Container(container)) => format!("{at} limits {}", name(*container)),
            Action::RemoveSandbox => format!("{at} sandbox remove"),
            Action::Finish { exit_code } => format!("{at} finish {exit_code}"),
            Action::GiveUp => format!("{at} give up"),
            Action::Record(record) => {
                let about = record.container.map_or("pod", name);
                format!("{at} record {:?} {about}: {}", record.reason, record.message)
            }
            Action::Container { container, action, .. } => format!("{at} {} {}", name(*container), word(*action)),
        });
    }
}

fn word(action: ContainerAction) -> String {
    match action {
        ContainerAction::PrepareImage(of) => format!("image{}", of_volume(of)),
        ContainerAction::PullImage(of) => format!("pull{}", of_volume(of)),
        ContainerAction::Create => "create".into(),
        ContainerAction::Start => "start".into(),
        ContainerAction::Signal(signal) => format!("signal {signal}"),
        ContainerAction::Kill => "kill".into(),
        ContainerAction::Remove => "remove".into(),
        ContainerAction::RunHook(Hook::PostStart) => "hook postStart".into(),
        ContainerAction::RunHook(Hook::PreStop) => "hook preStop".into(),
        ContainerAction::Probe(Probe::Startup) => "probe startup".into(),
        ContainerAction::Probe(Probe::Liveness) => "probe liveness".into(),
        ContainerAction::Probe(Probe::Readiness) => "probe readiness".into(),
    }
}

fn of_volume(of: ImageOf) -> String {
    match of {
        ImageOf::Container => String::new(),
        ImageOf::Volume(volume) => format!(" of volume {}", volume.0),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}", duration.as_secs_f64())
}
