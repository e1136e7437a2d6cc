//! What became of it, on disk: after each round of the loop, when the reactions to what happened are out.

use barepod_engine::status::PodStatus;

use super::{Supervisor, sources};
use crate::log::Stream;
use crate::report;

impl Supervisor<'_> {
    /// Writes new Kubernetes Events, and the status where it has changed. A disk that refuses doesn't stop the pod.
    pub(super) fn persist(&mut self) {
        for record in std::mem::take(&mut self.records) {
            let name = record.container.map(|container| self.name(container).to_owned());
            let line = report::event_line(&record, name.as_deref());
            if let Err(error) = self.store.append_event(&line) {
                self.audience.warn(&error.to_string());
            }
        }
        let status = self.engine.status();
        if self.written.as_ref() == Some(&status) {
            return;
        }
        let written = self.write(&status);
        if let Err(error) = written {
            self.audience.warn(&error.to_string());
        }
        self.written = Some(status);
    }

    fn write(&self, status: &PodStatus) -> Result<(), crate::store::Error> {
        // The state first: whoever finds this status can go on from there.
        self.store.write_state(&self.engine)?;
        let facts = report::StatusFacts {
            host_ips: self.pod.node.host_ips.clone(),
            pod_ips: self.sandbox.as_ref().map(|sandbox| sandbox.pod_ips().to_vec()).unwrap_or_default(),
            qos_class: crate::plan::resources::qos_class(&self.pod.manifest).to_owned(),
        };
        self.store.write_pod(&report::status::v1(&self.pod.manifest, status, &facts))
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
