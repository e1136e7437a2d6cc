//! The loop of a Job's process. It decides nothing: what it sees of pods are events for the controller, whose actions it carries out.

mod commands;
mod looking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use barepod_engine::job::{ConditionKind, JobAction, JobEvent, PodNumber};
use nix::sys::signalfd::SignalFd;
use rustix::event::PollFlags;
use std::os::fd::AsFd;
use std::time::Duration;

use super::super::changes::{Changes, WatchFlags};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::{Given, GivenJob};
use super::super::pod_changes::PodChanges;
use super::super::until::Deadline;
use super::super::{recover, removal};
use super::next::{Next, now};
use super::{changes, pods};
use crate::control::{self, Request, Until};
use crate::report::job;
use crate::report::job::happened::{self, PodChange};
use crate::runtime::detach::{self, Above, Detached, HANDED_DOWN};
use crate::runtime::{random, signals};
use crate::store::events::EventLine;
use crate::store::jobs::{JobFolder, JobPod, PodStage, SavedJob};
use crate::store::layout::Layout;
use crate::store::read::Found;

/// How many pods are begun at once: each is a process that looks for its images and folders.
const BEGUN_AT_ONCE: usize = 8;
/// How long a pod's supervisor may take to say that it has heard.
const HEARS_WITHIN: Duration = Duration::from_secs(10);

/// After how long one that hasn't is asked again.
const ASKS_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where a Job is kept.
pub(super) struct Place {
    pub(super) layout: Layout,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// Who ends the Job before its end.
#[derive(Clone, Copy)]
enum Stop {
    Signal(u8),
    Wish,
}

pub(super) struct Runner {
    place: Place,
    folder: JobFolder,
    saved: SavedJob,
    given: GivenJob,
    /// Processes of pods that this one has begun.
    begun: BTreeMap<PodNumber, Above>,
    /// Pods that begin.
    starting: BTreeSet<PodNumber>,
    to_make: VecDeque<PodNumber>,
    to_end: BTreeSet<PodNumber>,
    /// What the controller was told last.
    told: BTreeMap<PodNumber, (bool, u32)>,
    changes: PodChanges,
    wishes: Changes,
    signals: SignalFd,
    stop: Option<Stop>,
    is_quiet: bool,
    is_detached: bool,
    is_forgotten: bool,
    /// A pod couldn't be asked to end: it is asked again in a moment.
    is_deaf: bool,
}

impl Runner {
    pub(super) fn new(
        place: Place,
        folder: JobFolder,
        saved: SavedJob,
        given: GivenJob,
        is_quiet: bool,
        is_detached: bool,
    ) -> Result<Self, CliError> {
        let signals = signals::read_instead(&HANDED_DOWN).map_err(|errno| CliError::Signals(errno.into()))?;
        let changes = PodChanges::begin(&place.layout)?;
        let wishes = Changes::of(&folder.wishes(), WatchFlags::MOVED_TO)?;
        // Of an earlier process.
        folder.take_wish()?;
        folder.take_change()?;
        Ok(Self {
            place,
            folder,
            saved,
            given,
            begun: BTreeMap::new(),
            starting: BTreeSet::new(),
            to_make: VecDeque::new(),
            to_end: BTreeSet::new(),
            told: BTreeMap::new(),
            changes,
            wishes,
            signals,
            stop: None,
            is_quiet,
            is_detached,
            is_forgotten: false,
            is_deaf: false,
        })
    }

    pub(super) fn log(&self) -> Result<PathBuf, CliError> {
        Ok(self.folder.log()?)
    }

    /// Goes on where an earlier process was.
    pub(super) fn go_on(&mut self) -> Result<(), CliError> {
        for action in self.saved.controller.under_way() {
            match action {
                // It has a name: whether it came to be is looked for.
                JobAction::Create { pod, .. } if self.stage(pod).is_some() => {
                    match self.found(pod).is_some_and(|found| found.dir.exists()) {
                        true => self.made(pod)?,
                        false => self.to_make.push_back(pod),
                    }
                }
                action => self.take(action),
            }
        }
        let wanted = changes::value(&self.given.job)?;
        self.change(&wanted)
    }

