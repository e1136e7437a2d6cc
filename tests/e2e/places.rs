//! Where a container's mounts and its working directory come to be: behind links of the image, in volumes of files, in
//! folders that nobody has made. And the options of a bundle's mounts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main, merge, wait};

/// An image of the case's own, which may have links.
fn image(case: &Case, links: &[(&str, &str)]) -> PathBuf {
    let root = case.dir().join("image");
    assert!(Command::new("cp").arg("-a").arg(case.rootfs()).arg(&root).status().unwrap().success());
    for (path, target) in links {
        let path = root.join(path);
        let _ = fs::remove_file(&path);
        symlink(target, path).unwrap();
    }
    root
}

fn mount(name: &str, path: &str) -> Value {
    json!({"name": name, "mountPath": path})
}

/// kubelet_pods.go, makeMounts: a subPath that isn't there gets the mode of its volume, so whoever can use the volume can use
/// it; a group is handed on.
#[test]
fn a_new_sub_path_is_for_the_users_of_its_volume() {
    for users in [true, false] {
        let Some(case) = Case::new(&format!("new-sub-path-{users}")) else { return };
        for (folder, mode) in [("narrow", 0o750), ("sticky", 0o1777)] {
            fs::create_dir(case.shared(folder)).unwrap();
            fs::set_permissions(case.shared(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        let host = |name: &str| json!({"name": name, "hostPath": {"path": case.shared(name)}});
        let spec = json!({"hostUsers": users, "securityContext": {"runAsUser": 1001, "runAsGroup": 1001, "fsGroup": 123},
            "volumes": [{"name": "v", "emptyDir": {}}, host("narrow"), host("sticky")]});
        let sub = |name: &str, path: &str, more: Value| {
            let mut mount = mount(name, path);
            merge(&mut mount, &more);
            mount
        };
        let mounts = json!({"env": [{"name": "WHERE", "value": "by/name"}], "volumeMounts": [
            sub("v", "/deep", json!({"subPath": "a/b"})), sub("v", "/expr", json!({"subPathExpr": "$(WHERE)"})), mount("v", "/v"),
            sub("narrow", "/narrow", json!({"subPath": "new"})), sub("sticky", "/sticky", json!({"subPath": "new"}))]});
        let script = "for at in /deep /expr /v/a /narrow /sticky; do say $at $(stat -c '%a %u %g' $at); done; \
            touch /deep/f /expr/f /sticky/f && say written";
        assert_eq!(case.run(&case.pod().spec(spec).container(main("main", script, mounts))), 0, "{:?}", case.trace());
        let told = case.trace();
        let own = ["/deep 2777 0 123", "/expr 2777 0 123", "/v/a 2777 0 123", "/narrow 750 0 0", "/sticky 1777 0 0"];
        assert_eq!(told, [&own[..], &["written"]].concat(), "{users}");
    }
}

/// Links of the image that lead to what isn't there: as on every box with systemd-resolved. What they lead to is made, in the
/// container alone (runc, by securejoin).
#[test]
fn links_of_the_image_that_lead_nowhere() {
    for (name, more) in [("dangling", json!({})), ("dangling-users", json!({"hostUsers": false}))] {
        let Some(case) = Case::new(name) else { return };
        let root = image(
            &case,
            &[
                ("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
                ("etc/hosts", "/run/hosts"),
                ("etc/hostname", "../../../../away/hostname"),
                ("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
                ("app", "/data/app"),
            ],
        );
        fs::write(case.shared("zone"), "zone\n").unwrap();
        let spec = json!({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "zone", "hostPath": {"path": case.shared("zone")}}]});
        let mounts = json!({"image": format!("rootfs:{}", root.display()), "workingDir": "/app/work",
            "volumeMounts": [mount("v", "/app"), mount("zone", "/etc/localtime")]});
        let script = "say $(cat /etc/localtime) $(cat /away/hostname) $(pwd); grep -q localhost /etc/hosts && say hosts; \
            cat /run/systemd/resolve/stub-resolv.conf > /dev/null && say resolv; touch /data/app/f && say $(ls /app)";
        let mut read_only = mounts.clone();
        merge(&mut read_only, &json!({"securityContext": {"readOnlyRootFilesystem": true}}));
        let pod = case.pod().spec(spec).spec(more);
        let pod = pod.init(main("one", script, mounts)).container(main("main", script, read_only));
        let mut run = case.start(&pod);
        assert_eq!(run.end(), 0, "{}", run.stderr());
        let each = [&format!("zone {name} /data/app/work"), "hosts", "resolv", "f work"].map(str::to_owned);
        assert_eq!(case.trace(), [&each[..], &each[..]].concat());
        // Neither the image nor what is around it.
        assert!(!root.join("data").exists() && !root.join("run/systemd").exists() && !case.dir().join("away").exists());
    }
}

/// The kubelet's MakeNestedMountpoints: volumes of files have places for what is mounted in them.
#[test]
fn volumes_in_volumes_of_files() {
    for users in [true, false] {
        let Some(case) = Case::new(&format!("in-files-{users}")) else { return };
        let name = json!([{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]);
        let spec = json!({"hostUsers": users, "volumes": [
            {"name": "files", "downwardAPI": {"items": name}}, {"name": "inner", "emptyDir": {}},
            {"name": "projected", "projected": {"sources": [{"downwardAPI": {"items": name}}]}}]});
        let fill = json!({"volumeMounts": [mount("inner", "/i")]});
        let mut file = mount("inner", "/f/file");
        merge(&mut file, &json!({"subPath": "f"}));
        let mounts = json!({"volumeMounts": [mount("files", "/f"), mount("inner", "/f/in/deep"), file,
            mount("projected", "/p"), mount("inner", "/p/x")]});
        let script = "echo $(cat /f/name) $(cat /p/name) $(cat /f/in/deep/f /f/file) > /t/line; say $(cat /t/line); \
             touch /f/in/deep/new && say written; (touch /f/y) 2>/dev/null || say kept; [ -d /p/x/ ] && say $(stat -c %a:%u /f/in)";
        let one = main("one", script, mounts.clone());
        let pod = case.pod().spec(spec).init(main("fill", "echo it > /i/f", fill)).init(one);
        let mut run = case.start(&pod.container(main("main", script, mounts)));
        assert_eq!(run.end(), 0, "{}", run.stderr());
        let line = format!("{0} {0} it it", case.name());
        let each = [&line, "written", "kept", "755:0"].map(str::to_owned);
        assert_eq!(case.trace(), [&each[..], &each[..]].concat());
    }
}

/// runc makes the working directory after the mounts: in a volume too, of the container's root.
#[test]
fn a_working_directory_in_a_volume() {
    let Some(case) = Case::new("cwd-volume") else { return };
    let root = image(&case, &[("way", "/v/by/link")]);
    let at = |name: &str, path: &str, more: Value| {
        let mut own = json!({"image": format!("rootfs:{}", root.display()), "workingDir": path,
            "volumeMounts": [mount("v", "/v"), mount("w", "/v/w")]});
        merge(&mut own, &more);
        main(name, "say $(pwd -P) $(stat -c %a:%u .)", own)
    };
    let user = json!({"securityContext": {"runAsUser": 1000}});
    let volumes = json!({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}]});
    let pod = case.pod().spec(volumes.clone());
    let pod = pod.init(at("new", "/v/a/b", user)).init(at("link", "/way", json!({})));
    let pod = pod.init(at("inner", "/v/w/x", json!({}))).init(at("shared", "/dev/shm/x", json!({})));
    // A link of the volume that leads elsewhere in the container.
    let pod = pod.init(main("away", "ln -s /bin /v/out", json!({"volumeMounts": [mount("v", "/v")]})));
    let mut run = case.start(&pod.container(at("main", "/v/out", json!({}))));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let told = ["/v/a/b 755:0", "/v/by/link 755:0", "/v/w/x 755:0", "/dev/shm/x 755:0", "/bin 755:0"];
    assert_eq!(case.trace(), told);

    let Some(case) = Case::new("cwd-read-only") else { return };
    let read_only =
        json!({"volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": true}], "workingDir": "/v/none"});
    let mut run = case.start(&case.pod().spec(volumes).container(main("main", "say never", read_only)));
    let said = "working directory /v/none: isn't in its volume, which is mounted read-only";
    wait(said, || run.stderr().contains(said));
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
}

