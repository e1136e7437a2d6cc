//! What became of it, on disk: after each round of the loop, when the reactions to what happened are out.

use std::collections::BTreeMap;

use super::slot::Slot;
use super::{Supervisor, sources};
use crate::log::Stream;
use crate::report;
use crate::store::Error;

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
