//! What other commands are given to get at a pod by themselves: descriptors, which go to a socket of theirs. They could have
//! them by themselves, as they are the pod's user or root; the supervisor knows which ones, without asking for pids.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;

use super::Supervisor;
use crate::control::record::send_at_once;
use crate::control::{Answer, Obstacle, Requester, RootOwner};
use crate::runtime::visit;

impl Supervisor<'_> {
    /// A client asks for the pod's network.
    pub(super) fn network_asked(&mut self, by: Requester, to: &[OwnedFd]) {
        let answer = match &self.sandbox {
            None => not_run(Obstacle::NotRunning, "it has no sandbox now".to_owned()),
            Some(sandbox) => match visit::to_network(sandbox.network()) {
                Ok(descriptors) => hand_over(to, b"!", &descriptors),
                Err(cause) => not_run(Obstacle::Other, format!("open its namespaces: {cause}")),
            },
        };
        self.control.answer(by, answer);
    }

    /// A client asks for a container's files.
    pub(super) fn root_asked(&mut self, by: Requester, container: &str, to: &[OwnedFd]) {
        let given = self.running(container).map(|(_, present)| {
            let user = present.made.process.as_ref().map(Process::user);
            let owner =
                user.map_or(RootOwner { uid: 0, gid: 0 }, |user| RootOwner { uid: user.uid(), gid: user.gid() });
            match visit::to_root(present.container.pid(), present.container.pidfd().as_fd()) {
                Ok(descriptors) => hand_over(to, &serde_json::to_vec(&owner).unwrap_or_default(), &descriptors),
                Err(cause) if cause.kind() == ErrorKind::NotFound || cause.raw_os_error() == Some(ESRCH) => {
                    not_run(Obstacle::NotRunning, format!("container {container:?} has just ended"))
                }
                Err(cause) => not_run(Obstacle::Other, format!("open the root of container {container:?}: {cause}")),
            }
        });
        self.control.answer(by, given.unwrap_or_else(|(obstacle, message)| not_run(obstacle, message)));
    }
}

const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();

pub(super) fn hand_over(to: &[OwnedFd], record: &[u8], descriptors: &[OwnedFd]) -> Answer {
    let Some(to) = to.first() else { return not_run(Obstacle::Other, "a descriptor is missing".to_owned()) };
    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    match send_at_once(to, record, &descriptors) {
        Ok(()) => Answer::Done,
        Err(errno) => not_run(Obstacle::Other, format!("sendmsg: {errno}")),
    }
}

pub(super) fn not_run(obstacle: Obstacle, message: String) -> Answer {
    Answer::NotRun { obstacle, message }
}
