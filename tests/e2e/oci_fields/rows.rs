//! The rows: a field of config.json, and how it is read back.

use std::fs;

use serde_json::{Value, json};

use super::Told::{Refused, Word, WordOr};
use super::{On, Row, row};

/// The numbers of a disk of the box.
fn disk() -> Option<(i64, i64)> {
    let names = fs::read_dir("/sys/block").ok()?.flatten();
    let disk = names.map(|entry| entry.path()).find(|path| path.join("device").exists() && !path.ends_with("fd0"))?;
    let numbers = fs::read_to_string(disk.join("dev")).ok()?;
    let (major, minor) = numbers.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

pub(super) fn of_the_process() -> Vec<Row> {
    let process = |more: Value| json!({ "process": more });
    let scheduler = |more: Value| process(json!({ "scheduler": more }));
    let sets = ["bounding", "permitted", "effective", "inheritable", "ambient"].map(|set| (set, json!(["CAP_CHOWN"])));
    let sets: serde_json::Map<String, Value> = sets.map(|(set, names)| (set.to_owned(), names)).into_iter().collect();
    let policy = "cut -d' ' -f41 /proc/$$/stat";
    vec![
        row("idle", On::Any, scheduler(json!({"policy": "SCHED_IDLE"})), policy, Word(&["5"])),
        // With cgroup v1 there may be no time for them (CONFIG_RT_GROUP_SCHED).
        row(
            "round-robin",
            On::V2,
            scheduler(json!({"policy": "SCHED_RR", "priority": 11})),
            "cut -d' ' -f40,41 /proc/self/stat | tr ' ' :",
            Word(&["11:2"]),
        ),
        row(
            "reset-on-fork",
            On::V2,
            scheduler(json!({"policy": "SCHED_FIFO", "priority": 11, "flags": ["SCHED_FLAG_RESET_ON_FORK"]})),
            "echo $(cut -d' ' -f41 /proc/$$/stat):$(cut -d' ' -f41 /proc/self/stat)",
            Word(&["1:0"]),
        ),
        row(
            "deadline",
            On::V2,
            scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 400_000_000, "deadline": 500_000_000,
                "period": 500_000_000, "flags": ["SCHED_FLAG_RESET_ON_FORK"]})),
            policy,
            Word(&["6"]),
        ),
        row(
            "io-idle",
            On::Any,
            process(json!({"ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0}})),
            "ionice",
            Word(&["idle"]),
        ),
        row(
            "no-new",
            On::Any,
            process(json!({"noNewPrivileges": true})),
            "grep NoNewPrivs /proc/self/status",
            Word(&["1"]),
        ),
        row(
            "capabilities",
            On::Any,
            process(json!({ "capabilities": sets })),
            "grep Cap /proc/self/status | sort -u -k2 | wc -l; grep CapAmb /proc/self/status",
            Word(&["0000000000000001"]),
        ),
        // Whether the kernel has no AppArmor or none of this name.
        row(
            "apparmor",
            On::Any,
            process(json!({"apparmorProfile": "barepod-none"})),
            "true",
            Refused("process.apparmorProfile: "),
        ),
        row("env", On::Any, process(json!({"env": ["PATH=/bin", "MINE=a=b"]})), "echo $MINE", Word(&["a=b"])),
    ]
}

pub(super) fn of_linux() -> Vec<Row> {
    let linux = |more: Value| json!({ "linux": more });
    let rule = |more: Value| linux(json!({"resources": {"devices": [more]}}));
    let loops = json!({"allow": true, "type": "b", "major": 7, "minor": 3, "access": "rm"});
    let open = "mknod /n b 7 3; mknod /m b 7 4; (cat /n; echo x > /n; cat /m) 2>&1 | grep -c 'not permitted'";
    let memory = |more: Value| linux(json!({ "memoryPolicy": more }));
    // Modes whose last nine bits are 0644 exceed a quota (EDQUOT).
    let mode = |name: &str, index: u32| {
        json!({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 122,
            "args": [{"index": index, "value": 0o777, "valueTwo": 0o644, "op": "SCMP_CMP_MASKED_EQ"}]})
    };
    vec![
        row(
            "bind",
            On::Any,
            memory(json!({"mode": "MPOL_BIND", "nodes": "0"})),
            "head -1 /proc/self/numa_maps",
            Word(&["bind:0"]),
        ),
        row(
            "prefer",
            On::Any,
            memory(json!({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]})),
            "head -1 /proc/self/numa_maps",
            Word(&["prefer=static:0"]),
        ),
        // Reading the one is all that is allowed.
        row("rule", On::Any, rule(loops), open, Word(&["2"])),
        row("root", On::Any, json!({"root": {"readonly": true}}), "touch /new 2>&1", Word(&["Read-only"])),
        row(
            "slave",
            On::Any,
            json!({"mounts": [{"destination": "/x", "type": "bind", "source": "/tmp", "options": ["rbind", "shared"]}]}),
            "true",
            Refused("mounts[0].options: \"shared\" is not supported"),
        ),
        row(
            "seccomp",
            On::Any,
            linux(json!({"seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
                "syscalls": [mode("chmod", 1), mode("fchmodat", 2), mode("fchmodat2", 2)]}})),
            "touch /f; (chmod 644 /f 2>&1 | grep -o quota; chmod 600 /f && echo yes) | tr '\\n' :",
            Word(&["quota:yes:"]),
        ),
        row(
            "notify",
            On::Any,
            linux(json!({"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_NOTIFY"}]}})),
            "true",
            Refused("SCMP_ACT_NOTIFY"),
        ),
        row(
            "vm",
            On::Any,
            json!({"vm": {"kernel": {"path": "/k"}}}),
            "true",
            Refused("vm: a virtual machine is not supported"),
        ),
    ]
}

