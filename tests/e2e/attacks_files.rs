//! Hostile root file systems, bundles and volumes, against what barepod itself writes, mounts and reads (docs/security.md).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::harness::hostile::{over, treasure, untouched};
use crate::harness::{Case, main, slow, wait};

/// A bundle `b` whose root file system, a copy, may be spoilt.
pub fn bundle(case: &Case, more: &Value) -> PathBuf {
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
pub fn run(case: &Case, script: &str, more: &Value) -> String {
    let mut fields = json!({"image": "bundle:b"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut run = case.start(&case.pod().container(main("main", script, fields)));
    over(case, &mut run);
    run.stderr()
}

/// Every place that barepod writes to, mounts on or reads in a root file system is a link to the host; the path that it
/// names may be in the image as well, so that it leads somewhere from within too (CVE-2026-41579).
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
    for (place, inside) in places.into_iter().flat_map(|place| [(place, false), (place, true)]) {
        let name = format!("link-{}{}", place.replace('/', "-"), if inside { "-inside" } else { "" });
        let Some(case) = Case::new(&name) else { return };
        let treasure = treasure(&case);
        let root = bundle(&case, &json!({}));
        let at = root.join(place);
        let _ = fs::remove_file(&at);
        let _ = fs::remove_dir_all(&at);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        // Files that are bound to: to one that is there, one that would be made; folders to the folder.
        let to = if place.starts_with("etc") { treasure.join("gold") } else { treasure.clone() };
        symlink(&to, &at).unwrap();
        if inside {
            let image = root.join(treasure.strip_prefix("/").unwrap());
            fs::create_dir_all(&image).unwrap();
            fs::write(image.join("gold"), "the image's\n").unwrap();
        }
        let more = json!({
            "terminationMessagePath": "/dev/termination-log", "workingDir": "/work",
            "volumeMounts": [{"name": "t", "mountPath": "/mnt/v", "subPath": "sub"}]
        });
        let script = "say ran; cat /sys/gold /proc/gold /dev/gold /work/gold >> /t/log; \
            grep -l gold /etc/hosts /etc/hostname /etc/passwd >> /t/log; echo x > /work/new; echo x > /mnt/v/new; true";
        run(&case, script, &more);
        let allowed = |line: &String| line == "ran" || (inside && line == "the image's");
        assert!(case.trace().iter().all(allowed), "{name}: {:?}", case.trace());
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
        let mut run = case.start(&case.pod().container(main("main", "say ran", json!({"image": "bundle:b"}))));
        assert_eq!(run.end(), 2);
        let errors = run.stderr();
        assert!(errors.contains("mounts[0].destination: a folder of the host at /dev"), "{errors}");
        assert!(case.trace().is_empty(), "{:?}", case.trace());
        let names: Vec<_> = fs::read_dir(&dev).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["ptmx"]);
        assert_eq!(fs::read_to_string(dev.join("ptmx")).unwrap(), "mine\n");
    }
}

/// CVE-2025-31133, CVE-2026-41579: an image leads a volume to what is the container's own, where the runtime makes devices,
/// writes settings and hides files: by a link at its place, or by one in another volume that it is mounted in.
#[test]
fn volumes_that_are_led_elsewhere() {
    const PATTERN: &str = "/proc/sys/kernel/core_pattern";
    let before = fs::read_to_string(PATTERN).unwrap();
    for (to, at, cause) in [
        ("/dev", "/mnt/v", "mount: /mnt/v: is led to /dev by a symbolic link in the image"),
        ("/proc", "/mnt/v", "mount: /mnt/v: is led to /proc by a symbolic link in the image"),
        ("/proc/sys", "/mnt/v/net", "mount: /mnt/v/net: is led to /proc/sys/net by a symbolic link in the image"),
        ("/sys/../dev/shm", "/mnt/v", "mount: /mnt/v: is led to /dev/shm by a symbolic link in the image"),
        ("../..", "/mnt/v", "mount: /mnt/v: leads to the root file system itself"),
        ("/dev", "/w/v", "mount: /w/v: is led out of the volume that it is in"),
        ("../../dev", "/w/v", "mount: /w/v: is led out of the volume that it is in"),
        ("/", "/w/v/dev", "mount: /w/v/dev: is led out of the volume that it is in"),
    ] {
        let Some(case) = Case::new("led") else { return };
        let root = bundle(&case, &json!({"linux": {"maskedPaths": ["/proc/sysrq-trigger", "/etc/group"]}}));
        let (volume, outer) = (case.dir().join("v"), case.dir().join("w"));
        for folder in [&root.join("mnt"), &volume, &outer] {
            fs::create_dir(folder).unwrap();
        }
        symlink(to, if at.starts_with("/w") { outer.join("v") } else { root.join("mnt/v") }).unwrap();
        // What would be taken for the null device, and the folder that would be taken for /dev if this were the root.
        symlink(PATTERN, volume.join("null")).unwrap();
        symlink(case.dir(), volume.join("dev")).unwrap();
        fs::write(volume.join("ptmx"), "mine\n").unwrap();
        let volumes = json!({"volumes": [
            {"name": "v", "hostPath": {"path": volume}}, {"name": "w", "hostPath": {"path": outer}}]});
        let mounts = json!({"image": "bundle:b",
            "volumeMounts": [{"name": "w", "mountPath": "/w"}, {"name": "v", "mountPath": at}]});
        let mut run = case.start(&case.pod().spec(volumes).container(main("main", "say ran", mounts)));
        over(&case, &mut run);
        assert!(run.stderr().contains(cause), "{to} {at}: {}", run.stderr());
        assert!(case.trace().is_empty(), "{to} {at}: {:?}", case.trace());
        let mut names: Vec<_> = fs::read_dir(&volume).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["dev", "null", "ptmx"], "{to} {at}");
        assert!(!case.dir().join("ptmx").is_symlink() && !case.dir().join("fd").is_symlink(), "{to} {at}");
    }
    assert_eq!(fs::read_to_string(PATTERN).unwrap(), before);
}

