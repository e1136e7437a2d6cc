//! Volumes (R10.5): emptyDir, hostPath, subPath.

mod propagation;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main, wait};

fn mount(path: &str, more: Value) -> Value {
    let mut mount = json!({"name": "v", "mountPath": path});
    mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"volumeMounts": [mount]})
}

fn volume(source: Value) -> Value {
    let mut volume = json!({"name": "v"});
    volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    json!({"volumes": [volume]})
}

/// An emptyDir is 0777, shared by the pod's containers, and gone with the pod (as the end of every test checks).
#[test]
fn an_empty_dir_is_shared() {
    // A tmpfs is sticky by itself, and the kubelet leaves it so.
    let memory = json!({"emptyDir": {"medium": "Memory"}});
    for (name, source, mode) in [("disk", json!({"emptyDir": {}}), "777"), ("memory", memory, "1777")] {
        let Some(case) = Case::new(&format!("empty-{name}")) else { return };
        let pod = case
            .pod()
            .spec(volume(source))
            .init(main("init", "echo data > /a/f; mkdir /a/sub", mount("/a", json!({}))))
            .container(main("main", "say $(stat -c %a /b) $(cat /b/f)", mount("/b", json!({}))));
        assert_eq!(case.run(&pod), 0);
        assert_eq!(case.trace(), [format!("{mode} data")]);
    }
}

/// `emptyDir.mode`: the folder has it in all containers and after a restart; fsGroup's rights are added to it.
#[test]
fn an_empty_dir_has_the_mode_asked_for() {
    let cases = [
        ("disk", json!({"mode": 0o750}), None, "750 0"),
        ("memory", json!({"mode": 0o700, "medium": "Memory"}), None, "700 0"),
        ("sticky", json!({"mode": 0o1777}), None, "1777 0"),
        ("group", json!({"mode": 0o700}), Some(1234), "2770 1234"),
    ];
    for (name, source, group, wanted) in cases {
        let Some(case) = Case::new(&format!("mode-{name}")) else { return };
        let mut pod = case.pod().spec(volume(json!({"emptyDir": source})));
        if let Some(group) = group {
            pod = pod.spec(json!({"securityContext": {"fsGroup": group}}));
        }
        let say = "say $(stat -c '%a %g' /v)";
        let again = "say $(stat -c '%a %g' /v); test -e /v/f || { touch /v/f; exit 1; }";
        let pod = pod
            .spec(json!({"restartPolicy": "OnFailure"}))
            .init(main("init", say, mount("/v", json!({}))))
            .container(main("main", again, mount("/v", json!({}))));
        assert_eq!(case.run(&pod), 0);
        assert_eq!(case.trace(), [wanted, wanted, wanted], "{name}");
    }
}

