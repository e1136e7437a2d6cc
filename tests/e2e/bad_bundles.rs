//! What users read of a bundle that a container can't be made of: which field, which path, and why; in the output, the
//! events and the status (R8.4). All of them are containers of one pod.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, merge, open_files, slow, wait, wait_for};

fn process(more: Value) -> Value {
    json!({ "process": more })
}

fn linux(more: Value) -> Value {
    json!({ "linux": more })
}

fn mounts(one: Value) -> Value {
    json!({ "mounts": [one] })
}

fn hooks(more: Value) -> Value {
    json!({ "hooks": more })
}

/// Name, what of the config is bad, what is said.
fn all() -> Vec<(&'static str, Value, &'static str)> {
    let tmpfs =
        |option: &str| mounts(json!({"destination": "/x", "type": "tmpfs", "source": "x", "options": [option]}));
    let device = |path: &str| linux(json!({"devices": [{"path": path, "type": "c", "major": 1, "minor": 5}]}));
    let limit =
        |name: &str, soft: u64, hard: u64| process(json!({"rlimits": [{"type": name, "soft": soft, "hard": hard}]}));
    let sysctl = |name: &str, value: &str| linux(json!({"sysctl": {name: value}}));
    vec![
        (
            "source",
            mounts(json!({"destination": "/x", "type": "bind", "source": "/nowhere/at/all", "options": ["rbind"]})),
            "create: mount: /x: its source /nowhere/at/all: no such file or directory",
        ),
        ("option", tmpfs("bogus"), "create: mount: /x: options: \"bogus\": tmpfs has no such option, but size=, "),
        (
            "value",
            tmpfs("size=lots"),
            "create: mount: /x: options: \"size=lots\": tmpfs takes no such value (the kernel says: Bad value for 'size')",
        ),
        (
            "type",
            mounts(json!({"destination": "/x", "type": "nosuchfs", "source": "x"})),
            "create: mount: /x: unknown file system type \"nosuchfs\"",
        ),
        (
            "kernels-option",
            mounts(json!({"destination": "/x", "type": "sysfs", "source": "x", "options": ["bogus"]})),
            "create: mount: /x: options: \"bogus\": sysfs has no such option",
        ),
        (
            "no-type",
            mounts(json!({"destination": "/x", "source": "x"})),
            "mounts[0].type: a mount without a type is not supported: write its file system's, or \"bind\"",
        ),
        (
            "not-a-folder",
            mounts(json!({"destination": "/etc/passwd/x", "type": "tmpfs", "source": "x"})),
            "create: mount: /etc/passwd/x: not a directory",
        ),
        ("cwd", process(json!({"cwd": "/etc/passwd"})), "create: process.cwd /etc/passwd: not a directory"),
        ("cwd-below", process(json!({"cwd": "/etc/passwd/x"})), "/etc/passwd/x: not a directory"),
        ("cwd-relative", process(json!({"cwd": "etc"})), "process.cwd: \"etc\" is not an absolute path"),
        (
            "program",
            process(json!({"args": ["/bin/nothing"]})),
            "start: /bin/nothing: no such file or directory (execve)",
        ),
        (
            "mode",
            process(json!({"args": ["/etc/passwd"]})),
            "start: /etc/passwd: permission denied (execve); the file in the",
        ),
        (
            "user",
            process(json!({"user": {"uid": u32::MAX, "gid": 0}})),
            "process.user.uid: 4294967295 is not supported",
        ),
        (
            "umask",
            process(json!({"user": {"uid": 0, "gid": 0, "umask": 99999}})),
            "process.user.umask: 99999 is not supported: a umask is at most 511",
        ),
        ("limit", limit("RLIMIT_FOO", 1, 1), "config.json: unknown variant `RLIMIT_FOO`"),
        (
            "limit-order",
            limit("RLIMIT_NOFILE", 10, 1),
            "process.rlimits[0].soft: 10: the soft limit of RLIMIT_NOFILE is above its hard limit, 1",
        ),
        (
            "sysctl",
            sysctl("net.ipv4.nosuch", "1"),
            "create: linux.sysctl: net.ipv4.nosuch: this kernel has no such sysctl",
        ),
        (
            "sysctl-value",
            sysctl("net.ipv4.ip_unprivileged_port_start", "x"),
            "create: linux.sysctl net.ipv4.ip_unprivileged_port_start=x: invalid argument",
        ),
        ("sysctl-box", sysctl("vm.nosuch", "1"), "linux.sysctl: \"vm.nosuch\": it counts for the whole box"),
        (
            "capability",
            process(json!({"capabilities": {"bounding": ["CAP_FLY"]}})),
            "config.json: no variant for CAP_FLY",
        ),
        (
            "ambient",
            process(json!({"capabilities": {"ambient": ["CAP_SYS_BOOT"]}})),
            "process.capabilities.ambient: \"CAP_SYS_BOOT\": permitted hasn't got it",
        ),
        ("device", device("/dev/pts"), "linux.devices[0].path: \"/dev/pts\": each container has something else there"),
        (
            "device-path",
            device("/etc/x"),
            "linux.devices[0].path: \"/etc/x\" is not supported: devices are made below /dev",
        ),
        ("null", device("/dev/null"), "linux.devices[0].major: 1:5: /dev/null is the device 1:3"),
        (
            "scheduler",
            process(json!({"scheduler": {"policy": "SCHED_FIFO", "priority": 1000}})),
            "process.scheduler.priority: 1000: SCHED_FIFO has priorities 1 to 99",
        ),
        (
            "priority",
            process(json!({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 99}})),
            "process.ioPriority.priority: 99: ",
        ),
        (
            "memory-policy",
            linux(json!({"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "77"}})),
            "create: linux.memoryPolicy: invalid argument",
        ),
        (
            "hook",
            hooks(json!({"createRuntime": [{"path": "/nowhere"}]})),
            "create: hooks.createRuntime[0] (/nowhere): no such file",
        ),
        (
            "hook-code",
            hooks(json!({"createContainer": [{"path": "/bin/false"}]})),
            "create: hooks.createContainer[0] (/bin/false): exit status: 1",
        ),
        (
            "hook-create-path",
            hooks(json!({"createContainer": [{"path": "/nowhere"}]})),
            "create: hooks.createContainer[0] (/nowhere): no such file",
        ),
        (
            "hook-create-mode",
            hooks(json!({"createContainer": [{"path": "/etc/passwd"}]})),
            "create: hooks.createContainer[0] (/etc/passwd): permission denied",
        ),
        (
            "hook-second",
            hooks(json!({"prestart": [{"path": "/bin/true"}, {"path": "/bin/false"}]})),
            "create: hooks.prestart[1] (/bin/false): exit status: 1",
        ),
        (
            "hook-mode",
            hooks(json!({"prestart": [{"path": "/bin/true"}, {"path": "/etc/passwd"}]})),
            "create: hooks.prestart[1] (/etc/passwd): permission denied",
        ),
        (
            "hook-start",
            hooks(json!({"startContainer": [{"path": "/bin/false"}]})),
            "start: hooks.startContainer[0] (/bin/false): exit status: 1",
        ),
        (
            "hook-start-path",
            hooks(json!({"startContainer": [{"path": "/nowhere"}]})),
            "start: hooks.startContainer[0] (/nowhere): no such file or directory",
        ),
    ]
}

/// Limits that the kernel doesn't take, on cgroup v1 and v2.
fn of_resources() -> Vec<(&'static str, Value, &'static str)> {
    let all = |more: Value| linux(json!({ "resources": more }));
    let cpu = |more: Value| all(json!({ "cpu": more }));
    let memory = |more: Value| all(json!({ "memory": more }));
    let nowhere = json!([{"major": 250, "minor": 250, "rate": 1}]);
    let disk = |name: &str| all(json!({"blockIO": {name: nowhere}}));
    vec![
        ("cpus", cpu(json!({"cpus": "0-999"})), "create: linux.resources.cpu.cpus: \"0-999\": "),
        ("mems", cpu(json!({"mems": "77"})), "create: linux.resources.cpu.mems: \"77\": "),
        ("quota", cpu(json!({"quota": 1})), "linux.resources.cpu.quota: 1: microseconds"),
        ("period", cpu(json!({"period": 1})), "linux.resources.cpu.period: 1: microseconds"),
        ("idle", cpu(json!({"idle": 7})), "linux.resources.cpu.idle: 7: 0 or 1"),
        (
            "burst",
            cpu(json!({"quota": 50_000, "period": 100_000, "burst": 999_999})),
            "linux.resources.cpu.burst: 999999: no more than the quota, 50000",
        ),
        ("memory", memory(json!({"limit": -2})), "linux.resources.memory.limit: -2: "),
        ("reservation", memory(json!({"reservation": -2})), "linux.resources.memory.reservation: -2: "),
        ("swap", memory(json!({"limit": 67_108_864, "swap": 1})), "linux.resources.memory.swap: 1: "),
        ("swap-alone", memory(json!({"swap": 67_108_864})), "linux.resources.memory.swap: 67108864: "),
        ("swappiness", memory(json!({"swappiness": 101})), "linux.resources.memory.swappiness: "),
        (
            "pids",
            all(json!({"pids": {"limit": 5_000_000}})),
            "linux.resources.pids.limit: 5000000: a kernel has 4194304 ids at most",
        ),
        ("read", disk("throttleReadBpsDevice"), "create: linux.resources.blockIO.throttleReadBpsDevice: \"250:250 "),
        ("write", disk("throttleWriteBpsDevice"), "create: linux.resources.blockIO.throttleWriteBpsDevice: \"250:250 "),
        ("reads", disk("throttleReadIOPSDevice"), "create: linux.resources.blockIO.throttleReadIOPSDevice: \"250:250 "),
        (
            "writes",
            disk("throttleWriteIOPSDevice"),
            "create: linux.resources.blockIO.throttleWriteIOPSDevice: \"250:250 ",
        ),
        (
            "weights",
            all(json!({"blockIO": {"weightDevice": [{"major": 250, "minor": 250, "weight": 10}]}})),
            "linux.resources.blockIO.weightDevice: ",
        ),
        ("huge", all(json!({"hugepageLimits": [{"pageSize": "4MB", "limit": 1}]})), "linux.resources.hugepageLimits"),
        ("unified", all(json!({"unified": {"memory.high": "lots"}})), "linux.resources.unified"),
        ("unified-name", all(json!({"unified": {"nosuch.file": "1"}})), "linux.resources.unified"),
        ("class", all(json!({"network": {"classID": 1}})), "linux.resources.network"),
        (
            "priorities",
            all(json!({"network": {"priorities": [{"name": "nosuch", "priority": 1}]}})),
            "linux.resources.network",
        ),
        ("real-time", cpu(json!({"realtimeRuntime": 1000})), "linux.resources.cpu.realtimeRuntime: "),
    ]
}

#[test]
fn messages_name_field_and_cause() {
    // All at once are more than an emulated machine makes in the time that is waited for one.
    let all = [all(), of_resources()].concat();
    // Each container takes eight open files.
    let few = slow() || open_files() < 500;
    for some in all.chunks(if few { 6 } else { all.len() }) {
        say(some);
    }
}

/// One pod of these: what is said of each is whole.
fn say(bundles: &[(&str, Value, &str)]) {
    let Some(case) = Case::new("messages") else { return };
    let mut pod = case.pod().spec(json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 0}));
    for (name, bad, _) in bundles {
        // In a folder that the pod mounts: else `run` says it before anything is made.
        let folder = case.shared(name);
        fs::create_dir(&folder).unwrap();
        symlink(case.rootfs(), folder.join("rootfs")).unwrap();
        let mut config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {},
            "process": {"args": ["true"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
        merge(&mut config, bad);
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        pod = pod.container(json!({"name": name, "image": format!("bundle:TRACE/{name}")}));
    }
    // What can't be made is tried again, which for so many would be all that the machine does.
    let mut run = case.start_with(&pod, &["--backoff-initial", "5m"]);
    for (name, _, said) in bundles {
        // The next look may find it on its way.
        let message = wait_for(&format!("a message of {name}"), || {
            let state = case.container(name)["state"].clone();
            let messages = [&state["waiting"]["message"], &state["terminated"]["message"]];
            messages.iter().find_map(|message| message.as_str()).filter(|text| !text.is_empty()).map(str::to_owned)
        });
        assert!(message.contains(said), "{name}: {message}");
        for lost in [
            "failed to prepare rootfs",
            "BrokenChannel",
            "failed to create container",
            "error in executing",
            "/mounts/rootfs",
        ] {
            assert!(!message.contains(lost), "{name}: {}", message);
        }
        assert!(
            case.messages("Failed").iter().any(|event| event.contains(said)),
            "{name}: {:?}",
            case.messages("Failed")
        );
        wait(&format!("the output tells of {name}"), || run.stderr().contains(said));
    }
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
}

/// F39: what neither a retry nor the pod itself can mend ends `run` with 2 before anything is made, whatever the restart
/// policy: with the image's place in the manifest and the field of config.json, in words without escapes.
#[test]
fn what_no_retry_can_mend_ends_run_at_once() {
    let Some(case) = Case::new("unmendable") else { return };
    let tmpfs =
        |option: &str| mounts(json!({"destination": "/x", "type": "tmpfs", "source": "x", "options": [option]}));
    let limits = json!([{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]);
    let mut bundles = vec![
        (tmpfs("tmpcopyup"), "mounts[0].options: \"tmpcopyup\" at /x is not supported: copy"),
        (tmpfs("remount"), "mounts[0].options: \"remount\" is not supported"),
        (process(json!({ "rlimits": limits })), "process.rlimits[0].soft: 2: the soft limit"),
        (process(json!({"capabilities": {"ambient": ["CAP_KILL"]}})), "process.capabilities.ambient: \"CAP_KILL\""),
        (linux(json!({"intelRdt": {"closID": "x"}})), "linux.intelRdt: a resctrl group is not supported: nobody"),
    ];
    // What a kernel says of options may be forbidden to ask.
    if rustix::process::geteuid().is_root() {
        bundles.push((tmpfs("bogus"), "mounts[0].options: \"bogus\": tmpfs has no such option, but size=, "));
        bundles.push((tmpfs("size=lots"), "mounts[0].options: \"size=lots\": tmpfs takes no such value"));
        let unknown = mounts(json!({"destination": "/x", "type": "nosuchfs", "source": "x"}));
        bundles.push((unknown, "mounts[0].type: unknown file system type \"nosuchfs\""));
    }
    for (at, (bad, said)) in bundles.iter().enumerate() {
        let name = format!("bundle-{at}");
        let folder = case.dir().join(&name);
        fs::create_dir(&folder).unwrap();
        let mut config = json!({"ociVersion": "1.2.0", "root": {"path": case.rootfs()}, "linux": {},
            "process": {"args": ["true"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
        merge(&mut config, bad);
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        for policy in ["Always", "Never"] {
            let container = json!({"name": "main", "image": format!("bundle:{name}")});
            let mut run = case.start(&case.pod().spec(json!({"restartPolicy": policy})).container(container));
            assert_eq!(run.end(), 2, "{said}: {}", run.stderr());
            let text = run.stderr();
            assert!(text.contains(said) && text.contains("spec.containers[0].image"), "{said}: {text}");
            assert!(!text.contains("\\\""), "{text}");
            assert!(!case.root().exists(), "{said}");
        }
    }
}
