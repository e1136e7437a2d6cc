//! Restarts that somebody asked for (R3.9): of one container, or of all that the pod runs, in the order in which it would end.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::in_order::InOrder;
use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::{EventReason, Severity};
use crate::container::stop::StopWhy;
use crate::container::{Life, UntilRestart};
use crate::event::RestartOf;
use crate::spec::{Attempt, ContainerIndex, ImageSpec, Kind};
use crate::time::Instant;

/// Why nothing can be restarted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartRefusal {
    /// The pod has ended or is about to.
    PodEnds,
    /// Its sandbox isn't there, or init containers are still to run: what would be restarted has not begun.
    Initializing,
    /// An init container has done its work.
    Init,
    /// Ephemeral containers run once (R3.11).
    Ephemeral,
    /// An instance is being made of what it was until now.
    BeingMade,
}

impl Engine {
    /// Which instances a restart that is asked for now brings; nothing is changed by asking.
    ///
    /// # Errors
    /// Where there can be none.
    pub fn restart_brings(&self, of: RestartOf) -> Result<Vec<(ContainerIndex, Attempt)>, RestartRefusal> {
        if !self.takes_changes() {
            return Err(RestartRefusal::PodEnds);
        }
        let inits_run = self.indices().any(|index| self.kind(index) == Kind::Init && !self.container(index).done);
        if self.life != PodLife::Up || self.kills_for_restart() || inits_run {
            return Err(RestartRefusal::Initializing);
        }
        let ends_starts = match of {
            RestartOf::Pod => true,
            RestartOf::Container(index) => match self.kind(index) {
                Kind::Init => return Err(RestartRefusal::Init),
                Kind::Ephemeral => return Err(RestartRefusal::Ephemeral),
                Kind::Sidecar | Kind::Main => self.restarting_all != RestartingAll::No,
            },
        };
        let one = |index| (index, self.container(index).attempt_after_restart(ends_starts));
        Ok(self.indices().filter(|&index| self.concerns(of, index)).map(one).collect())
    }

    /// Whether what the pod is can still be changed: it has neither ended nor is about to.
    pub fn takes_changes(&self) -> bool {
        self.ending.is_none() && self.terminal.is_none() && self.life != PodLife::Finished
    }

    /// Which instance a change of what a container is made of brings; nothing is changed by asking.
    ///
    /// # Errors
    /// As [`Self::restart_brings`], and while an instance is being made.
    pub fn change_brings(&self, index: ContainerIndex) -> Result<Attempt, RestartRefusal> {
        self.restart_brings(RestartOf::Container(index))?;
        let container = self.container(index);
        if container.is_live() && container.running().is_none() {
            return Err(RestartRefusal::BeingMade);
        }
        Ok(container.attempt_after_restart(false))
    }