    /// Tells the controller a fact. What it asks for is written down before any of it is done.
    pub(super) fn step(&mut self, event: JobEvent) -> Result<(), CliError> {
        let before = self.saved.controller.status().conditions;
        let mut actions = Vec::new();
        self.saved.controller.step(now(), event, &mut actions);
        let after = self.saved.controller.status().conditions;
        happened::changed(&before, &after).into_iter().for_each(|line| self.note(line));
        actions.into_iter().for_each(|action| self.take(action));
        Ok(self.folder.save(&self.saved)?)
    }

    fn take(&mut self, action: JobAction) {
        match action {
            JobAction::Create { pod, index } => {
                let name = pods::name(&self.place.name, index, random::number());
                self.saved.pods.push(JobPod { number: pod, name, index, stage: PodStage::Named });
                self.to_make.push_back(pod);
            }
            JobAction::Delete(pod) => _ = self.to_end.insert(pod),
            JobAction::Forget => self.is_forgotten = true,
        }
    }

    /// Until the Job has ended, or this is a pod's process.
    pub(super) fn run(mut self) -> Result<Next, CliError> {
        loop {
            if let Some((given, report)) = self.begin_pods()? {
                // What is open here is the parent's: the pod lets go of it by its descriptors.
                std::mem::forget(self);
                return Ok(Next::RunPod(Box::new(given), report));
            }
            self.end_pods()?;
            self.changes.listen(&self.living())?;
            self.hear_processes()?;
            self.look_at_pods()?;
            if self.saved.controller.next_deadline().is_some_and(|at| at <= now().monotonic) {
                self.step(JobEvent::Tick)?;
            }
            if let Some(exit) = self.end()? {
                // Its lock goes with the process, and not before: who has waited for that finds nothing of it.
                std::mem::forget(self);
                return Ok(Next::End(exit));
            }
            if self.can_begin() || (!self.is_deaf && self.to_end.iter().any(|pod| !self.starting.contains(pod))) {
                continue;
            }
            self.wait()?;
            self.hear_commands()?;
        }
    }

    fn can_begin(&self) -> bool {
        !self.to_make.is_empty() && self.starting.len() < BEGUN_AT_ONCE
    }

    /// Begins pods; in a pod's process, gives that.
    fn begin_pods(&mut self) -> Result<Option<(Given, detach::Report)>, CliError> {
        while self.can_begin() {
            let Some(pod) = self.to_make.pop_front() else { break };
            let Some(JobPod { name, index, .. }) = self.pod(pod).cloned() else { continue };
            match detach::detach(&[]).map_err(CliError::Detach)? {
                Detached::Above(above) => {
                    self.begun.insert(pod, above);
                    self.starting.insert(pod);
                }
                Detached::Below(report) => {
                    let mut given = self.given.template.clone();
                    let failures = index.and_then(|index| self.saved.controller.failures_of(index));
                    given.pod = pods::pod(&self.given.job, &name, index, failures);
                    return Ok(Some((given, report)));
                }
            }
        }
        Ok(None)
    }

    /// Ends pods that the controller has deleted; those that begin are ended when they are there.
    fn end_pods(&mut self) -> Result<(), CliError> {
        self.is_deaf = false;
        let pods: Vec<PodNumber> = self.to_end.iter().copied().filter(|pod| !self.starting.contains(pod)).collect();
        for pod in pods {
            self.to_end.remove(&pod);
            if self.to_make.contains(&pod) {
                self.to_make.retain(|one| *one != pod);
                self.not_made(pod)?;
                continue;
            }
            let Some(found) = self.found(pod).filter(|_| self.stage(pod) == Some(PodStage::Made)) else { continue };
            let deadline = Deadline::after(HEARS_WITHIN);
            let in_time = |answer: std::os::fd::BorrowedFd<'_>| deadline.wait_for(answer);
            let asked =
                control::end_within(&found.dir, Request::stop(None), Until::Begun, || found.runs_on(), |_| {}, in_time);
            match asked {
                Ok(_) => self.note(happened::of_pod(&found.name, PodChange::Deleted, jiff::Timestamp::now())),
                Err(error) => {
                    tell!("warning: pod {}: {error}; it is asked to end again", recover::full_name(&found));
                    self.to_end.insert(pod);
                    self.is_deaf = true;
                }
            }
        }
        Ok(())
    }

