//! `barepod cp`: files into a running container and out of it, whatever is in its image.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Output;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::user::{Ids, UID, give};
use crate::harness::{Case, Run, main};

fn idle<'a>(case: &'a Case, spec: Value, more: Value) -> Run<'a> {
    let script = "mkdir -p /tmp/tree/sub; echo inside > /tmp/tree/sub/file; ln -s /etc/shadow /tmp/tree/link; \
                  busybox mkfifo /tmp/tree/fifo; exec serve main";
    let run = case.start(&case.pod().spec(spec).container(main("main", script, more)));
    case.wait_for("main up");
    run
}

fn finish(run: &mut Run<'_>) {
    run.signal(Signal::TERM);
    run.end();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn copied(case: &Case, words: &[&str]) -> String {
    let output = case.barepod(&[&["cp"], words].concat());
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

#[track_caller]
fn in_container(case: &Case, script: &str) -> String {
    let output = case.barepod(&["exec", case.name(), "--", "sh", "-c", script]);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Both ways, with what kubectl's users type; what is skipped is told; the owner is the container's user.
#[test]
fn there_and_back() {
    let Some(case) = Case::new("copied") else { return };
    let user = json!({"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}});
    let mut run = idle(&case, json!({}), user);
    let at = |path: &str| format!("{}:{path}", case.name());
    let local = case.dir().join("local");
    fs::create_dir(&local).unwrap();
    let copy = local.join("copy").display().to_string();
    let told = copied(&case, &[&at("/tmp/tree"), &copy]);
    assert!(told.contains("warning: /tmp/tree/fifo is left out: it is a FIFO"), "{told}");
    assert_eq!(fs::read_to_string(local.join("copy/sub/file")).unwrap(), "inside\n");
    assert_eq!(fs::read_link(local.join("copy/link")).unwrap().to_str(), Some("/etc/shadow"));
    assert_eq!(fs::metadata(local.join("copy/sub/file")).unwrap().uid(), 0);
    copied(&case, &["-a", &at("tmp/tree/sub/file"), &local.join("kept").display().to_string()]);
    assert_eq!(fs::metadata(local.join("kept")).unwrap().uid(), 1000);
    fs::write(local.join("program"), "#!/bin/sh\necho ran\n").unwrap();
    fs::set_permissions(local.join("program"), PermissionsExt::from_mode(0o755)).unwrap();
    copied(&case, &[&local.display().to_string(), &format!("default/{}", at("/tmp")), "-c", "main"]);
    let seen =
        "/tmp/local/program; stat -c %u:%g:%a /tmp/local/program; readlink /tmp/local/copy/link; ls /tmp/local/copy";
    assert_eq!(in_container(&case, seen), "ran\n1000:1000:755\n/etc/shadow\nlink\nsub\n");
    finish(&mut run);
    let output = case.barepod(&["cp", &at("/tmp/tree"), &copy]);
    assert!(output.status.code() == Some(1) && said(&output).contains("has ended"), "{}", said(&output));
    case.nothing_left();
}

/// A container's links lead to nothing of the box's, in neither direction; what can't be is told, and nothing is left.
#[test]
fn hostile_links() {
    let Some(case) = Case::new("copied-links") else { return };
    let mut run = idle(&case, json!({}), json!({}));
    let dir = case.dir().join("local");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("secret"), "the box's").unwrap();
    let (secret, to) = (dir.join("secret").display().to_string(), dir.join("to").display().to_string());
    let at = |path: &str| format!("{}:{path}", case.name());
    in_container(&case, &format!("ln -s {} /tmp/box; ln -s /proc/1/root /tmp/magic", dir.display()));
    let failed = |words: &[&str], why: &str| {
        let output = case.barepod(&[&["cp"], words].concat());
        let told = said(&output);
        assert!(!output.status.success() && told.contains(why), "{words:?}: {told}");
    };
    failed(&[&at("/tmp/box/secret"), &to], "No such file");
    failed(&[&secret, &at("/tmp/box/new")], "No such file");
    failed(&[&at("/tmp/magic/etc"), &to], "/tmp/magic/etc in the container");
    failed(&[&at("/dev/null"), &to], "it is neither a file nor a folder");
    failed(&[&secret, &at("/proc/new")], "/proc/new in the container");
    failed(&[&secret, &to], "neither place is in a pod");
    failed(&[&at("/tmp"), &at("/etc")], "both places are in pods");
    failed(&["nosuch:/tmp", &to], "nosuch");
    symlink(&secret, dir.join("link")).unwrap();
    copied(&case, &[&at("/tmp/tree/sub/file"), &dir.join("link").display().to_string()]);
    assert_eq!(fs::read_to_string(dir.join("secret")).unwrap(), "the box's");
    assert_eq!(fs::read_to_string(dir.join("link")).unwrap(), "inside\n");
    assert!(!dir.join("to").exists());
    let left = fs::read_dir(&dir)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".barepod"));
    assert_eq!(left.count(), 0);
    finish(&mut run);
    case.nothing_left();
}

/// A file that something is mounted on is not replaced, which would take the mount away.
#[test]
fn a_mount_point() {
    let Some(case) = Case::new("copied-mount") else { return };
    let mut run = idle(&case, json!({}), json!({}));
    let dir = case.dir().join("local");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("hosts"), "other").unwrap();
    let hosts =
        "cat /etc/hosts; case \"$(cat /proc/self/mountinfo)\" in *' /etc/hosts '*) echo mounted;; esac; ls -A /etc";
    let before = in_container(&case, hosts);
    assert!(before.contains("mounted\n"), "{before}");
    for from in [dir.join("hosts"), dir.join(".")] {
        let output = case.barepod(&["cp", &from.display().to_string(), &format!("{}:/etc", case.name())]);
        let told = said(&output);
        assert!(!output.status.success() && told.contains("something is mounted there"), "{from:?}: {told}");
    }
    assert_eq!(in_container(&case, hosts), before);
    finish(&mut run);
    case.nothing_left();
}

#[track_caller]
fn is_roots_in_the_container(case: &Case, spec: Value) {
    let mut run = idle(case, spec, json!({}));
    let at = |path: &str| format!("{}:{path}", case.name());
    // Where the user may write.
    let local = case.dir().join("home");
    let back = local.join("back").display().to_string();
    copied(case, &[&case.write("text").display().to_string(), &at("/tmp/new")]);
    assert_eq!(in_container(case, "stat -c %u:%g /tmp/new; cat /tmp/new"), "0:0\ntext");
    copied(case, &[&at("/tmp/tree"), &back]);
    assert_eq!(fs::read_to_string(local.join("back/sub/file")).unwrap(), "inside\n");
    assert_eq!(fs::metadata(local.join("back/sub/file")).unwrap().uid(), fs::metadata(&local).unwrap().uid());
    copied(case, &[&back, &at("/tmp/tree/sub")]);
    assert_eq!(in_container(case, "cat /tmp/tree/sub/back/sub/file"), "inside\n");
    finish(&mut run);
}

/// Ids in the container are others than outside.
#[test]
fn a_pod_with_users_of_its_own() {
    let Some(case) = Case::new("copied-users") else { return };
    fs::set_permissions(case.shared(""), PermissionsExt::from_mode(0o777)).unwrap();
    fs::create_dir(case.dir().join("home")).unwrap();
    is_roots_in_the_container(&case, json!({"hostUsers": false}));
    case.nothing_left();
}

#[test]
fn a_users_pod() {
    let Some(case) = Case::of_user("user-copied", Ids::Subordinate) else { return };
    // Nobody can write into what belongs to nobody in there.
    give(&case.rootfs(), UID);
    is_roots_in_the_container(&case, json!({}));
}
