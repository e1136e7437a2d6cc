//! Pods of an ordinary user (docs/rootless.md): the same lifecycle, by a user namespace; what can't be had is said.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::user::{FIRST, Ids, UID, give};
use crate::harness::{Case, Run, main, probe, wait, wait_for, worker};

/// The demo's pod: an init, a sidecar, a main that needs it; order and exit code.
#[test]
fn the_order_is_the_same() {
    let Some(case) = Case::of_user("user-order", Ids::Subordinate) else { return };
    let volume = json!({"volumeMounts": [{"name": "site", "mountPath": "/site"}]});
    let pod = case
        .pod()
        .spec(json!({"volumes": [{"name": "site", "emptyDir": {}}]}))
        .init(main("prepare", "echo page > /site/index; say prepared", volume.clone()))
        .sidecar("web", "serve web")
        .container(main("client", "await web up; say got $(cat /site/index); echo printed; exit 3", volume));
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 3, "{}", run.stderr());
    assert_eq!(case.trace(), ["prepared", "web up", "got page", "web term"]);
    assert_eq!(case.phase(), "Failed");
    assert_eq!(case.logs("client", &[]), "printed\n");
    assert!(!run.stderr().contains("warning"), "{}", run.stderr());
}

/// 0 inside is the user outside, the others are its subordinate ids; whoever made it, nothing of it stays.
#[test]
fn ids_are_the_users_own() {
    let Some(case) = Case::of_user("user-ids", Ids::Subordinate) else { return };
    give(&case.rootfs(), UID);
    let user = json!({"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}});
    let pod = case
        .pod()
        .main("root", "touch /t/of-root; echo x > /root/f && echo x > /etc/motd && say root $(id -u)")
        .container(main("guest", "touch /t/of-guest; say guest $(id -u) $(id -g)", user));
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0, "{}\n{}", run.stderr(), run.stdout());
    let mut said = case.trace();
    said.sort();
    assert_eq!(said, ["guest 1000 1000", "root 0"]);
    let owner = |name: &str| fs::metadata(case.shared(name)).unwrap().uid();
    assert_eq!((owner("of-root"), owner("of-guest")), (UID, FIRST + 999));
}

/// Without subordinate ids there is the user alone, which is said; another user is an error before anything is made.
#[test]
fn without_subordinate_ids_there_is_one_user() {
    let Some(case) = Case::of_user("user-single", Ids::None) else { return };
    let mut run = case.start(&case.pod().main("main", "say $(id -u) $(id -g)"));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(case.trace(), ["0 0"]);
    assert!(run.stderr().contains("/etc/subuid has no line for e2euser"), "{}", run.stderr());
    let other = json!({"securityContext": {"runAsUser": 1000}});
    let mut run = case.start(&case.pod().container(main("main", "say never", other)));
    assert_eq!(run.end(), 2);
    let text = run.stderr();
    assert!(text.contains("spec.containers[0].securityContext.runAsUser") && text.contains("/etc/subuid"), "{text}");
}

/// On v1, and where nothing is delegated, limits are named once, and the pod runs.
#[test]
fn limits_without_cgroups_are_named() {
    let Some(case) = Case::of_user("user-limits", Ids::Subordinate) else { return };
    let limits = json!({"resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}});
    let mut run = case.start(&case.pod().container(main("main", "say ran", limits)).main("other", "true"));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(case.said("ran"));
    let text = run.stderr();
    let told: Vec<&str> = text.lines().filter(|line| line.contains("warning:")).collect();
    assert_eq!(told.len(), 1, "{text}");
    let fields = "resources.limits.cpu, resources.limits.memory of container \"main\"";
    assert!(told[0].contains(fields) && told[0].contains("Delegate=yes"), "{text}");
}

/// What needs the box's root is refused before anything is made.
#[test]
fn the_hosts_processes_cannot_be_had() {
    let Some(case) = Case::of_user("user-hostpid", Ids::Subordinate) else { return };
    let mut run = case.start(&case.pod().spec(json!({"hostPID": true})).main("main", "say never"));
    assert_eq!(run.end(), 2);
    assert!(run.stderr().contains("spec.hostPID"), "{}", run.stderr());
    assert!(case.trace().is_empty());
}

/// The host's network and IPC: no new /sys and /dev/mqueue can be mounted, so the box's are shown.
#[test]
fn the_hosts_network_can_be_had() {
    let Some(case) = Case::of_user("user-network", Ids::Subordinate) else { return };
    let script = "say $(readlink /proc/self/ns/net) $(readlink /proc/self/ns/ipc); ls /sys/class/net > /t/net";
    let pod = case.pod().spec(json!({"hostNetwork": true, "hostIPC": true})).main("main", script);
    let mut run = case.start_with(&pod, &[]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let own = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string();
    assert_eq!(case.trace(), [format!("{} {}", own("net"), own("ipc"))]);
}

/// Probes, hooks and a shared pid namespace; SIGTERM to the process that was started ends the pod in order.
#[test]
fn it_is_stopped_by_a_signal() {
    let Some(case) = Case::of_user("user-stop", Ids::Subordinate) else { return };
    let probe = json!({"readinessProbe": probe("say probed")});
    let pod = case.pod().spec(json!({"shareProcessNamespace": true})).sidecar("side", "serve side").container(main(
        "main",
        "serve main",
        probe,
    ));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    case.wait_for("probed");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let trace = case.trace();
    let at = |line: &str| trace.iter().position(|one| one == line).unwrap_or_else(|| panic!("{line}: {trace:?}"));
    assert!(at("main term") < at("side term"));
}

/// `barepod stop` finds the user's pod, here in the folders that a user's pods are in by default.
#[test]
fn other_commands_find_it() {
    let Some(case) = Case::of_user("user-find", Ids::Subordinate) else { return };
    let path = case.write(&case.pod().main("main", "serve main").text());
    let mut run = Run::of(&case, case.command_at(&[], &["run", "-q"]).arg(path));
    case.wait_for("main up");
    let output = |args: &[&str]| {
        let output = case.command_at(&[], args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // The status is written after the reaction to the start.
    wait("the status says so", || output(&["get"]).contains("Running"));
    assert!(case.dir().join("runtime/barepod/pods/default_user-find").exists());
    assert!(case.dir().join("home/.local/share/barepod/data").exists());
    output(&["stop", "user-find"]);
    assert_eq!(run.end(), 0);
    assert!(case.said("main term"));
    output(&["rm", "user-find"]);
}

/// Who is killed in whatever way: all of the pod ends with it, at once and without another command; what is on disk goes
/// with the next.
#[test]
fn nothing_outlives_its_supervisor() {
    let Some(case) = Case::of_user("user-killed", Ids::Subordinate) else { return };
    give(&case.rootfs(), UID);
    let user = json!({"securityContext": {"runAsUser": 1000}, "volumeMounts": [{"name": "d", "mountPath": "/d"}]});
    let pod = case
        .pod()
        .spec(json!({"volumes": [{"name": "d", "emptyDir": {}}]}))
        .main("root", "echo x > /root/f; (trap '' TERM; setsid sleep 1000) & serve root")
        .container(main(
            "guest",
            "echo x > /d/f; chmod 600 /d/f; mkdir -m 700 /d/own; echo x > /d/own/f; serve guest",
            user,
        ));
    for who in ["the process that was started", "the supervisor"] {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&pod);
        case.wait_for("root up");
        case.wait_for("guest up");
        let (outer, inner) = (run.pid(), child(run.pid()));
        let victim = if who == "the supervisor" { inner } else { outer };
        kill_process(victim, Signal::KILL).unwrap();
        run.end();
        wait(&format!("the end of the pod's processes, once {who} was killed"), || below(&case).is_empty());
        let output = case.barepod(&["rm", "--force", case.name()]);
        assert!(output.status.success(), "{who}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The one child of a process.
fn child(pid: Pid) -> Pid {
    let path = format!("/proc/{pid}/task/{pid}/children");
    wait_for("the supervisor", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        Pid::from_raw(text.split_whitespace().next()?.parse().ok()?)
    })
}

/// Processes of the user's and of its subordinate ids that see the case's folder.
fn below(case: &Case) -> Vec<PathBuf> {
    let dir = case.dir().display().to_string();
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.filter(|path| {
        let ours = fs::metadata(path).is_ok_and(|found| found.uid() == UID || found.uid() >= FIRST);
        ours && fs::read_to_string(path.join("mountinfo")).is_ok_and(|text| text.contains(&dir))
    })
    .collect()
}

/// Bundles' limits are named as well.
#[test]
fn limits_of_bundles_are_named() {
    let Some(case) = Case::of_user("user-bundle", Ids::Subordinate) else { return };
    let bundle = case.dir().join("bundle");
    fs::create_dir(&bundle).unwrap();
    fs::set_permissions(&bundle, PermissionsExt::from_mode(0o755)).unwrap();
    let config = json!({
        "ociVersion": "1.2.0", "root": {"path": case.rootfs()},
        "process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": ["true"], "env": ["PATH=/bin"]},
        "linux": {"resources": {"memory": {"limit": 33_554_432}}, "namespaces": []},
        "mounts": [{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["gid=5"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]
    });
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    fs::set_permissions(bundle.join("config.json"), PermissionsExt::from_mode(0o644)).unwrap();
    let mut one = worker("main", "say ran");
    one["image"] = json!(format!("bundle:{}", bundle.display()));
    let mut run = case.start(&case.pod().container(one));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(run.stderr().contains("linux.resources"), "{}", run.stderr());
}

/// KEP-3721: a file of the pod's own users, below folders that are not the box's user's, has the variables; and a link out
/// of the volume is as little followed as by root.
#[test]
fn variables_from_a_file() {
    for medium in ["", "Memory"] {
        let Some(case) = Case::of_user("user-env-file", Ids::Subordinate) else { return };
        let of = |path: &str| {
            let from = json!({"volumeName": "v", "path": path, "key": "A", "optional": true});
            json!([{"name": "A", "valueFrom": {"fileKeyRef": from}}])
        };
        let mount = json!([{"name": "v", "mountPath": "/v"}]);
        let guest = json!({"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}, "volumeMounts": mount});
        let write = "mkdir -m 700 /v/own && echo \"A='of guest'\" > /v/own/env && chmod 600 /v/own/env";
        let pod = case
            .pod()
            .spec(json!({"volumes": [{"name": "v", "emptyDir": {"medium": medium}}]}))
            .init(main("init", write, guest.clone()))
            .init(main(
                "root",
                "say $A; echo \"A='of root'\" > /v/env",
                json!({"env": of("own/env"), "volumeMounts": mount}),
            ))
            .container(main("main", "say $A", json!({"env": of("env")})));
        let mut run = case.start(&pod);
        assert_eq!(run.end(), 0, "{medium:?}: {}", run.stderr());
        assert_eq!(case.trace(), ["of guest", "of root"], "{medium:?}");
    }
}
