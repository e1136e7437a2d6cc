//! Limits written to plain folders in the place of hierarchies.

use super::*;
use crate::plan::MemoryProtection;

const NONE: MemoryProtection = MemoryProtection { min: None, low: None, high: None, swap: None };
const LIMITS: CgroupLimits = CgroupLimits {
    cpu_shares: Some(512),
    cpu_quota: Some(50_000),
    memory: Some(1 << 20),
    protection: NONE,
    pids: None,
};

/// A v2 hierarchy in a plain folder.
fn hierarchy(files: &[(&str, &str)]) -> (tempfile::TempDir, Hierarchies) {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let hierarchies = Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified: Some(root.path().to_owned()) };
    (root, hierarchies)
}

#[test]
fn all_or_nothing() {
    let files = [
        ("p/cpu.weight", "39\n"),
        ("p/cpu.max", "max 100000\n"),
        ("p/memory.max", "max\n"),
        ("p/c/cpu.weight", "39\n"),
    ];
    let (root, hierarchies) = hierarchy(&files);
    let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap().trim().to_owned();
    let pod = (Place::Pod, PathBuf::from("/p"), LIMITS);
    // The container's cpu.max isn't there.
    let error = hierarchies.change(&[pod.clone(), (Place::Container, PathBuf::from("/p/c"), LIMITS)]).unwrap_err();
    assert!(error.to_string().contains("p/c/cpu.max"), "{error}");
    for (name, text) in files {
        assert_eq!(read(name), text.trim(), "{name} is as it was");
    }
    hierarchies.change(&[pod]).unwrap();
    assert_eq!([read("p/cpu.weight"), read("p/cpu.max"), read("p/memory.max")], ["20", "50000 100000", "1048576"]);
}

/// Also where all limits were written, and the cgroup of all pods can't be given its sum (here: another pod's part can't be
/// read).
#[test]
fn what_was_written_is_undone_whatever_failed() {
    let files = ["memory.min", "memory.low", "poda/memory.min", "poda/memory.low", "podb/memory.low"];
    let files = files.map(|name| format!("x/barepod/{name}"));
    let (root, hierarchies) = hierarchy(&files.each_ref().map(|name| (name.as_str(), "0")));
    fs::create_dir_all(root.path().join("x/barepod/podb/memory.min")).unwrap();
    let protection = MemoryProtection { min: Some(4096), ..NONE };
    let limits = CgroupLimits { protection, ..CgroupLimits::default() };
    let error = hierarchies.change(&[(Place::Pod, PathBuf::from("/x/barepod/poda"), limits)]).unwrap_err();
    assert!(error.to_string().contains("podb/memory.min"), "{error}");
    for name in files {
        assert_eq!(fs::read_to_string(root.path().join(&name)).unwrap(), "0", "{name}");
    }
}

/// A pipe that nobody reads holds up whoever opens it to write, but for those who won't wait.
#[test]
fn writing_a_limit_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("memory.max");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(write_at_once(&pipe, "4096").unwrap_err().raw_os_error(), Some(libc::ENXIO));
    let file = dir.path().join("memory.high");
    fs::write(&file, "1048576\n").unwrap();
    write_at_once(&file, "4096").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "4096");
}

#[test]
fn swap_of_a_bundle_gives_way_on_v1() {
    let root = tempfile::tempdir().unwrap();
    let cgroup = root.path().join("c");
    fs::create_dir(&cgroup).unwrap();
    for (name, value) in [("memory.limit_in_bytes", "4096"), (V1_SWAP, "8192")] {
        fs::write(cgroup.join(name), value).unwrap();
    }
    let v1 = vec![(vec!["memory".to_owned()], root.path().to_owned())];
    let hierarchies = Hierarchies { version: CgroupVersion::V1, v1, unified: None };
    let memory = |bytes| CgroupLimits { memory: Some(bytes), ..CgroupLimits::default() };
    let change = |bytes| hierarchies.change(&[(Place::Container, PathBuf::from("/c"), memory(bytes))]).unwrap();
    let read = |name: &str| fs::read_to_string(cgroup.join(name)).unwrap();
    change(8192);
    assert_eq!((read("memory.limit_in_bytes").as_str(), read(V1_SWAP).as_str()), ("8192", "8192"));
    change(16384);
    assert_eq!((read("memory.limit_in_bytes").as_str(), read(V1_SWAP).as_str()), ("16384", "-1"));
    let protection = MemoryProtection { swap: Some(0), ..NONE };
    for bytes in [8192, 32768] {
        let limits = CgroupLimits { protection, ..memory(bytes) };
        hierarchies.change(&[(Place::Container, PathBuf::from("/c"), limits)]).unwrap();
        assert_eq!(read("memory.limit_in_bytes"), read(V1_SWAP), "{bytes}");
    }
    assert!(hierarchies.memory_usage(Path::new("/c")).is_none());
}

