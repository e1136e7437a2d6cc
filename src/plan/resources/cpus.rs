//! Whole cpus for containers of Guaranteed pods: the kubelet's static cpu manager policy. Which cpus are free is a fact
//! that comes in; that nobody else takes them meanwhile is the store's lock's business.

use std::collections::{BTreeMap, BTreeSet};

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;

use super::amounts;
use super::qos::{self, QosClass};
use crate::plan::facts::{Cpu, CpuSet};
use crate::plan::identity::containers;

/// What containers have for themselves, by name.
pub type Exclusive = BTreeMap<String, CpuSet>;

/// There are not enough cpus. In the kubelet's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough cpus available to satisfy request: requested={requested}, available={available}")]
pub struct NotEnoughCpus {
    /// By one container.
    pub requested: usize,
    /// What is left for it.
    pub available: usize,
}

/// How many cpus a container gets for itself: all it requests, where that is a whole number and the pod Guaranteed.
fn whole_cpus(qos: QosClass, container: &v1::Container) -> usize {
    match amounts::requests(container).cpu {
        Some(cpu) if qos == QosClass::Guaranteed && cpu.0 % 1000 == 0 => usize::try_from(cpu.0 / 1000).unwrap_or(0),
        Some(_) | None => 0,
    }
}

/// Whether some container of a pod is to have cpus for itself.
#[must_use]
pub fn wants_exclusive(spec: &v1::PodSpec) -> bool {
    let qos = qos::qos(spec);
    containers(spec).any(|one| whole_cpus(qos, one.manifest) > 0)
}

/// Gives each container of a pod that gets cpus for itself some of the free ones. What an init container had goes to
/// those behind it; what a sidecar has it keeps, as it runs beside them (the kubelet's podCPUsToReuse).
///
/// # Errors
/// Where there are not enough for one.
pub fn allot(spec: &v1::PodSpec, free: &CpuSet, box_has: &[Cpu]) -> Result<Exclusive, NotEnoughCpus> {
    let qos = qos::qos(spec);
    let (mut free, mut reusable) = (free.clone(), CpuSet::default());
    let mut exclusive = Exclusive::new();
    for one in containers(spec) {
        let requested = whole_cpus(qos, one.manifest);
        if requested == 0 {
            continue;
        }
        let available = free.with(&reusable).len();
        if available < requested {
            return Err(NotEnoughCpus { requested, available });
        }
        let mut taken = take(&reusable, requested, box_has);
        taken = taken.with(&take(&free, requested - taken.len(), box_has));
        free = free.without(&taken);
        reusable = match one.kind {
            Kind::Init => reusable.with(&taken),
            Kind::Sidecar | Kind::Main | Kind::Ephemeral => reusable.without(&taken),
        };
        exclusive.insert(one.name().to_owned(), taken);
    }
    Ok(exclusive)
}

/// At most `count` cpus: whole free cores first, then threads of the cores that have the fewest left, so that whole ones
/// remain for others.
fn take(free: &CpuSet, count: usize, box_has: &[Cpu]) -> CpuSet {
    let mut cores: BTreeMap<(u32, u32), (usize, Vec<u32>)> = BTreeMap::new();
    for cpu in box_has {
        let (threads, left) = cores.entry(cpu.core).or_default();
        *threads += 1;
        left.extend(free.has(cpu.number).then_some(cpu.number));
    }
    let mut taken = BTreeSet::new();
    let missing = |taken: &BTreeSet<u32>| count - taken.len();
    for (threads, left) in cores.values() {
        if left.len() == *threads && left.len() <= missing(&taken) {
            taken.extend(left);
        }
    }
    let mut rest: Vec<&Vec<u32>> = cores.values().map(|(_, left)| left).collect();
    rest.sort_by_key(|left| left.len());
    for cpu in rest.into_iter().flatten() {
        if missing(&taken) > 0 {
            taken.insert(*cpu);
        }
    }
    taken.into_iter().collect()
}
