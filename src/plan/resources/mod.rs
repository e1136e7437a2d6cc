//! Requests and limits to cgroup settings, QoS class and OOM scores (R8.10, R9.1 to R9.4). The functions are public
//! for `check`, `describe` and the status, so that what people read is what the cgroups get.
pub mod cpus;
pub mod huge_pages;
pub mod memory_qos;
pub mod resize;
pub mod storage;

use std::collections::BTreeMap;
use std::fmt;

use barepod_engine::spec::{ContainerIndex, Kind};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use serde::{Deserialize, Serialize};

use crate::manifest::quantity::Quantity;
use crate::plan::lifecycle::containers;
use crate::plan::types::{CgroupLimits, NodeFacts};

/// CPU in thousandths of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MilliCpu(pub u64);

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bytes(pub u64);

/// Amounts of what cgroups can share out; `None`: nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// `cpu`
    pub cpu: Option<MilliCpu>,
    /// `memory`
    pub memory: Option<Bytes>,
}

/// What a whole pod requests and may use at most (R9.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// What it is promised.
    pub requests: Amounts,
    /// What it may use; a resource that not every container limits has none (R9.2).
    pub limits: Amounts,
}

/// `status.qosClass`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QosClass {
    /// Each container has cpu and memory limits, and requests that equal them.
    Guaranteed,
    /// Something in between.
    Burstable,
    /// Nothing is requested or limited.
    BestEffort,
}

impl QosClass {
    /// As Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            QosClass::Guaranteed => "Guaranteed",
            QosClass::Burstable => "Burstable",
            QosClass::BestEffort => "BestEffort",
        }
    }
}

/// R9.3: the least number of shares the kernel takes.
const MIN_SHARES: u64 = 2;
/// R9.3: the most.
const MAX_SHARES: u64 = 262_144;
/// R9.3: microseconds.
pub(crate) const CPU_PERIOD: u64 = 100_000;
/// R9.3: microseconds, the kernel's least.
const MIN_QUOTA: u64 = 1_000;

pub(super) type List = Option<BTreeMap<String, Text>>;

/// One resource of a list; zero counts as said.
pub(super) fn amount(list: &List, name: &str) -> Option<Quantity> {
    list.as_ref()?.get(name).and_then(|text| Quantity::parse(&text.0).ok())
}

/// An amount as a natural number: `manifest` has refused negative ones.
pub(crate) fn natural(amount: i128) -> u64 {
    u64::try_from(amount.max(0)).unwrap_or(u64::MAX)
}

fn amounts(list: &List) -> Amounts {
    Amounts {
        cpu: amount(list, "cpu").map(|quantity| MilliCpu(natural(quantity.milli()))),
        memory: amount(list, "memory").map(|quantity| Bytes(natural(quantity.units()))),
    }
}

/// What the manifest says of a container's resources, in the engine's order of containers.
#[must_use]
pub fn of(pod: &v1::Pod, index: ContainerIndex) -> Option<v1::ResourceRequirements> {
    containers(pod.spec.as_ref()?).nth(index.0.into())?.2.resources.clone()
}

/// What a container requests; a limit without a request is its request (R1.9).
pub(crate) fn requests(container: &v1::Container) -> Amounts {
    let Some(resources) = &container.resources else { return Amounts::default() };
    let (said, limits) = (amounts(&resources.requests), amounts(&resources.limits));
    Amounts { cpu: said.cpu.or(limits.cpu), memory: said.memory.or(limits.memory) }
}

/// What a container may use at most. Zero is no limit, as in the kubelet.
pub(crate) fn limits(container: &v1::Container) -> Amounts {
    let said = container.resources.as_ref().map(|all| amounts(&all.limits)).unwrap_or_default();
    Amounts { cpu: said.cpu.filter(|cpu| cpu.0 > 0), memory: said.memory.filter(|memory| memory.0 > 0) }
}

/// What containers that are there at once say of one resource.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) value: u64,
    /// How many of them say something.
    pub(super) said: usize,
    /// How many they are.
    count: usize,
}

impl Sum {
    fn with(self, value: Option<u64>) -> Self {
        Self {
            value: self.value.saturating_add(value.unwrap_or(0)),
            said: self.said + usize::from(value.is_some()),
            count: self.count + 1,
        }
    }
}

/// Requests and limits as they stand in a list of their own.
#[must_use]
pub fn listed(resources: &v1::ResourceRequirements) -> (Amounts, Amounts) {
    (amounts(&resources.requests), amounts(&resources.limits))
}

/// R9.1 for one resource: what is there at once while each entry of initContainers has its turn, sidecars being there
/// from their own on; and last, with the mains.
pub(super) fn sums(spec: &v1::PodSpec, of: impl Fn(&v1::Container) -> Option<u64>) -> Vec<Sum> {
    let (mut sums, mut sidecars) = (Vec::new(), Sum::default());
    let mut mains = None;
    for (_, kind, container) in containers(spec) {
        let value = of(container);
        match kind {
            Kind::Init => sums.push(sidecars.with(value)),
            Kind::Sidecar => {
                sidecars = sidecars.with(value);
                sums.push(sidecars);
            }
            Kind::Main => mains = Some(mains.unwrap_or(sidecars).with(value)),
        }
    }
    sums.extend(mains);
    sums
}

