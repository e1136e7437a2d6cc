//! OCI bundles: as the base of a container's config, and all the ways in which they can be bad.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, wait, worker};

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

/// design.md, section 2: the bundle's config is the base, the manifest overrides it.
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

/// R8.4: what a bad bundle gives. The container waits with this reason, and event and output name bundle and field.
#[test]
fn bad_bundles_wait_with_a_reason() {
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
        let mut run = case.start(&case.pod().container(container(json!({}))));
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

/// A config.json that isn't there, and an image in a folder that the pod mounts: somebody may still put it there (R8.4).
#[test]
fn missing_bundles() {
    for (name, image, reason, text) in [
        ("no-bundle", "rootfs:TRACE/nowhere", "ErrImagePull", "nowhere"),
        ("no-config", "bundle:empty", "CreateContainerError", "config.json"),
        ("file", "rootfs:pod.yaml", "CreateContainerError", "not a directory"),
    ] {
        let Some(case) = Case::new(name) else { return };
        fs::create_dir(case.dir().join("empty")).unwrap();
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
    fs::create_dir(case.dir().join("empty")).unwrap();
    let bad = json!({"name": "bad", "image": "bundle:empty", "command": ["true"]});
    let mut run = case.start(&case.pod().container(bad).main("good", "say good"));
    run.wait_for_line("good exited 0");
    assert_eq!(case.trace(), ["good"]);
    assert!(!run.has_ended());
    assert!(case.barepod(&["stop", "beside"]).status.success());
    assert_ne!(run.end(), 0);
}
