//! A pod's QoS class (R8.10), and the OOM scores that follow from it (R9.4).

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, amounts, limits, requests};
use super::effective::peak;
use crate::plan::facts::NodeFacts;
use crate::plan::identity::containers;

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
    let mut classes = containers(spec).map(|one| of(requests(one.manifest), limits(one.manifest)));
    let Some(first) = classes.next() else { return QosClass::BestEffort };
    if classes.all(|class| class == first) { first } else { QosClass::Burstable }
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