/// R9.1 for one resource: the most that is needed at any moment.
pub(super) fn peak(spec: &v1::PodSpec, of: impl Fn(&v1::Container) -> Option<u64>) -> Option<u64> {
    let sums = sums(spec, of);
    sums.iter().any(|sum| sum.said > 0).then(|| sums.iter().map(|sum| sum.value).max().unwrap_or(0))
}

/// R9.1 for the limits of any resource: the sum of those that there are, as the kubelet's PodLimits has it.
pub(crate) fn peak_of_limits(spec: &v1::PodSpec, name: &str) -> Option<u64> {
    let of = |one: &v1::Container| {
        let limit = one.resources.as_ref().and_then(|resources| amount(&resources.limits, name));
        limit.map(|limit| natural(limit.units())).filter(|bytes| *bytes > 0)
    };
    peak(spec, of)
}

/// What the containers that are there at once request and may use, at one point of a pod's life.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment<'a> {
    /// The entry of initContainers whose turn it is; `None`: the mains run.
    pub init: Option<&'a v1::Container>,
    /// Their sums; a resource that one of them has no limit for has none.
    pub sum: Effective,
}

/// Each index of the init phase and what comes after it: what [`effective`] takes the highest of (R9.1).
#[must_use]
pub fn moments(spec: &v1::PodSpec) -> Vec<Moment<'_>> {
    let said = |sums: Vec<Sum>| sums.into_iter().map(|sum| (sum.said > 0).then_some(sum.value));
    let full = |sums: Vec<Sum>| sums.into_iter().map(|sum| (sum.said == sum.count).then_some(sum.value));
    let requests = said(sums(spec, |one| requests(one).cpu.map(|cpu| cpu.0)))
        .zip(said(sums(spec, |one| requests(one).memory.map(|memory| memory.0))));
    let limits = full(sums(spec, |one| limits(one).cpu.map(|cpu| cpu.0)))
        .zip(full(sums(spec, |one| limits(one).memory.map(|memory| memory.0))));
    let amounts =
        |(cpu, memory): (Option<u64>, Option<u64>)| Amounts { cpu: cpu.map(MilliCpu), memory: memory.map(Bytes) };
    let inits = spec.init_containers.iter().flatten().map(Some).chain([None]);
    inits
        .zip(requests.zip(limits))
        .map(|(init, (requests, limits))| Moment {
            init,
            sum: Effective { requests: amounts(requests), limits: amounts(limits) },
        })
        .collect()
}

/// As people write cpu: whole cores, else thousandths.
impl fmt::Display for MilliCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

/// As people write memory: with the largest binary unit that leaves no fraction.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(60, "Ei"), (50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")];
        match units.into_iter().find(|(shift, _)| self.0 != 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What the pod as a whole requests and is limited to (R9.1). Pod-level resources win where set; overhead is added.
#[must_use]
pub fn effective(spec: &v1::PodSpec) -> Effective {
    let pod = spec.resources.clone().unwrap_or_default();
    let overhead = amounts(&spec.overhead);
    let every = |limited: fn(&v1::Container) -> bool| containers(spec).all(|(_, _, one)| limited(one));
    let pod_limits = amounts(&pod.limits);
    let cpu_limit = pod_limits.cpu.map(|cpu| cpu.0).or_else(|| {
        every(|one| limits(one).cpu.is_some()).then(|| peak(spec, |one| limits(one).cpu.map(|cpu| cpu.0))).flatten()
    });
    let memory_limit = pod_limits.memory.map(|memory| memory.0).or_else(|| {
        every(|one| limits(one).memory.is_some())
            .then(|| peak(spec, |one| limits(one).memory.map(|memory| memory.0)))
            .flatten()
    });
    let pod_requests = amounts(&pod.requests);
    let cpu = (pod_requests.cpu.or(pod_limits.cpu).map(|cpu| cpu.0))
        .or_else(|| peak(spec, |one| requests(one).cpu.map(|cpu| cpu.0)));
    let memory = (pod_requests.memory.or(pod_limits.memory).map(|memory| memory.0))
        .or_else(|| peak(spec, |one| requests(one).memory.map(|memory| memory.0)));
    let plus = |value: Option<u64>, more: Option<u64>| match (value, more) {
        (None, more) => more,
        (Some(value), more) => Some(value.saturating_add(more.unwrap_or(0))),
    };
    // Overhead raises a limit that is there, it doesn't make one.
    let raise = |value: Option<u64>, more: Option<u64>| value.map(|value| value.saturating_add(more.unwrap_or(0)));
    let (more_cpu, more_memory) = (overhead.cpu.map(|cpu| cpu.0), overhead.memory.map(|memory| memory.0));
    Effective {
        requests: Amounts { cpu: plus(cpu, more_cpu).map(MilliCpu), memory: plus(memory, more_memory).map(Bytes) },
        limits: Amounts {
            cpu: raise(cpu_limit, more_cpu).map(MilliCpu),
            memory: raise(memory_limit, more_memory).map(Bytes),
        },
    }
}

/// R8.10: over all containers, inits and sidecars included; by the pod-level resources where the pod has them.
#[must_use]
pub fn qos_class(pod: &v1::Pod) -> &'static str {
    pod.spec.as_ref().map_or(QosClass::BestEffort, qos).as_str()
}