/// `medium: Memory` is a tmpfs that holds sizeLimit and not more.
#[test]
fn memory_has_a_size() {
    let Some(case) = Case::new("size") else { return };
    let pod = case
        .pod()
        .spec(volume(json!({"emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}})))
        .container(main(
            "main",
            "grep -q ' /v tmpfs ' /proc/mounts && say tmpfs; dd if=/dev/zero of=/v/a bs=1M count=3 && say fits; dd if=/dev/zero of=/v/b bs=1M count=2 || say full",
            mount("/v", json!({})),
        ));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["tmpfs", "fits", "full"]);
}

/// Without a sizeLimit, or with a larger one, it holds what the pod's memory limit is.
#[test]
fn memory_is_bound_by_the_pods_limit() {
    let Some(case) = Case::new("size-of-pod") else { return };
    let empty = |name: &str, limit: Value| json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": limit}});
    let size = |name: &str| format!("say {name} $(df -k /{name} | tail -n 1 | awk '{{ print $2 }}')");
    let mounts = ["a", "b", "c"].map(|name| json!({"name": name, "mountPath": format!("/{name}")}));
    let script = ["a", "b", "c"].map(size).join("; ");
    let pod = case
        .pod()
        .spec(json!({"volumes": [empty("a", Value::Null), empty("b", json!("1Gi")), empty("c", json!("4Mi"))]}))
        .container(main("main", &script, json!({"volumeMounts": mounts, "resources": {"limits": {"memory": "64Mi"}}})));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["a 65536", "b 65536", "c 4096"]);
}

/// A container that puts hundreds of folders into one another, in a volume and in its own root: far more than one piece
/// of a removal takes. The pod ends, and nothing of it stays (as the end of every test checks).
#[test]
fn folders_far_too_deep() {
    let Some(case) = Case::new("deep") else { return };
    let deep = "for d in /v /root; do cd $d; i=0; while [ $i -lt 300 ]; do mkdir d; cd d; echo x > f; i=$((i+1)); done; done; say made";
    let pod = case.pod().spec(volume(json!({"emptyDir": {}}))).container(main("main", deep, mount("/v", json!({}))));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["made"]);
}

/// fsGroup: the volume is that group's, and what is made in it too.
#[test]
fn a_volume_of_a_group() {
    let Some(case) = Case::new("fs-group") else { return };
    let pod = case
        .pod()
        .spec(volume(json!({"emptyDir": {}})))
        .spec(json!({"securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 4000}}))
        .container(main("main", "touch /v/f; say $(stat -c %g:%a /v) $(stat -c %g /v/f)", mount("/v", json!({}))));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["4000:2777 4000"]);
}

/// A read-only mount of a volume that others write to.
#[test]
fn read_only_for_one() {
    let Some(case) = Case::new("ro-mount") else { return };
    let pod = case
        .pod()
        .spec(volume(json!({"emptyDir": {}})))
        .init(main("init", "echo data > /v/f", mount("/v", json!({}))))
        .container(main(
            "main",
            "(echo x > /v/f) 2>/dev/null || say $(cat /v/f)",
            mount("/v", json!({"readOnly": true})),
        ));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["data"]);
}

/// subPath: a folder of the volume, made where it isn't there; a file of it.
#[test]
fn a_sub_path() {
    let Some(case) = Case::new("sub-path") else { return };
    let pod = case
        .pod()
        .spec(volume(json!({"emptyDir": {}})))
        .init(main("init", "mkdir -p /v/a/b; echo deep > /v/a/b/f", mount("/v", json!({}))))
        .init(main("file", "say $(cat /file)", mount("/file", json!({"subPath": "a/b/f"}))))
        .init(main("new", "touch /new/x", mount("/new", json!({"subPath": "new/one"}))))
        // As the kubelet does: who may not write may be the first to come.
        .init(main("ro", "[ -d /ro ] && ! touch /ro/x", mount("/ro", json!({"subPath": "ro", "readOnly": true}))))
        .container(main("main", "say $(ls /v) $(ls /v/new/one)", mount("/v", json!({}))));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["deep", "a new ro x"]);
}

/// A volume in a volume, in one, by a link of the image's and by one in the outer volume: each with its own access, and
/// the places are made where they are missing.
#[test]
fn volumes_in_volumes() {
    for users in [true, false] {
        let Some(case) = Case::new(if users { "nested" } else { "nested-users" }) else { return };
        let root = case.dir().join("image");
        assert!(std::process::Command::new("cp").arg("-a").arg(case.rootfs()).arg(&root).status().unwrap().success());
        symlink("/outer", root.join("way")).unwrap();
        let volumes = json!({"hostUsers": users, "volumes": [
            {"name": "outer", "emptyDir": {}}, {"name": "inner", "emptyDir": {}}, {"name": "third", "emptyDir": {}}]});
        let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
        let with = |mut mount: Value, more: Value| {
            mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            mount
        };
        let fill = json!({"volumeMounts": [mount("outer", "/o"), mount("inner", "/i")]});
        let init = "mkdir -p /o/real /o/at/in; ln -s real /o/link; touch /o/file; echo it > /i/f; echo more > /i/g";
        let mounts = json!({"image": format!("rootfs:{}", root.display()), "volumeMounts": [
            with(mount("outer", "/outer"), json!({"readOnly": true, "recursiveReadOnly": "Enabled"})),
            mount("inner", "/outer/at"), with(mount("third", "/outer/at/in"), json!({"readOnly": true})),
            mount("third", "/way/real/new/deep"), mount("inner", "/outer/link"),
            with(mount("inner", "/outer/file"), json!({"subPath": "f"})),
        ]});
        let mut writable = mounts.clone();
        writable["volumeMounts"][0].as_object_mut().unwrap().retain(|key, _| key == "name" || key == "mountPath");
        let script = "say $(cat /outer/at/f /outer/link/g /outer/file); touch /outer/at/x && say inner; \
            touch /outer/at/in/x || say third; touch /outer/x || say outer; ";
        let manifest = case.pod().spec(volumes).init(main("fill", init, fill));
        // The first makes what is missing, which the second couldn't.
        let manifest = manifest.init(main("one", &format!("{script} touch /outer/real/new/deep/y"), writable));
        let manifest = manifest.container(main("main", &format!("{script} say $(ls /outer/real/new/deep)"), mounts));
        let mut run = case.start(&manifest);
        assert_eq!(run.end(), 0, "{}", run.stderr());
        let each = ["it more it", "inner", "third"];
        assert_eq!(case.trace(), [&each[..], &each, &["outer", "y"]].concat(), "{users}");
    }
}

/// A subPath that a link leads out of its volume gives no container (CVE-2017-1002101), and says so.
#[test]
fn a_sub_path_never_leaves_its_volume() {
    let Some(case) = Case::new("escape") else { return };
    fs::create_dir(case.shared("volume")).unwrap();
    symlink("/etc", case.shared("volume/link")).unwrap();
    let source = json!({"hostPath": {"path": case.shared("volume"), "type": "Directory"}});
    let pod = case.pod().spec(volume(source)).container(main(
        "main",
        "say $(ls /v)",
        mount("/v", json!({"subPath": "link"})),
    ));
    let mut run = case.start(&pod);
    wait("an end or a reason", || run.has_ended() || case.container("main")["state"]["waiting"]["message"].is_string());
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
    assert!(case.trace().is_empty(), "{:?}", case.trace());
    assert!(run.stderr().contains("link"), "{}", run.stderr());
}

/// hostPath: what is to be made is made, with the kubelet's modes.
#[test]
fn a_host_path_is_made() {
    let Some(case) = Case::new("host-made") else { return };
    let (folder, file) = (case.shared("made/deep"), case.shared("file"));
    let pod = case
        .pod()
        .spec(volume(json!({"hostPath": {"path": folder, "type": "DirectoryOrCreate"}})))
        .spec(json!({"volumes": [{"name": "f", "hostPath": {"path": file, "type": "FileOrCreate"}}]}))
        .container(main(
            "main",
            "echo 1 > /v/x; echo 2 > /f",
            json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "f", "mountPath": "/f"}]}),
        ));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(fs::read_to_string(folder.join("x")).unwrap(), "1\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), "2\n");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
}

/// hostPath: what isn't of the wanted type is FailedMount; the container isn't created until it is.
#[test]
fn a_host_path_of_the_wrong_type() {
    let wrong = [
        ("Directory", "file"),
        ("File", "folder"),
        ("Directory", "nothing"),
        ("Socket", "file"),
        ("CharDevice", "file"),
        ("BlockDevice", "file"),
    ];
    for (number, (kind, have)) in wrong.into_iter().enumerate() {
        let Some(case) = Case::new(&format!("host-wrong-{number}")) else { return };
        fs::create_dir(case.shared("folder")).unwrap();
        fs::write(case.shared("file"), "").unwrap();
        let source = json!({"hostPath": {"path": case.shared(have), "type": kind}});
        let pod = case.pod().spec(volume(source)).container(main("main", "say main", mount("/v", json!({}))));
        let mut run = case.start(&pod);
        wait("FailedMount", || case.barepod(&["events", case.name()]).stdout.windows(11).any(|w| w == b"FailedMount"));
        let message = case.messages("FailedMount").join(" ");
        assert!(message.contains("hostPath type check failed") && message.contains(have), "{message}");
        run.signal(Signal::TERM);
        assert_ne!(run.end(), 0);
        assert!(case.trace().is_empty());
    }
}
