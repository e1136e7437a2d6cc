//! What no kernel takes of a bundle, and what barepod refuses of its mounts, is known before the pod starts: a line per kind.

use super::*;

fn bundle(more: &Value) -> ImageFacts {
    let mut config = json!({"ociVersion": "1.2.0",
        "process": {"cwd": "/", "user": {}, "args": ["a"]}, "linux": {"resources": {}}});
    for (pointer, value) in more.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    image(config)
}

/// `field: cause`, as `run` shows it, if anything.
fn found(container: Value, bundle: &ImageFacts, node: &NodeFacts) -> Option<String> {
    let pod = one(container);
    let plan = super::pod(&pod, node, &options()).unwrap();
    let found = hopeless(&pod, &plan, node, ContainerIndex(0), bundle).map(|found| match found {
        Hopeless::NoCommand => "no command".to_owned(),
        Hopeless::Config(error) => format!("{}: {}", error.field, error.cause),
    });
    // Whoever has the image looked at late (a folder that the pod mounts) is told the same.
    let late = super::super::container(&pod, &plan, node, ContainerIndex(0), Attempt(0), bundle, &sandbox());
    assert_eq!(late.err().map(|error| format!("{}: {}", error.field, error.cause)), found);
    found.map(|text| text.replace("bundle:/m/b: ", ""))
}

fn tmpfs(options: &[&str]) -> Value {
    json!([{"destination": "/x", "type": "tmpfs", "source": "x", "options": options}])
}

fn bound(options: &[&str]) -> Value {
    json!([{"destination": "/x", "type": "bind", "source": "/y", "options": options}])
}

#[test]
fn what_is_refused_of_mounts_is_known_before() {
    let mapping = json!([{"containerID": 0, "hostID": 1, "size": 1}]);
    for (mounts, told) in [
        (tmpfs(&["tmpcopyup"]), "mounts[0].options: \"tmpcopyup\" at /x is not supported"),
        (bound(&["rbind", "rshared"]), "mounts[0].options: \"rshared\" is not supported"),
        (bound(&["unbindable"]), "mounts[0].options: \"unbindable\" is not supported"),
        (bound(&["ridmap"]), "mounts[0].uidMappings: an id-mapped mount"),
        (
            json!([{"destination": "/x", "type": "bind", "source": "/y", "gidMappings": mapping}]),
            "mounts[0].uidMappings: an id-mapped mount",
        ),
        (
            json!([{"destination": "/dev/", "source": "/dev", "options": ["bind"]}]),
            "mounts[0].destination: a folder of the host at /dev",
        ),
        (json!([{"destination": "/x", "source": "x"}]), "mounts[0].type: a mount without a type"),
        (json!([{"destination": "x", "type": "tmpfs"}]), "mounts[0].destination: \"x\" is not an absolute path"),
        (tmpfs(&["nosuid", "remount"]), "mounts[0].options: \"remount\" is not supported"),
        (bound(&["remount", "ro"]), "mounts[0].options: \"remount\" is not supported"),
        (bound(&["bogus"]), "mounts[0].options: \"bogus\" is no option of a bind mount"),
        (bound(&["rbind", "size=1m"]), "mounts[0].options: \"size=1m\" is no option of a bind mount"),
        (
            json!([{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "all"]}]),
            "mounts[0].options: \"all\" is no option of a mount of the box's cgroups",
        ),
    ] {
        let found = found(json!({}), &bundle(&json!({"/mounts": mounts})), &node()).unwrap_or_default();
        assert!(found.starts_with(told), "{mounts}: {found}");
    }
}

/// What runc, podman, umoci and containerd write.
#[test]
fn ordinary_mounts_are_not_refused() {
    for mounts in [
        tmpfs(&["nosuid", "strictatime", "mode=755", "size=65536k", "rprivate", "noswap"]),
        bound(&["rbind", "rprivate", "ro", "rro", "nosymfollow", "rnosuid", "slave", "rslave", "defaults", ""]),
        json!([{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}]),
    ] {
        assert_eq!(found(json!({}), &bundle(&json!({"/mounts": mounts})), &node()), None, "{mounts}");
    }
}

