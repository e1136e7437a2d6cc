//! What a container may do (securityContext; docs/security.md).

use serde_json::{Value, json};

use crate::harness::{Case, main};

/// Runs one main with this securityContext of its own and one of the pod's; what it said.
fn told(name: &str, script: &str, container: Value, pod: Value) -> Option<Vec<String>> {
    let case = Case::new(name)?;
    let manifest = case.pod().spec(json!({"securityContext": pod})).container(main(
        "main",
        script,
        json!({"securityContext": container}),
    ));
    assert_eq!(case.run(&manifest), 0);
    Some(case.trace())
}

/// User, group and supplementary groups: the container's before the pod's; groups of the image's /etc/group. The status
/// tells them as they are (KEP-3619).
#[test]
fn users_and_groups() {
    let tell = "say $(id -u) $(id -g) $(id -G)";
    let all = [
        ("user-default", json!({}), json!({}), "0 0 0"),
        ("user-container", json!({"runAsUser": 1000}), json!({"runAsUser": 5}), "1000 1000 1000 2000"),
        ("user-pod", json!({}), json!({"runAsUser": 1234, "runAsGroup": 77}), "1234 77 77"),
        (
            "user-groups",
            json!({}),
            json!({"runAsUser": 9, "runAsGroup": 9, "supplementalGroups": [40, 50]}),
            "9 9 9 40 50",
        ),
        ("user-fsgroup", json!({}), json!({"runAsUser": 9, "runAsGroup": 9, "fsGroup": 60}), "9 9 9 60"),
    ];
    for (name, container, pod, expected) in all {
        let Some(case) = Case::new(name) else { return };
        let context = json!({"securityContext": container});
        let manifest = case.pod().spec(json!({"securityContext": pod})).container(main("main", tell, context));
        assert_eq!(case.run(&manifest), 0);
        assert_eq!(case.trace(), [expected], "{name}");
        let user = &case.container("main")["user"]["linux"];
        let groups: Vec<_> = user["supplementalGroups"].as_array().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(format!("{} {} {}", user["uid"], user["gid"], groups.join(" ")), expected, "{name}");
    }
}

