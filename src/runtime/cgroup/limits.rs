//! Limits of the pod's cgroup, set through cgroups-rs. The plan's numbers are v1's; v2's follow by the OCI's conversion.

use std::path::Path;

use cgroups_rs::fs::cpu::CpuController;
use cgroups_rs::fs::memory::MemController;
use cgroups_rs::fs::pid::PidController;
use cgroups_rs::fs::{Cgroup, MaxValue, hierarchies};

use super::CgroupError;
use crate::plan::{CgroupLimits, CgroupVersion};

/// Microseconds (R9.3).
pub(super) const PERIOD: u64 = 100_000;

pub(super) fn apply(version: CgroupVersion, path: &Path, limits: &CgroupLimits) -> Result<(), CgroupError> {
    if *limits == CgroupLimits::default() {
        return Ok(());
    }
    let relative = path.strip_prefix("/").unwrap_or(path);
    let cgroup = Cgroup::load(hierarchies::auto(), relative);
    let missing = |what| CgroupError::MissingController { what, path: path.to_owned() };
    let set = |what| {
        move |cause: cgroups_rs::fs::error::Error| CgroupError::Limit {
            what,
            path: path.to_owned(),
            cause: causes(&cause),
        }
    };

    if limits.cpu_shares.is_some() || limits.cpu_quota.is_some() {
        let cpu: &CpuController = cgroup.controller_of().ok_or_else(|| missing("cpu"))?;
        if let Some(shares) = limits.cpu_shares {
            let value = if version == CgroupVersion::V2 { weight(shares) } else { shares };
            cpu.set_shares(value).map_err(set("cpu shares"))?;
        }
        if let Some(quota) = limits.cpu_quota {
            cpu.set_cfs_quota_and_period(Some(quota), Some(PERIOD)).map_err(set("cpu quota"))?;
        }
    }
    if let Some(bytes) = limits.memory {
        let memory: &MemController = cgroup.controller_of().ok_or_else(|| missing("memory"))?;
        memory.set_limit(bytes).map_err(set("memory limit"))?;
    }
    if let Some(number) = limits.pids {
        let pids: &PidController = cgroup.controller_of().ok_or_else(|| missing("pids"))?;
        let value = if number < 0 { MaxValue::Max } else { MaxValue::Value(number) };
        pids.set_pid_max(value).map_err(set("pids limit"))?;
    }
    Ok(())
}

/// An error and its source, once.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match error.source().map(ToString::to_string) {
        Some(source) if text.contains(&source) => text,
        Some(source) => format!("{text}: {source}"),
        None => text,
    }
}

/// v1's cpu.shares (2..=262144) as v2's cpu.weight (1..=10000) of a pod's cgroup: linearly (KEP-2254), as the kubelet still
/// does where the OCI's runtimes have another conversion for containers by now (`resize`, docs/resources.md).
pub(super) fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    #[test]
    fn shares_become_weights() {
        for (shares, weight) in [(2, 1), (1024, 39), (262_144, 10_000)] {
            assert_eq!(super::weight(shares), weight, "R9.3");
        }
    }
}