/// R8.10, of a spec.
#[must_use]
pub fn qos(spec: &v1::PodSpec) -> QosClass {
    let of = |requests: Amounts, limits: Amounts| {
        let some = |all: Amounts| all.cpu.is_some_and(|cpu| cpu.0 > 0) || all.memory.is_some_and(|memory| memory.0 > 0);
        let full = |all: Amounts| all.cpu.is_some_and(|cpu| cpu.0 > 0) && all.memory.is_some_and(|memory| memory.0 > 0);
        match (some(requests) || some(limits), full(limits) && requests == limits) {
            (false, _) => QosClass::BestEffort,
            (true, true) => QosClass::Guaranteed,
            (true, false) => QosClass::Burstable,
        }
    };
    if let Some(pod) = &spec.resources
        && (pod.limits.is_some() || pod.requests.is_some())
    {
        let (said, limits) = (amounts(&pod.requests), amounts(&pod.limits));
        return of(Amounts { cpu: said.cpu.or(limits.cpu), memory: said.memory.or(limits.memory) }, limits);
    }
    let mut classes = containers(spec).map(|(_, _, one)| of(requests(one), limits(one)));
    let Some(first) = classes.next() else { return QosClass::BestEffort };
    if classes.all(|class| class == first) { first } else { QosClass::Burstable }
}

/// R9.3
pub(crate) fn shares(cpu: MilliCpu) -> u64 {
    (cpu.0.saturating_mul(1024) / 1000).clamp(MIN_SHARES, MAX_SHARES)
}

/// R9.3: microseconds per period.
pub(crate) fn quota(cpu: MilliCpu) -> i64 {
    let micros = cpu.0.saturating_mul(CPU_PERIOD) / 1000;
    i64::try_from(micros.max(MIN_QUOTA)).unwrap_or(i64::MAX)
}

/// Bytes as the cgroup files count them.
pub(crate) fn signed(memory: Bytes) -> i64 {
    i64::try_from(memory.0).unwrap_or(i64::MAX)
}

/// R9.2: the pod's cgroup.
pub(crate) fn pod_limits(spec: &v1::PodSpec) -> CgroupLimits {
    let all = effective(spec);
    CgroupLimits {
        cpu_shares: Some(shares(all.requests.cpu.unwrap_or_default())),
        cpu_quota: all.limits.cpu.map(quota),
        memory: all.limits.memory.map(signed),
        ..CgroupLimits::default()
    }
}

/// R9.4. Where this process may not lower scores, 0 is the least it can ask for: less would fail the create.
pub(crate) fn oom_score_adj(spec: &v1::PodSpec, kind: Kind, container: &v1::Container, node: &NodeFacts) -> i32 {
    let wanted = wanted_score(spec, kind, container, node.memory);
    if node.can_lower_oom_score { wanted } else { wanted.max(0) }
}

fn wanted_score(spec: &v1::PodSpec, kind: Kind, container: &v1::Container, node_memory: u64) -> i32 {
    match qos(spec) {
        QosClass::Guaranteed => return -997,
        QosClass::BestEffort => return 1000,
        QosClass::Burstable => {}
    }
    let share = unclaimed(spec);
    let memory = |one: &v1::Container| requests(one).memory.unwrap_or_default().0.saturating_add(share);
    let raw = |memory: u64| {
        let part = u128::from(memory) * 1000 / u128::from(node_memory.max(1));
        1000 - i32::try_from(part.min(1000)).unwrap_or(1000)
    };
    let mut score = raw(memory(container));
    if kind == Kind::Sidecar
        && let Some(least) = spec.containers.iter().map(memory).min()
    {
        // The OOM killer is to pick a main before the sidecar it needs (KEP-753).
        score = score.min(raw(least));
    }
    score.clamp(3, 999)
}

/// A container's part of what the pod-level request leaves unclaimed by its containers (KEP-2837).
fn unclaimed(spec: &v1::PodSpec) -> u64 {
    let Some(pod) = spec.resources.as_ref().and_then(|pod| amounts(&pod.requests).memory) else { return 0 };
    let claimed = peak(spec, |one| requests(one).memory.map(|memory| memory.0)).unwrap_or(0);
    let count = containers(spec).count().max(1) as u64;
    pod.0.saturating_sub(claimed) / count
}
