//! OCI bundles: as the base of a container's config, and all the ways in which they can be bad.

mod file_systems;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, open_files_suffice, wait, worker};

/// What a bundle's config.json says where a test doesn't say otherwise.
fn config() -> Value {
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {"args": ["sh", "-c", "say bundle $A $(pwd) $(id -u)"], "env": ["PATH=/bin", "A=a"], "cwd": "/etc", "user": {"uid": 0, "gid": 0}}
    })
}

/// Makes the bundle `b` beside the manifest; its rootfs is the case's.
fn bundle(case: &Case, config: &str) {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();
}

fn container(more: Value) -> Value {
    let mut container = json!({
        "name": "main", "image": "bundle:b", "volumeMounts": [{"name": "t", "mountPath": "/t"}]
    });
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

/// docs/oci.md: the bundle's config is the base, the manifest overrides it.
#[test]
fn the_manifest_overrides_the_bundle() {
    let Some(case) = Case::new("bundle") else { return };
    bundle(&case, &config().to_string());
    assert_eq!(case.run(&case.pod().container(container(json!({})))), 0);
    let more = json!({
        "env": [{"name": "A", "value": "b"}], "workingDir": "/var", "securityContext": {"runAsUser": 1000}
    });
    assert_eq!(case.run(&case.pod().container(container(more))), 0);
    let more = json!({"command": ["say"], "args": ["other"]});
    assert_eq!(case.run(&case.pod().container(container(more))), 0);
    assert_eq!(case.trace(), ["bundle a /etc 0", "bundle b /var 1000", "other"]);
}

/// What `runc spec` writes (crun's and umoci's differ little), but for the command: it has a terminal, a root file system
/// that is only to be read, and mounts and paths that every container has anyway.
#[test]
fn a_bundle_as_the_tools_write_it() {
    if !open_files_suffice(1024) {
        return;
    }
    let Some(case) = Case::new("runc-spec") else { return };
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let config = json!({
        "ociVersion": "1.2.0",
        "process": {
            "terminal": true, "consoleSize": {"height": 25, "width": 80},
            "args": ["sh", "-c", "[ -t 0 ] && say terminal; (touch /x) 2>/dev/null && say written; say $(id -u) $TERM $(pwd)"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/", "noNewPrivileges": true,
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "runc",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "cgroup"}],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    });
    bundle(&case, &config.to_string());
    assert_eq!(case.run(&case.pod().container(container(json!({})))), 0);
    assert_eq!(case.trace(), ["0 xterm /"]);
}

/// One bundle serves several containers at once, and none sees what another writes.
#[test]
fn one_bundle_for_many() {
    let Some(case) = Case::new("many") else { return };
    bundle(&case, &config().to_string());
    let each = |name: &str, other: &str| {
        let script = format!("echo {name} > /root/f; say {name}; await {other}; say {name} $(cat /root/f)");
        container(json!({"name": name, "command": ["sh", "-c", script]}))
    };
    assert_eq!(case.run(&case.pod().container(each("one", "two")).container(each("two", "one"))), 0);
    assert!(case.said("one one") && case.said("two two"), "{:?}", case.trace());
}

/// R8.4: what a bad bundle gives. Nobody but the user can mend it: `run` says so at once, with exit code 2, bundle and
/// field. One in a folder that the pod mounts may be mended by the pod: the container waits with this reason.
#[test]
fn bad_bundles() {
    let changed = |key: &str, value: Value| {
        let mut config = config();
        *config.pointer_mut(key).unwrap() = value;
        config.to_string()
    };
    let mount = json!([{"destination": "/x", "type": "nosuchfs", "source": "x"}]);
    let mut unknown_mount = config();
    unknown_mount["mounts"] = mount;
    let mut unknown_capability = config();
    unknown_capability["process"]["capabilities"] = json!({"bounding": ["CAP_FLY"]});
    let all = [
        ("not-json", "{".to_owned(), "CreateContainerError", "config.json"),
        ("wrong-type", changed("/process/args", json!("sh")), "CreateContainerError", "config.json"),
        ("version", changed("/ociVersion", json!("7.0.0")), "CreateContainerError", "ociVersion"),
        ("no-rootfs", changed("/root/path", json!("nowhere")), "CreateContainerError", "root.path"),
        ("rootfs-file", changed("/root/path", json!("config.json")), "CreateContainerError", "root.path"),
        ("no-args", changed("/process/args", json!([])), "CreateContainer", "process.args"),
        ("capability", unknown_capability.to_string(), "CreateContainerError", "CAP_FLY"),
        ("mount-type", unknown_mount.to_string(), "CreateContainerError", "nosuchfs"),
    ];
    for (name, config, reason, field) in all {
        let Some(case) = Case::new(&format!("bad-{name}")) else { return };
        bundle(&case, &config);
        if name != "mount-type" {
            let mut run = case.start(&case.pod().main("first", "say first").container(container(json!({}))));
            assert_eq!(run.end(), 2, "{name}: {}", run.stderr());
            let place = if name == "no-args" { "spec.containers[1].command" } else { "spec.containers[1].image" };
            let stderr = run.stderr();
            assert!(stderr.contains(place) && stderr.contains("pod.yaml:"), "{name}: {stderr}");
            assert!(name == "no-args" || stderr.contains(field), "{name}: {stderr}");
            assert!(case.trace().is_empty() && !case.root().exists(), "{name}");
        }
        fs::rename(case.dir().join("b"), case.shared("b")).unwrap();
        let mut run = case.start(&case.pod().container(container(json!({"image": "bundle:TRACE/b"}))));
        let waiting = || case.container("main")["state"]["waiting"].clone();
        wait(&format!("{name}: {reason}"), || waiting()["reason"].as_str().unwrap_or_default().starts_with(reason));
        let message = waiting()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(field), "{name}: {message}");
        assert!(case.messages("Failed").iter().any(|event| event.contains(field)), "{name}: {:?}", case.events());
        wait("the output tells of it", || run.stderr().contains(field));
        run.signal(Signal::TERM);
        assert_ne!(run.end(), 0);
        assert!(case.trace().is_empty());
    }
}