/// Kubernetes 1.37: owners of projected files, and options of a volume's mount.
#[test]
fn owners_of_files_and_options_of_their_mount() {
    for users in [true, false] {
        let Some(case) = Case::new(&format!("file-users-{users}")) else { return };
        let item = |path: &str, more: Value| {
            let mut item = json!({"path": path, "fieldRef": {"fieldPath": "metadata.name"}});
            merge(&mut item, &more);
            item
        };
        let items = json!([item("d/own", json!({"user": 1001, "mode": 0o400})), item("all", json!({}))]);
        let spec = json!({"hostUsers": users, "volumes": [
            {"name": "files", "downwardAPI": {"items": items, "defaultUser": 1000}},
            {"name": "projected", "projected": {"defaultUser": 7, "sources": [{"downwardAPI": {"items": items}}]}}]});
        let mut mounted = mount("files", "/f");
        merge(&mut mounted, &json!({"bindMountOptions": ["noexec", "nodev", "nosuid"]}));
        let mounts =
            json!({"securityContext": {"runAsUser": 1001}, "volumeMounts": [mounted, mount("projected", "/p")]});
        let script = "say $(stat -L -c %u:%a /f/d/own /f/all /f/d /p/d/own /p/all) $(cat /f/d/own >/dev/null && echo read); \
            say $(grep ' /f ' /proc/self/mountinfo | cut -d' ' -f6)";
        assert_eq!(case.run(&case.pod().spec(spec).container(main("main", script, mounts))), 0);
        let told = case.trace();
        assert_eq!(told[0], "1001:400 1000:644 0:755 1001:400 7:644 read", "{users}");
        assert!(["noexec", "nodev", "nosuid"].iter().all(|option| told[1].contains(option)), "{told:?}");
    }
}

