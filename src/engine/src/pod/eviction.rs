//! Eviction of a pod that uses more disk than it may, as the kubelet's eviction manager does it (eviction_manager.go,
//! localStorageEviction): the pod fails, and its containers have a second.

use alloc::format;
use core::time::Duration;

use super::ending::Cause;
use super::{Engine, PodLife, Turn};
use crate::action::{EventReason, Severity};
use crate::event::StorageExceeded;
use crate::status::PodReason;

/// The kubelet's immediateEvictionGracePeriodSeconds; a container has two seconds after its stop signal all the same (R5.2).
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    /// Whatever the pod is at, unless all is over: one that stops slowly must not go on filling the disk.
    pub(crate) fn storage_exceeded(&mut self, turn: &mut Turn<'_>, exceeded: &StorageExceeded) {
        let over = matches!(self.life, PodLife::New | PodLife::RemovingSandbox | PodLife::Finished);
        if over || self.terminal.is_some() || self.evicted.is_some() {
            return;
        }
        let message = match exceeded {
            StorageExceeded::EmptyDir { volume, limit } => {
                format!("Usage of EmptyDir volume \"{volume}\" exceeds the limit \"{limit}\".")
            }
            StorageExceeded::Pod { limit } => {
                format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}.")
            }
            StorageExceeded::Container { container, limit } => {
                let Some(spec) = self.spec.containers.get(usize::from(container.0)) else { return };
                format!("Container {} exceeded its local ephemeral storage limit \"{limit}\".", spec.name)
            }
        };
        self.evicted = Some(turn.now.wall);
        self.reason = Some(PodReason::Evicted);
        self.message.clone_from(&message);
        turn.record(Severity::Warning, EventReason::Evicted, None, message);
        match &mut self.ending {
            None => self.begin_ending(turn, Cause::Eviction, GRACE),
            Some(ending) => {
                // Who waited no longer is told so.
                if ending.cause != Cause::TimedOut {
                    ending.cause = Cause::Eviction;
                }
                self.shorten_ending(turn, GRACE);
                turn.changed();
            }
        }
    }
}
