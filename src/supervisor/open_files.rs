//! How many files a supervisor may have open, and how many clients that leaves room for.

use barepod_engine::spec::{ContainerSpec, PodSpec};

use super::execs;
use crate::control;
use crate::runtime::rlimits;

/// Clients for which there is always room.
const FEWEST_CLIENTS: u64 = 4;
/// Open files of a supervisor whose pod has no containers, while the sandbox is made and removed, for a service manager and the
/// journal, and for a few clients.
const FILES: u64 = 50 + FEWEST_CLIENTS;
/// What each container adds while it runs.
const FILES_PER_CONTAINER: u64 = 8;
/// What each probe and hook adds while it is under way.
const FILES_PER_HANDLER: u64 = 4;

/// How many files a supervisor of this pod may have open at once.
pub fn open_files(pod: &PodSpec) -> u64 {
    let handlers = |one: &ContainerSpec| {
        let probes = [&one.startup_probe, &one.liveness_probe, &one.readiness_probe];
        let hooks = [one.post_start, one.pre_stop];
        probes.into_iter().flatten().count() + hooks.into_iter().flatten().count()
    };
    let of_one = |one: &ContainerSpec| FILES_PER_CONTAINER + FILES_PER_HANDLER * handlers(one) as u64;
    FILES + pod.containers.iter().map(of_one).sum::<u64>()
}

/// How many clients may be connected, and how many programs of theirs may run in containers: they never take the files that
/// the pod needs.
pub(super) fn clients_and_execs(pod: &PodSpec) -> (usize, usize) {
    let left = rlimits::raise_open_files().saturating_sub(open_files(pod));
    let number = |files: u64| usize::try_from(files).unwrap_or(usize::MAX);
    let execs = number(left / (2 * execs::FILES)).min(execs::MOST);
    let clients = left.saturating_sub(execs as u64 * execs::FILES);
    (number(clients.max(FEWEST_CLIENTS)).min(control::CLIENTS), execs)
}
