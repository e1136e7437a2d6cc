//! A pod with a user namespace of its own (`hostUsers: false`, KEP-127): what its root is on the host, what the host's
//! files are to it, and what it may not do.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, Manifest, Run, main, probe, wait, wait_for};

fn pod(case: &Case) -> Manifest {
    case.pod().spec(json!({"hostUsers": false}))
}

/// The host's pid of a process of the pod whose command line has `word` in it.
fn process(case: &Case, word: &str) -> String {
    wait_for(word, || {
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let text = |path: std::path::PathBuf| fs::read(path).unwrap_or_default();
        let ours = |path: &std::path::PathBuf| {
            String::from_utf8_lossy(&text(path.join("cgroup"))).contains(case.uid())
                && String::from_utf8_lossy(&text(path.join("cmdline"))).contains(word)
        };
        let found = all.into_iter().find(ours)?;
        Some(found.file_name().unwrap().to_string_lossy().into_owned())
    })
}

fn map(file: &str, pid: &str) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// The host's id of the container's root.
fn root(case: &Case, word: &str) -> u32 {
    let pid = process(case, word);
    let (users, groups) = (map("uid_map", &pid), map("gid_map", &pid));
    assert_eq!(users, groups);
    assert_eq!((users[0], users[2]), (0, 65536), "{users:?}");
    assert!(users[1] >= 65536 && users[1].is_multiple_of(65536), "{users:?}");
    users[1]
}

