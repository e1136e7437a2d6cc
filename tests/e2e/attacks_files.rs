//! Hostile root file systems, bundles and volumes, against what barepod itself writes, mounts and reads (docs/security.md).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::hostile::{over, treasure, untouched};
use crate::harness::{Case, main, wait};

/// A bundle `b` whose root file system, a copy, may be spoilt.
fn bundle(case: &Case, more: &Value) -> PathBuf {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    let root = folder.join("rootfs");
    assert!(Command::new("cp").arg("-a").arg(case.rootfs()).arg(&root).status().unwrap().success());
    let mut config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"},
        "process": {"args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    root
}

/// Runs it until it ends or is refused.
fn run(case: &Case, script: &str, more: &Value) -> String {
    let mut fields = json!({"image": "bundle:b"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut run = case.start(&case.pod().container(main("main", script, fields)));
    over(case, &mut run);
    run.stderr()
}

/// Every place that barepod writes to, mounts on or reads in a root file system is a link to the host.
#[test]
fn links_at_every_place_of_ours() {
    let places = [
        "etc/hosts",
        "etc/hostname",
        "etc/resolv.conf",
        "etc/passwd",
        "etc/group",
        "dev",
        "proc",
        "sys",
        "work",
        "mnt/v",
    ];
    for place in places {
        let Some(case) = Case::new(&format!("link-{}", place.replace('/', "-"))) else { return };
        let treasure = treasure(&case);
        let root = bundle(&case, &json!({}));
        let at = root.join(place);
        let _ = fs::remove_file(&at);
        let _ = fs::remove_dir_all(&at);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        // Files that are bound to: to one that is there, one that would be made; folders to the folder.
        let to = if place.starts_with("etc") { treasure.join("gold") } else { treasure.clone() };
        symlink(&to, &at).unwrap();
        let more = json!({
            "terminationMessagePath": "/dev/termination-log", "workingDir": "/work",
            "volumeMounts": [{"name": "t", "mountPath": "/t"}, {"name": "t", "mountPath": "/mnt/v", "subPath": "sub"}]
        });
        let script = "say ran; cat /sys/gold /proc/gold /dev/gold /work/gold >> /t/log; \
            grep -l gold /etc/hosts /etc/hostname /etc/passwd >> /t/log; echo x > /work/new; echo x > /mnt/v/new; true";
        run(&case, script, &more);
        assert!(case.trace().iter().all(|line| line == "ran"), "{place}: {:?}", case.trace());
        untouched(&treasure);
    }
}

/// CVE-2026-41579: the runtime replaces ptmx and makes nodes and links in the folder that a bundle binds at /dev, `ro` or
/// not. It is refused by its field, before anything is made.
#[test]
fn a_dev_of_the_bundles() {
    for access in ["rw", "ro"] {
        let Some(case) = Case::new(&format!("dev-{access}")) else { return };
        let dev = case.dir().join("dev");
        fs::create_dir(&dev).unwrap();
        fs::write(dev.join("ptmx"), "mine\n").unwrap();
        let mounts = json!([{"destination": "/dev", "type": "bind", "source": dev, "options": ["rbind", access]}]);
        bundle(&case, &json!({"mounts": mounts}));
        let errors = run(&case, "say ran", &json!({}));
        assert!(errors.contains("mounts[0].destination: a folder of the host at /dev"), "{errors}");
        assert!(case.trace().is_empty(), "{:?}", case.trace());
        let names: Vec<_> = fs::read_dir(&dev).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["ptmx"]);
        assert_eq!(fs::read_to_string(dev.join("ptmx")).unwrap(), "mine\n");
    }
}

/// CVE-2025-31133: files are hidden behind the container's own /dev/null. An image leads a volume to /dev, by a link at a
/// place that is mounted after it, and the volume brings a null that is a link to a file of the host's kernel, or a file.
#[test]
fn a_null_of_a_volume() {
    const PATTERN: &str = "/proc/sys/kernel/core_pattern";
    for link in [true, false] {
        let Some(case) = Case::new(if link { "null-link" } else { "null-file" }) else { return };
        let root = bundle(&case, &json!({"linux": {"maskedPaths": ["/proc/sysrq-trigger", "/etc/group"]}}));
        fs::create_dir(root.join("mnt")).unwrap();
        symlink("/dev", root.join("mnt/v")).unwrap();
        let volume = case.dir().join("v");
        fs::create_dir(&volume).unwrap();
        if link {
            symlink(PATTERN, volume.join("null")).unwrap();
        } else {
            fs::write(volume.join("null"), "forged\n").unwrap();
        }
        let before = fs::read_to_string(PATTERN).unwrap();
        let mounts = json!({"image": "bundle:b", "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]});
        // Where it runs what is hidden must be.
        let script = "say null $(stat -c %F /dev/null); [ -s /etc/group ] && say read; \
            (echo x > /etc/group) 2>/dev/null && [ ! -c /etc/group ] && say wrote; true";
        let pod = case.pod().spec(json!({"volumes": [{"name": "v", "hostPath": {"path": volume}}]}));
        let mut run = case.start(&pod.container(main("main", script, mounts)));
        wait("an end or a refusal", || {
            let waiting = case.container("main")["state"]["waiting"]["reason"].clone();
            run.has_ended() || waiting == "CreateContainerError" || waiting == "RunContainerError"
        });
        if !run.has_ended() {
            run.signal(Signal::TERM);
        }
        run.end();
        assert!(case.trace().iter().all(|line| line == "null character special file"), "{:?}", case.trace());
        assert_eq!(fs::read_to_string(PATTERN).unwrap(), before);
    }
}

/// CVE-2025-52881: what the runtime writes to /proc (here a sysctl) must reach procfs, not what is mounted over it: a
/// file, or a link to another file of procfs, which passes for one. That it has is seen by a neighbour, whose network
/// namespace is the same.
#[test]
fn a_proc_of_the_bundles() {
    const NAME: &str = "ip_unprivileged_port_start";
    for fake in ["file", "link", "none"] {
        let Some(case) = Case::new(&format!("proc-{fake}")) else { return };
        let folder = case.dir().join("fake");
        fs::create_dir(&folder).unwrap();
        match fake {
            "file" => fs::write(folder.join(NAME), "forged\n").unwrap(),
            // One that belongs to the pod's own UTS namespace.
            "link" => symlink("/proc/sys/kernel/domainname", folder.join(NAME)).unwrap(),
            _ => {}
        }
        let mounts = json!([
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/proc/sys/net/ipv4", "type": "bind", "source": folder, "options": ["rbind", "rw"]}
        ]);
        bundle(&case, &json!({"mounts": mounts, "linux": {"sysctl": {format!("net.ipv4.{NAME}"): "77"}}}));
        let covered = "say names $(ls /proc/sys/net/ipv4 | wc -l); say covered";
        let other = "await covered; say port $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start); \
            say domain $(cat /proc/sys/kernel/domainname)";
        let covered = main("covered", covered, json!({"image": "bundle:b"}));
        let other = main("other", other, json!({}));
        assert_eq!(case.run(&case.pod().container(covered).container(other)), 0, "{fake}");
        // It was covered while the sysctl was written.
        assert!(case.said(&format!("names {}", usize::from(fake != "none"))), "{fake}: {:?}", case.trace());
        assert!(case.said("port 77"), "{fake}: {:?}", case.trace());
        assert!(case.said("domain (none)"), "{fake}: {:?}", case.trace());
        if fake == "file" {
            assert_eq!(fs::read_to_string(folder.join(NAME)).unwrap(), "forged\n");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), usize::from(fake != "none"), "{fake}");
    }
}

/// CVE-2025-52565: /dev/console. There is no terminal, and a link of that name leads nowhere.
#[test]
fn a_console_that_is_a_link() {
    let Some(case) = Case::new("console") else { return };
    let treasure = treasure(&case);
    let root = bundle(&case, &json!({}));
    let _ = fs::remove_dir_all(root.join("dev"));
    fs::create_dir(root.join("dev")).unwrap();
    for name in ["console", "pts", "ptmx", "null", "shm", "mqueue", "termination-log"] {
        symlink(treasure.join("gold"), root.join("dev").join(name)).unwrap();
    }
    run(&case, "[ -e /dev/console ] && say console; say null $(stat -c %F /dev/null)", &json!({}));
    assert_eq!(case.trace(), ["null character special file"]);
    untouched(&treasure);
}

/// CVE-2021-30465: while one container's mounts are made in a volume, another exchanges their places for links.
#[test]
fn a_place_exchanged_while_mounts_are_made() {
    let Some(case) = Case::new("mount-race") else { return };
    let treasure = treasure(&case);
    let volumes =
        json!({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}], "restartPolicy": "Always"});
    let swap = format!(
        "mkdir -p /v/a /v/real; say swapping; while :; do rmdir /v/a; ln -s {} /v/a; rm /v/a; mkdir /v/a; done 2>/dev/null",
        treasure.display()
    );
    let swapper = main("swapper", &swap, json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
    let mounts = json!({"volumeMounts": [
        {"name": "v", "mountPath": "/w"}, {"name": "w", "mountPath": "/w/a"}, {"name": "w", "mountPath": "/w/a/deep"},
        {"name": "v", "mountPath": "/x", "subPath": "a"}
    ]});
    let victim = "cat /w/a/gold /x/gold /w/a/deep/gold >> /t/log 2>/dev/null; touch /x/new /w/a/new 2>/dev/null; say round; exit 1";
    let pod = case.pod().spec(volumes).container(swapper).container(main("victim", victim, mounts));
    let mut run = case.start_with(&pod, &["--backoff-initial", "1ms", "--backoff-max", "10ms"]);
    case.wait_for("swapping");
    // Which of both a start becomes is chance; over many, some get through.
    wait("thirty rounds or refusals, rounds among them", || {
        let refused: u64 = case
            .events()
            .iter()
            .filter(|event| event["reason"] == "Failed")
            .filter_map(|event| event["count"].as_u64())
            .sum();
        let rounds = case.times_said("round") as u64;
        rounds > 0 && rounds + refused >= 30
    });
    case.barepod(&["stop", "--grace-period", "0", case.name()]);
    run.end();
    assert!(!case.said("gold"), "{:?}", case.trace());
    untouched(&treasure);
}

/// A bundle that asks for the host's folders gets them: it is trusted as any OCI runtime trusts it (docs/oci.md). A plain
/// root file system has no such word.
#[test]
fn a_bundle_that_binds_the_host() {
    let Some(case) = Case::new("binds-host") else { return };
    let treasure = treasure(&case);
    let mounts = json!([{"destination": "/host", "type": "bind", "source": treasure, "options": ["rbind", "ro"]}]);
    let root = bundle(&case, &json!({"mounts": mounts}));
    run(&case, "say $(cat /host/gold)", &json!({}));
    assert_eq!(case.trace(), ["gold"]);
    fs::copy(case.dir().join("b/config.json"), root.join("config.json")).unwrap();
    let plain = json!({"image": format!("rootfs:{}", root.display())});
    assert_eq!(case.run(&case.pod().container(main("main", "[ -e /host ] || say none", plain))), 0);
    assert_eq!(case.trace(), ["gold", "none"]);
    untouched(&treasure);
}
