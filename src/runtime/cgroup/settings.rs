//! From limits to files: which files of a cgroup say them, what is to stand in each, and in which order. The only place that
//! knows it: for pods, for containers and for resizes, on cgroup v1 and v2. Pure; [`write`](super::write) carries it out.
//!
//! Limits are `linux.resources` of an OCI config, in v1's units as these are; what barepod plans for itself is put in
//! their form ([`planned`]). What a version has no file for was refused before (`plan::container`).

use std::collections::HashMap;

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxHugepageLimitBuilder, LinuxMemory, LinuxPids, LinuxResources,
};

use super::{V1_SWAP, V2_SWAP};
use crate::plan::huge_pages::kernels_name;
use crate::plan::resize::Place;
use crate::plan::{CPU_PERIOD, CgroupLimits, CgroupVersion, HugePageLimit};

/// One file of a cgroup and its new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) controller: &'static str,
    pub(super) file: String,
    pub(super) value: String,
    /// Which field below `linux.resources` asks for it.
    pub(super) field: String,
    pub(super) absent: Absent,
}

/// What it means that a cgroup doesn't have the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// What was asked for can't be had.
    Fault,
    /// There is nothing to be limited.
    Fine,
    /// The kernel may have it under another name.
    Instead(Box<Setting>),
}

impl Setting {
    fn new(controller: &'static str, file: impl Into<String>, field: impl Into<String>, value: String) -> Self {
        Self { controller, file: file.into(), value, field: field.into(), absent: Absent::Fault }
    }
}

/// The limits that barepod plans, in the OCI's form.
pub(super) fn planned(version: CgroupVersion, limits: &CgroupLimits, huge_pages: &[HugePageLimit]) -> LinuxResources {
    let mut all = LinuxResources::default();
    all.set_devices(None);
    if limits.cpu_shares.is_some() || limits.cpu_quota.is_some() {
        let mut cpu = LinuxCpu::default();
        let period = limits.cpu_quota.map(|_| CPU_PERIOD);
        cpu.set_shares(limits.cpu_shares).set_quota(limits.cpu_quota).set_period(period);
        all.set_cpu(Some(cpu));
    }
    if let Some(bytes) = limits.memory {
        let mut memory = LinuxMemory::default();
        // v2 limits swap on its own, by a file that only it has.
        let swap = limits.protection.swap.filter(|_| version == CgroupVersion::V1);
        memory.set_limit(Some(bytes)).set_swap(swap.map(|swap| together(bytes, swap)));
        all.set_memory(Some(memory));
    }
    if let Some(number) = limits.pids {
        let mut pids = LinuxPids::default();
        pids.set_limit(number);
        all.set_pids(Some(pids));
    }
    if version == CgroupVersion::V2 {
        let files: HashMap<String, String> =
            limits.protection.files().map(|(file, text)| (file.to_owned(), text)).collect();
        all.set_unified((!files.is_empty()).then_some(files));
    }
    let huge = huge_pages.iter().filter_map(|HugePageLimit { page, limit }| {
        let limit = i64::try_from(limit.0).unwrap_or(i64::MAX);
        LinuxHugepageLimitBuilder::default().page_size(kernels_name(*page)).limit(limit).build().ok()
    });
    let huge: Vec<LinuxHugepageLimit> = huge.collect();
    all.set_hugepage_limits((!huge.is_empty()).then_some(huge));
    all
}

/// v1's limit of memory and swap together.
fn together(memory: i64, swap: i64) -> i64 {
    match memory.saturating_add(swap) {
        i64::MAX => -1,
        sum => sum,
    }
}