/// What isn't there in a folder that the pod mounts: somebody may still put it there (R8.4).
#[test]
fn missing_bundles() {
    for (name, image, reason, text) in [
        ("no-bundle", "rootfs:TRACE/nowhere", "ErrImagePull", "nowhere"),
        ("no-config", "bundle:TRACE/empty", "CreateContainerError", "config.json"),
        ("file", "rootfs:TRACE/log", "CreateContainerError", "not a directory"),
    ] {
        let Some(case) = Case::new(name) else { return };
        fs::create_dir(case.shared("empty")).unwrap();
        let mut run = case.start(&case.pod().container(json!({"name": "main", "image": image, "command": ["true"]})));
        let reasons = [reason, "ImagePullBackOff"];
        wait(&format!("{name}: {reason}"), || {
            let waiting = case.container("main")["state"]["waiting"]["reason"].clone();
            reasons.contains(&waiting.as_str().unwrap_or_default())
        });
        assert!(run.stderr().contains(text), "{}", run.stderr());
        run.signal(Signal::TERM);
        assert_ne!(run.end(), 0);
    }
}

/// What no retry can mend ends `run` with 2 before anything is made, whatever the restart policy says, all of it at once
/// and each in its place.
#[test]
fn what_no_retry_can_mend_is_said_before_the_start() {
    for policy in ["Always", "Never"] {
        let Some(case) = Case::new("hopeless") else { return };
        fs::create_dir(case.dir().join("empty")).unwrap();
        let made = "rootfs:TRACE/made";
        let pod = case
            .pod()
            .init(json!({"name": "empty", "image": "bundle:empty", "command": ["true"]}))
            .init(json!({"name": "file", "image": "rootfs:pod.yaml", "command": ["true"]}))
            .container(json!({"name": "silent", "image": "IMAGE"}))
            .container(json!({"name": "made", "image": made}))
            .main("good", "say good")
            .spec(json!({"restartPolicy": policy, "volumes": [
                {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}},
                {"name": "note", "persistentVolumeClaim": {"claimName": "note"}}]}));
        let (disk, note) = (case.dir().join("no-disk"), case.dir().join("note"));
        fs::write(&note, "no folder").unwrap();
        let volumes = [format!("--volume=disk={}", disk.display()), format!("--volume=note={}", note.display())];
        let mut run = case.start_with(&pod, &volumes.each_ref().map(String::as_str));
        assert_eq!(run.end(), 2, "{}", run.stderr());
        let stderr = run.stderr();
        for text in [
            "spec.initContainers[0].image",
            "config.json: No such file",
            "spec.initContainers[1].image",
            "not a directory",
            "spec.containers[0].command",
            "spec.containers[1].command",
            "spec.volumes[1].persistentVolumeClaim.claimName",
            "no-disk isn't there",
            "spec.volumes[2].persistentVolumeClaim.claimName",
            "note is no folder",
        ] {
            assert!(stderr.contains(text), "{text}: {stderr}");
        }
        assert!(!stderr.contains("spec.containers[2]"), "{stderr}");
        assert!(case.trace().is_empty() && !case.root().exists());
    }
}

