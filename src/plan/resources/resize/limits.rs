//! Rules between the new amounts and others: limits, the pod's own, what the box has.

use k8s_openapi::api::core::v1;

use super::request::ResizeError;
use crate::manifest::quantity::Quantity;
use crate::plan::facts::{Bytes, MilliCpu, NodeFacts};
use crate::plan::resources::amounts::{self, Amounts};
use crate::plan::resources::effective;

/// R1.9: no request above its limit.
pub(super) fn check_limits(container: &v1::Container, field: &str) -> Result<(), ResizeError> {
    let Some(resources) = &container.resources else { return Ok(()) };
    for (name, request) in resources.requests.iter().flatten() {
        let Some(limit) = resources.limits.as_ref().and_then(|limits| limits.get(name)) else { continue };
        if let (Ok(amount), Ok(most)) = (Quantity::parse(&request.0), Quantity::parse(&limit.0))
            && amount > most
        {
            return Err(ResizeError::AboveLimit {
                field: format!("{field}.resources.requests[{name}]"),
                value: request.0.clone(),
                resource: name.clone(),
                limit: limit.0.clone(),
            });
        }
    }
    Ok(())
}

/// The rules between pod-level resources and those of containers (KEP-2837).
pub(super) fn check_pod_level(spec: &v1::PodSpec, container: &v1::Container, field: &str) -> Result<(), ResizeError> {
    if spec.resources.is_none() {
        return Ok(());
    }
    let bare = v1::PodSpec { resources: None, overhead: None, ..spec.clone() };
    let whole = effective::effective(&v1::PodSpec { overhead: None, ..spec.clone() });
    let sum = effective::effective(&bare).requests;
    let own = amounts::limits(container);
    for (which, part, whole) in [("request", sum, whole.requests), ("limit", own, whole.limits)] {
        for (resource, part, whole) in both(part, whole) {
            if let (Some(part), Some(whole)) = (part, whole)
                && part > whole
            {
                return Err(ResizeError::AbovePod {
                    field: format!("{field}.resources.{which}s[{resource}]"),
                    value: amount_text(resource, part),
                    which,
                    resource,
                    whole: amount_text(resource, whole),
                });
            }
        }
    }
    Ok(())
}

pub(super) fn both(one: Amounts, other: Amounts) -> [(&'static str, Option<u64>, Option<u64>); 2] {
    let (cpu, memory) = (|all: Amounts| all.cpu.map(|cpu| cpu.0), |all: Amounts| all.memory.map(|memory| memory.0));
    [("cpu", cpu(one), cpu(other)), ("memory", memory(one), memory(other))]
}

fn amount_text(resource: &str, amount: u64) -> String {
    if resource == "cpu" { format!("{amount}m") } else { amount.to_string() }
}

/// The kubelet's `Infeasible`: a request that grows beyond the box. Cpu in thousandths, memory in bytes.
pub(super) fn check_capacity(old: &v1::PodSpec, new: &v1::PodSpec, node: &NodeFacts) -> Result<(), ResizeError> {
    let (old, new) = (effective::effective(old).requests, effective::effective(new).requests);
    let box_has = Amounts { cpu: Some(MilliCpu(u64::from(node.cpus) * 1000)), memory: Some(Bytes(node.memory)) };
    for ((resource, requested, before), (_, capacity, _)) in both(new, old).into_iter().zip(both(box_has, box_has)) {
        if let (Some(requested), Some(capacity)) = (requested, capacity)
            && requested > capacity
            && before.is_none_or(|before| requested > before)
        {
            return Err(ResizeError::Capacity { resource, requested, capacity });
        }
    }
    Ok(())
}
