//! Which files say which limits, as a table, on cgroup v1 and v2.

use super::*;
use crate::plan::MemoryProtection;

fn limits(json: &str) -> LinuxResources {
    let mut limits: LinuxResources = serde_json::from_str(json).unwrap();
    limits.set_devices(None);
    limits
}

fn texts(version: CgroupVersion, place: Place, limits: &LinuxResources) -> Vec<String> {
    let texts = settings(version, place, limits);
    texts.iter().map(|one| format!("{}={}", one.file, one.value)).collect()
}

/// One line per field: what asks for it, v1's files, v2's.
#[test]
fn fields_and_their_files() {
    for (json, v1, v2) in [
        (r#"{}"#, &[][..], &[][..]),
        (r#"{"cpu": {"shares": 512}}"#, &["cpu.shares=512"], &["cpu.weight=59"]),
        (r#"{"cpu": {"shares": 0, "period": 0}}"#, &[], &[]),
        (
            r#"{"cpu": {"quota": 50000, "period": 100000}}"#,
            &["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"],
            &["cpu.max=50000 100000"],
        ),
        (r#"{"cpu": {"quota": 50000}}"#, &["cpu.cfs_quota_us=50000"], &["cpu.max=50000"]),
        (r#"{"cpu": {"quota": -1}}"#, &["cpu.cfs_quota_us=-1"], &["cpu.max=max"]),
        (r#"{"cpu": {"period": 50000}}"#, &["cpu.cfs_period_us=50000"], &["cpu.max=max 50000"]),
        (
            r#"{"cpu": {"burst": 7, "idle": 1}}"#,
            &["cpu.cfs_burst_us=7", "cpu.idle=1"],
            &["cpu.max.burst=7", "cpu.idle=1"],
        ),
        (
            r#"{"cpu": {"realtimeRuntime": 9, "realtimePeriod": 10}}"#,
            &["cpu.rt_runtime_us=9", "cpu.rt_period_us=10"],
            &[],
        ),
        (
            r#"{"cpu": {"cpus": "0-1", "mems": "0"}}"#,
            &["cpuset.cpus=0-1", "cpuset.mems=0"],
            &["cpuset.cpus=0-1", "cpuset.mems=0"],
        ),
        (r#"{"memory": {"limit": 100}}"#, &["memory.limit_in_bytes=100"], &["memory.max=100"]),
        (
            r#"{"memory": {"limit": 100, "swap": 150}}"#,
            &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=150"],
            &["memory.swap.max=50", "memory.max=100"],
        ),
        (
            r#"{"memory": {"limit": 100, "swap": -1}}"#,
            &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=-1"],
            &["memory.swap.max=max", "memory.max=100"],
        ),
        (
            r#"{"memory": {"limit": -1}}"#,
            &["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"],
            &["memory.swap.max=max", "memory.max=max"],
        ),
        (r#"{"memory": {"limit": 0, "swap": 0}}"#, &[], &[]),
        (r#"{"memory": {"reservation": 9}}"#, &["memory.soft_limit_in_bytes=9"], &["memory.low=9"]),
        (
            r#"{"memory": {"swappiness": 10, "kernel": 4, "kernelTCP": 5}}"#,
            &["memory.swappiness=10", "memory.kmem.limit_in_bytes=4", "memory.kmem.tcp.limit_in_bytes=5"],
            &[],
        ),
        (
            r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}"#,
            &["hugetlb.2MB.limit_in_bytes=4", "hugetlb.2MB.rsvd.limit_in_bytes=4"],
            &["hugetlb.2MB.max=4", "hugetlb.2MB.rsvd.max=4"],
        ),
        (r#"{"blockIO": {"weight": 1000}}"#, &["blkio.weight=1000"], &["io.bfq.weight=1000"]),
        (r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}}"#, &[], &["io.bfq.weight=8:0 10"]),
        (
            r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 5}],
                            "throttleWriteIOPSDevice": [{"major": 8, "minor": 1, "rate": 6}]}}"#,
            &["blkio.throttle.read_bps_device=8:1 5", "blkio.throttle.write_iops_device=8:1 6"],
            &["io.max=8:1 rbps=5", "io.max=8:1 wiops=6"],
        ),
        (
            r#"{"network": {"classID": 7, "priorities": [{"name": "lo", "priority": 5}, {"name": "x", "priority": 6}]}}"#,
            &["net_cls.classid=7", "net_prio.ifpriomap=lo 5", "net_prio.ifpriomap=x 6"],
            &[],
        ),
        (r#"{"unified": {"memory.oom.group": "1", "cpu.weight": "7"}}"#, &[], &["cpu.weight=7", "memory.oom.group=1"]),
        (r#"{"pids": {"limit": 5}}"#, &["pids.max=5"], &["pids.max=5"]),
        (r#"{"pids": {"limit": 0}}"#, &["pids.max=max"], &["pids.max=max"]),
    ] {
        let limits = limits(json);
        assert_eq!(texts(CgroupVersion::V1, Place::Container, &limits), v1, "{json} on v1");
        assert_eq!(texts(CgroupVersion::V2, Place::Container, &limits), v2, "{json} on v2");
        assert_eq!(texts(CgroupVersion::None, Place::Container, &limits), [""; 0]);
    }
}

/// Where a file may be missing, and what becomes of it then.
#[test]
fn what_a_cgroup_may_lack() {
    let of = |version, place, json| settings(version, place, &limits(json));
    let huge = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}"#;
    let absent = |place| of(CgroupVersion::V2, place, huge).into_iter().map(|one| one.absent).collect::<Vec<_>>();
    assert_eq!(absent(Place::Pod), [Absent::Fine, Absent::Fine]);
    assert_eq!(absent(Place::Container), [Absent::Fault, Absent::Fine]);
    let swap = r#"{"memory": {"limit": 100, "swap": 150}}"#;
    let files = |place| {
        let all = of(CgroupVersion::V1, place, swap);
        all.into_iter().filter(|one| one.absent == Absent::Fine).map(|one| one.file).collect::<Vec<_>>()
    };
    assert_eq!((files(Place::Pod), files(Place::Container)), (vec![V1_SWAP.to_owned()], vec![]));
    let weight = r#"{"blockIO": {"weight": 1000}}"#;
    for (version, file) in [(CgroupVersion::V1, "blkio.bfq.weight=1000"), (CgroupVersion::V2, "io.weight=10000")] {
        let Absent::Instead(other) = &of(version, Place::Container, weight)[0].absent else { panic!("{file}") };
        assert_eq!(format!("{}={}", other.file, other.value), file);
    }
}

/// R9.3: what barepod plans, in the OCI's form.
#[test]
fn what_is_planned() {
    const NONE: MemoryProtection = MemoryProtection { min: None, low: None, high: None, swap: None };
    let all = CgroupLimits {
        cpu_shares: Some(512),
        cpu_quota: Some(50_000),
        memory: Some(1 << 20),
        protection: NONE,
        pids: Some(9),
    };
    let of = |version, limits: &CgroupLimits, huge: &[HugePageLimit]| {
        texts(version, Place::Pod, &planned(version, limits, huge))
    };
    let huge = HugePageLimit { page: crate::plan::Bytes(2 << 20), limit: crate::plan::Bytes(4 << 20) };
    assert_eq!(
        of(CgroupVersion::V1, &all, &[huge]),
        [
            "cpu.shares=512",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=50000",
            "memory.limit_in_bytes=1048576",
            "hugetlb.2MB.limit_in_bytes=4194304",
            "hugetlb.2MB.rsvd.limit_in_bytes=4194304",
            "pids.max=9"
        ]
    );
    assert_eq!(
        of(CgroupVersion::V2, &all, &[huge]),
        [
            "cpu.weight=20",
            "cpu.max=50000 100000",
            "memory.max=1048576",
            "hugetlb.2MB.max=4194304",
            "hugetlb.2MB.rsvd.max=4194304",
            "pids.max=9"
        ]
    );
    for version in [CgroupVersion::V1, CgroupVersion::V2] {
        assert_eq!(of(version, &CgroupLimits::default(), &[]), [""; 0]);
    }
    let protection = MemoryProtection { min: Some(1), low: Some(2), high: Some(3), swap: None };
    let protected = CgroupLimits { protection, ..CgroupLimits::default() };
    assert_eq!(of(CgroupVersion::V1, &protected, &[]), [""; 0]);
    assert_eq!(of(CgroupVersion::V2, &protected, &[]), ["memory.high=3", "memory.low=2", "memory.min=1"]);
    for (memory, swap, v1, v2) in [
        (Some(100), 0, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=100"][..], "0"),
        (Some(100), 7, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=107"], "7"),
        (Some(100), i64::MAX, &["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=-1"], "max"),
        (None, 0, &[], "0"),
    ] {
        let protection = MemoryProtection { swap: Some(swap), ..NONE };
        let limits = CgroupLimits { memory, protection, ..CgroupLimits::default() };
        assert_eq!(of(CgroupVersion::V1, &limits, &[]), v1);
        assert!(of(CgroupVersion::V2, &limits, &[]).contains(&format!("memory.swap.max={v2}")));
    }
}

/// R9.3: a pod's as the kubelet's, a container's as runc's; the same at the start and in a resize.
#[test]
fn shares_become_weights() {
    for (shares, pod, container) in [(2, 1, 1), (102, 4, 17), (1024, 39, 100), (262_144, 10_000, 10_000)] {
        assert_eq!((weight(Place::Pod, shares), weight(Place::Container, shares)), (pod, container));
    }
}
