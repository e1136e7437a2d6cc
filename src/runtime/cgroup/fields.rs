//! Which field of `linux.resources` it was that the kernel or libcgroups refused. libcgroups' errors say it nowhere: they
//! have the file and what was written, which lead back to it, and their types are many, so their `Debug` is read.

use oci_spec::runtime::LinuxResources;

use super::CgroupError;
use crate::runtime::program::words;

/// The fields below `linux.resources` by the files of v1 and v2.
const FILES: [(&str, &str); 31] = [
    ("cpu.shares", "cpu.shares"),
    ("cpu.weight", "cpu.shares"),
    ("cpu.cfs_quota_us", "cpu.quota"),
    ("cpu.max", "cpu.quota"),
    ("cpu.cfs_period_us", "cpu.period"),
    ("cpu.cfs_burst_us", "cpu.burst"),
    ("cpu.max.burst", "cpu.burst"),
    ("cpu.idle", "cpu.idle"),
    ("cpu.rt_runtime_us", "cpu.realtimeRuntime"),
    ("cpu.rt_period_us", "cpu.realtimePeriod"),
    ("cpuset.cpus", "cpu.cpus"),
    ("cpuset.mems", "cpu.mems"),
    ("memory.limit_in_bytes", "memory.limit"),
    ("memory.max", "memory.limit"),
    ("memory.soft_limit_in_bytes", "memory.reservation"),
    ("memory.low", "memory.reservation"),
    ("memory.memsw.limit_in_bytes", "memory.swap"),
    ("memory.swap.max", "memory.swap"),
    ("memory.kmem.limit_in_bytes", "memory.kernel"),
    ("memory.kmem.tcp.limit_in_bytes", "memory.kernelTCP"),
    ("memory.swappiness", "memory.swappiness"),
    ("pids.max", "pids.limit"),
    ("blkio.throttle.read_bps_device", "blockIO.throttleReadBpsDevice"),
    ("blkio.throttle.write_bps_device", "blockIO.throttleWriteBpsDevice"),
    ("blkio.throttle.read_iops_device", "blockIO.throttleReadIOPSDevice"),
    ("blkio.throttle.write_iops_device", "blockIO.throttleWriteIOPSDevice"),
    ("blkio.weight", "blockIO.weight"),
    ("blkio.bfq.weight", "blockIO.weight"),
    ("io.weight", "blockIO.weight"),
    ("net_cls.classid", "network.classID"),
    ("net_prio.ifpriomap", "network.priorities"),
];

/// v2's limits of disks are in one file.
const DISKS: [(&str, &str); 4] = [
    (" rbps=", "blockIO.throttleReadBpsDevice"),
    (" wbps=", "blockIO.throttleWriteBpsDevice"),
    (" riops=", "blockIO.throttleReadIOPSDevice"),
    (" wiops=", "blockIO.throttleWriteIOPSDevice"),
];

/// What libcgroups refuses itself, by its errors' names.
const REFUSED: [(&str, &str, &str); 8] = [
    ("MemoryValue(", "memory.limit", "is no amount of memory"),
    ("SwapValue(", "memory.swap", "is no amount of memory"),
    ("SwapTooSmall", "memory.swap", "is less than memory.limit, which it includes"),
    ("SwapWithoutLimit", "memory.swap", "needs a memory.limit, which it includes"),
    ("MemoryReservation(", "memory.reservation", "is no amount of memory"),
    ("SwappinessOutOfRange", "memory.swappiness", "must be between 0 and 100"),
    ("MalformedPageSize", "hugepageLimits", "has a pageSize that is none; write it as 2MB or 1GB"),
    ("UnableToSet", "memory.limit", "is less than what making the container needs"),
];

/// v1's controllers that a box may lack, by libcgroups' names.
const CONTROLLERS: [(&str, &str, &str); 8] = [
    ("CGroupRequired(Cpu)", "cpu", "cpu"),
    ("CGroupRequired(CpuSet)", "cpu.cpus", "cpuset"),
    ("CGroupRequired(Memory)", "memory", "memory"),
    ("CGroupRequired(Pids)", "pids", "pids"),
    ("CGroupRequired(Blkio)", "blockIO", "blkio"),
    ("CGroupRequired(HugeTlb)", "hugepageLimits", "hugetlb"),
    ("CGroupRequired(NetworkClassifier)", "network.classID", "net_cls"),
    ("CGroupRequired(NetworkPriority)", "network.priorities", "net_prio"),
];