#[test]
fn values_that_no_kernel_takes_are_known_before() {
    let limit = |kind: &str, soft: u64, hard: u64| json!({"type": kind, "soft": soft, "hard": hard});
    let device = |path: &str, minor: i64| json!({"path": path, "type": "c", "major": 1, "minor": minor});
    let deny = |more: Value| {
        let mut profile = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]});
        profile["syscalls"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        profile
    };
    for (place, value, told) in [
        ("/process/rlimits", json!([limit("RLIMIT_CPU", 2, 1)]), "process.rlimits[0].soft: 2: the soft limit of"),
        (
            "/process/rlimits",
            json!([limit("RLIMIT_CPU", 1, 2), limit("RLIMIT_CPU", 1, 2)]),
            "process.rlimits[1].type: RLIMIT_CPU: this limit is set twice",
        ),
        (
            "/process/rlimits",
            json!([limit("RLIMIT_NOFILE", 1, (1 << 20) + 1)]),
            "process.rlimits[0].hard: 1048577: barepod may give RLIMIT_NOFILE up to 1048576 here",
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_FIFO", "priority": 1000}),
            "process.scheduler.priority: 1000: SCHED_FIFO has priorities 1 to 99",
        ),
        ("/process/scheduler", json!({"policy": "SCHED_RR"}), "process.scheduler.priority: 0: SCHED_RR has"),
        ("/process/scheduler", json!({"policy": "SCHED_ISO"}), "process.scheduler.policy: SCHED_ISO: Linux has no"),
        ("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": 20}), "process.scheduler.nice: 20: "),
        ("/process/scheduler", json!({"policy": "SCHED_BATCH", "priority": 1}), "process.scheduler.priority: 1: only"),
        ("/process/scheduler", json!({"policy": "SCHED_IDLE", "period": 7}), "process.scheduler.period: 7: only"),
        ("/process/ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 8}), "process.ioPriority.priority: 8: "),
        (
            "/process/capabilities",
            json!({"bounding": ["CAP_BPF"], "permitted": ["CAP_BPF"]}),
            "process.capabilities.permitted: \"CAP_BPF\": barepod may not hand it on",
        ),
        (
            "/process/capabilities",
            json!({"effective": ["CAP_KILL"]}),
            "process.capabilities.effective: \"CAP_KILL\": permitted hasn't got it",
        ),
        (
            "/process/capabilities",
            json!({"inheritable": ["CAP_KILL"]}),
            "process.capabilities.inheritable: \"CAP_KILL\": bounding hasn't got it",
        ),
        (
            "/process/capabilities",
            json!({"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "ambient": ["CAP_KILL"]}),
            "process.capabilities.ambient: \"CAP_KILL\": inheritable hasn't got it",
        ),
        ("/process/apparmorProfile", json!("x"), "process.apparmorProfile: \"x\": AppArmor is not enabled"),
        ("/process/env", json!(["A=b", "C"]), "process.env[1]: \"C\" is not supported: an entry is NAME=value"),
        ("/process/env", json!(["A=b\u{0}"]), "process.env[0]: \"A\" has a NUL character"),
        ("/linux/devices", json!([device("/dev/null", 5)]), "linux.devices[0].major: 1:5: /dev/null is the device 1:3"),
        ("/linux/devices", json!([device("/dev/pts", 5)]), "linux.devices[0].path: \"/dev/pts\": each container has"),
        (
            "/linux/devices",
            json!([device("/dev/x", 5), device("/dev/x", 6)]),
            "linux.devices[1].path: \"/dev/x\": there is another",
        ),
        (
            "/linux/sysctl",
            json!({"vm/swappiness": "1"}),
            "linux.sysctl: \"vm.swappiness\": it counts for the whole box",
        ),
        ("/linux/sysctl", json!({"kernel.hostname": "x"}), "linux.sysctl: \"kernel.hostname\": the pod's name"),
        ("/linux/sysctl", json!({"user.max_ipc_namespaces": "1"}), "linux.sysctl: \"user.max_ipc_namespaces\": "),
        ("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_NOTIFY"}), "linux.seccomp.defaultAction: "),
        ("/linux/seccomp", deny(json!({"action": "SCMP_ACT_NOTIFY"})), "linux.seccomp.syscalls[0].action: "),
        (
            "/linux/seccomp",
            deny(json!({"args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]})),
            "linux.seccomp.syscalls[0].args[0].index: 6: ",
        ),
        ("/linux/resources/cpu", json!({"quota": 999}), "linux.resources.cpu.quota: 999: microseconds"),
        ("/linux/resources/cpu", json!({"period": 1_000_001}), "linux.resources.cpu.period: 1000001: microseconds"),
        ("/linux/resources/cpu", json!({"idle": 2}), "linux.resources.cpu.idle: 2: 0 or 1"),
        (
            "/linux/resources/cpu",
            json!({"quota": 5000, "burst": 5001}),
            "linux.resources.cpu.burst: 5001: no more than the quota, 5000",
        ),
        ("/linux/resources/memory", json!({"limit": -2}), "linux.resources.memory.limit: -2: bytes"),
        ("/linux/resources/memory", json!({"reservation": -2}), "linux.resources.memory.reservation: -2: bytes"),
        ("/linux/resources/memory", json!({"swap": 4096}), "linux.resources.memory.swap: 4096: it is memory and swap"),
        (
            "/linux/resources/memory",
            json!({"limit": 8192, "swap": 4096}),
            "linux.resources.memory.swap: 4096: it is memory and swap together: no less than limit, 8192",
        ),
        ("/linux/resources/pids", json!({"limit": 4_194_305}), "linux.resources.pids.limit: 4194305: a kernel has"),
    ] {
        let found = found(json!({}), &bundle(&json!({place: value})), &node()).unwrap_or_default();
        assert!(found.starts_with(told), "{place} {value}: {found}");
    }
    let v1 = NodeFacts { cgroups: CgroupVersion::V1, limits_huge_pages: false, ..node() };
    for (place, value, told) in [
        ("/linux/resources/memory", json!({"swappiness": 101}), "linux.resources.memory.swappiness: 101: 0 to 100"),
        (
            "/linux/resources/hugepageLimits",
            json!([{"pageSize": "2MB", "limit": 1}]),
            "linux.resources.hugepageLimits[0]: \"2MB\": this box has no cgroups",
        ),
    ] {
        let found = found(json!({}), &bundle(&json!({place: value})), &v1).unwrap_or_default();
        assert!(found.starts_with(told), "{place} {value}: {found}");
    }
}

/// On each version of cgroups, and whether or not the box limits huge pages.
#[test]
fn numbers_that_cant_be_meant() {
    for (resources, said) in [
        (json!({"memory": {"limit": -2}}), "memory.limit: -2: bytes, or -1 for no limit"),
        (json!({"memory": {"reservation": -2}}), "memory.reservation: -2: bytes, or -1 for no limit"),
        (
            json!({"memory": {"limit": 100, "swap": 99}}),
            "memory.swap: 99: it is memory and swap together: no less than limit, 100",
        ),
        (
            json!({"memory": {"swap": 1}}),
            "memory.swap: 1: it is memory and swap together, and needs a limit of memory beside it",
        ),
        (json!({"memory": {"swappiness": 101}}), "memory.swappiness: 101: 0 to 100"),
        (
            json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 4}]}),
            "hugepageLimits[0].pageSize: \"3MB\": it is no size of pages; write it as 2MB or 1GB",
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4}, {"pageSize": "2MB/../x", "limit": 4}]}),
            "hugepageLimits[1].pageSize: \"2MB/../x\": it is no size of pages; write it as 2MB or 1GB",
        ),
    ] {
        let all = bundle(&json!({"/linux/resources": resources}));
        for cgroups in [CgroupVersion::V1, CgroupVersion::V2] {
            for limits_huge_pages in [true, false] {
                let node = NodeFacts { cgroups, limits_huge_pages, ..node() };
                let found = found(json!({}), &all, &node).unwrap_or_default();
                // v2 has no swappiness, so that no number of it is any good there.
                if cgroups == CgroupVersion::V2 && said.contains("swappiness") {
                    assert!(found.starts_with("linux.resources.memory.swappiness: "), "{found}");
                } else {
                    assert_eq!(found, format!("linux.resources.{said}"), "{cgroups:?} {limits_huge_pages}");
                }
            }
        }
    }
}