/// The files of these limits, in the order in which they are to be written. Numbers that can't be meant were refused before
/// (`plan::container::impossible`); what only the kernel can say is left to it.
pub(super) fn settings(version: CgroupVersion, place: Place, limits: &LinuxResources) -> Vec<Setting> {
    let mut all = Vec::new();
    if version == CgroupVersion::None {
        return all;
    }
    let v2 = version == CgroupVersion::V2;
    if let Some(cpu) = limits.cpu() {
        of_cpu(v2, place, cpu, &mut all);
    }
    if let Some(memory) = limits.memory() {
        of_memory(v2, memory, &mut all);
    }
    for limit in limits.hugepage_limits().iter().flatten() {
        of_huge_pages(v2, place, limit, &mut all);
    }
    if let Some(io) = limits.block_io() {
        of_disks(v2, io, &mut all);
    }
    if let Some(network) = limits.network().as_ref().filter(|_| !v2) {
        let class = network.class_id().map(|class| class.to_string());
        all.extend(class.map(|class| Setting::new("net_cls", "net_cls.classid", "network.classID", class)));
        // The kernel takes one interface at a time.
        let priorities = network.priorities().iter().flatten().map(|one| format!("{} {}", one.name(), one.priority()));
        all.extend(priorities.map(|one| Setting::new("net_prio", "net_prio.ifpriomap", "network.priorities", one)));
    }
    let mut files: Vec<_> = limits.unified().iter().flatten().filter(|_| v2).collect();
    files.sort();
    all.extend(files.into_iter().map(|(file, text)| {
        let controller = CONTROLLERS_OF_V2.iter().find(|name| file.split('.').next() == Some(name));
        let controller = controller.copied().unwrap_or("cgroup");
        Setting::new(controller, file, format!("unified.{file}"), text.clone())
    }));
    // Last: a container's counts from when it is made only, see `process_limit`. runc's reading of 0 is "no limit".
    let number = limits.pids().as_ref().map(LinuxPids::limit);
    let text = number.map(|number| if number > 0 { number.to_string() } else { "max".to_owned() });
    all.extend(text.map(|text| Setting::new("pids", PIDS, "pids.limit", text)));
    if place == Place::Pod {
        // Where swap isn't counted (swapaccount=0), a pod can't limit it, and doesn't.
        for one in all.iter_mut().filter(|one| one.file == V1_SWAP || one.file == V2_SWAP) {
            one.absent = Absent::Fine;
        }
    }
    all
}

/// The number of processes.
pub(super) const PIDS: &str = "pids.max";

const CONTROLLERS_OF_V2: [&str; 8] = ["cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma"];

fn of_cpu(v2: bool, place: Place, cpu: &LinuxCpu, all: &mut Vec<Setting>) {
    let mut set = |controller, file: &str, field: &str, value: Option<String>| {
        all.extend(value.map(|value| Setting::new(controller, file, format!("cpu.{field}"), value)));
    };
    let text = |number: Option<u64>| number.map(|number| number.to_string());
    // As for the OCI's runtimes, a zero says nothing.
    let (shares, period) = (cpu.shares().filter(|shares| *shares != 0), cpu.period().filter(|period| *period != 0));
    if v2 {
        set("cpu", "cpu.weight", "shares", text(shares.map(|shares| weight(place, shares))));
        let quota = cpu.quota().map(|quota| if quota > 0 { quota.to_string() } else { "max".to_owned() });
        let max = match (quota, period) {
            (Some(quota), Some(period)) => Some(format!("{quota} {period}")),
            (Some(quota), None) => Some(quota),
            (None, Some(period)) => Some(format!("max {period}")),
            (None, None) => None,
        };
        // Of "max" and a period, only the period can be wrong.
        let field = if max.as_ref().is_some_and(|max| max.starts_with("max ")) { "period" } else { "quota" };
        set("cpu", "cpu.max", field, max);
        set("cpu", "cpu.max.burst", "burst", text(cpu.burst()));
    } else {
        set("cpu", "cpu.shares", "shares", text(shares));
        // The period first: a quota is checked against it.
        set("cpu", "cpu.cfs_period_us", "period", text(period));
        let quota = cpu.quota().filter(|quota| *quota != 0);
        set("cpu", "cpu.cfs_quota_us", "quota", quota.map(|quota| quota.to_string()));
        set("cpu", "cpu.cfs_burst_us", "burst", text(cpu.burst()));
        let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
        set("cpu", "cpu.rt_runtime_us", "realtimeRuntime", runtime.map(|runtime| runtime.to_string()));
        set("cpu", "cpu.rt_period_us", "realtimePeriod", text(cpu.realtime_period().filter(|period| *period != 0)));
    }
    set("cpu", "cpu.idle", "idle", cpu.idle().map(|idle| idle.to_string()));
    set("cpuset", "cpuset.cpus", "cpus", cpu.cpus().clone());
    set("cpuset", "cpuset.mems", "mems", cpu.mems().clone());
}