/// Where cgroups-rs has a setter, it writes what is asked for to the file that is asked for, and says the kernel's number.
#[test]
fn setters_write_their_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let v1 = ["cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.rt_runtime_us", "cpu.rt_period_us"];
    let memory = [V1_MEMORY, V1_SWAP, "memory.soft_limit_in_bytes", "memory.swappiness", "memory.kmem.limit_in_bytes"];
    let more =
        ["memory.kmem.tcp.limit_in_bytes", "cpuset.cpus", "cpuset.mems", PIDS, "hugetlb.2MB.rsvd.limit_in_bytes"];
    let v1 = v1.into_iter().chain(memory).chain(more).map(|file| (CgroupVersion::V1, file));
    let v2 = ["cpu.weight", "memory.max", V2_SWAP, "memory.low", "cpuset.cpus", PIDS, "hugetlb.2MB.max"];
    for (version, file) in v1.chain(v2.map(|file| (CgroupVersion::V2, file))) {
        through_controller(version, dir.path(), file, "7").unwrap().unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(file)).unwrap(), "7", "{file}");
        fs::remove_file(dir.path().join(file)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{file} and no other");
        let gone = through_controller(version, &dir.path().join("gone"), file, "7").unwrap().unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ENOENT), "{file}");
    }
    for (file, value) in [("memory.max", "max"), ("memory.high", "7"), ("memory.oom.group", "1"), ("cpu.max", "1 2")] {
        assert!(through_controller(CgroupVersion::V2, dir.path(), file, value).is_none(), "{file}");
    }
}

/// What can't be set is named by the field that asks for it.
#[test]
fn what_was_refused_is_named_by_its_field() {
    let files = [("p/memory.max", "max"), ("p/hugetlb.2MB.max", "max")];
    let (root, hierarchies) = hierarchy(&files);
    let refused = |hierarchies: &Hierarchies, json: &str| {
        let limits: LinuxResources = serde_json::from_str(json).unwrap();
        hierarchies.limit_container(Path::new("/p"), &limits).unwrap_err().to_string()
    };
    let v1 = Hierarchies { version: CgroupVersion::V1, v1: Vec::new(), unified: None };
    fs::create_dir(root.path().join("p/cpuset.cpus")).unwrap();
    for (hierarchies, json, said) in [
        (&hierarchies, r#"{"cpu": {"cpus": "0-9"}}"#, "cpu.cpus: \"0-9\": is a directory (cpuset.cpus)"),
        (
            &hierarchies,
            r#"{"hugepageLimits": [{"pageSize": "1GB", "limit": 4}]}"#,
            "hugepageLimits: the container's cgroup has no hugetlb.1GB.max",
        ),
        (&hierarchies, r#"{"unified": {"memory.x": "1"}}"#, "unified.memory.x: the container's cgroup has no memory.x"),
        (
            &hierarchies,
            r#"{"blockIO": {"weight": 10}}"#,
            "blockIO.weight: this box has no disk scheduler with weights (bfq)",
        ),
        (
            &v1,
            r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}"#,
            "hugepageLimits: cgroup hugetlb is required, which this box has not",
        ),
        (&v1, r#"{"cpu": {"shares": 4}}"#, "cpu.shares: cgroup cpu is required, which this box has not"),
    ] {
        assert_eq!(refused(hierarchies, json), format!("linux.resources.{said}"));
    }
    let limits: LinuxResources = serde_json::from_str(r#"{"memory": {"limit": 4096}, "pids": {"limit": 5}}"#).unwrap();
    hierarchies.limit_container(Path::new("/p"), &limits).unwrap();
    assert_eq!(fs::read_to_string(root.path().join("p/memory.max")).unwrap(), "4096");
    assert!(!root.path().join("p/pids.max").exists(), "that comes later");
    let missing = hierarchies.process_limit(Path::new("/p"), &limits).unwrap_err().to_string();
    assert_eq!(missing, "linux.resources.pids.limit: the container's cgroup has no pids.max");
    fs::write(root.path().join("p/pids.max"), "max").unwrap();
    hierarchies.process_limit(Path::new("/p"), &limits).unwrap().unwrap().set().unwrap();
    assert!(fs::read_to_string(root.path().join("p/pids.max")).unwrap().starts_with('5'));
}
