//! Restarts that commands ask for (R3.9): the engine says what comes of one.

use std::time::Duration;

use barepod_engine::RestartRefusal;
use barepod_engine::event::{Event, RestartOf};
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::Supervisor;
use crate::control::{Instance, Restarting};

impl Supervisor<'_> {
    /// Of the container of this name, or of all main containers and sidecars.
    pub(super) fn restart(&mut self, container: Option<&str>, grace: Option<Duration>) -> Restarting {
        let of = match container {
            None => RestartOf::Pod,
            Some(name) => {
                let mut all = self.pod.plan.lifecycle.containers.iter().zip(0..);
                let Some((_, index)) = all.find(|(one, _)| one.name == name) else { return Restarting::NoContainer };
                RestartOf::Container(ContainerIndex(index))
            }
        };
        match self.engine.restart_brings(of) {
            Ok(brings) => {
                self.facts.push_back(Event::Restart { of, grace });
                let one = |(index, attempt): (ContainerIndex, Attempt)| Instance {
                    container: self.name(index).to_owned(),
                    restarts: attempt.0,
                };
                Restarting::Begun { instances: brings.into_iter().map(one).collect() }
            }
            Err(RestartRefusal::PodEnds) => Restarting::PodEnds,
            Err(RestartRefusal::Initializing) => Restarting::Initializing,
            Err(RestartRefusal::Init | RestartRefusal::BeingMade) => Restarting::Init,
            Err(RestartRefusal::Ephemeral) => Restarting::Ephemeral,
        }
    }
}
