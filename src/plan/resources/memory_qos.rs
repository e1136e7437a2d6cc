//! The kubelet's MemoryQoS on cgroup v2 (KEP-2570, as of Kubernetes 1.37): memory that is throttled before its limit is
//! reached, and requests that are kept from being reclaimed; and what a container may have swapped out (KEP-2400).

use std::fmt;

use k8s_openapi::api::core::v1;

use super::cgroup::{self, CgroupLimits, MemoryProtection, signed};
use super::qos::{self, QosClass};
use super::{amounts, effective};
use crate::plan::facts::Bytes;

/// What a kubelet's operator would say: `memoryThrottlingFactor` and `memoryReservationPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemoryQos {
    /// How far between its request and its limit a container is throttled, above 0 and at most 1; `None`: nowhere.
    pub throttling_factor: Option<f64>,
    /// What protects requests.
    pub reservation: MemoryReservation,
    /// Who may swap.
    pub swap: MemorySwap,
}

/// `memorySwap.swapBehavior`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemorySwap {
    /// Nobody counts it here, so that it can't be limited.
    #[default]
    Unaccounted,
    /// No container.
    None,
    /// Containers of Burstable pods that request less memory than their limit: of the box's swap, of which there is so
    /// much, the same share that they request of its memory.
    Limited(Bytes),
    /// All of them, as much as there is.
    Unlimited,
}

impl MemorySwap {
    fn of_container(self, spec: &v1::PodSpec, request: Bytes, limit: Option<Bytes>, memory: Bytes) -> Option<i64> {
        match self {
            Self::Unaccounted => None,
            Self::None => Some(0),
            Self::Unlimited => Some(i64::MAX),
            Self::Limited(swap) => {
                let may = qos::qos(spec) == QosClass::Burstable && limit != Some(request);
                let share = u128::from(request.0) * u128::from(swap.0) / u128::from(memory.0.max(1));
                Some(if may { i64::try_from(share).unwrap_or(i64::MAX) } else { 0 })
            }
        }
    }

    fn of_pod(self) -> Option<i64> {
        match self {
            Self::Unaccounted => None,
            Self::None => Some(0),
            // Its containers have theirs each.
            Self::Limited(_) | Self::Unlimited => Some(i64::MAX),
        }
    }
}

/// `memoryReservationPolicy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryReservation {
    /// Nothing.
    #[default]
    None,
    /// `memory.min` for Guaranteed pods and `memory.low` for Burstable ones.
    Tiered,
}

/// As `describe` has it.
impl fmt::Display for MemoryQos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = self.throttling_factor.map(|factor| format!("throttling factor {factor}"));
        let reservation = match self.reservation {
            MemoryReservation::None => None,
            MemoryReservation::Tiered => Some("tiered reservation".to_owned()),
        };
        f.write_str(&factor.into_iter().chain(reservation).collect::<Vec<_>>().join(", "))
    }
}

/// What limits are rounded down to. The kernel counts in its own pages, where they are larger.
const PAGE: u64 = 4096;

impl MemoryQos {
    /// Limits of the pod's cgroup, with what protects its memory.
    pub(crate) fn pod_limits(&self, spec: &v1::PodSpec) -> CgroupLimits {
        CgroupLimits { protection: self.of_pod(spec), ..cgroup::pod_limits(spec) }
    }

    /// Limits of a container's cgroup, with what protects its memory and what it may have swapped out.
    pub(crate) fn container_limits(&self, spec: &v1::PodSpec, one: &v1::Container, memory: Bytes) -> CgroupLimits {
        CgroupLimits { protection: self.of_container(spec, one, memory), ..cgroup::container_limits(one) }
    }

    /// Whether it needs cgroup v2.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.throttling_factor.is_some() || self.reservation != MemoryReservation::None
    }

    /// For a container's cgroup, on a box with so much memory.
    pub(crate) fn of_container(&self, spec: &v1::PodSpec, one: &v1::Container, memory: Bytes) -> MemoryProtection {
        let request = amounts::requests(one).memory.unwrap_or_default();
        let limit = amounts::limits(one).memory;
        let throttled = limit.is_none_or(|limit| limit != request);
        // What is there where the container has no limit: the pod's, else the box's.
        let of_pod = spec.resources.as_ref().and_then(|own| amounts::listed(own).1.memory);
        let most = limit.or(of_pod).unwrap_or(memory);
        let swap = self.swap.of_container(spec, request, limit, memory);
        MemoryProtection { high: self.high(request, most, throttled), swap, ..self.reserved(spec, request) }
    }

    /// For the pod's cgroup. Throttled is only a pod that has memory of its own, so that containers aren't for each other.
    fn of_pod(&self, spec: &v1::PodSpec) -> MemoryProtection {
        let all = effective::effective(spec);
        let request = all.requests.memory.unwrap_or_default();
        let own = spec.resources.as_ref().is_some_and(|own| amounts::listed(own).1.memory.is_some());
        let high = all.limits.memory.filter(|_| own).and_then(|limit| self.high(request, limit, limit != request));
        MemoryProtection { high, swap: self.swap.of_pod(), ..self.reserved(spec, request) }
    }

    /// `max`, and not nothing, where there is none, since it may have been another one before.
    fn high(&self, request: Bytes, most: Bytes, throttled: bool) -> Option<i64> {
        let factor = self.throttling_factor?;
        let between = most.0 as f64 - request.0 as f64;
        let high = ((request.0 as f64 + between * factor) / PAGE as f64).floor() as u64 * PAGE;
        Some(if throttled && high > request.0 { signed(Bytes(high)) } else { i64::MAX })
    }

    fn reserved(&self, spec: &v1::PodSpec, request: Bytes) -> MemoryProtection {
        let request = (self.reservation == MemoryReservation::Tiered && request > Bytes(0)).then(|| signed(request));
        match qos::qos(spec) {
            QosClass::Guaranteed => MemoryProtection { min: request, ..MemoryProtection::default() },
            QosClass::Burstable => MemoryProtection { low: request, ..MemoryProtection::default() },
            QosClass::BestEffort => MemoryProtection::default(),
        }
    }
}
