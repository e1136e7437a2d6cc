//! What became of it, on disk: after each round of the loop, when the reactions to what happened are out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::exit;
use barepod_engine::spec::ContainerIndex;
use barepod_engine::time::Instant;

use super::saved::{AttemptState, ContainerState, State, VERSION};
use super::slot::{ProcessState, Slot};
use super::{Supervisor, now, recorded};
use crate::report;
use crate::runtime::sandbox::Sandbox;
use crate::runtime::sweep::{self, SweepRequest};
use crate::store::ledger::Remains;
use crate::store::{self, Error};

/// Between two states on disk that differ in what nobody sees.
const PAUSE: Duration = Duration::from_secs(1);

/// What `state.json` has.
#[derive(Default)]
pub(super) struct Saved {
    containers: Vec<ContainerState>,
    /// Since when; `None`: there is none.
    at: Option<Instant>,
}

/// What is not on disk yet. Written in this order, one part at a time, as something may happen meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextWrite {
    Nothing,
    /// New Kubernetes Events, and all that follows.
    Events,
    /// The state of engine and supervisor, and what attempts were made with that are new.
    State,
    /// The status, which has changed.
    Status,
}

impl Supervisor<'_> {
    /// Writes everything that is new.
    pub(super) fn persist(&mut self) {
        while self.unwritten != NextWrite::Nothing {
            self.write_next();
        }
    }

    /// Writes the first part of what is new. A disk that refuses doesn't stop the pod.
    pub(super) fn write_next(&mut self) {
        let (rest, written) = match self.unwritten {
            NextWrite::Nothing => return,
            NextWrite::Events => (NextWrite::State, self.write_events()),
            // Before the status: whoever finds that can go on from here.
            NextWrite::State => match self.write_new_attempt() {
                Some(written) => (NextWrite::State, written),
                None => {
                    let is_new = self.written.as_ref() != Some(&self.engine.status());
                    (if is_new { NextWrite::Status } else { NextWrite::Nothing }, self.write_state(is_new))
                }
            },
            NextWrite::Status => (NextWrite::Nothing, self.write_status()),
        };
        if matches!(self.unwritten, NextWrite::Status) {
            self.control.tell_changed();
        }
        self.unwritten = rest;
        if let Err(error) = written {
            self.audience.warn(&error.to_string());
        }
    }

    /// Where there are any: of what the engine isn't told.
    pub(super) fn records_are_to_be_written(&mut self) {
        if !self.records.is_empty() {
            self.unwritten = NextWrite::Events;
        }
    }

    fn write_events(&mut self) -> Result<(), Error> {
        let mut result = Ok(());
        let records = std::mem::take(&mut self.records);
        let is_any = !records.is_empty();
        for record in records {
            let name = record.container.map(|container| self.name(container).to_owned());
            let line = report::event_line(&record, name.as_deref());
            result = result.and(self.store.append_event(line));
        }
        if is_any {
            self.control.tell_changed();
        }
        result
    }

    /// What neither the status nor the containers' stages show are counts and due times of probes: a pod with many writes
    /// them once in a while.
    fn write_state(&mut self, status_is_new: bool) -> Result<(), Error> {
        let containers: Vec<ContainerState> = self.slots.iter().map(ContainerState::of).collect();
        let shown = status_is_new || self.saved.containers != containers;
        let time = now().monotonic;
        if !shown && self.saved.at.is_some_and(|at| time.since(at) < PAUSE) {
            return Ok(());
        }
        let state = State {
            version: VERSION,
            engine: Cow::Borrowed(&self.engine),
            sandbox: self.sandbox.as_ref().and_then(Sandbox::pause_pid).map(ProcessState::of),
            containers,
        };
        let written = self.store.write_state(&state);
        self.saved = Saved { containers: state.containers, at: Some(time) };
        written
    }

    /// Writes down what an attempt was made with that is new; `None`: there is none. A disk that refuses is asked once.
    fn write_new_attempt(&mut self) -> Option<Result<(), Error>> {
        let index =
            self.slots.iter().position(|slot| slot.present().is_some_and(|present| present.process.is_none()))?;
        let container = ContainerIndex(u16::try_from(index).ok()?);
        let attempt = self.slots[index].attempt;
        let folder = self.attempt_dirs(container, attempt).state;
        let present = self.slots[index].present_mut()?;
        present.process = Some(ProcessState::of(present.container.pid()));
        Some(store::write_attempt(&folder, &AttemptState::of(present)))
    }

    fn write_status(&mut self) -> Result<(), Error> {
        let status = self.engine.status();
        let facts = report::StatusFacts {
            host_ips: self.pod.node.host_ips.clone(),
            pod_ips: self.sandbox.as_ref().map(Sandbox::pod_ips).unwrap_or_default(),
            resources: self.of_slots(|slot| slot.shown.resources.clone()),
            users: self.of_slots(|slot| slot.shown.user.clone()),
            qos_class: crate::plan::resources::qos_class(&self.pod.manifest).to_owned(),
        };
        let pod = report::status::v1(&self.pod.manifest, &status, &facts);
        let written = self.store.write_pod(&pod);
        self.tell_service(&pod, &status);
        self.written = Some(status);
        // Where the disk refuses it, too: the pod runs.
        if self.sandbox.is_some() {
            self.audience.sandbox_is_there();
        }
        written
    }

    /// The pod has ended: what is still there of it goes into the ledger, so that a later command can remove it. Decided by
    /// looking, whatever was said of removals on the way. Gives the exit code: that of a pod that is not all gone is no success.
    pub(super) fn settle_ledger(&mut self, exit_code: u8) -> u8 {
        let remains = self.look_for_remains();
        let pod = format!("{}/{}", self.pod.plan.lifecycle.namespace, self.pod.plan.lifecycle.name);
        match self.store.finish(remains) {
            Ok(remains) if remains.words().is_empty() => return exit_code,
            Ok(remains) => {
                let what = remains.words().join("; ");
                self.audience.warn(&format!("left behind: {what}; `barepod rm {pod}` tries again to remove it"));
            }
            // The ledger still says that something may be there.
            Err(error) => self.audience.warn(&format!("{error}; `barepod rm --force {pod}` removes the pod")),
        }
        exit::of_left_behind(exit_code)
    }

    /// The pod has never begun: nothing is to be known of it, unless something is left.
    pub(super) fn forget(mut self) {
        self.control.close();
        let remains = self.look_for_remains();
        self.give_back_cpus();
        let forgotten = self.store.finish(remains).and_then(|_| self.store.remove());
        if let Err(error) = forgotten {
            self.audience.warn(&error.to_string());
        }
    }

    fn look_for_remains(&self) -> Remains {
        let folders = self.pod.dirs.to_sweep();
        let cgroup = &self.pod.plan.cgroup.path;
        // What was in the way may be gone (a lack of descriptors), and nobody is waited for any more.
        let network = self.store.ledger().network.as_ref().map(|network| recorded(network, ""));
        let request = SweepRequest { cgroup, folders: &folders, network, patience: Duration::ZERO };
        if sweep::is_clean(&request) { Remains::default() } else { Remains::of(sweep::sweep(&request)) }
    }

    /// What is known of containers that were made, by name.
    fn of_slots<T>(&self, of: impl Fn(&Slot) -> Option<T>) -> BTreeMap<String, T> {
        let names = self.pod.plan.lifecycle.containers.iter().map(|container| &container.name);
        names.zip(&self.slots).filter_map(|(name, slot)| Some((name.clone(), of(slot)?))).collect()
    }
}
