//! What a manifest says of cpu and memory: of one container, or in a list.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use serde::{Deserialize, Serialize};

use crate::manifest::quantity::Quantity;
use crate::plan::facts::{Bytes, MilliCpu};

/// Amounts of what cgroups can share out; `None`: nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// `cpu`
    pub cpu: Option<MilliCpu>,
    /// `memory`
    pub memory: Option<Bytes>,
}

pub(super) type List = Option<BTreeMap<String, Text>>;

/// One resource of a list; zero counts as said.
pub(super) fn amount(list: &List, name: &str) -> Option<Quantity> {
    list.as_ref()?.get(name).and_then(|text| Quantity::parse(&text.0).ok())
}

/// An amount as a natural number: `manifest` has refused negative ones.
pub(crate) fn natural(amount: i128) -> u64 {
    u64::try_from(amount.max(0)).unwrap_or(u64::MAX)
}

pub(super) fn amounts(list: &List) -> Amounts {
    Amounts {
        cpu: amount(list, "cpu").map(|quantity| MilliCpu(natural(quantity.milli()))),
        memory: amount(list, "memory").map(|quantity| Bytes(natural(quantity.units()))),
    }
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

/// Requests and limits as they stand in a list of their own.
#[must_use]
pub fn listed(resources: &v1::ResourceRequirements) -> (Amounts, Amounts) {
    (amounts(&resources.requests), amounts(&resources.limits))
}
