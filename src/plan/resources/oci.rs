//! `linux.resources` of the OCI config: the manifest's over the bundle's (R9.3, R9.5).

use std::collections::HashMap;

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};

use super::cgroup::{self, HugePageLimit, MemoryProtection};
use super::cpus::Exclusive;
use super::memory_qos::MemoryQos;
use super::{amounts, huge_pages};
use crate::plan::facts::{Bytes, CgroupVersion, MilliCpu};
use crate::plan::inputs::Inputs;

/// What a bundle limits, where there are no cgroups for it: to be said, as it can't be seen before.
pub(crate) fn of_bundle(inputs: &Inputs) -> Option<LinuxResources> {
    let mut limits = inputs.image.base.linux().as_ref()?.resources().clone()?;
    limits.set_devices(None);
    let mut none = LinuxResources::default();
    none.set_devices(None);
    (limits != none).then_some(limits)
}

/// R9.3, R9.5: the manifest's over the bundle's, field by field. Rules about devices are not among it.
pub(crate) fn cgroup(
    inputs: &Inputs,
    cpus: &Exclusive,
    memory_qos: MemoryQos,
    huge_pages_of_pod: &[HugePageLimit],
) -> LinuxResources {
    let bundle = inputs.image.base.linux().as_ref().and_then(|linux| linux.resources().clone());
    let mut all = bundle.unwrap_or_default();
    let (requests, limits) = (amounts::requests(inputs.container.manifest), amounts::limits(inputs.container.manifest));
    let mut cpu: LinuxCpu = all.cpu().clone().unwrap_or_default();
    let asked = requests.cpu.map(cgroup::shares);
    cpu.set_shares(asked.or(cpu.shares()).or(Some(cgroup::shares(MilliCpu(0)))));
    // Who has cpus for itself is not held back on them (the kubelet's DisableCPUQuotaWithExclusiveCPUs).
    let exclusive = cpus.get(inputs.container.name());
    if exclusive.is_some() {
        cpu.set_quota(None).set_period(None);
    } else if let Some(limit) = limits.cpu {
        cpu.set_quota(Some(cgroup::quota(limit))).set_period(Some(cgroup::CPU_PERIOD));
    }
    if let Some(cpus) = exclusive.or(inputs.sandbox.shared_cpus.as_ref()) {
        cpu.set_cpus(Some(cpus.to_string()));
    }
    all.set_cpu(Some(cpu));
    if let Some(limit) = limits.memory {
        let mut memory: LinuxMemory = (*all.memory()).unwrap_or_default();
        // The bundle's other numbers were made for its own limit: swap below the new one would be an error.
        memory.set_limit(Some(cgroup::signed(limit))).set_swap(None).set_reservation(None);
        all.set_memory(Some(memory));
    }
    let protection = memory_qos.of_container(inputs.spec(), inputs.container.manifest, Bytes(inputs.node.memory));
    // A bundle may have said how much swap there is to be beside its own limit.
    let says_swap = all.memory().as_ref().is_some_and(|memory| memory.swap().is_some());
    if let (CgroupVersion::V1, false, Some(swap), Some(memory)) =
        (inputs.node.cgroups, says_swap, protection.swap, all.memory_mut())
        && let Some(limit) = memory.limit().filter(|limit| *limit > 0)
        && swap < i64::MAX
    {
        memory.set_swap(Some(limit.saturating_add(swap)));
    }
    let huge = huge_pages::container_limits(inputs, huge_pages_of_pod, all.hugepage_limits().clone());
    all.set_hugepage_limits(huge);
    if inputs.node.cgroups == CgroupVersion::V2 {
        let mut unified: HashMap<String, String> = all.unified().clone().unwrap_or_default();
        unified.entry("memory.oom.group".to_owned()).or_insert_with(|| "1".to_owned());
        let protection = MemoryProtection { swap: protection.swap.filter(|_| !says_swap), ..protection };
        for (file, text) in protection.files() {
            unified.entry(file.to_owned()).or_insert(text);
        }
        all.set_unified(Some(unified));
    } else {
        // There is no such thing on v1, and libcontainer would say nothing.
        all.set_unified(None);
    }
    all
}