pub(super) fn of_resources() -> Vec<Row> {
    let all = |more: Value| json!({"linux": {"resources": more}});
    let cpu = |more: Value| all(json!({ "cpu": more }));
    let memory = |more: Value| all(json!({ "memory": more }));
    let network = || all(json!({"network": {"classID": 1_048_577}}));
    vec![
        row("cpu-idle", On::V1, cpu(json!({"idle": 1})), "cat cpu/cpu.idle", Word(&["1"])),
        row("cpu-idle", On::V2, cpu(json!({"idle": 1})), "cat cpu.idle", Word(&["1"])),
        row(
            "burst",
            On::V1,
            cpu(json!({"quota": 50_000, "period": 100_000, "burst": 20_000})),
            "cat cpu/cpu.cfs_burst_us",
            Word(&["20000"]),
        ),
        row(
            "burst",
            On::V2,
            cpu(json!({"quota": 50_000, "period": 100_000, "burst": 20_000})),
            "cat cpu.max.burst",
            Word(&["20000"]),
        ),
        row("shares", On::V1, cpu(json!({"shares": 512})), "cat cpu/cpu.shares", Word(&["512"])),
        // By the conversion of the OCI's runtimes, the old and the new one.
        row("shares", On::V2, cpu(json!({"shares": 512})), "cat cpu.weight", Word(&["20", "59"])),
        row("mems", On::Any, cpu(json!({"mems": "0"})), "grep Mems_allowed_list /proc/self/status", Word(&["0"])),
        row(
            "real-time",
            On::V1,
            cpu(json!({"realtimeRuntime": 1000, "realtimePeriod": 100_000})),
            "true",
            Refused("linux.resources.cpu.realtimeRuntime: "),
        ),
        row(
            "real-time",
            On::V2,
            cpu(json!({"realtimePeriod": 100_000})),
            "true",
            Refused("linux.resources.cpu.realtimeRuntime: "),
        ),
        row(
            "swap",
            On::V1,
            memory(json!({"limit": 67_108_864, "swap": 134_217_728})),
            "cat memory/memory.memsw.limit_in_bytes",
            Word(&["134217728"]),
        ),
        row(
            "swap",
            On::V2,
            memory(json!({"limit": 67_108_864, "swap": 100_663_296})),
            "cat memory.swap.max",
            Word(&["33554432"]),
        ),
        row("swappiness", On::V1, memory(json!({"swappiness": 10})), "cat memory/memory.swappiness", Word(&["10"])),
        row(
            "tcp",
            On::V1,
            memory(json!({"kernelTCP": 67_108_864})),
            "cat memory/memory.kmem.tcp.limit_in_bytes",
            Word(&["67108864"]),
        ),
        row("tcp", On::V2, memory(json!({"kernelTCP": 1})), "true", Refused("linux.resources.memory.kernelTCP: ")),
        row(
            "unified",
            On::V1,
            all(json!({"unified": {"memory.high": "67108864"}})),
            "true",
            Refused("linux.resources.unified: "),
        ),
        row(
            "unified",
            On::V2,
            all(json!({"unified": {"memory.high": "67108864", "memory.oom.group": "0"}})),
            "echo $(cat memory.high):$(cat memory.oom.group)",
            Word(&["67108864:0"]),
        ),
        row(
            "huge",
            On::Without("hugetlb"),
            all(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}]})),
            "true",
            Refused("linux.resources.hugepageLimits[0]: "),
        ),
        row(
            "huge",
            On::V2,
            all(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}]})),
            "cat hugetlb.2MB.max",
            Word(&["4194304"]),
        ),
        row(
            "huge",
            On::With("hugetlb"),
            all(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}]})),
            "cat hugetlb/hugetlb.2MB.limit_in_bytes",
            Word(&["4194304"]),
        ),
        row("class", On::With("net_cls"), network(), "cat net_cls/net_cls.classid", Word(&["1048577"])),
        row(
            "priorities",
            On::With("net_prio"),
            all(json!({"network": {"priorities": [{"name": "lo", "priority": 5}]}})),
            "grep lo net_prio/net_prio.ifpriomap",
            Word(&["5"]),
        ),
        row("class", On::Without("net_cls"), network(), "true", Refused("linux.resources.network.")),
        row(
            "priorities",
            On::V2,
            all(json!({"network": {"priorities": [{"name": "lo", "priority": 1}]}})),
            "true",
            Refused("linux.resources.network: "),
        ),
        row(
            "weights",
            On::V1,
            all(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}})),
            "true",
            Refused("linux.resources.blockIO.weightDevice: "),
        ),
        row("class", On::V2, network(), "true", Refused("linux.resources.network: ")),
        row(
            "weight",
            On::V1,
            all(json!({"blockIO": {"weight": 500}})),
            "cat blkio/blkio.bfq.weight",
            WordOr(&["500"], "linux.resources.blockIO.weight: this box has no disk scheduler with weights"),
        ),
    ]
}

pub(super) fn of_disks() -> Vec<Row> {
    let Some((major, minor)) = disk() else {
        crate::skips::skip("limits of disks: this box has none");
        return Vec::new();
    };
    let limit = |rate: u64| json!([{"major": major, "minor": minor, "rate": rate}]);
    let limits = json!({"linux": {"resources": {"blockIO": {
        "throttleReadBpsDevice": limit(1_000_001), "throttleWriteBpsDevice": limit(1_000_002),
        "throttleReadIOPSDevice": limit(1003), "throttleWriteIOPSDevice": limit(1004)}}}});
    vec![
        row(
            "disk",
            On::V1,
            limits.clone(),
            "cd blkio; echo $(cut -d' ' -f2 blkio.throttle.read_bps_device blkio.throttle.write_bps_device \
                blkio.throttle.read_iops_device blkio.throttle.write_iops_device) | tr ' ' :",
            Word(&["1000001:1000002:1003:1004"]),
        ),
        row(
            "disk",
            On::V2,
            limits,
            "cut -d' ' -f2- io.max | tr ' ' :",
            Word(&["rbps=1000001:wbps=1000002:riops=1003:wiops=1004"]),
        ),
    ]
}
