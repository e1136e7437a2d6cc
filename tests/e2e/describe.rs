//! `describe`: a pod for people, while it runs and after, and its sums held against its cgroup.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::{Case, main, wait};

fn describe(case: &Case) -> String {
    let output = case.barepod(&["describe", case.name()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The part of a page that stands under a head.
fn section<'a>(page: &'a str, head: &str) -> &'a str {
    let start = page.find(&format!("\n{head}:")).unwrap_or_else(|| panic!("{head}: {page}")) + 1;
    let rest = &page[start..];
    let end = rest.match_indices('\n').find(|(at, _)| rest[at + 1..].starts_with(|c: char| c != ' '));
    &rest[..end.map_or(rest.len(), |(at, _)| at)]
}

fn wants(kind: &str, cpu: &str, memory: &str) -> serde_json::Value {
    let amounts = json!({"cpu": cpu, "memory": memory});
    json!({"restartPolicy": kind, "resources": {"requests": amounts, "limits": amounts}})
}

/// R9.1: sidecars count, each from its own index on; what is shown is what the pod's cgroup has.
#[test]
fn the_sums_are_those_of_the_cgroup() {
    let Some(case) = Case::new("sums") else { return };
    let pod = case
        .pod()
        .init(main("first", "true", json!({"resources": wants("", "350m", "40Mi")["resources"]})))
        .init(main("web", "serve web", wants("Always", "150m", "64Mi")))
        .init(main("second", "true", json!({"resources": wants("", "250m", "96Mi")["resources"]})))
        .container(main("main", "await web up; hold go", json!({"resources": wants("", "200m", "48Mi")["resources"]})));
    let mut run = case.start(&pod);
    wait("main runs", || !case.container("main")["state"]["running"].is_null());
    let page = describe(&case);
    let rows: Vec<Vec<&str>> = section(&page, "Effective Resources")
        .lines()
        .skip(2)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let want = [
        ["Pod", "400m", "400m", "160Mi", "160Mi"],
        ["while first runs", "350m", "350m", "40Mi", "40Mi"],
        ["from web on", "150m", "150m", "64Mi", "64Mi"],
        ["while second runs", "400m", "400m", "160Mi", "160Mi"],
        ["with the containers", "350m", "350m", "112Mi", "112Mi"],
    ];
    assert_eq!(rows, want, "{page}");
    let wide = String::from_utf8(case.barepod(&["get", "sums", "-o", "wide"]).stdout).unwrap();
    assert!(wide.contains("cpu=400m,memory=160Mi   cpu=400m,memory=160Mi"), "{wide}");

    let base = PathBuf::from("/sys/fs/cgroup");
    let pod = format!("barepod/{}", case.cgroup());
    let [quota, memory] = if base.join("cgroup.controllers").exists() {
        ["cpu.max", "memory.max"].map(|file| base.join(&pod).join(file))
    } else {
        [("cpu", "cpu.cfs_quota_us"), ("memory", "memory.limit_in_bytes")]
            .map(|(controller, file)| base.join(controller).join(&pod).join(file))
    };
    assert_eq!(fs::read_to_string(quota).unwrap().split_whitespace().next(), Some("40000"));
    assert_eq!(fs::read_to_string(memory).unwrap().trim(), (160 << 20).to_string());
    case.release("go");
    assert_eq!(run.end(), 0);
}

/// What a container is doing and did before, and what it used of the grace period (R5.18); the same when it is over.
#[test]
fn a_pod_through_its_life() {
    let Some(case) = Case::new("described") else { return };
    let probes = json!({
        "restartPolicy": "OnFailure", "env": [{"name": "COLOUR", "value": "green"}],
        "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}
    });
    let pod =
        case.pod().container(main("main", "[ -e /t/once ] || { touch /t/once; exit 3; }; exec serve main", probes));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    wait("ready", || case.container("main")["ready"] == true);
    let page = describe(&case);
    let container = section(&page, "Containers");
    let parts = ["State:           Running", "Last State:      Terminated", "Exit Code:     3", "Restart Count:   1"];
    let more = ["exec [true] delay=0s timeout=1s period=1s", "COLOUR:", "green", "/t from t (rw)"];
    for part in parts.into_iter().chain(more) {
        assert!(container.contains(part), "{part}: {page}");
    }
    assert!(section(&page, "Events").contains("Started"), "{page}");
    assert!(section(&page, "Volumes").contains("HostPath"), "{page}");
    assert!(case.barepod(&["stop", "described"]).status.success());
    run.end();
    let page = describe(&case);
    assert!(section(&page, "Containers").contains("Grace Used:") && page.contains("PodCompleted"), "{page}");
}
