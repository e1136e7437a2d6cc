//! The hooks of an OCI bundle (runtime-spec, config.md, "POSIX-platform Hooks"): when they run, what they are told, what
//! becomes of the container where they fail or never end.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main};

/// Makes the bundle `b`, whose rootfs is the case's and which has these hooks.
fn bundle(case: &Case, hooks: &Value) {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    let config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "hooks": hooks,
        "annotations": {"color": "blue"},
        "process": {"args": ["sh"], "env": ["PATH=/bin", "A=a"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

fn hook(path: &str, script: &str) -> Value {
    json!({"path": path, "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]})
}

fn container(script: &str) -> Value {
    main("main", script, json!({"image": "bundle:b"}))
}

/// R5.16: a startContainer hook that never ends hangs its container only, and its pod ends with its grace.
#[test]
fn a_start_that_hangs_ends_with_the_grace() {
    let Some(case) = Case::new("hook-hangs") else { return };
    bundle(&case, &json!({"startContainer": [hook("/bin/sh", "echo hook >> /t/log; exec sleep 1000")]}));
    let pod = case
        .pod()
        .spec(json!({"terminationGracePeriodSeconds": 1}))
        .sidecar("web", "serve web")
        .main("other", "serve other")
        .container(container("say main"));
    let mut run = case.start(&pod);
    case.wait_for("hook");
    case.wait_for("other up");
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
    assert!(case.said("other term") && case.said("web term") && !case.said("main"), "{:?}", case.trace());
    assert_eq!(case.ended("main"), (128, "StartError".into()));
}
