//! Settings of the pod's cgroup and of its containers' (R9.2, R9.3).

use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use super::amounts;
use super::effective::effective;
use crate::plan::facts::{Bytes, MilliCpu};

/// The pod's cgroup, on every hierarchy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CgroupPlan {
    /// Relative to the hierarchies' roots, absolute: `<parent>/barepod/<the pod's own>`.
    pub path: PathBuf,
    /// Limits of the whole pod (R9.2).
    pub limits: CgroupLimits,
    /// Limits of its huge pages, of each page size once; none where they can't be limited. They never change.
    pub huge_pages: Vec<HugePageLimit>,
}

/// A limit of the hugetlb controller, of reserved pages and of used ones alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HugePageLimit {
    /// Size of a page.
    pub page: Bytes,
    /// How much of them in all.
    pub limit: Bytes,
}

/// Settings of a cgroup in v1's units; the v2 conversion is the OCI's (R9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// cpu.shares, 2..=262144.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU per period of 100 ms.
    pub cpu_quota: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
    /// v2 only.
    pub protection: MemoryProtection,
    /// Number of processes.
    pub pids: Option<i64>,
}

/// What cgroup v2 does about memory beside its limit; bytes, the greatest number being `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryProtection {
    /// `memory.min`: never reclaimed.
    pub min: Option<i64>,
    /// `memory.low`: reclaimed when nothing else can be.
    pub low: Option<i64>,
    /// `memory.high`: above it processes are slowed down and their memory reclaimed.
    pub high: Option<i64>,
    /// `memory.swap.max`: how much of it may be swapped out. On v1 a part of the limit of both, where there is a limit.
    pub swap: Option<i64>,
}

impl MemoryProtection {
    /// Names of the files and what is to be in them.
    pub(crate) fn files(self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [
            ("memory.min", self.min),
            ("memory.low", self.low),
            ("memory.high", self.high),
            ("memory.swap.max", self.swap),
        ];
        let text = |bytes: i64| if bytes == i64::MAX { "max".to_owned() } else { bytes.to_string() };
        all.into_iter().filter_map(move |(file, value)| Some((file, text(value?))))
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

/// R9.3: a container's cgroup; what the manifest says nothing about isn't in it.
pub(super) fn container_limits(container: &v1::Container) -> CgroupLimits {
    let (requests, limits) = (amounts::requests(container), amounts::limits(container));
    CgroupLimits {
        cpu_shares: requests.cpu.map(shares),
        cpu_quota: limits.cpu.map(quota),
        memory: limits.memory.map(signed),
        ..CgroupLimits::default()
    }
}