/// CVE-2025-52881: what the runtime writes to /proc (here a sysctl) must reach procfs: nothing may be mounted there, by the
/// bundle or the manifest, but what runc allows as well.
#[test]
fn mounts_in_proc() {
    for (name, at, cause) in [
        ("proc", "/proc", "mount: /proc: only a proc file system can be mounted at /proc"),
        ("ipv4", "/proc/sys/net/ipv4", "mount: /proc/sys/net/ipv4: nothing can be mounted in /proc"),
        ("dots", "/etc/../proc/sys", "mount: /etc/../proc/sys: nothing can be mounted in /proc"),
    ] {
        for by_volume in [false, true] {
            let Some(case) = Case::new(&format!("in-{name}")) else { return };
            let folder = case.dir().join("fake");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("ip_unprivileged_port_start"), "forged\n").unwrap();
            let mut config = json!({"linux": {"sysctl": {"net.ipv4.ip_unprivileged_port_start": "77"}}});
            let mut more = json!({"image": "bundle:b"});
            if by_volume {
                more["volumeMounts"] = json!([{"name": "v", "mountPath": at}]);
            } else {
                config["mounts"] =
                    json!([{"destination": at, "type": "bind", "source": folder, "options": ["rbind", "rw"]}]);
            }
            bundle(&case, &config);
            let volumes = json!({"volumes": [{"name": "v", "hostPath": {"path": folder}}]});
            let mut run = case.start(&case.pod().spec(volumes).container(main("main", "say ran", more)));
            over(&case, &mut run);
            assert!(run.stderr().contains(cause), "{name} {by_volume}: {}", run.stderr());
            assert!(case.trace().is_empty(), "{name} {by_volume}: {:?}", case.trace());
            assert_eq!(fs::read_to_string(folder.join("ip_unprivileged_port_start")).unwrap(), "forged\n");
        }
    }
    // As lxcfs does it.
    let Some(case) = Case::new("lxcfs") else { return };
    let file = case.dir().join("cpuinfo");
    fs::write(&file, "one\n").unwrap();
    let mounts = json!([{"destination": "/proc/cpuinfo", "type": "bind", "source": file, "options": ["bind", "ro"]}]);
    bundle(&case, &json!({"mounts": mounts}));
    run(&case, "say $(cat /proc/cpuinfo)", &json!({}));
    assert_eq!(case.trace(), ["one"]);
}

