//! What a whole pod needs, at each moment of its life and at most (R9.1).

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, amount, amounts, limits, natural, requests};
use crate::plan::facts::{Bytes, MilliCpu};
use crate::plan::identity::containers;

/// What a whole pod requests and may use at most (R9.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// What it is promised.
    pub requests: Amounts,
    /// What it may use; a resource that not every container limits has none (R9.2).
    pub limits: Amounts,
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

/// R9.1 for one resource: what is there at once while each entry of initContainers has its turn, sidecars being there
/// from their own on; and last, with the mains.
pub(super) fn sums(spec: &v1::PodSpec, of: impl Fn(&v1::Container) -> Option<u64>) -> Vec<Sum> {
    let (mut sums, mut sidecars) = (Vec::new(), Sum::default());
    let mut mains = None;
    for one in containers(spec) {
        let value = of(one.manifest);
        match one.kind {
            Kind::Init => sums.push(sidecars.with(value)),
            Kind::Sidecar => {
                sidecars = sidecars.with(value);
                sums.push(sidecars);
            }
            Kind::Main => mains = Some(mains.unwrap_or(sidecars).with(value)),
            // It has no resources of its own.
            Kind::Ephemeral => {}
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

/// What the pod as a whole requests and is limited to (R9.1). Pod-level resources win where set; overhead is added.
#[must_use]
pub fn effective(spec: &v1::PodSpec) -> Effective {
    let pod = spec.resources.clone().unwrap_or_default();
    let overhead = amounts(&spec.overhead);
    let every = |limited: fn(&v1::Container) -> bool| containers(spec).all(|one| limited(one.manifest));
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
