//! Ephemeral containers that commands add to the pod (`barepod debug`): the engine says whether it takes one, `plan` what is made
//! of it.

use std::os::fd::OwnedFd;
use std::path::Path;

use barepod_engine::EphemeralRefusal;
use barepod_engine::event::Event;
use barepod_engine::spec::ContainerIndex;

use super::Supervisor;
use super::copies::FirstClient;
use super::slot::Slot;
use crate::control::{Added, Answer, Attaching, Debugging, Requester};
use crate::plan::PullFiles;
use crate::runtime::exec::TerminalSize;
use crate::{manifest, plan};

impl Supervisor<'_> {
    /// A client wants one more container. Its descriptors are as for `attach`.
    pub(super) fn debug_asked(&mut self, by: Requester, asked: &Debugging, descriptors: Vec<OwnedFd>) {
        let added = self.room_for(asked.attach).and_then(|()| self.add_ephemeral(asked));
        match (added, asked.attach, <[OwnedFd; 3]>::try_from(descriptors)) {
            (Err(why), ..) => self.control.answer(by, Answer::Added { outcome: Added::Refused { why } }),
            (Ok(container), Some(Attaching { stdin, rows, columns }), Ok([door, stdout, stderr])) => {
                let size = TerminalSize { rows, columns };
                self.copies.wait(FirstClient { container, stdin, size, by: Some(by), door, stdout, stderr });
            }
            (Ok(_), ..) => self.control.defer(by, Answer::Added { outcome: Added::Done }),
        }
    }

    fn room_for(&self, attach: Option<Attaching>) -> Result<(), String> {
        if attach.is_some() && self.copies.len() >= self.execs.room() {
            return Err("too many commands are attached to the containers of this pod already".to_owned());
        }
        Ok(())
    }

    fn add_ephemeral(&mut self, asked: &Debugging) -> Result<ContainerIndex, String> {
        let manifest: k8s_openapi::api::core::v1::EphemeralContainer = manifest::from_json(asked.container.as_bytes())
            .map_err(|error| format!("no ephemeral container: {error}"))?;
        let name = manifest.name.clone();
        let index = self.engine.takes_ephemeral(&name).map_err(|refusal| match refusal {
            EphemeralRefusal::PodEnds => "it has ended, or is about to".to_owned(),
            EphemeralRefusal::NameTaken(_) => format!("it has a container {name:?} already; choose another name by -c"),
            EphemeralRefusal::TooMany => "it has as many containers as there can be".to_owned(),
        })?;
        let new = plan::ephemeral(&self.pod.manifest, manifest, Path::new(&asked.folder), asked.place.as_deref())?;
        self.pod.plan.add(&mut self.pod.manifest, new);
        let pull_files = PullFiles {
            auth_file: asked.auth_file.as_ref().map(Into::into),
            signature_policy: asked.signature_policy.as_ref().map(Into::into),
        };
        self.slots.push(Slot { pull_files, ..Slot::default() });
        self.storage.add_container(&name);
        self.audience.container_added(&name);
        let image = self.pod.plan.lifecycle.containers[usize::from(index.0)].image.clone();
        self.facts.push_back(Event::EphemeralAdded { name, image });
        // The pod is new even where its status isn't.
        self.written = None;
        Ok(index)
    }
}
