//! Fields of an OCI bundle's config.json that count (docs/oci.md), as its container sees them: the cases of
//! opencontainers/runtime-tools' and youki's suites that apply to a bundle, many in one pod.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main, merge, open_files_suffice};

fn bundle(case: &Case, more: &Value) {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    let mut config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {},
        "process": {"args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
    merge(&mut config, more);
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// Runs the bundle and gives what its container said, a line for each `tell NAME COMMAND`.
fn told(case: &Case, config: &Value, script: &str) -> Vec<String> {
    bundle(case, config);
    let tell = "tell() { n=$1; shift; say $n $(eval \"$@\" 2>&1); }";
    let container = main("main", &format!("{tell}\n{script}\ntrue"), json!({"image": "bundle:b"}));
    assert_eq!(case.run(&case.pod().container(container)), 0);
    case.trace()
}

/// process: user, umask, rlimits, ioPriority, scheduler; linux: personality, sysctl.
#[test]
fn the_process_is_as_the_bundle_says() {
    if !open_files_suffice(1024) {
        return;
    }
    let Some(case) = Case::new("oci-process") else { return };
    let config = json!({
        "process": {
            "user": {"uid": 0, "gid": 5, "umask": 0o027, "additionalGids": [7, 9]},
            "cwd": "/etc",
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": 512, "hard": 1024},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 4096},
                {"type": "RLIMIT_FSIZE", "soft": 1_048_576, "hard": 2_097_152}
            ],
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6},
            "scheduler": {"policy": "SCHED_BATCH", "nice": 5},
            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}
        },
        "linux": {
            "personality": {"domain": "LINUX32"},
            "sysctl": {"net.ipv4.ip_unprivileged_port_start": "77", "kernel.shm_rmid_forced": "1"}
        }
    });
    let script = "tell gid id -g; tell umask umask; tell nofile \"grep files /proc/self/limits | awk '{print \\$4,\\$5}'\"
        tell core \"grep core /proc/self/limits | awk '{print \\$5,\\$6}'\"; tell fsize \"grep 'file size' /proc/self/limits | head -1 | awk '{print \\$4,\\$5}'\"
        tell groups \"grep Groups /proc/self/status | cut -f2\"; tell cwd pwd
        tell policy cut -d\"' '\" -f41 /proc/self/stat; tell nice cut -d\"' '\" -f19 /proc/self/stat
        tell io ionice; tell machine uname -m; tell port cat /proc/sys/net/ipv4/ip_unprivileged_port_start
        tell shm cat /proc/sys/kernel/shm_rmid_forced; tell oom cat /proc/self/oom_score_adj";
    let told = told(&case, &config, script);
    for line in [
        "gid 5",
        "umask 0027",
        "nofile 512 1024",
        "core 0 4096",
        "fsize 1048576 2097152",
        "cwd /etc",
        "policy 3",
        "nice 5",
        "io best-effort: prio 6",
        "machine i686",
        "port 77",
        "shm 1",
        "oom 1000",
    ] {
        assert!(told.iter().any(|one| one == line), "{line}: {told:#?}");
    }
    let groups = told.iter().find(|line| line.starts_with("groups")).unwrap();
    assert!(groups.contains('7') && groups.contains('9'), "{groups}");
}

/// mounts with options, tmpfs, relative bind sources, masked and read-only paths, devices.
#[test]
fn the_files_are_as_the_bundle_says() {
    let Some(case) = Case::new("oci-files") else { return };
    fs::create_dir(case.dir().join("outside")).unwrap();
    fs::write(case.dir().join("outside/file"), "outside\n").unwrap();
    let config = json!({
        "mounts": [
            {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "noexec", "nodev", "size=64k", "mode=1750"]},
            {"destination": "/data", "type": "none", "source": "../outside", "options": ["bind", "ro"]},
            {"destination": "/both", "type": "bind", "source": case.dir().join("outside"), "options": ["rbind", "rw", "nodev"]}
        ],
        "linux": {
            "maskedPaths": ["/proc/meminfo", "/var"],
            "readonlyPaths": ["/root"],
            "rootfsPropagation": "slave",
            "devices": [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8}]
        }
    });
    let script = "tell scratch \"grep ' /scratch ' /proc/self/mountinfo | cut -d' ' -f6\"; tell mode stat -c %a /scratch
        tell size \"dd if=/dev/zero of=/scratch/f bs=1k count=128 >/dev/null 2>&1 || echo full\"
        tell data cat /data/file; tell dataw \"echo x > /data/new\"; tell both \"echo new > /both/new && cat /both/new\"
        tell masked \"cat /proc/meminfo | wc -c\"; tell maskeddir \"ls /var | wc -l\"; tell readonly \"echo x > /root/f\"
        tell mine stat -c \"'%a %t:%T %u %g'\" /dev/mine; tell zero \"head -c 4 /dev/mine | wc -c\"";
    let told = told(&case, &config, script);
    for line in
        ["mode 1750", "size full", "data outside", "both new", "masked 0", "maskeddir 0", "mine 640 1:5 7 8", "zero 4"]
    {
        assert!(told.iter().any(|one| one == line), "{line}: {told:#?}");
    }
    let said = |name: &str| told.iter().find(|line| line.starts_with(name)).cloned().unwrap_or_default();
    for option in ["nosuid", "noexec", "nodev"] {
        assert!(said("scratch ").contains(option), "{told:#?}");
    }
    assert!(said("dataw").contains("Read-only") && said("readonly").contains("Read-only"), "{told:#?}");
    assert!(!case.dir().join("outside/f").exists());
}

