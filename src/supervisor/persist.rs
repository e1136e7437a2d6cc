//! What became of it, on disk: after each round of the loop, when the reactions to what happened are out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::slot::Slot;
use super::{Supervisor, sources};
use crate::log::Stream;
use crate::report;
use crate::runtime::sweep::{self, SweepRequest};
use crate::store::Error;
use crate::store::ledger::Remains;

/// What a run exits with whose pod succeeded and is not all gone: barepod's own failure.
const OWN_FAILURE: u8 = 125;

/// What is not on disk yet. Written in this order, one part at a time, as something may happen meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    Nothing,
    /// New Kubernetes Events, and all that follows.
    Events,
    /// The engine's state and the status, if that has changed.
    State,
    /// The status.
    Status,
}

impl Supervisor<'_> {
    /// Writes everything that is new.
    pub(super) fn persist(&mut self) {
        while self.unwritten != Unwritten::Nothing {
            self.write_next();
        }
    }

    /// Writes the first part of what is new. A disk that refuses doesn't stop the pod.
    pub(super) fn write_next(&mut self) {
        let (rest, written) = match self.unwritten {
            Unwritten::Nothing => return,
            Unwritten::Events => (Unwritten::State, self.write_events()),
            // Before the status: whoever finds that can go on from here.
            Unwritten::State => match self.written.as_ref() == Some(&self.engine.status()) {
                true => (Unwritten::Nothing, Ok(())),
                false => (Unwritten::Status, self.store.write_state(&self.engine)),
            },
            Unwritten::Status => (Unwritten::Nothing, self.write_status()),
        };
        self.unwritten = rest;
        if let Err(error) = written {
            self.audience.warn(&error.to_string());
        }
    }

    fn write_events(&mut self) -> Result<(), Error> {
        let mut result = Ok(());
        for record in std::mem::take(&mut self.records) {
            let name = record.container.map(|container| self.name(container).to_owned());
            let line = report::event_line(&record, name.as_deref());
            result = result.and(self.store.append_event(line));
        }
        result
    }

    fn write_status(&mut self) -> Result<(), Error> {
        let status = self.engine.status();
        let facts = report::StatusFacts {
            host_ips: self.pod.node.host_ips.clone(),
            pod_ips: self.sandbox.as_ref().map(|sandbox| sandbox.pod_ips().to_vec()).unwrap_or_default(),
            resources: self.of_slots(|slot| slot.resources.clone()),
            users: self.of_slots(|slot| slot.user.clone()),
            qos_class: crate::plan::resources::qos_class(&self.pod.manifest).to_owned(),
        };
        let written = self.store.write_pod(&report::status::v1(&self.pod.manifest, &status, &facts));
        self.written = Some(status);
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
        if exit_code == 0 { OWN_FAILURE } else { exit_code }
    }

    fn look_for_remains(&self) -> Remains {
        let folders = self.pod.dirs.to_sweep();
        let cgroup = &self.pod.plan.cgroup.path;
        // What was in the way may be gone (a lack of descriptors), and nobody is waited for any more.
        let request = SweepRequest { cgroup, folders: &folders, patience: Duration::ZERO };
        if sweep::is_clean(&request) { Remains::default() } else { Remains::of(sweep::sweep(&request)) }
    }

    /// What is known of containers that were made, by name.
    fn of_slots<T>(&self, of: impl Fn(&Slot) -> Option<T>) -> BTreeMap<String, T> {
        let names = self.pod.plan.lifecycle.containers.iter().map(|container| &container.name);
        names.zip(&self.slots).filter_map(|(name, slot)| Some((name.clone(), of(slot)?))).collect()
    }

    /// Leaves containers' output in their pipes as long as nobody takes what was read.
    pub(super) fn listen_as_there_is_room(&mut self) {
        self.audience.flush();
        for (index, fd) in self.audience.waits_for().into_iter().enumerate() {
            let token = sources::Token::Audience(u16::try_from(index).unwrap_or(u16::MAX));
            // A regular file is always ready, and one that is added already stays so.
            let _ = self.sources.add_once(fd, token, sources::Interest::Writable);
        }
        let room = self.audience.has_room();
        if room == self.listening {
            return;
        }
        self.listening = room;
        for container in self.pod.plan.lifecycle.containers.iter().enumerate().map(|(index, _)| index) {
            let slot = &self.slots[container];
            let Ok(index) = u16::try_from(container) else { continue };
            let index = barepod_engine::spec::ContainerIndex(index);
            for (fd, stream) in [(&slot.stdout, Stream::Stdout), (&slot.stderr, Stream::Stderr)] {
                let Some(fd) = fd else { continue };
                if room {
                    let token = sources::Token::Output(index, stream);
                    let _ = self.sources.add(fd, token, sources::Interest::Readable);
                } else {
                    self.sources.remove(fd);
                }
            }
        }
    }
}