/// Where the manifest goes over a bundle's bad value, or the box can do it, there is nothing to refuse.
#[test]
fn what_is_not_used_of_a_bundle_is_not_refused() {
    let limits = |more: Value| json!({"resources": {"limits": more}});
    let strong = NodeFacts {
        hard_limits: Vec::new(),
        capabilities: vec!["CAP_BPF".to_owned()],
        apparmor: AppArmor::On { loaded: None },
        ..node()
    };
    for (container, place, value) in [
        (limits(json!({"cpu": "1"})), "/linux/resources/cpu", json!({"quota": 1, "period": 1})),
        (limits(json!({"memory": "64Mi"})), "/linux/resources/memory", json!({"limit": -2, "swap": 1})),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_NOTIFY"}),
        ),
        (
            json!({"securityContext": {"capabilities": {"drop": ["ALL"]}}}),
            "/process/capabilities",
            json!({"ambient": ["CAP_KILL"]}),
        ),
        (json!({}), "/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 1, "hard": u64::MAX}])),
        (json!({}), "/process/capabilities", json!({"bounding": ["CAP_BPF"], "permitted": ["CAP_BPF"]})),
        (json!({}), "/process/apparmorProfile", json!("x")),
        (json!({}), "/linux/devices", json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}])),
        (
            json!({}),
            "/linux/sysctl",
            json!({"net.ipv4.ip_forward": "1", "kernel.domainname": "x", "fs.mqueue.msg_max": "9"}),
        ),
        (json!({}), "/linux/resources/memory", json!({"limit": -1, "swap": -1})),
        (json!({}), "/linux/resources/cpu", json!({"quota": -1, "period": 0, "idle": 1, "burst": 9})),
        (
            json!({}),
            "/process/scheduler",
            json!({"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}),
        ),
    ] {
        assert_eq!(found(container, &bundle(&json!({place: value})), &strong), None, "{place} {value}");
    }
}

/// A capability that there isn't is the manifest's fault, whatever the image.
#[test]
fn unknown_capabilities_of_the_manifest_are_known_before() {
    for (name, told) in [("FLY", "unknown capability \"FLY\""), ("BPF", "barepod may not hand on CAP_BPF")] {
        let container = json!({"securityContext": {"capabilities": {"add": [name]}}});
        let found = found(container, &bundle(&json!({})), &node()).unwrap();
        assert!(found.starts_with(&format!("securityContext.capabilities.add: {told}")), "{found}");
    }
}
