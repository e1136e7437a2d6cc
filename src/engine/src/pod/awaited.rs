//! Which containers a pod that ends waits for, and for how long at most: what somebody who watches it may ask.

use alloc::vec::Vec;
use core::time::Duration;

use super::Engine;
use crate::container::Life;
use crate::spec::ContainerIndex;
use crate::time::Instant;

/// A container that a pod that ends waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Which.
    pub container: ContainerIndex,
    /// What is left until it is killed; zero where it has been.
    pub left: Duration,
    /// The grace that the pod's end began with, or how long this one has by the least that each has (R5.7).
    pub grace: Duration,
}

impl Engine {
    /// Whether what containers print may be left in their pipes until somebody has room for it. Not while one is told to stop:
    /// it may have something to say before it ends, and must not wait for a reader until it is killed.
    pub fn output_may_wait(&self) -> bool {
        !self.indices().any(|index| self.container(index).running().is_some_and(|running| running.stop.is_some()))
    }

    /// The containers that have been told to stop, or are in their preStop hooks; empty while the pod doesn't end. Sidecars
    /// that wait for their turn wait themselves.
    pub fn awaited(&self, now: Instant) -> Vec<Awaited> {
        let Some(ending) = self.ending else { return Vec::new() };
        let until = |index: ContainerIndex| match &self.container(index).life {
            Life::Running(running) => running.stop.as_ref().and_then(|stop| stop.awaited_until(now)),
            Life::Creating { .. } | Life::Starting { .. } => Some(ending.deadline),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Created
            | Life::Discarded
            | Life::Removing(_)
            | Life::Over => None,
        };
        let grace = ending.deadline.since(ending.began);
        let one = |container| {
            let until = until(container)?;
            Some(Awaited { container, left: until.since(now), grace: grace.max(until.since(ending.began)) })
        };
        self.indices().filter_map(one).collect()
    }
}