fn bundle(case: &Case, root: &std::path::Path, more: &Value) {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    let mut config = json!({"ociVersion": "1.2.0", "root": {"path": root}, "linux": {},
        "process": {"args": ["sh"], "env": ["PATH=/bin"], "cwd": "/"}});
    merge(&mut config, more);
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// runtime-spec, config.md, "Linux mount options": none is left out in silence. A tmpfs covers a folder with its mode; masked
/// and read-only paths may be links.
#[test]
fn options_of_a_bundles_mounts() {
    let Some(case) = Case::new("mount-options") else { return };
    let root = image(&case, &[("etc/link", "real"), ("etc/shut", "/var/shut")]);
    fs::write(root.join("etc/real"), "secret\n").unwrap();
    fs::create_dir_all(root.join("var/shut")).unwrap();
    fs::create_dir(root.join("modest")).unwrap();
    fs::set_permissions(root.join("modest"), fs::Permissions::from_mode(0o1750)).unwrap();
    let new =
        |at: &str, options: &[&str]| json!({"destination": at, "type": "tmpfs", "source": "x", "options": options});
    let config = json!({
        "process": {"cwd": "/s/work/here"},
        "mounts": [
            new("/s", &["sync", "dirsync", "mand", "lazytime", "silent", "loud", "iversion"]),
            new("/o", &["sync", "async", "nosymfollow"]), new("/modest", &["size=1m"]), new("/new", &[]),
            {"destination": "/n", "type": "bind", "source": case.dir(), "options": ["bind", "ro", "nosymfollow"]}
        ],
        "linux": {"maskedPaths": ["/etc/link"], "readonlyPaths": ["/etc/shut"]}
    });
    bundle(&case, &root, &config);
    let script = "for at in /s /o /n; do say $at $(grep \" $at \" /proc/self/mountinfo | sed 's/^[^/]*[^ ]* [^ ]* //; s/- [^ ]* [^ ]*//'); done; \
        say $(pwd) $(stat -c %a /modest /new) $(cat /etc/real | wc -c); (touch /var/shut/x) 2>/dev/null || say shut";
    let container = main("main", script, json!({"image": "bundle:b"}));
    let mut run = case.start(&case.pod().container(container));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let told = case.trace();
    let words = |at: usize| told[at].split([' ', ',']).map(str::to_owned).collect::<Vec<_>>();
    for (at, options) in [
        (0, &["/s", "sync", "dirsync", "mand", "lazytime"][..]),
        (1, &["/o", "nosymfollow"]),
        (2, &["/n", "ro", "nosymfollow"]),
    ] {
        assert!(options.iter().all(|option| words(at).iter().any(|word| word == option)), "{options:?}: {told:#?}");
    }
    assert!(!words(1).iter().any(|word| word == "sync"), "{told:#?}");
    assert_eq!(told[3..], ["/s/work/here 1750 1777 0", "shut"]);
}

/// A bundle's disk is mounted before its container is held to its device rules, which don't name the disk, as in runc.
#[test]
fn a_bundles_disk() {
    let Some(case) = Case::new("disk") else { return };
    let disk = case.dir().join("disk");
    fs::File::create(&disk).unwrap().set_len(8 << 20).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(&disk).status().is_ok_and(|status| status.success());
    let attached = Command::new("losetup").args(["-r", "-f", "--show"]).arg(&disk).output();
    let Some(device) = attached.ok().filter(|output| made && output.status.success()) else {
        crate::skips::skip("a disk needs mkfs.ext4 and a loop device");
        return;
    };
    let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
    let config =
        json!({"mounts": [{"destination": "/disk", "type": "ext4", "source": device, "options": ["ro", "noload"]}]});
    bundle(&case, &case.rootfs(), &config);
    let script =
        format!("say $(grep ' /disk ' /proc/mounts | cut -d' ' -f3); head -c1 {device} 2>/dev/null || say closed");
    let mut run = case.start(&case.pod().container(main("main", &script, json!({"image": "bundle:b"}))));
    let code = run.end();
    assert!(Command::new("losetup").arg("-d").arg(&device).status().unwrap().success());
    assert_eq!(code, 0, "{}", run.stderr());
    assert_eq!(case.trace(), ["ext4", "closed"]);
}

/// Inheritable capabilities that aren't permitted, where no seccomp filter has to be put on. Root's program has
/// them all (capabilities(7)), unless it may get nothing new.
#[test]
fn inheritable_capabilities_without_a_filter() {
    for no_new in [false, true] {
        let Some(case) = Case::new(&format!("inheritable-{no_new}")) else { return };
        let few = json!(["CAP_CHOWN"]);
        let sets = json!({"bounding": ["CAP_CHOWN", "CAP_NET_RAW"], "permitted": few, "effective": few, "inheritable": ["CAP_NET_RAW"]});
        bundle(&case, &case.rootfs(), &json!({"process": {"capabilities": sets, "noNewPrivileges": no_new}}));
        let context = json!({"image": "bundle:b", "securityContext": {"seccompProfile": {"type": "Unconfined"}}});
        let permitted = if no_new { "1" } else { "2001" };
        let script = "say $(grep -E 'Cap(Inh|Prm|Eff|Bnd)' /proc/$$/status | cut -f2)";
        let mut run = case.start(&case.pod().container(main("main", script, context)));
        assert_eq!(run.end(), 0, "{}", run.stderr());
        assert_eq!(case.trace(), [["2000", permitted, permitted, "2001"].map(|set| format!("{set:0>16}")).join(" ")]);
    }
}

fn of_file(name: &str, path: &str, key: &str, optional: bool) -> Value {
    let from = json!({"volumeName": "v", "path": path, "key": key, "optional": optional});
    json!({"name": name, "valueFrom": {"fileKeyRef": from}})
}

/// `fileKeyRef`: variables come from the file as it is when the container is made, at each attempt anew; those that are
/// optional and not there are left out, and others may refer to them. The container need not mount the volume.
#[test]
fn variables_from_a_file() {
    for medium in ["", "Memory"] {
        let Some(case) = Case::new("env-file") else { return };
        let write = "mkdir /v/sub; printf \"# of init\\nA='one\\n# two'\\nB=''\\nC='\\$A'\\n\" > /v/sub/env; ln -s sub/env /v/link";
        let env = json!([
            of_file("A", "sub/env", "A", false),
            of_file("B", "link", "B", false),
            of_file("C", "sub/env", "C", true),
            of_file("GONE", "sub/env", "GONE", true),
            of_file("NONE", "none", "A", true),
            {"name": "D", "value": "<$(A)>"},
        ]);
        let tell = "say $A/$B/${C-unset}/${GONE-unset}/${NONE-unset}/$D";
        let pod = case
            .pod()
            .spec(json!({"restartPolicy": "OnFailure", "volumes": [{"name": "v", "emptyDir": {"medium": medium}}]}))
            .init(main("init", write, json!({"volumeMounts": [mount("v", "/v")]})))
            .init(main("reader", tell, json!({"env": env})))
            .container(main(
                "main",
                &format!("{tell}; [ \"$A\" = new ] || {{ printf \"A='new'\\nB='b'\\n\" > /v/sub/env; exit 1; }}"),
                json!({"env": env, "volumeMounts": [mount("v", "/v")]}),
            ));
        assert_eq!(case.run(&pod), 0);
        let first = "one # two//$A/unset/unset/<one # two>";
        assert_eq!(case.trace(), [first, first, "new/b/unset/unset/unset/<new>"], "{medium:?}");
    }
}

/// What can't be read is CreateContainerConfigError and says why, and never what is in the file; nothing out of the
/// volume is read, and nothing holds the supervisor up.
#[test]
fn files_that_hold_no_variable() {
    let cases = [
        ("key", "echo \"B='1'\" > /v/env", "environment variable key \"A\" not found in file \"env\" of volume \"v\""),
        ("none", "true", "file \"env\" of volume \"v\": it isn't there"),
        ("words", "echo A=hidden > /v/env", "line 1: the value must stand in single quotes; write NAME='value'"),
        ("out", "ln -s /etc/passwd /v/env", "a link leads out of the volume"),
        ("fifo", "mkfifo /v/env", "it is no regular file"),
    ];
    for (name, write, words) in cases {
        let Some(case) = Case::new(&format!("env-file-{name}")) else { return };
        let pod = case
            .pod()
            .spec(json!({"volumes": [{"name": "v", "emptyDir": {}}]}))
            .init(main("init", write, json!({"volumeMounts": [mount("v", "/v")]})))
            .container(main("main", "say ran", json!({"env": [of_file("A", "env", "A", false)]})));
        let mut run = case.start_with(&pod, &["--fail-fast"]);
        assert_eq!(run.end(), 1, "{name}");
        let said = run.stderr();
        assert!(said.contains("CreateContainerConfigError") && said.contains(words), "{name}: {said}");
        assert!(!said.contains("hidden"), "{name}: {said}");
        assert!(case.trace().is_empty(), "{name}");
    }
}
