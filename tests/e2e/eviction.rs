//! Pods that use more disk than they may are evicted, as by the kubelet's local storage eviction.

use serde_json::{Value, json};

use crate::harness::{Case, Manifest, Run, main, wait};

fn start<'a>(case: &'a Case, pod: &Manifest) -> Run<'a> {
    case.start_with(pod, &["--eviction-interval", "100ms"])
}

fn limited(script: &str, limit: &str) -> Value {
    main("main", script, json!({"resources": {"limits": {"ephemeral-storage": limit}}}))
}

/// R8.8: what an evicted pod looks like, whatever its containers exited with.
#[track_caller]
fn evicted(case: &Case, message: &str) {
    let pod = case.get();
    let status = &pod["status"];
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("Evicted")));
    assert_eq!(status["message"], message);
    let condition = case.condition("DisruptionTarget");
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &json!("TerminationByKubelet")));
    assert_eq!(condition["message"], message);
    assert_eq!(case.messages("Evicted"), [message]);
    assert!(pod["metadata"]["deletionTimestamp"].is_null(), "nobody asked for its deletion");
}

/// sizeLimit of an emptyDir on disk. The pod runs as long as it keeps to it.
#[test]
fn an_empty_dir_beyond_its_limit() {
    let Some(case) = Case::new("full-volume") else { return };
    let volume = json!({"volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Mi"}}]});
    let mounts = json!({"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]});
    let script = "dd if=/dev/zero of=/cache/a bs=1k count=500 2>/dev/null; truncate -s 1G /cache/hole; say half; \
                  hold go; dd if=/dev/zero of=/cache/b bs=1k count=600 2>/dev/null; exec serve main";
    let pod = case.pod().spec(volume).sidecar("web", "defy web").container(main("main", script, mounts));
    let mut run = start(&case, &pod);
    case.wait_for("half");
    assert_eq!(case.messages("Evicted"), [""; 0]);
    case.release("go");
    assert_ne!(run.end(), 0);
    evicted(&case, "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\".");
    let page = String::from_utf8(case.barepod(&["describe", "full-volume"]).stdout).unwrap();
    assert!(page.contains("Reason:       Evicted") && page.contains("DisruptionTarget"), "{page}");
}

/// A container's writable layer counts for it.
#[test]
fn a_container_that_writes_too_much() {
    let Some(case) = Case::new("full-layer") else { return };
    let script = "dd if=/dev/zero of=/root/big bs=1k count=2000 2>/dev/null; exec serve main";
    let pod = case.pod().container(limited(script, "1Mi")).container(main(
        "other",
        "exec serve other",
        json!({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}),
    ));
    assert_ne!(start(&case, &pod).end(), 0);
    evicted(&case, "Container main exceeded its local ephemeral storage limit \"1Mi\".");
}

/// So do its logs, and all of the pod's containers and emptyDirs for the sum of the limits.
#[test]
fn logs_count_and_the_pod_as_a_whole() {
    let Some(case) = Case::new("full-logs") else { return };
    let flood = "yes 0123456789012345678901234567890123456789 | head -n 30000; exec serve main";
    let mut run = start(&case, &case.pod().container(limited(flood, "1Mi")));
    assert_ne!(run.end(), 0);
    // With one limit the container's is the pod's too, and that is looked at first.
    evicted(&case, "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi.");
}

/// The pod's limit where no single container has reached its own; an emptyDir without one counts.
#[test]
fn a_volume_without_a_limit_counts_for_the_pod() {
    let Some(case) = Case::new("full-pod") else { return };
    let mounts = json!({"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]});
    let script = "dd if=/dev/zero of=/cache/a bs=1k count=3000 2>/dev/null; exec serve other";
    let pod = case
        .pod()
        .spec(json!({"volumes": [{"name": "cache", "emptyDir": {}}]}))
        .container(limited("exec serve main", "2Mi"))
        .container(main("other", script, mounts));
    assert_ne!(start(&case, &pod).end(), 0);
    evicted(&case, "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi.");
}

/// A pod that keeps to its limits is measured again and again, while its files come and go, and is none the worse for it.
#[test]
fn a_pod_within_its_limits_goes_on() {
    let Some(case) = Case::new("measured") else { return };
    let script = "say up; while [ -e /t/up ]; do mkdir -p /root/a/b; echo x > /root/a/b/c; rm -r /root/a; done; true";
    case.release("up");
    let mut run = start(&case, &case.pod().container(limited(script, "64Mi")));
    case.wait_for("up");
    let children = format!("/proc/{0}/task/{0}/children", run.pid().as_raw_nonzero());
    let measures = || {
        let children = std::fs::read_to_string(&children).unwrap_or_default();
        let mut names = children.split_whitespace().map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")));
        names.any(|name| name.is_ok_and(|name| name.starts_with("barepod:usage")))
    };
    for _ in 0..3 {
        wait("a measurement", measures);
        wait("its end", || !measures());
    }
    std::fs::remove_file(case.shared("up")).unwrap();
    assert_eq!(run.end(), 0);
    assert_eq!(case.messages("Evicted"), [""; 0]);
}
