//! Commands that are attached to containers (`barepod attach`): what these print from then on is copied to them (`copies`), and what
//! these read they write themselves, by a descriptor that they are given.

use std::os::fd::OwnedFd;

use barepod_engine::event::Exit;
use barepod_engine::spec::ContainerIndex;

use super::Supervisor;
use super::copies::Copied;
use super::output::HandedOver;
use super::visitors::{hand_over, not_run};
use crate::control::{Answer, Exited, Obstacle, Requester};
use crate::plan;

impl Supervisor<'_> {
    /// A client wants to be attached to a container. The first descriptor gets what it can write to and what is told of that; then come
    /// sockets for standard output and error.
    pub(super) fn attach_asked(&mut self, by: Requester, container: &str, stdin: bool, descriptors: Vec<OwnedFd>) {
        if let Err((obstacle, message)) = self.attach(by, container, stdin, descriptors) {
            self.control.answer(by, not_run(obstacle, message));
        }
    }

    fn attach(
        &mut self,
        by: Requester,
        container: &str,
        stdin: bool,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), (Obstacle, String)> {
        let other = |message: String| (Obstacle::Other, message);
        if self.copies.len() >= self.execs.room() {
            return Err(other("too many commands are attached to the containers of this pod already".to_owned()));
        }
        let (index, _) = self.running(container)?;
        let Ok([to, stdout, stderr]) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return Err(other("a descriptor is missing".to_owned()));
        };
        let once = plan::pod_container(&self.pod.manifest, index).manifest.stdin_once == Some(true);
        let output = self.slots[usize::from(index.0)].output_mut();
        let output = output.ok_or_else(|| (Obstacle::NotRunning, format!("container {container:?} has just ended")))?;
        let HandedOver { streams, input } =
            output.hand_over(stdin, once).map_err(|errno| other(format!("dup: {errno}")))?;
        let record = serde_json::to_vec(&streams).unwrap_or_default();
        match hand_over(&[to], &record, &Vec::from_iter(input)) {
            Answer::Done => {}
            _ => return Err(other("its descriptors can't be sent".to_owned())),
        }
        let (stdout, stderr) = (Some(stdout), Some(stderr));
        self.copies.add(Copied { by, container: index, stdout, stderr, lost: 0, is_told: false });
        Ok(())
    }

    /// Tells those who are too slow that they miss something.
    pub(super) fn tell_who_is_behind(&mut self) {
        for one in self.copies.who_is_behind() {
            one.is_told = true;
            self.control.answer(one.by, Answer::Lost { bytes: one.lost });
        }
    }

    /// A container has ended, and all that it printed by then was read.
    pub(super) fn end_attached(&mut self, container: ContainerIndex, exit: Exit) {
        let exited = match exit {
            Exit::Code(code) => Exited::Code(code),
            Exit::Signal(signal) => Exited::Signal(signal),
            Exit::Unknown => Exited::Unknown,
        };
        for Copied { by, lost, .. } in self.copies.take_of(container) {
            if lost > 0 {
                self.control.answer(by, Answer::Lost { bytes: lost });
            }
            self.control.answer(by, Answer::Exited(exited));
        }
    }
}