/// CVE-2025-52565: /dev/console. It is there only where there is a terminal, and a link of that name leads nowhere.
#[test]
fn a_console_that_is_a_link() {
    for (name, tty, console) in [("console", false, "none"), ("console-tty", true, "character special file")] {
        let Some(case) = Case::new(name) else { return };
        let treasure = treasure(&case);
        let root = bundle(&case, &json!({}));
        let _ = fs::remove_dir_all(root.join("dev"));
        fs::create_dir(root.join("dev")).unwrap();
        for name in ["console", "pts", "ptmx", "null", "shm", "mqueue", "termination-log"] {
            symlink(treasure.join("gold"), root.join("dev").join(name)).unwrap();
        }
        let script = "say console $(stat -c %F /dev/console || echo none); say null $(stat -c %F /dev/null)";
        run(&case, script, &json!({"tty": tty}));
        assert_eq!(case.trace(), [format!("console {console}"), "null character special file".into()]);
        untouched(&treasure);
    }
}

/// One race at a time: each keeps a processor busy.
static RACES: Mutex<()> = Mutex::new(());

/// How often a race is run; an emulated machine takes seconds for each.
fn enough() -> u64 {
    if slow() { 5 } else { 30 }
}

/// CVE-2021-30465: while one container's mounts are made in a volume, another exchanges their places for links.
#[test]
fn a_place_exchanged_while_mounts_are_made() {
    let _alone = RACES.lock();
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
    wait("rounds or refusals, enough of them", || {
        let refused: u64 = case
            .events()
            .iter()
            .filter(|event| event["reason"] == "Failed")
            .filter_map(|event| event["count"].as_u64())
            .sum();
        let rounds = case.times_said("round") as u64;
        rounds > 0 && rounds + refused >= enough()
    });
    case.barepod(&["stop", "--grace-period", "0", case.name()]);
    run.end();
    assert!(!case.said("gold"), "{:?}", case.trace());
    untouched(&treasure);
}

/// The same with new file systems: one that is led to the container's /dev, to its root or to the host would be where the
/// runtime makes devices and hides files.
#[test]
fn a_place_exchanged_while_file_systems_are_made() {
    let _alone = RACES.lock();
    let Some(case) = Case::new("new-race") else { return };
    let treasure = treasure(&case);
    let new = |kind: &str, at: &str| json!({"destination": at, "type": kind, "source": "ours"});
    bundle(&case, &json!({"mounts": [new("tmpfs", "/w/a"), new("mqueue", "/w/b/deep")]}));
    let volumes = json!({"volumes": [{"name": "v", "emptyDir": {}}], "restartPolicy": "Always"});
    let swap = format!(
        "mkdir -p /v/a /v/b; say swapping; while :; do for to in ../dev /etc / {}; do \
         for at in a b; do rm -rf /v/$at; ln -s $to /v/$at; rm /v/$at; mkdir /v/$at; done; done; done 2>/dev/null",
        treasure.display()
    );
    let at = json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]});
    let victim = "led=$(grep ' ours ' /proc/self/mountinfo | cut -d ' ' -f 5 | grep -v ^/w/); \
        [ -z \"$led\" ] || say led to $led; [ -c /dev/null ] || say no devices; say round; exit 1";
    let mounts = json!({"image": "bundle:b", "volumeMounts": [{"name": "v", "mountPath": "/w"}]});
    let pod = case.pod().spec(volumes).container(main("swapper", &swap, at)).container(main("main", victim, mounts));
    let mut run = case.start_with(&pod, &["--backoff-initial", "1ms", "--backoff-max", "10ms"]);
    case.wait_for("swapping");
    wait("rounds or refusals, enough of them", || {
        let failed: Vec<_> = case.events().into_iter().filter(|event| event["reason"] == "Failed").collect();
        let refused: u64 = failed.iter().filter_map(|event| event["count"].as_u64()).sum();
        let rounds = case.times_said("round") as u64;
        rounds > 0 && rounds + refused >= enough()
    });
    case.barepod(&["stop", "--grace-period", "0", case.name()]);
    run.end();
    let odd: Vec<_> = case.trace().into_iter().filter(|line| line != "swapping" && line != "round").collect();
    assert!(odd.is_empty(), "{odd:?}");
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