    /// How this process ends, where it does.
    fn end(&mut self) -> Result<Option<Exit>, CliError> {
        let status = self.saved.controller.status();
        let shown = format!("{}/{}", self.place.namespace, self.place.name);
        if self.saved.controller.is_finished() {
            if self.is_forgotten {
                removal::of_job(&self.place.layout, &self.place.namespace, &self.saved, true)?;
                self.folder.remove()?;
            } else if self.is_detached && self.stop.is_none() && self.saved.controller.next_deadline().is_some() {
                return Ok(None);
            }
            let last = status.conditions.last();
            let is_complete = last.is_some_and(|one| one.kind == ConditionKind::Complete);
            if !self.is_quiet || !is_complete {
                let reason = last.map(|one| job::reason(one.reason)).unwrap_or_default();
                let how = if is_complete { "is complete" } else { "has failed" };
                tell!("job {shown} {how}: {reason} ({} succeeded, {} failed)", status.succeeded, status.failed);
            }
            return Ok(Some(match (is_complete, self.saved.first_failure) {
                (true, _) => Exit::Success,
                (false, code) => code.map_or(Exit::Failure, Exit::Pod),
            }));
        }
        let is_still = status.active == 0 && status.terminating == 0 && self.starting.is_empty();
        Ok(self.stop.filter(|_| is_still).map(|stop| {
            tell!("job {shown} is stopped; `barepod run` of its manifest goes on with it");
            Exit::Pod(match stop {
                Stop::Signal(signal) => 128 + signal,
                Stop::Wish => 143,
            })
        }))
    }

    fn wait(&mut self) -> Result<(), CliError> {
        let deadline = self.saved.controller.next_deadline().map(|at| at.since(now().monotonic));
        let limit = [deadline, self.is_deaf.then_some(ASKS_AGAIN_AFTER)].into_iter().flatten().min();
        let mut others = vec![(self.signals.as_fd(), PollFlags::IN), (self.wishes.as_fd(), PollFlags::IN)];
        others.extend(self.begun.values().flat_map(Above::sources).map(|fd| (fd, PollFlags::IN)));
        self.changes.wait_beside(&others, limit);
        Ok(())
    }

    fn pod(&self, number: PodNumber) -> Option<&JobPod> {
        self.saved.pods.iter().find(|one| one.number == number)
    }

    fn stage(&self, number: PodNumber) -> Option<PodStage> {
        self.pod(number).map(|pod| pod.stage)
    }

    fn set(&mut self, number: PodNumber, stage: PodStage) {
        if let Some(pod) = self.saved.pods.iter_mut().find(|one| one.number == number) {
            pod.stage = stage;
        }
    }

    fn found(&self, number: PodNumber) -> Option<Found> {
        self.pod(number).map(|pod| removal::found(&self.place.layout, &self.place.namespace, &pod.name))
    }

    fn pods_that(&self, stage: PodStage) -> Vec<(PodNumber, Found)> {
        let all = self.saved.pods.iter().filter(|pod| pod.stage == stage);
        all.map(|pod| (pod.number, removal::found(&self.place.layout, &self.place.namespace, &pod.name))).collect()
    }

    fn living(&self) -> Vec<Found> {
        self.pods_that(PodStage::Made).into_iter().map(|(_, found)| found).collect()
    }

    /// R11.16. A Job goes on without it where it can't be written.
    fn note(&mut self, line: EventLine) {
        if let Err(error) = self.folder.append(line) {
            tell!("warning: job {}/{}: {error}", self.place.namespace, self.place.name);
        }
    }

    fn tell(&self, pod: PodNumber, what: &str) {
        if let Some(pod) = self.pod(pod).filter(|_| !self.is_quiet) {
            tell!("pod {}/{} {what}", self.place.namespace, pod.name);
        }
    }
}