/// linux.resources, on either kind of cgroup.
#[test]
fn the_limits_are_as_the_bundle_says() {
    let Some(case) = Case::new("oci-limits") else { return };
    let config = json!({"linux": {"resources": {
        "pids": {"limit": 33},
        "memory": {"limit": 67_108_864, "reservation": 33_554_432},
        "cpu": {"shares": 512, "quota": 50000, "period": 100_000, "cpus": "0"}
    }}});
    let script = "cd /sys/fs/cgroup; tell pids cat pids/pids.max pids.max; tell memory cat memory/memory.limit_in_bytes memory.max
        tell reserved cat memory/memory.soft_limit_in_bytes memory.low; tell quota cat cpu/cpu.cfs_quota_us cpu.max
        tell cpus grep Cpus_allowed_list /proc/self/status";
    let told = told(&case, &config, script);
    for (name, value) in
        [("pids", "33"), ("memory", "67108864"), ("reserved", "33554432"), ("quota", "50000"), ("cpus", "0")]
    {
        let line = told.iter().find(|line| line.starts_with(name)).cloned().unwrap_or_default();
        assert!(line.split_whitespace().any(|word| word == value), "{name} {value}: {told:#?}");
    }
}

/// Namespaces, cgroup, host name and oom_score_adj are the pod's, whatever the bundle says.
#[test]
fn what_is_the_pods() {
    let Some(case) = Case::new("oci-pods") else { return };
    let config = json!({
        "hostname": "bundles", "domainname": "bundles.example",
        "process": {"oomScoreAdj": -500},
        "linux": {"cgroupsPath": "/elsewhere", "namespaces": [{"type": "pid"}, {"type": "network", "path": "/proc/1/ns/net"}]},
        "windows": {}, "solaris": {"milestone": "x"}
    });
    let script = "tell host hostname; tell oom cat /proc/self/oom_score_adj; tell net \"ls /sys/class/net\"; tell pid echo \"$$\"";
    let told = told(&case, &config, script);
    for line in ["host oci-pods", "oom 1000", "net lo", "pid 1"] {
        assert!(told.iter().any(|one| one == line), "{line}: {told:#?}");
    }
    assert!(!std::path::Path::new("/sys/fs/cgroup/pids/elsewhere").exists());
}

/// Keys that nobody knows are no error, but told; what can't be had is refused by bundle and field.
#[test]
fn unknown_keys_and_refused_fields() {
    let Some(case) = Case::new("oci-unknown") else { return };
    let config = json!({"extension": {"a": 1}, "process": {"arg": ["x"]}, "linux": {"resources": {"pid": {}}}});
    bundle(&case, &config);
    let container = || main("main", "say main", json!({"image": "bundle:b"}));
    let mut run = case.start(&case.pod().container(container()));
    assert_eq!(run.end(), 0);
    for key in ["extension", "process.arg", "linux.resources.pid"] {
        assert!(run.stderr().contains(&format!("config.json: {key}: no field")), "{}", run.stderr());
    }
    fs::remove_dir_all(case.dir().join("b")).unwrap();
    bundle(&case, &json!({"linux": {"intelRdt": {"closID": "x"}}}));
    let mut run = case.start(&case.pod().container(container()));
    run.wait_for_line("linux.intelRdt");
    assert!(run.stderr().contains(&case.dir().join("b").display().to_string()));
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
}