/// What an error of libcgroups' (its `Debug`) is about. `None`: nothing that is known.
pub(crate) fn refusal(error: &str, resources: &LinuxResources) -> Option<CgroupError> {
    let resource =
        |field: &str, cause: String| CgroupError::Resource { field: format!("linux.resources.{field}"), cause };
    if let Some((_, field, controller)) = CONTROLLERS.iter().find(|(name, _, _)| error.contains(name)) {
        return Some(resource(field, format!("cgroup {controller} is required, which this box has not")));
    }
    if let Some((_, field, why)) = REFUSED.iter().find(|(name, _, _)| error.contains(name)) {
        return Some(resource(field, (*why).to_owned()));
    }
    let file = quoted(error, "path: ")?.rsplit('/').next()?;
    let data = quoted(error, "data: ");
    let code = error.rsplit_once("code: ")?.1;
    let code: i32 = code.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()?;
    Some(written(file, data, code, resources))
}

/// Why a file of a container's cgroup couldn't be written; without data it couldn't even be opened.
pub(super) fn written(file: &str, data: Option<&str>, code: i32, resources: &LinuxResources) -> CgroupError {
    let unified = resources.unified().as_ref().and_then(|all| all.get(file));
    let field = match unified.filter(|value| data.is_none_or(|data| data == value.as_str())) {
        Some(_) => format!("linux.resources.unified.{file}"),
        None => format!("linux.resources.{}", field(file, data.unwrap_or_default())),
    };
    let cause = match data {
        Some(data) => format!("{:?}: {} ({file})", data.trim(), words(code)),
        None if code == libc::ENOENT || code == libc::EACCES => format!("the container's cgroup has no {file}"),
        None => format!("{} ({file})", words(code)),
    };
    CgroupError::Resource { field, cause }
}

fn field(file: &str, data: &str) -> &'static str {
    if file == "io.max" {
        return DISKS.iter().find(|(key, _)| data.contains(key)).map_or("blockIO", |(_, field)| field);
    }
    if file == "io.bfq.weight" {
        // Where there is none, a cgroup's own weight is written elsewhere.
        return if data.is_empty() || data.contains(' ') { "blockIO.weightDevice" } else { "blockIO.weight" };
    }
    if file == "cpu.max" && data.starts_with("max ") {
        return "cpu.period";
    }
    if file.starts_with("hugetlb.") {
        return "hugepageLimits";
    }
    FILES.iter().find(|(name, _)| *name == file).map_or("unified", |(_, field)| field)
}

/// The string behind a key, as `Debug` writes it.
fn quoted<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("{key}\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_named_by_its_field() {
        let write = |file: &str, data: &str| {
            format!(
                "V2(CpuSetController(Write {{ err: Os {{ code: 34, kind: Uncategorized, message: \"x\" }}, \
                 path: \"/sys/fs/cgroup/p/{file}\", data: \"{data}\" }}))"
            )
        };
        let unified = r#"{"unified": {"memory.high": "x", "memory.max": "7"}}"#;
        for (error, resources, said) in [
            (write("cpuset.cpus", "0-999"), "{}", "cpu.cpus: \"0-999\": numerical result out of range (cpuset.cpus)"),
            (write("io.max", "8:0 wbps=x"), "{}", "blockIO.throttleWriteBpsDevice: \"8:0 wbps=x\": numerical"),
            (write("io.bfq.weight", "8:0 9999"), "{}", "blockIO.weightDevice: \"8:0 9999\": "),
            (write("io.bfq.weight", "9999"), "{}", "blockIO.weight: \"9999\": "),
            (write("hugetlb.2MB.max", "-7"), "{}", "hugepageLimits: \"-7\": "),
            (write("memory.high", "x"), unified, "unified.memory.high: \"x\": "),
            (write("memory.max", "7"), unified, "unified.memory.max: \"7\": "),
            (write("memory.max", "8"), unified, "memory.limit: \"8\": "),
            (
                "Open { err: Os { code: 2, kind: NotFound, message: \"x\" }, path: \"/x/hugetlb.3MB.max\" }".to_owned(),
                "{}",
                "hugepageLimits: the container's cgroup has no hugetlb.3MB.max",
            ),
            (
                "Open { err: Os { code: 2, kind: NotFound, message: \"x\" }, path: \"/x/io.bfq.weight\" }".to_owned(),
                "{}",
                "blockIO.weightDevice: the container's cgroup has no io.bfq.weight",
            ),
            (
                "MemoryController(SwapTooSmall { swap: 1, limit: 2 })".to_owned(),
                "{}",
                "memory.swap: is less than memory.limit, which it includes",
            ),
            (
                "V1(CGroupRequired(HugeTlb))".to_owned(),
                "{}",
                "hugepageLimits: cgroup hugetlb is required, which this box has not",
            ),
        ] {
            let resources = serde_json::from_str(resources).unwrap();
            let told = refusal(&error, &resources).unwrap().to_string();
            assert!(told.starts_with(&format!("linux.resources.{said}")), "{told}");
        }
        assert!(refusal("FailedToDetect", &LinuxResources::default()).is_none());
    }
}