/// `--volume` of a claim that the pod doesn't have is misspelt in one place or the other.
#[test]
fn a_volume_of_an_unknown_claim() {
    let Some(case) = Case::new("unknown-claim") else { return };
    let tmp = case.dir().join("tmp");
    let option = format!("--volume=dsik={}", tmp.display());
    let claimed = json!({"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]});
    let also = format!("--volume=disk={}", tmp.display());
    for (spec, options, known) in
        [(json!({}), vec![&*option], "it has none"), (claimed, vec![&*option, &*also], "it has: disk")]
    {
        let mut run = case.start_with(&case.pod().main("main", "say hello").spec(spec), &options);
        assert_eq!(run.end(), 2, "{}", run.stderr());
        assert!(run.stderr().contains("\"dsik\"") && run.stderr().contains(known), "{}", run.stderr());
        assert!(case.trace().is_empty() && !case.root().exists());
    }
}

/// An image that is nowhere is a slip: `run` says so at once, of all of them, with exit code 2, and nothing is made.
#[test]
fn an_image_that_is_nowhere_is_an_invalid_manifest() {
    let Some(case) = Case::new("nowhere") else { return };
    let image = |name: &str, image: &str| json!({"name": name, "image": image, "command": ["say", name]});
    let volumes = json!({"volumes": [{"name": "v", "image": {"reference": "rootfs:no-volume"}}]});
    let pod = case.pod().init(worker("first", "say first")).init(image("lost", "bundle:no-init"));
    let pod =
        pod.container(image("main", "rootfs:/no-main")).container(image("file", "bundle:pod.yaml/x")).spec(volumes);
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 2);
    let stderr = run.stderr();
    for text in [
        "Not found: \"bundle:no-init\"",
        "spec.initContainers[1].image",
        "Not found: \"rootfs:/no-main\"",
        "spec.containers[0].image",
        "Not found: \"bundle:pod.yaml/x\"",
        "spec.volumes[1].image.reference",
        "pod.yaml:",
        &format!("there is no {}", case.dir().join("no-init").display()),
    ] {
        assert!(stderr.contains(text), "{text}: {stderr}");
    }
    assert!(case.trace().is_empty() && !case.root().exists());
}

/// A pod may make an image itself: an init container unpacks it to a folder of the box, and a main runs from there.
#[test]
fn an_image_that_an_init_container_makes() {
    let Some(case) = Case::new("made") else { return };
    let unpack = "mkdir -p /t/made/bin /t/made/t && cp -a /bin/. /t/made/bin/ && say unpacked";
    let mut made = worker("main", "say runs from $(cat /mark)");
    made["image"] = json!("rootfs:TRACE/made");
    let pod = case.pod().init(worker("unpack", &format!("{unpack} && echo it > /t/made/mark"))).container(made);
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["unpacked", "runs from it"]);
}

/// R8.4: what can't be executed is a StartError (128), with the path and why.
#[test]
fn what_can_not_be_executed() {
    for (name, program, why) in [
        ("exec-missing", "/bin/nothing", "no such file"),
        ("exec-mode", "/etc/passwd", "permission denied"),
        ("exec-format", "/bin/garbage", "exec format error"),
        ("exec-folder", "/etc", "permission denied"),
    ] {
        let Some(case) = Case::new(name) else { return };
        // Beside the image, so that the image stays as it was.
        fs::write(case.shared("garbage"), [0_u8, 1, 2, 3]).unwrap();
        fs::set_permissions(case.shared("garbage"), fs::Permissions::from_mode(0o755)).unwrap();
        let program = program.replace("/bin/garbage", "/t/garbage");
        let pod = case.pod().container(json!({
            "name": "main", "image": "IMAGE", "command": [program], "volumeMounts": [{"name": "t", "mountPath": "/t"}]
        }));
        let mut run = case.start(&pod);
        assert_eq!(run.end(), 128, "{}", run.stderr());
        assert_eq!(case.ended("main"), (128, "StartError".into()));
        let stderr = run.stderr().to_lowercase();
        assert!(stderr.contains(&program) && stderr.contains(why), "{name}: {stderr}");
    }
}

/// A bad bundle of one container doesn't keep the others from running (R2.4), and the pod can be stopped.
#[test]
fn a_bad_bundle_beside_a_good_container() {
    let Some(case) = Case::new("beside") else { return };
    fs::create_dir(case.shared("empty")).unwrap();
    let bad = json!({"name": "bad", "image": "bundle:TRACE/empty", "command": ["true"]});
    let mut run = case.start(&case.pod().container(bad).main("good", "say good"));
    run.wait_for_line("good exited 0");
    assert_eq!(case.trace(), ["good"]);
    assert!(!run.has_ended());
    assert!(case.barepod(&["stop", "beside"]).status.success());
    assert_ne!(run.end(), 0);
}
