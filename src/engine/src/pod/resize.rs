//! Changed resources of a container (KEP-1287): whether they can be had while it runs, and its restart where the
//! manifest's resizePolicy asks for one. Amounts are not known here: they are text for events.

use alloc::format;
use alloc::string::String;

use super::{Engine, PodLife, Turn};
use crate::action::{ContainerAction, EventReason, LimitsOf, Severity};
use crate::container::Life;
use crate::container::resize::Resizing;
use crate::container::stop::StopWhy;
use crate::event::{ResizePolicy, ResizeWay};
use crate::spec::{ContainerIndex, Kind};
use crate::time::WallTime;

/// Why a container's resources can't be changed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeRefusal {
    /// The pod has ended or is about to.
    PodEnds,
    /// Init containers run once, with what they were given.
    Init,
    /// Ephemeral containers have no resources of their own.
    Ephemeral,
}

impl Engine {
    /// How a resize of this container would be carried out now; nothing is changed by asking.
    ///
    /// # Errors
    /// Where there can be none.
    pub fn resize_way(&self, index: ContainerIndex, policy: ResizePolicy) -> Result<ResizeWay, ResizeRefusal> {
        if self.ending.is_some() || self.terminal.is_some() || self.life == PodLife::Finished {
            return Err(ResizeRefusal::PodEnds);
        }
        match self.kind(index) {
            Kind::Init => return Err(ResizeRefusal::Init),
            Kind::Ephemeral => return Err(ResizeRefusal::Ephemeral),
            Kind::Sidecar | Kind::Main => {}
        }
        let container = self.container(index);
        Ok(match (container.is_live(), container.running(), policy) {
            (false, ..) => ResizeWay::NextInstance,
            (true, Some(_), ResizePolicy::RestartContainer) => ResizeWay::Restart,
            // What is only about to start has not used the old amounts for anything.
            (true, Some(_), ResizePolicy::NotRequired) | (true, None, _) => ResizeWay::InPlace,
        })
    }

    /// The amounts are new: in the cgroups already, but for those of a container that restarts for them.
    pub(crate) fn resized(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, way: ResizeWay, summary: String) {
        if usize::from(index.0) >= self.containers.len() || self.ending.is_some() || self.life == PodLife::Finished {
            return;
        }
        let container = self.container_mut(index);
        match way {
            ResizeWay::InPlace => container.outdated.own |= matches!(container.life, Life::Creating { .. }),
            ResizeWay::Restart => container.outdated.pod = true,
            ResizeWay::NextInstance => {}
        }
        let message = format!("Pod resize started: {summary}");
        turn.record(Severity::Normal, EventReason::ResizeStarted, Some(index), message);
        if way != ResizeWay::Restart || self.container(index).running().is_none() {
            return record_completed(turn, index, &summary);
        }
        let since = turn.now.wall;
        let container = self.container_mut(index);
        container.resizing = Some(Resizing { since, summary });
        // For whatever else it is being stopped: the next instance has the new amounts.
        if container.running().is_some_and(|running| running.stop.is_some()) {
            return;
        }
        let grace = self.spec().grace_period;
        self.begin_stop(turn, index, StopWhy::Resize, grace);
    }

    /// A container's program was started: with the newest amounts.
    pub(crate) fn complete_resize(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if let Some(resizing) = self.container_mut(index).resizing.take() {
            record_completed(turn, index, &resizing.summary);
        }
    }

    /// Asks for the creation of an instance: with the newest amounts, and the larger old one is gone.
    pub(crate) fn create(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let container = self.container_mut(index);
        container.life = Life::Creating { kill_at: None, killed: false };
        let attempt = container.attempt;
        let outdated = core::mem::take(&mut container.outdated);
        if outdated.pod {
            turn.write_limits(LimitsOf::Pod);
        }
        turn.act(index, attempt, ContainerAction::Create);
    }

    /// An instance was created. What was resized meanwhile is made up for.
    pub(crate) fn catch_up_limits(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if core::mem::take(&mut self.container_mut(index).outdated.own) {
            turn.write_limits(LimitsOf::Container(index));
        }
    }

    /// Since when a resize is under way.
    pub(crate) fn resizing_since(&self) -> Option<WallTime> {
        // One that isn't started again waits for nothing.
        let all = self.containers.iter().filter(|container| !matches!(container.life, Life::Over));
        let all = all.filter_map(|container| container.resizing.as_ref());
        all.map(|resizing| resizing.since).min().filter(|_| self.ending.is_none() && self.terminal.is_none())
    }
}

fn record_completed(turn: &mut Turn<'_>, index: ContainerIndex, summary: &str) {
    let message = format!("Pod resize completed: {summary}");
    turn.record(Severity::Normal, EventReason::ResizeCompleted, Some(index), message);
}
