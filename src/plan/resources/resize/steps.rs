//! What a resize writes to cgroups, and in which order.

use barepod_engine::event::ResizeWay;

use super::change::Resize;
use super::request::ResizeError;
use crate::plan::facts::{Bytes, NodeFacts};
use crate::plan::identity::PodContainer;
use crate::plan::resources::cgroup::{CgroupLimits, MemoryProtection};
use crate::plan::resources::cpus::Exclusive;
use crate::plan::resources::memory_qos::MemoryQos;

/// Memory in use, where there is a cgroup to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryUsage {
    /// Of the whole pod.
    pub pod: Option<Bytes>,
    /// Of the container.
    pub container: Option<Bytes>,
}

/// Which cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The pod's.
    Pod,
    /// The container's.
    Container,
}

/// Refuses a memory limit below what is used: the kernel would have to kill for it.
///
/// # Errors
/// [`ResizeError::Usage`], in the kubelet's words.
pub fn check_usage(resize: &Resize, way: ResizeWay, usage: MemoryUsage) -> Result<(), ResizeError> {
    // What restarts frees its memory first.
    if way == ResizeWay::Restart {
        return Ok(());
    }
    let container = format!("container {:?}", resize.name);
    let pairs = [
        ("pod".to_owned(), resize.lowered.pod, usage.pod),
        (container, resize.lowered.container, usage.container.filter(|_| way == ResizeWay::InPlace)),
    ];
    for (whose, limit, usage) in pairs {
        if let (Some(limit), Some(Bytes(usage))) = (limit.and_then(|limit| u64::try_from(limit).ok()), usage)
            && limit < usage
        {
            return Err(ResizeError::Usage { whose, limit, usage });
        }
    }
    Ok(())
}

/// What to write now, in order: a container's limit never is above its pod's, so the pod grows before it and shrinks
/// after it. Where the container restarts, its old instance lives on as it is: then the pod only grows, and shrinks
/// when the new instance is made.
#[must_use]
pub fn resize_steps(resize: &Resize, way: ResizeWay) -> Vec<(Place, CgroupLimits)> {
    let (old, new) = resize.pod;
    let grows = CgroupLimits {
        cpu_shares: new.cpu_shares.filter(|_| new.cpu_shares > old.cpu_shares),
        // No limit until now is the most there can be.
        cpu_quota: new.cpu_quota.filter(|new| old.cpu_quota.is_some_and(|old| *new > old)),
        memory: new.memory.filter(|new| old.memory.is_some_and(|old| *new > old)),
        protection: if new.protection == old.protection { MemoryProtection::default() } else { new.protection },
        pids: None,
    };
    // On v1 the limit of memory and swap together follows that of memory.
    let with_swap = |limits: CgroupLimits| {
        let swap = limits.protection.swap.or(new.protection.swap.filter(|_| limits.memory.is_some()));
        CgroupLimits { protection: MemoryProtection { swap, ..limits.protection }, ..limits }
    };
    let shrinks = CgroupLimits {
        cpu_shares: new.cpu_shares.filter(|_| new.cpu_shares < old.cpu_shares),
        cpu_quota: new.cpu_quota.filter(|new| old.cpu_quota.is_none_or(|old| *new < old)),
        memory: new.memory.filter(|new| old.memory.is_none_or(|old| *new < old)),
        ..CgroupLimits::default()
    };
    let (grows, shrinks) = (with_swap(grows), with_swap(shrinks));
    let mut steps = vec![(Place::Pod, grows)];
    match way {
        ResizeWay::InPlace => steps.extend([(Place::Container, resize.container), (Place::Pod, shrinks)]),
        ResizeWay::NextInstance => steps.push((Place::Pod, shrinks)),
        ResizeWay::Restart => {}
    }
    steps.retain(|(_, limits)| *limits != CgroupLimits::default());
    steps
}

/// What a container's cgroup is to have now.
#[must_use]
pub fn limits_of(
    container: &PodContainer<'_>,
    exclusive: &Exclusive,
    memory_qos: MemoryQos,
    node: &NodeFacts,
) -> CgroupLimits {
    let &PodContainer { manifest, pod, .. } = container;
    let limits = memory_qos.container_limits(pod, manifest, Bytes(node.memory));
    if exclusive.contains_key(container.name()) { CgroupLimits { cpu_quota: None, ..limits } } else { limits }
}
