//! What other commands are given to get at a pod by themselves: descriptors, which go to a socket of theirs. They could have
//! them by themselves, as they are the pod's user or root; the supervisor knows which ones, without asking for pids.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Supervisor;
use crate::control::record::send_at_once;
use crate::control::{Answer, Obstacle, Requester};
use crate::runtime::visit;

impl Supervisor<'_> {
    /// A client asks for the pod's network.
    pub(super) fn network_asked(&mut self, by: Requester, to: &[OwnedFd]) {
        let answer = match &self.sandbox {
            None => not_run(Obstacle::NotRunning, "it has no sandbox now".to_owned()),
            Some(sandbox) => match visit::to_network(sandbox.network()) {
                Ok(descriptors) => hand_over(to, &descriptors),
                Err(cause) => not_run(Obstacle::Other, format!("open its namespaces: {cause}")),
            },
        };
        self.control.answer(by, answer);
    }
}

fn hand_over(to: &[OwnedFd], descriptors: &[OwnedFd]) -> Answer {
    let Some(to) = to.first() else { return not_run(Obstacle::Other, "a descriptor is missing".to_owned()) };
    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    match send_at_once(to, b"!", &descriptors) {
        Ok(()) => Answer::Done,
        Err(errno) => not_run(Obstacle::Other, format!("sendmsg: {errno}")),
    }
}

fn not_run(obstacle: Obstacle, message: String) -> Answer {
    Answer::NotRun { obstacle, message }
}
