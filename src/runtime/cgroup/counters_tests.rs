//! Counters of folders that look like cgroups, of v2 and of v1.

use super::*;

/// Writes files into a folder that is made for them.
fn write(folder: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

const PRESSURE: &str =
    "some avg10=1.25 avg60=0.10 avg300=0.00 total=7\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=0\n";

fn v2(root: &Path) -> Hierarchies {
    Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified: Some(root.to_owned()) }
}

#[test]
fn counters_of_v2() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        ("cpu.stat", "usage_usec 2500000\nuser_usec 1\n"),
        ("cpu.max", "50000 100000\n"),
        ("memory.current", "10485760\n"),
        ("memory.stat", "anon 5\ninactive_file 4194304\nactive_file 9\n"),
        ("memory.max", "67108864\n"),
        ("pids.current", "3\n"),
        ("pids.max", "max\n"),
        ("io.stat", "8:0 rbytes=4096 wbytes=100 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=4 wbytes=0 rios=1 wios=0\n"),
        ("memory.pressure", PRESSURE),
    ];
    write(&root.path().join("p"), &files);
    let counters = v2(root.path()).counters(Path::new("/p")).unwrap();
    let expected = Counters {
        identity: counters.identity,
        cpu: Some(Duration::from_millis(2500)),
        cpu_limit: Some(MilliCpu(500)),
        working_set: Some(Bytes(6 << 20)),
        memory_limit: Some(Bytes(64 << 20)),
        tasks: Some(3),
        tasks_limit: None,
        read: Some(Bytes(4100)),
        written: Some(Bytes(100)),
        memory_stall: Some(Stall(1.25)),
        ..Counters::default()
    };
    assert_eq!(counters, expected);
    write(&root.path().join("p"), &[("cpu.max", "max 100000\n"), ("memory.max", "max\n")]);
    let counters = v2(root.path()).counters(Path::new("/p")).unwrap();
    assert_eq!((counters.cpu_limit, counters.memory_limit), (None, None));
}

/// What isn't there is unknown, never nothing; and the cache may be gone before it is subtracted.
#[test]
fn what_is_not_counted_is_unknown() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(v2(root.path()).counters(Path::new("/p")), None);
    write(&root.path().join("p"), &[("memory.current", "100\n")]);
    let counters = v2(root.path()).counters(Path::new("/p")).unwrap();
    assert_eq!(counters, Counters { identity: counters.identity, ..Counters::default() });
    write(&root.path().join("p"), &[("memory.stat", "inactive_file 4096\n"), ("io.stat", "")]);
    let counters = v2(root.path()).counters(Path::new("/p")).unwrap();
    assert_eq!((counters.working_set, counters.read, counters.cpu), (Some(Bytes(0)), Some(Bytes(0)), None));
}

#[test]
fn counters_of_a_hybrid_box() {
    let root = tempfile::tempdir().unwrap();
    let mount = |name: &str| root.path().join(name);
    let v1 = ["cpu,cpuacct", "memory", "blkio", "pids"].map(|names| {
        let controllers = names.split(',').map(str::to_owned).collect();
        (controllers, mount(names))
    });
    let unified = Some(mount("unified"));
    let hierarchies = Hierarchies { version: CgroupVersion::V1, v1: v1.to_vec(), unified };
    write(
        &mount("cpu,cpuacct/p"),
        &[("cpuacct.usage", "1500000000\n"), ("cpu.cfs_quota_us", "-1\n"), ("cpu.cfs_period_us", "100000\n")],
    );
    let memory = [
        ("memory.usage_in_bytes", "8192\n"),
        ("memory.stat", "inactive_file 1\ntotal_inactive_file 4096\n"),
        ("memory.limit_in_bytes", "9223372036854771712\n"),
    ];
    write(&mount("memory/p"), &memory);
    let disks = "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n8:16 Read 1\n8:16 Write 2\nTotal 33\n";
    write(&mount("blkio/p"), &[("blkio.throttle.io_service_bytes_recursive", disks)]);
    write(&mount("pids/p"), &[("pids.current", "2\n"), ("pids.max", "5\n")]);
    write(&mount("unified/p"), &[("cpu.pressure", PRESSURE), ("cpu.stat", "usage_usec 9\n")]);
    let counters = hierarchies.counters(Path::new("/p")).unwrap();
    let expected = Counters {
        identity: counters.identity,
        cpu: Some(Duration::from_millis(1500)),
        working_set: Some(Bytes(4096)),
        tasks: Some(2),
        tasks_limit: Some(5),
        read: Some(Bytes(11)),
        written: Some(Bytes(22)),
        cpu_stall: Some(Stall(1.25)),
        ..Counters::default()
    };
    assert_eq!(counters, expected);
    // Where no hierarchy of v1 counts CPU time, v2 does.
    let without = Hierarchies { v1: hierarchies.v1[1..].to_vec(), ..hierarchies };
    assert_eq!(without.counters(Path::new("/p")).unwrap().cpu, Some(Duration::from_micros(9)));
}
