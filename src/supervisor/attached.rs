//! Commands that are attached to containers (`barepod attach`, `run -it`): what these print from then on is copied to them (`copies`), and what
//! these read they write themselves, by a descriptor that they are given.

use std::os::fd::{AsFd, OwnedFd};

use barepod_engine::event::Exit;
use barepod_engine::spec::ContainerIndex;
use rustix::io::Errno;

use super::Supervisor;
use super::copies::{Copied, FirstClient, Way};
use super::output::HandedOver;
use super::visitors::{hand_over, not_run};
use crate::control::record::send_at_once;
use crate::control::{Answer, Exited, Obstacle, Requester, Server};

/// Exit code of a container whose program could not be executed (R8.4).
const START_ERROR: u8 = 128;

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
        let once = self.pod.plan.container(&self.pod.manifest, index).manifest.stdin_once == Some(true);
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
        let way = Way::Answer(by);
        self.copies.add(Copied { way, container: index, stdout, stderr, lost: 0, is_told: false });
        Ok(())
    }

    /// A container is there, and hasn't begun.
    pub(super) fn attach_first(&mut self, container: ContainerIndex) {
        let Some(first) = self.copies.take_first(container) else { return };
        let FirstClient { stdin, size, by, door, stdout, stderr, .. } = first;
        let once = self.pod.plan.container(&self.pod.manifest, container).manifest.stdin_once == Some(true);
        let Some(output) = self.slots[usize::from(container.0)].output_mut() else { return };
        output.resize(size);
        let given = output.hand_over(stdin, once).map(|HandedOver { streams, input }| {
            let record = serde_json::to_vec(&streams).unwrap_or_default();
            send_at_once(&door, &record, &Vec::from_iter(input.as_ref().map(AsFd::as_fd)))
        });
        let why = match given {
            Ok(Ok(())) => {
                let way = by.map_or(Way::Record(door), Way::Answer);
                let (stdout, stderr) = (Some(stdout), Some(stderr));
                return self.copies.add(Copied { way, container, stdout, stderr, lost: 0, is_told: false });
            }
            // It has gone, and the pod runs on as one in the background does.
            Ok(Err(Errno::PIPE | Errno::CONNRESET)) => return,
            Ok(Err(errno)) => format!("sendmsg: {errno}"),
            Err(error) => format!("dup: {error}"),
        };
        self.audience.warn(&format!("nobody is attached to container {:?}: {why}", self.name(container)));
    }

    /// Tells those who are too slow that they miss something.
    pub(super) fn tell_who_is_behind(&mut self) {
        for one in self.copies.who_is_behind() {
            one.is_told = true;
            tell(&mut self.control, &one.way, Answer::Lost { bytes: one.lost });
        }
    }

    /// A container's program could not be executed: clients that were attached by their request are not kept waiting for another.
    pub(super) fn attached_in_vain(&mut self, container: ContainerIndex) {
        for way in self.copies.take_asking(container) {
            tell(&mut self.control, &way, Answer::Exited(Exited::Code(START_ERROR)));
        }
    }

    /// A container has ended, and all that it printed by then was read.
    pub(super) fn end_attached(&mut self, container: ContainerIndex, exit: Exit) {
        let exited = match exit {
            Exit::Code(code) => Exited::Code(code),
            Exit::Signal(signal) => Exited::Signal(signal),
            Exit::Unknown => Exited::Unknown,
        };
        for Copied { way, lost, .. } in self.copies.take_of(container) {
            if lost > 0 {
                tell(&mut self.control, &way, Answer::Lost { bytes: lost });
            }
            tell(&mut self.control, &way, Answer::Exited(exited));
        }
    }
}

fn tell(control: &mut Server, way: &Way, answer: Answer) {
    match way {
        Way::Answer(by) => control.answer(*by, answer),
        // Who has no room for it knows by the sockets' end that there is nothing more.
        Way::Record(door) => _ = send_at_once(door, &serde_json::to_vec(&answer).unwrap_or_default(), &[]),
    }
}