fn of_memory(v2: bool, memory: &LinuxMemory, all: &mut Vec<Setting>) {
    // As for the OCI's runtimes, a zero says nothing.
    let amounts = [memory.limit(), memory.swap(), memory.reservation()];
    let [limit, swap, reservation] = amounts.map(|amount| amount.filter(|amount| *amount != 0));
    // Without a limit of memory there is none of it and swap together.
    let swap = swap.or(limit.filter(|limit| *limit == -1));
    let mut set = |file: &str, field: &str, value: Option<i64>| {
        let text = |value: i64| if v2 && value == -1 { "max".to_owned() } else { value.to_string() };
        all.extend(value.map(|value| Setting::new("memory", file, format!("memory.{field}"), text(value))));
    };
    if v2 {
        let alone = |swap: i64| limit.filter(|limit| swap > 0 && *limit > 0).map_or(swap, |limit| swap - limit);
        set(V2_SWAP, "swap", swap.map(alone));
        set("memory.max", "limit", limit);
        set("memory.low", "reservation", reservation);
    } else {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        set(V1_MEMORY, "limit", limit);
        set(V1_SWAP, "swap", swap);
        set("memory.soft_limit_in_bytes", "reservation", reservation);
        set("memory.swappiness", "swappiness", memory.swappiness().map(signed));
        set("memory.kmem.limit_in_bytes", "kernel", memory.kernel());
        set("memory.kmem.tcp.limit_in_bytes", "kernelTCP", memory.kernel_tcp());
    }
}

/// v1's limit of memory.
pub(super) const V1_MEMORY: &str = "memory.limit_in_bytes";

/// Of what is used, and of what is reserved: without the second a process learns of the first by SIGBUS only.
fn of_huge_pages(v2: bool, place: Place, wanted: &LinuxHugepageLimit, all: &mut Vec<Setting>) {
    let (size, limit) = (wanted.page_size(), wanted.limit());
    let file = if v2 { "max" } else { "limit_in_bytes" };
    let set = |name: String, absent| {
        let setting = Setting::new("hugetlb", name, "hugepageLimits", limit.to_string());
        Setting { absent, ..setting }
    };
    // A limit of nothing needs no controller: where none was handed down to the pod there is nothing to rule out.
    let used = if place == Place::Pod && limit == 0 { Absent::Fine } else { Absent::Fault };
    all.push(set(format!("hugetlb.{size}.{file}"), used));
    // Since Linux 5.7.
    all.push(set(format!("hugetlb.{size}.rsvd.{file}"), Absent::Fine));
}

fn of_disks(v2: bool, io: &LinuxBlockIo, all: &mut Vec<Setting>) {
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        let set =
            |file: &str, value: u64| Setting::new(if v2 { "io" } else { "blkio" }, file, WEIGHT, value.to_string());
        let weight = u64::from(weight);
        let (first, second) = if v2 {
            // From blkio's scale, 10 to 1000, to that of io.weight (runc, ConvertBlkIOToIOWeightValue).
            (set("io.bfq.weight", weight), set("io.weight", 1 + weight.saturating_sub(10) * 9999 / 990))
        } else {
            (set("blkio.weight", weight), set("blkio.bfq.weight", weight))
        };
        all.push(Setting { absent: Absent::Instead(Box::new(second)), ..first });
    }
    for device in io.weight_device().iter().flatten().filter(|_| v2) {
        let text = device.weight().map(|weight| format!("{}:{} {weight}", device.major(), device.minor()));
        all.extend(text.map(|text| Setting::new("io", "io.bfq.weight", "blockIO.weightDevice", text)));
    }
    let rates = [
        ("throttleReadBpsDevice", "rbps", "read_bps", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", "wbps", "write_bps", io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", "riops", "read_iops", io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", "wiops", "write_iops", io.throttle_write_iops_device()),
    ];
    for (field, key, v1_file, devices) in rates {
        for device in devices.iter().flatten() {
            let (major, minor, rate) = (device.major(), device.minor(), device.rate());
            let field = format!("blockIO.{field}");
            all.push(if v2 {
                Setting::new("io", "io.max", field, format!("{major}:{minor} {key}={rate}"))
            } else {
                let file = format!("blkio.throttle.{v1_file}_device");
                Setting::new("blkio", file, field, format!("{major}:{minor} {rate}"))
            });
        }
    }
}

/// What a box may lack all files of.
pub(super) const WEIGHT: &str = "blockIO.weight";

/// v1's cpu.shares (2..=262144) as v2's cpu.weight (1..=10000). Of a pod's cgroup linearly, as the kubelet does it (KEP-2254);
/// of a container's by the OCI runtimes' newer fit, where v1's default of 1024 is v2's default of 100
/// (github.com/opencontainers/cgroups, pull request 20). See docs/resources.md.
fn weight(place: Place, shares: u64) -> u64 {
    match place {
        Place::Pod => 1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142,
        Place::Container if shares <= 2 => 1,
        Place::Container if shares >= 262_144 => 10_000,
        Place::Container => {
            // Below 2^18, so a double has it exactly.
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            (10_f64.powf(exponent).ceil() as u64).clamp(1, 10_000)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "settings_tests.rs"]
mod tests;
