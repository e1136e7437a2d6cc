//! Containers that take all they can get (docs/security.md): neighbours, supervisor and stop go on.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, Run, main, patience, slow, wait, wait_until};

fn bundle(case: &Case, more: &Value) {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    let mut config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"},
        "process": {"args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// A fork bomb is held by the limit of processes; a neighbour starts processes all the same, exec probes too.
#[test]
fn a_fork_bomb() {
    let Some(case) = Case::new("fork-bomb") else { return };
    bundle(&case, &json!({"linux": {"resources": {"pids": {"limit": 64}}}}));
    // No external program: every `&` is a fork. One that fails may end the shell: the first has but one, at a time when there
    // is room. The kernel counts the forks that the limit let fail.
    let bomb = "f() { while :; do f & done; }; (f & f & f) 2>/dev/null & \
        cd /sys/fs/cgroup; [ -e pids.events ] || cd pids; n=0; \
        while [ $n = 0 ]; do read -r _ n < pids.events; done; echo bomb >> /t/log; while :; do wait; done";
    let bomb = main("bomb", bomb, json!({"image": "bundle:b"}));
    let live = json!({"readinessProbe": crate::harness::probe("true")});
    let neighbour = main(
        "neighbour",
        "await bomb; for i in 1 2 3 4 5; do busybox true && say alive $i; done; exec serve neighbour",
        live,
    );
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 2}));
    let mut run = case.start(&pod.container(bomb).container(neighbour));
    case.wait_for("alive 5");
    case.wait_for("neighbour up");
    wait("a probe's answer", || case.container("neighbour")["ready"] == true);
    run.signal(Signal::TERM);
    run.end();
    assert!(case.said("neighbour term"));
}

/// Who takes more memory than its limit is OOMKilled, alone.
#[test]
fn a_memory_hog() {
    let Some(case) = Case::new("memory-hog") else { return };
    let limit = json!({"resources": {"limits": {"memory": "32Mi"}}});
    let hog = main("hog", "await neighbour up; exec tail /dev/zero", limit);
    let neighbour = main("neighbour", "exec serve neighbour", json!({}));
    let mut run = case.start(&case.pod().container(hog).container(neighbour));
    wait("the hog's end", || !case.container("hog")["state"]["terminated"].is_null());
    assert_eq!(case.ended("hog"), (137, "OOMKilled".into()));
    assert!(!case.container("neighbour")["state"]["running"].is_null());
    assert_eq!(case.container("neighbour")["restartCount"], 0);
    run.signal(Signal::TERM);
    run.end();
    assert!(case.said("neighbour term"));
}

/// A flood of output: a neighbour's lines come through, its end is reacted to, the files of the flood don't grow beyond
/// what rotation lets them, and the pod stops.
#[test]
fn a_log_flood() {
    /// Five files of 10 MiB; what is full is noticed after a read of at most this.
    const MOST: u64 = 5 * (10 << 20) + (5 << 20);
    let Some(case) = Case::new("log-flood") else { return };
    let flood = main("flood", "say flood; exec yes 0123456789012345678901234567890123456789", json!({}));
    let quiet = main("quiet", "await flood; hold flooded; echo a quiet line; say quiet; exit 7", json!({}));
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 2}));
    let path = case.write(&pod.container(flood).container(quiet).text());
    let mut run = Run::of(&case, case.command(&["run", "-q"]).arg(path).stdout(Stdio::null()).stderr(Stdio::null()));
    case.wait_for("flood");
    let size = || {
        let files = walkdir::WalkDir::new(case.root().join("logs")).into_iter().flatten();
        let sizes = files.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file);
        sizes.map(|one| one.len()).sum::<u64>()
    };
    wait("more than one file", || size() > 12 << 20);
    let first = walkdir::WalkDir::new(case.root().join("logs"))
        .into_iter()
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("0.log.2"))
        .expect("a rotated file");
    case.release("flooded");
    wait("the neighbour's end", || case.ended("quiet").0 == 7);
    assert_eq!(case.logs("quiet", &[]), "a quiet line\n");
    wait("a rotation that takes one away", || {
        let now = size();
        assert!(now <= MOST, "{now} bytes of logs");
        !first.path().exists()
    });
    assert!(case.barepod(&["stop", case.name()]).status.success());
    run.end();
    assert!(size() <= MOST);
    assert_eq!(case.phase(), "Failed");
}

/// A config of ten thousand mounts is only slow; meanwhile the others go on and are answered for, and nothing is left.
#[test]
fn ten_thousand_mounts() {
    let Some(case) = Case::new("mounts-10000") else { return };
    let mount = |at: usize| json!({"destination": format!("/m/{at}"), "type": "tmpfs", "source": "tmpfs", "options": ["size=4k"]});
    let mounts: Vec<Value> = (0..if slow() { 2_500 } else { 10_000 }).map(mount).collect();
    bundle(&case, &json!({"mounts": mounts}));
    let many = main("many", "say many", json!({"image": "bundle:b"}));
    let neighbour = main("neighbour", "say neighbour; exec serve neighbour", json!({}));
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 2}));
    // In front: the mains behind it wait for its creation once (R2.4).
    let mut run = case.start(&pod.container(neighbour).container(many));
    case.wait_for("neighbour up");
    // The supervisor answers while they are made.
    wait("a status of both", || {
        let state = |name: &str| case.container(name)["state"].clone();
        !state("neighbour")["running"].is_null() && !state("many")["waiting"].is_null()
    });
    // Ten thousand calls of a busy kernel.
    let made = wait_until(Instant::now() + patience() * 3, || case.said("many"));
    assert!(made, "the mounts were never made");
    assert!(case.barepod(&["stop", case.name()]).status.success());
    run.end();
    assert!(case.said("neighbour term"));
}