fn ends(mut run: Run<'_>) {
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// What the container sees is its own; what of it is on the host belongs to its ids there, but for what was there
/// before: that keeps the owners that it has inside.
#[test]
fn owners_inside_and_on_the_host() {
    let Some(case) = Case::new("users-owners") else { return };
    let volumes = json!({"volumes": [
        {"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "info", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ], "securityContext": {"fsGroup": 60}});
    let mounts = json!({"volumeMounts": [
        {"name": "disk", "mountPath": "/disk"}, {"name": "memory", "mountPath": "/memory"},
        {"name": "info", "mountPath": "/info"}, {"name": "disk", "mountPath": "/below", "subPath": "new/deep"},
    ], "workingDir": "/made/here"});
    let script = "for f in / /bin/busybox /disk /memory /info/name /below /made/here /etc/hosts /dev/shm /dev/mqueue \
                  /dev/pts /dev/termination-log /t; do say $f $(stat -Lc %u:%g $f); done; \
        for f in /disk/f /memory/f /t/f /below/f /root/f /dev/shm/f; do echo x > $f || say can not write $f; done; \
        chown 1000:1001 /t/f /disk/f && say may chown; echo told > /dev/termination-log; echo out > /dev/stdout; \
        serve main";
    let run = case.start(&pod(&case).spec(volumes).container(main("main", script, mounts)));
    case.wait_for("main up");
    let trace = case.trace().join("\n");
    for path in ["/", "/bin/busybox", "/made/here", "/etc/hosts", "/dev/shm", "/dev/mqueue", "/dev/pts", "/t"] {
        assert!(case.said(&format!("{path} 0:0")), "{path}: {trace}");
    }
    for (path, owners) in [("/disk", "0:60"), ("/memory", "0:60"), ("/info/name", "0:60"), ("/below", "0:60")] {
        assert!(case.said(&format!("{path} {owners}")), "{path}: {trace}");
    }
    assert!(case.said("may chown") && !trace.contains("can not"), "{trace}");
    let root = root(&case, "serve");
    let status = fs::read_to_string(format!("/proc/{}/status", process(&case, "serve"))).unwrap();
    assert!(status.contains(&format!("Uid:\t{root}\t{root}\t{root}\t{root}")), "{status}");
    let owners = |path: &std::path::Path| fs::metadata(path).map(|found| (found.uid(), found.gid())).unwrap();
    // The host's file has the owner that the container gave it; the pod's own disk its ids on the host.
    assert_eq!(owners(&case.shared("f")), (1000, 1001));
    let data = fs::read_dir(case.root().join("data")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(owners(&data.join("volumes/disk/f")), (root + 1000, root + 1001));
    assert_eq!(owners(&data.join("volumes/disk/new/deep/f")), (root, root + 60));
    ends(run);
    assert_eq!(case.container("main")["state"]["terminated"]["message"], "told\n");
    assert_eq!(case.logs("main", &[]), "out\n");
}

/// Two pods never share an id; a range is free again when its pod has ended, also when its supervisor was killed.
#[test]
fn ranges_are_a_pods_own() {
    let Some(case) = Case::new("users-range") else { return };
    let Some(other) = Case::new("users-range-other") else { return };
    // Of the same state folder: the same box, for barepod.
    let start = |of: &'_ Case, name: &str| {
        let path = case.dir().join(format!("{name}.json"));
        let text = fs::read_to_string(of.write(&pod(of).main("main", "serve main").text())).unwrap();
        fs::write(&path, text).unwrap();
        let child = case.command(&["run", "-q"]).arg(&path).spawn().unwrap();
        of.wait_for("main up");
        (child, root(of, "serve"))
    };
    let (mut first, one) = start(&case, "one");
    let (mut second, two) = start(&other, "two");
    assert!(one.abs_diff(two) >= 65536, "{one} {two}");
    first.kill().unwrap();
    first.wait().unwrap();
    // Its processes may still be there: nobody gets its ids until somebody has looked after it.
    let ledger = |case: &Case| fs::read_to_string(case.state().join("ledger.json")).unwrap();
    assert!(ledger(&case).contains(&format!("\"first_id\":{one}")), "{}", ledger(&case));
    fs::write(case.shared("log"), "").unwrap();
    let (mut third, again) = start(&case, "one");
    assert!(again.abs_diff(two) >= 65536, "{again} {two}");
    for child in [&mut second, &mut third] {
        rustix::process::kill_process(rustix::process::Pid::from_child(child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    assert!(case.barepod(&["rm", other.name()]).status.success());
}

/// The range is what `--userns-range` says, and a pod without room in it doesn't start.
#[test]
fn a_range_can_be_said_and_be_full() {
    let Some(case) = Case::new("users-full") else { return };
    let run = case.start_with(&pod(&case).main("main", "serve main"), &["--userns-range", "3932160000:65536"]);
    case.wait_for("main up");
    assert_eq!(root(&case, "serve"), 3_932_160_000);
    let output = case.barepod(&["run", "--name", "second", "--userns-range", "3932160000:65536", "pod.yaml"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(125), "{text}");
    assert!(text.contains("no ids are free"), "{text}");
    assert_eq!(case.barepod(&["run", "--userns-range", "5:65536", "pod.yaml"]).status.code(), Some(2));
    ends(run);
}

/// Root of the container, with every capability that Kubernetes gives it and more, over what is not the pod's.
#[test]
fn its_root_is_nobody_outside() {
    let Some(case) = Case::new("users-attack") else { return };
    fs::write(case.dir().join("secret"), "secret").unwrap();
    fs::set_permissions(case.dir().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let script = "say caps $(grep CapEff /proc/self/status | cut -f2); \
        mknod /root/sda b 8 0 2>/dev/null && say made a node; \
        echo x > /proc/sys/kernel/core_pattern 2>/dev/null && say core_pattern; \
        mount -t tmpfs x /root && say mounts; mount --bind /proc/sys /root 2>/dev/null; \
        echo 1 > /proc/sys/kernel/panic && say panic; mount -o remount,rw /sys && say sys; \
        echo 1 > /sys/kernel/mm/ksm/run 2>/dev/null && say ksm; \
        hostname changed && say hostname; ip link set lo down && say network; kill -0 1 && serve main";
    let context = json!({"securityContext": {"privileged": true}});
    let run = case.start(&pod(&case).container(main("main", script, context)));
    case.wait_for("main up");
    let trace = case.trace();
    // Over its own namespaces it has them.
    for may in ["mounts", "hostname", "network"] {
        assert!(case.said(may), "{may}: {trace:?}");
    }
    for may_not in ["made a node", "core_pattern", "panic", "ksm"] {
        assert!(!case.said(may_not), "{may_not}: {trace:?}");
    }
    // As if it had broken out: in the host's file system, with all that it is in its user namespace.
    let pid = process(&case, "serve");
    let escaped = |script: &str| {
        Command::new("nsenter").args(["-t", &pid, "-U", "--", "sh", "-c", script]).output().expect("nsenter")
    };
    let secret = case.dir().join("secret");
    assert!(escaped("[ $(id -u) = 0 ]").status.success());
    assert!(!escaped(&format!("cat {}", secret.display())).status.success());
    assert!(!escaped("kill -0 1").status.success());
    assert!(!escaped(&format!("chown 0 {}", case.dir().display())).status.success());
    ends(run);
}

/// Probes, hooks, shared processes, users other than root, read-only root: nothing else changes.
#[test]
fn all_else_works() {
    let all = [
        ("users-plain", json!({}), json!({})),
        ("users-shared-pid", json!({"shareProcessNamespace": true}), json!({})),
        (
            "users-sysctls",
            json!({"securityContext": {"sysctls": [
                {"name": "net.ipv4.ip_unprivileged_port_start", "value": "17"},
                {"name": "kernel.shm_rmid_forced", "value": "1"},
            ]}}),
            json!({}),
        ),
        (
            "users-restricted",
            json!({}),
            json!({"securityContext": {
                "runAsUser": 1000, "runAsGroup": 3000, "readOnlyRootFilesystem": true,
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            }, "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}}),
        ),
    ];
    for (name, spec, container) in all {
        let Some(case) = Case::new(name) else { return };
        let script = "say hook $(id -u) $(cat /proc/self/uid_map); ls /proc/1/root/ >/dev/null 2>&1; true";
        let mut one = main("main", "say main $(id -u) $(cat /proc/self/uid_map); serve main", container);
        one["lifecycle"] = json!({
            "postStart": {"exec": {"command": ["sh", "-c", script]}},
            "preStop": {"exec": {"command": ["sh", "-c", "say stopping"]}},
        });
        one["readinessProbe"] = probe("say probe $(id -u) $(cat /proc/self/uid_map)");
        let run = case.start(&pod(&case).spec(spec).container(one).main("beside", "serve beside"));
        case.wait_for("main up");
        case.wait_for("beside up");
        wait("readiness", || case.container("main")["ready"] == true);
        let told = |who: &str| {
            let trace = case.trace();
            trace.iter().find_map(|line| line.strip_prefix(&format!("{who} "))).map(str::to_owned).unwrap()
        };
        assert_eq!((told("hook"), told("probe")), (told("main"), told("main")), "{name}");
        ends(run);
        assert!(case.said("stopping") && case.said("main term"), "{name}");
    }
}

/// What can't be is said: ids that the namespace doesn't have, a file system that can't be shown with other ids.
#[test]
fn refusals_say_why() {
    let all: [(&str, Value, Value, &str); 2] = [
        (
            "users-id",
            json!({}),
            json!({"securityContext": {"runAsUser": 70000}}),
            "70000 is not in the pod's user namespace, which has the ids 0 to 65535",
        ),
        (
            "users-fs",
            json!({"volumes": [{"name": "proc", "hostPath": {"path": "/proc/sys"}}]}),
            json!({"volumeMounts": [{"name": "proc", "mountPath": "/x"}]}),
            "its file system can't be mounted with other ids",
        ),
    ];
    for (name, spec, container, words) in all {
        let Some(case) = Case::new(name) else { return };
        let mut run = case.start(&pod(&case).spec(spec).container(main("main", "true", container)));
        let waiting = || {
            let container = case.container("main");
            container["state"]["waiting"]["message"].as_str().map(str::to_owned).filter(|text| text.contains(words))
        };
        wait_for(words, waiting);
        run.signal(Signal::TERM);
        run.end();
    }
}

/// kill -9 at some moments; then `rm --force`, and nothing is left.
#[test]
fn killed_it_leaves_nothing() {
    let Some(case) = Case::new("users-killed") else { return };
    let memory = json!({"volumes": [{"name": "m", "emptyDir": {"medium": "Memory"}}, {"name": "d", "emptyDir": {}}]});
    let mounts = json!({"volumeMounts": [{"name": "m", "mountPath": "/m"}, {"name": "d", "mountPath": "/d"}]});
    for (number, moment) in ["sandbox", "containers/main/0", "up"].into_iter().enumerate() {
        let shared = json!({"shareProcessNamespace": number % 2 == 0});
        let manifest = pod(&case).spec(memory.clone()).spec(shared);
        let mut run =
            case.start(&manifest.container(main("main", "echo x > /m/f; echo x > /d/f; defy main", mounts.clone())));
        match moment {
            "up" => case.wait_for("main up"),
            path => wait(path, || case.state().join(path).exists()),
        }
        run.kill();
        assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
        case.nothing_left();
        fs::write(case.shared("log"), "").unwrap();
    }
}

/// procMount: Unmasked is for containers that make containers: nothing of /proc is hidden, so the kernel lets
/// those have one of their own.
#[test]
fn an_unmasked_proc() {
    for (name, kind) in [("users-proc-default", "Default"), ("users-proc-unmasked", "Unmasked")] {
        let Some(case) = Case::new(name) else { return };
        let context = json!({"securityContext": {"procMount": kind, "capabilities": {"add": ["SYS_ADMIN"]}}});
        // A container in the container: what is hidden from it by mounts over /proc stays hidden.
        let script = "busybox unshare -U -r -m -p -f mount -t proc p /root 2>/dev/null && say mounts; [ -s /proc/keys ] && say keys; \
            grep -q ' /proc/sys ro' /proc/self/mountinfo && say read-only; \
            echo x > /proc/sys/kernel/core_pattern 2>/dev/null && say core_pattern; true";
        assert_eq!(case.run(&pod(&case).container(main("main", script, context))), 0);
        let expected: &[&str] = if kind == "Default" { &["read-only"] } else { &["mounts"] };
        let told: Vec<String> = case.trace().into_iter().filter(|line| line != "keys").collect();
        assert_eq!(told, expected, "{name}");
    }
}