    /// R3.10.
    pub(crate) fn definition_changed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, image: ImageSpec) {
        if usize::from(index.0) >= self.containers.len() || self.change_brings(index).is_err() {
            return;
        }
        turn.changed();
        // What went wrong went wrong with another image.
        self.container_mut(index).pull_backoff = None;
        self.give_up_ahead(turn, index);
        self.spec.containers[usize::from(index.0)].image = image;
        if self.restarting_all == RestartingAll::No {
            let deadline = turn.now.monotonic.after(self.spec.grace_period);
            self.restart_one(turn, index, StopWhy::Changed, deadline);
        }
    }

    fn concerns(&self, of: RestartOf, index: ContainerIndex) -> bool {
        match of {
            RestartOf::Pod => matches!(self.kind(index), Kind::Sidecar | Kind::Main),
            RestartOf::Container(one) => one == index,
        }
    }

    /// R3.9.
    pub(crate) fn restart_requested(&mut self, turn: &mut Turn<'_>, of: RestartOf, grace: Option<Duration>) {
        let exists = |index: ContainerIndex| usize::from(index.0) < self.containers.len();
        if matches!(of, RestartOf::Container(index) if !exists(index)) || self.restart_brings(of).is_err() {
            return;
        }
        let grace = grace.unwrap_or(self.spec.grace_period);
        turn.changed();
        match of {
            RestartOf::Container(index) => {
                let message = format!("Restart of container {} was asked for", self.container_spec(index).name);
                turn.record(Severity::Normal, EventReason::RestartRequested, Some(index), message);
                if self.restarting_all == RestartingAll::No {
                    self.restart_one(turn, index, StopWhy::Restart, turn.now.monotonic.after(grace));
                }
            }
            RestartOf::Pod => {
                let message = "Restart of the pod's main containers and sidecars was asked for".into();
                turn.record(Severity::Normal, EventReason::RestartRequested, None, message);
                self.restart_in_order(turn, grace);
            }
        }
    }

    /// What runs of it has until `deadline`; what doesn't run is not waited for.
    fn restart_one(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, why: StopWhy, deadline: Instant) {
        let now = turn.now.monotonic;
        let container = self.container_mut(index);
        container.restart_at_once(now);
        match container.running_mut() {
            Some(running) if running.stop.is_some() => {
                if let Some(stop) = &mut running.stop {
                    stop.restart(why, deadline);
                }
            }
            Some(_) => self.begin_stop(turn, index, why, deadline.since(now)),
            None => {}
        }
    }

    fn restart_in_order(&mut self, turn: &mut Turn<'_>, grace: Duration) {
        let now = turn.now.monotonic;
        let mut asked = InOrder::begin(now, grace, self.spec.sidecar_grace.unwrap_or(Duration::ZERO));
        if let RestartingAll::InOrder(before) = self.restarting_all {
            asked.join(before);
        }
        self.restarting_all = RestartingAll::InOrder(asked);
        // Sidecars gate once more (below), and what is so of the pod stays so.
        self.initialized |= self.is_initialized();
        for index in self.indices() {
            let kind = self.kind(index);
            if matches!(kind, Kind::Sidecar | Kind::Main) {
                let deadline = asked.deadline_of(kind);
                self.restart_one(turn, index, StopWhy::Restart, deadline);
                self.container_mut(index).shorten(deadline, deadline);
            }
        }
    }

    /// What is being made isn't waited for, what comes up all the same is stopped as the rest.
    pub(crate) fn stop_for_restart(&mut self, turn: &mut Turn<'_>, asked: InOrder) {
        let now = turn.now.monotonic;
        for index in self.indices() {
            if !self.is_restarting(index) {
                continue;
            }
            let deadline = asked.deadline_of(self.kind(index));
            match self.container_mut(index).advance_until_restart(now, deadline) {
                UntilRestart::Rests => {}
                UntilRestart::Moved => turn.changed(),
                UntilRestart::IsToBeKilled => self.kill_now(turn, index),
                UntilRestart::IsToBeStopped => self.begin_stop(turn, index, StopWhy::Restart, deadline.since(now)),
            }
        }
    }

    /// Nothing is left of what is restarted: sidecars come up again one after the other, and the mains behind them.
    pub(crate) fn start_again_in_order(&mut self, turn: &mut Turn<'_>) {
        self.restarting_all = RestartingAll::No;
        turn.changed();
        for index in self.indices() {
            let kind = self.kind(index);
            let container = self.container_mut(index);
            match kind {
                Kind::Init | Kind::Ephemeral => continue,
                Kind::Sidecar => container.done = false,
                Kind::Main => {}
            }
            if matches!(container.life, Life::Retry { .. }) {
                container.life = Life::Waiting;
            }
        }
    }

    /// The pod ends instead: what was stopped in order to start again is stopped as all else is.
    pub(crate) fn end_instead_of_restart(&mut self) {
        if !self.restarts_in_order() {
            return;
        }
        for container in &mut self.containers {
            if let Some(stop) = container.running_mut().and_then(|running| running.stop.as_mut()) {
                stop.end_with_pod();
            }
        }
    }

    /// Whether all containers are being killed to start over (R3.7, R2.7).
    pub(crate) fn kills_for_restart(&self) -> bool {
        match self.restarting_all {
            RestartingAll::Yes | RestartingAll::Anew => true,
            RestartingAll::InOrder(_) | RestartingAll::No => false,
        }
    }

    /// Whether containers that stop keep to their order though the pod doesn't end.
    pub(crate) fn restarts_in_order(&self) -> bool {
        matches!(self.restarting_all, RestartingAll::InOrder(_))
    }
}
