//! File systems that a bundle mounts in volumes.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{bundle, config, container};
use crate::harness::{Case, Manifest, wait};

fn new(kind: &str, at: &str, options: &[&str]) -> Value {
    json!({"destination": at, "type": kind, "source": "new", "options": options})
}

/// A pod with a volume at /w and one in what the bundle mounts there.
fn with_mounts(case: &Case, mounts: &Value, more: Value, script: &str) -> Manifest {
    let mut config = config();
    config["mounts"] = mounts.clone();
    let _ = fs::remove_dir_all(case.dir().join("b"));
    bundle(case, &config.to_string());
    let volumes = json!({"volumes": [{"name": "w", "emptyDir": {}}, {"name": "n", "emptyDir": {}}]});
    let mounts = json!([{"name": "w", "mountPath": "/w"}, {"name": "n", "mountPath": "/w/t/n"},
        {"name": "t", "mountPath": "/t"}]);
    let container = container(json!({"command": ["sh", "-c", script], "volumeMounts": mounts}));
    case.pod().spec(volumes).spec(more).container(container)
}

/// New file systems in a volume are as everywhere: their options, their owners, the pod's message queues; and volumes can
/// be in them in turn.
#[test]
fn file_systems_in_a_volume() {
    for users in [true, false] {
        let Some(case) = Case::new(&format!("new-{users}")) else { return };
        let mounts = json!([
            new("tmpfs", "/w/t", &["nosuid", "size=1m", "mode=0750", "uid=7", "gid=8"]),
            new("tmpfs", "/w/ro", &["ro", "noexec"]),
            new("mqueue", "/w/q/q", &["nodev"]),
            new("tmpfs", "/w/t/deep", &[]),
        ]);
        let script = "for at in /w/t /w/ro /w/q/q /w/t/deep; do say $at $(grep \" $at \" /proc/mounts | \
            cut -d ' ' -f 1,3,4 | sed 's/,relatime.*//') $(stat -c '%u %g %a' $at); done; \
            (echo x > /w/ro/x) 2>/dev/null || say read-only; echo x > /w/t/deep/x && say written; \
            echo x > /w/t/n/x && say volume; [ $(stat -c %d /w/q/q) = $(stat -c %d /dev/mqueue) ] && say same queues";
        assert_eq!(case.run(&with_mounts(&case, &mounts, json!({"hostUsers": users}), script)), 0);
        assert_eq!(
            case.trace(),
            [
                "/w/t new tmpfs rw,nosuid 7 8 750",
                "/w/ro new tmpfs ro,noexec 0 0 1777",
                "/w/q/q new mqueue rw,nodev 0 0 1777",
                "/w/t/deep new tmpfs rw 0 0 1777",
                "read-only",
                "written",
                "volume",
                "same queues",
            ]
        );
    }
}

/// What can't be made so is said, and what can't be made at all.
#[test]
fn file_systems_that_can_not_be_in_a_volume() {
    let Some(case) = Case::new("no-new") else { return };
    // What is mounted holds a link to the container's /dev.
    let (lower, other) = (case.dir().join("lower"), case.dir().join("other"));
    fs::create_dir(&lower).unwrap();
    fs::create_dir(&other).unwrap();
    symlink("/dev", lower.join("led")).unwrap();
    let layers = format!("lowerdir={}:{}", lower.display(), other.display());
    for (mounts, more, said) in [
        (
            json!([new("proc", "/w/p", &[])]),
            json!({}),
            "mount: /w/p: a file system of type \"proc\" can't be made in a volume, where others may exchange its place",
        ),
        (
            json!([new("ramfs", "/w/p", &[])]),
            json!({"hostUsers": false}),
            "mount: /w/p: with hostUsers: false no file system of type \"ramfs\" can be made in a volume",
        ),
        (
            json!([new("tmpfs", "/w/p", &["uid=65536"])]),
            json!({"hostUsers": false}),
            "mount: /w/p: uid=65536: no such id in the container",
        ),
        (
            json!([new("tmpfs", "/w/p", &["bogus"])]),
            json!({}),
            "mounts[0].options: \"bogus\": tmpfs has no such option, but size=, ",
        ),
        (json!([new("nosuchfs", "/w/p", &[])]), json!({}), "mounts[0].type: unknown file system type \"nosuchfs\""),
        (
            json!([new("overlay", "/o", &[&layers]), new("tmpfs", "/o/led", &[])]),
            json!({}),
            "mount: /o/led: is led out of the volume that it is in",
        ),
    ] {
        let mut run = case.start(&with_mounts(&case, &mounts, more, "say never"));
        wait(said, || run.stderr().contains(said));
        run.signal(Signal::TERM);
        run.end();
        assert!(case.trace().is_empty(), "{said}");
    }
    let mounts = json!([new("overlay", "/o", &["ro", &layers]), new("tmpfs", "/o/new", &[])]);
    fs::create_dir(other.join("new")).unwrap();
    let script = "echo x > /o/new/x && say $(readlink /o/led) $(cat /o/new/x); [ -c /dev/null ] || say no devices";
    assert_eq!(case.run(&with_mounts(&case, &mounts, json!({}), script)), 0);
    assert_eq!(case.trace(), ["/dev x"]);
}