/// The effective capabilities as /proc says them: containerd's default set, less and more of it, all of them.
#[test]
fn capabilities() {
    let tell = "say $(grep CapEff /proc/self/status | cut -f2)";
    const DEFAULT: u64 = 0xa804_25fb;
    const NET_ADMIN: u64 = 1 << 12;
    const CHOWN: u64 = 1;
    // Without device rules a container may not make nodes: where the box has none, CAP_MKNOD isn't among the defaults.
    const MKNOD: u64 = 1 << 27;
    let all = [
        ("caps-default", json!({}), DEFAULT),
        ("caps-dropped", json!({"capabilities": {"drop": ["ALL"]}}), 0),
        ("caps-one", json!({"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}), CHOWN),
        ("caps-more", json!({"capabilities": {"add": ["NET_ADMIN"]}}), DEFAULT | NET_ADMIN),
        ("caps-less", json!({"capabilities": {"drop": ["CHOWN"]}}), DEFAULT & !CHOWN),
    ];
    for (name, context, expected) in all {
        let Some(trace) = told(name, tell, context, json!({})) else { return };
        let found = u64::from_str_radix(&trace[0], 16).unwrap();
        assert_eq!(found & !MKNOD, expected & !MKNOD, "{name}: {found:x}");
    }
}

/// Another user than root has none of them in effect.
#[test]
fn capabilities_of_a_plain_user() {
    let tell = "say $(grep CapEff /proc/self/status | cut -f2)";
    let Some(trace) = told("caps-user", tell, json!({"runAsUser": 1000}), json!({})) else { return };
    assert_eq!(u64::from_str_radix(&trace[0], 16).unwrap(), 0);
}

/// privileged: every capability that there is to give, mounts, /proc and /sys as they are.
#[test]
fn privileged() {
    let tell = "say $(grep CapEff /proc/self/status | cut -f2); mount -t tmpfs x /root && say mounts; [ -w /proc/sys/kernel/hostname ] && say proc";
    let Some(trace) = told("privileged", tell, json!({"privileged": true}), json!({})) else { return };
    // All that this box lets its root have: some boxes withhold one or the other.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let all = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap().trim();
    assert_eq!(trace[0], all);
    assert_eq!(trace[1..], ["mounts", "proc"]);
}

/// privileged: all of the box's devices, with a user namespace of the pod's as well; there nobody can make others.
#[test]
fn privileged_containers_have_the_boxs_devices() {
    let devices = |folder: &std::path::Path| {
        let all = walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| {
            !["pts", "shm", "fd", "mqueue", "hugepages"].iter().any(|name| entry.file_name() == *name)
        });
        let nodes = all.flatten().filter(|entry| {
            use std::os::unix::fs::FileTypeExt;
            let kind = entry.file_type();
            (kind.is_char_device() || kind.is_block_device()) && entry.file_name() != "console"
        });
        nodes.map(|entry| entry.path().display().to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    let ours: Vec<String> =
        devices(std::path::Path::new("/dev")).into_iter().filter(|path| path != "/dev/ptmx").collect();
    for (name, spec) in [("devices-all", json!({})), ("devices-users", json!({"hostUsers": false}))] {
        let Some(case) = Case::new(name) else { return };
        let fields = json!({"securityContext": {"privileged": true}});
        let script = "find /dev \\( -type c -o -type b \\) ! -path '/dev/pts/*' | sort | tr '\\n' ' ' > /t/all; \
            head -c 1 /dev/urandom > /dev/null && say reads; mknod /root/n c 1 3 2>/dev/null && say makes";
        case.start(&case.pod().spec(spec).container(main("main", script, fields))).end();
        let found = std::fs::read_to_string(case.shared("all")).unwrap();
        let found: std::collections::BTreeSet<&str> = found.split_whitespace().collect();
        let missing: Vec<_> = ours.iter().filter(|path| !found.contains(path.as_str())).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
        let expected: &[&str] = if name == "devices-all" { &["reads", "makes"] } else { &["reads"] };
        assert_eq!(case.trace(), expected, "{name}");
    }
}

/// What a container that isn't privileged can't: mounts, masked and read-only paths of /proc and /sys, other devices.
#[test]
fn defaults() {
    let tell = "mount -t tmpfs x /root 2>/dev/null || say no mount; \
        (echo x > /proc/sys/kernel/hostname) 2>/dev/null || say no sysctl; \
        [ -s /proc/kcore ] || say no kcore; [ -s /proc/keys ] || say no keys; \
        d=/sys/fs/cgroup; [ -d $d/memory ] && d=$d/memory; mkdir $d/x 2>/dev/null || say no cgroup; \
        [ -e /dev/kmsg ] || say no kmsg; [ -c /dev/null ] && [ -c /dev/full ] && say null; \
        say $(ls /proc/self/fd | wc -l)";
    let Some(trace) = told("defaults", tell, json!({}), json!({})) else { return };
    // 0, 1, 2 and the folder that ls reads: no descriptor of the supervisor's.
    assert_eq!(trace, ["no mount", "no sysctl", "no kcore", "no keys", "no cgroup", "no kmsg", "null", "4"]);
}

/// allowPrivilegeEscalation: false is no_new_privs.
#[test]
fn no_new_privileges() {
    let tell = "say $(grep NoNewPrivs /proc/self/status | cut -f2)";
    for (name, allowed, expected) in [("escalate", true, "0"), ("escalate-not", false, "1")] {
        let context = json!({"allowPrivilegeEscalation": allowed});
        let Some(trace) = told(name, tell, context, json!({})) else { return };
        assert_eq!(trace, [expected]);
    }
}

/// readOnlyRootFilesystem: nothing can be written but volumes, /dev/shm and the termination log.
#[test]
fn a_read_only_root_file_system() {
    let tell = "(echo x > /root/f) 2>/dev/null || say root; (echo x > /tmp/f) 2>/dev/null || say tmp; \
        echo x > /dev/shm/f && echo x > /dev/termination-log && say volumes";
    let Some(trace) = told("read-only", tell, json!({"readOnlyRootFilesystem": true}), json!({})) else { return };
    assert_eq!(trace, ["root", "tmp", "volumes"]);
}

/// R8.4: runAsNonRoot and a user who is root: CreateContainerConfigError with the kubelet's words, tried again and again.
#[test]
fn run_as_non_root() {
    let Some(case) = Case::new("non-root") else { return };
    let context = json!({"securityContext": {"runAsNonRoot": true}});
    let pod = case.pod().container(main("main", "say main", context));
    let mut run = case.start(&pod);
    crate::harness::wait("CreateContainerConfigError", || {
        case.container("main")["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    });
    assert!(case.messages("Failed")[0].contains("container has runAsNonRoot and image will run as root"));
    run.signal(rustix::process::Signal::TERM);
    assert_ne!(run.end(), 0);
    assert!(case.trace().is_empty());
}
