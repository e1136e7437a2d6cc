#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use super::*;

fn now() -> jiff::Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn event(kind: &str, reason: &str, container: Option<&str>, message: &str, count: u32) -> EventLine {
    EventLine {
        time: "2026-11-23T11:59:10Z".parse().unwrap(),
        first: (count > 1).then(|| "2026-11-23T11:00:00Z".parse().unwrap()),
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        container: container.map(str::to_owned),
        message: message.to_owned(),
        count,
    }
}

/// A pod with one of everything that describe shows.
fn full() -> Value {
    json!({
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u-1", "labels": {"app": "web", "tier": "front"},
            "annotations": {
                "note": "text", "barepod.dev/grace-used":
                r#"{"web":{"preStopSeconds":1.5,"turnSeconds":0.0,"stoppingSeconds":2.0,"killed":true}}"#
            }
        },
        "spec": {
            "nodeName": "box", "overhead": {"cpu": "50m"},
            "initContainers": [
                {"name": "prepare", "image": "bundle:b", "command": ["sh", "-c", "echo one\necho two\u{1b}[31m"],
                 "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "64Mi"}}},
                {"name": "proxy", "image": "bundle:p", "restartPolicy": "Always",
                 "startupProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
                 "resources": {"requests": {"cpu": "200m"}, "limits": {"memory": "32Mi"}}}
            ],
            "containers": [{
                "name": "web", "image": "rootfs:/srv", "args": ["--port", "8080"],
                "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "hostPort": 53, "protocol": "UDP"}],
                "resources": {"requests": {"cpu": "500m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}, "initialDelaySeconds": 5},
                "readinessProbe": {"exec": {"command": ["cat", "/ready"]}, "failureThreshold": 1},
                "lifecycle": {"preStop": {"sleep": {"seconds": 3}}, "postStart": {"exec": {"command": ["true"]}}},
                "envFrom": [{"configMapRef": {"name": "conf", "optional": true}, "prefix": "C_"}],
                "env": [
                    {"name": "PLAIN", "value": "a long value with words enough for more than one line of a terminal"},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
                ],
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data", "subPath": "web"},
                    {"name": "conf", "mountPath": "/etc/web", "readOnly": true}
                ]
            }],
            "volumes": [
                {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "conf", "configMap": {"name": "conf"}},
                {"name": "host", "hostPath": {"path": "/srv", "type": "Directory"}},
                {"name": "all", "projected": {"sources": [
                    {"secret": {"name": "s"}},
                    {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}
                ]}}
            ]
        },
        "status": {
            "phase": "Running", "startTime": "2026-11-23T11:58:00Z", "hostIP": "10.0.0.1", "qosClass": "Burstable",
            "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}],
            "conditions": [
                {"type": "Initialized", "status": "True"},
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady",
                 "message": "containers with unready status: [web]"}
            ],
            "initContainerStatuses": [
                {"name": "prepare", "image": "", "imageID": "i", "ready": true, "restartCount": 0, "containerID": "barepod://1",
                 "state": {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "2026-11-23T11:58:01Z",
                                          "finishedAt": "2026-11-23T11:58:02Z"}}},
                {"name": "proxy", "image": "", "imageID": "i", "ready": true, "restartCount": 0,
                 "state": {"running": {"startedAt": "2026-11-23T11:58:03Z"}}}
            ],
            "containerStatuses": [
                {"name": "web", "image": "", "imageID": "", "ready": false, "restartCount": 3,
                 "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=web"}},
                 "lastState": {"terminated": {"exitCode": 137, "signal": 9, "reason": "OOMKilled", "message": "two\nlines"}}}
            ]
        }
    })
}

fn shown(pod: &Value, events: &[EventLine], width: Option<usize>) -> String {
    let pod: v1::Pod = serde_json::from_value(pod.clone()).unwrap();
    describe(&Described {
        pod: &pod,
        events: Some(events),
        now: now(),
        memory_qos: None,
        left: &[],
        supervisor: None,
        width,
    })
}

#[test]
fn a_pod_in_full() {
    let events = [
        event("Normal", "Created", Some("web"), "Created container web", 4),
        event("Warning", "BackOff", Some("web"), "Back-off restarting failed container web in pod web_shop(u-1)", 1),
        event("Warning", "FailedMount", None, "no", 1),
    ];
    insta::assert_snapshot!(shown(&full(), &events, Some(80)));
}

/// On a terminal no line is longer than it is wide, but where one word is.
#[test]
fn lines_fit_the_terminal() {
    let events = [event("Warning", "BackOff", Some("web"), &"some words ".repeat(40), 1)];
    for line in shown(&full(), &events, Some(80)).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let longest = shown(&full(), &events, None).lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest > 400, "piped text is not wrapped: {longest}");
}

/// What a container or a manifest says can't speak to the terminal.
#[test]
fn nothing_speaks_to_the_terminal() {
    let mut pod = full();
    let evil = "\u{1b}]0;x\u{7}\u{202e}";
    for place in [
        "/metadata/labels/app",
        "/metadata/annotations/note",
        "/spec/containers/0/env/0/value",
        "/spec/containers/0/args/0",
    ] {
        *pod.pointer_mut(place).unwrap() = json!(evil);
    }
    *pod.pointer_mut("/status/containerStatuses/0/lastState/terminated/message").unwrap() = json!(evil);
    *pod.pointer_mut("/spec/volumes/2/hostPath/path").unwrap() = json!(evil);
    let text = shown(&pod, &[event("Normal", "Started", Some("web"), evil, 1)], Some(80));
    assert!(text.chars().all(|one| one == '\n' || !one.is_control() && one != '\u{202e}'), "{text:?}");
}

/// A pod without a status, as it was before its first.
#[test]
fn a_pod_of_which_little_is_known() {
    let pod = json!({"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "a"}]}});
    insta::assert_snapshot!(shown(&pod, &[], Some(80)));
}

/// One that is being deleted, and one that has ended while it was.
#[test]
fn deletion_is_shown_until_the_end() {
    let mut pod = full();
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-23T12:00:07Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    let text = shown(&pod, &[], None);
    assert!(text.contains("Terminating (7s left)") && text.contains("Termination Grace Period:  30s"), "{text}");
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-23T11:59:07Z");
    assert!(shown(&pod, &[], None).contains("Terminating (its grace period is over)"));
    pod["status"]["phase"] = json!("Failed");
    pod["status"]["reason"] = json!("SupervisorLost");
    let text = shown(&pod, &[], None);
    assert!(text.contains("Failed") && text.contains("SupervisorLost") && !text.contains("Terminating"), "{text}");
}

/// What is left, line by line, and the command that tries again; nothing of it where nothing is left.
#[test]
fn what_is_left_behind_has_a_section() {
    let pod: v1::Pod = serde_json::from_value(full()).unwrap();
    let left = ["sweep: rmdir /data/a: Directory not empty".to_owned(), "sweep: kill \u{1b}[2J: no".to_owned()];
    let page = |left| {
        let nothing = Described {
            pod: &pod,
            events: Some(&[]),
            now: now(),
            memory_qos: None,
            left: &[],
            supervisor: None,
            width: None,
        };
        describe(&Described { left, ..nothing })
    };
    let text = page(&left);
    let start = text.find("Left Behind:").unwrap();
    insta::assert_snapshot!(&text[start..]);
    assert!(!page(&[]).contains("Left Behind"));
}

#[test]
fn a_detached_pod_shows_what_its_supervisor_said() {
    let pod = serde_json::from_value(full()).unwrap();
    let lines = ["one".to_owned(), "two \u{1b}[31m".to_owned()];
    let supervisor = Some((Path::new("/run/barepod/pods/shop_web/supervisor.log"), &lines[..]));
    let page = describe(&Described {
        pod: &pod,
        events: Some(&[]),
        now: now(),
        memory_qos: None,
        left: &[],
        supervisor,
        width: None,
    });
    let shown = "Supervisor:\n  Log:  /run/barepod/pods/shop_web/supervisor.log\n  Last Lines:  one\n";
    assert!(page.contains(shown) && !page.contains('\u{1b}'), "{page}");
}

/// In a pod that has ended nothing is waited for.
#[test]
fn what_never_ran_is_not_waited_for() {
    let pod = |phase: &str, last: Value| {
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main"}]}, "status": {"phase": phase,
            "containerStatuses": [{"name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "lastState": last, "state": {"waiting": {"reason": "PodInitializing"}}}]}})
    };
    let never = pod("Failed", json!({}));
    let again = pod("Failed", json!({"terminated": {"exitCode": 1, "reason": "Error"}}));
    for (pod, line) in [
        (never, "State:          Never started: the pod ended before"),
        (again, "State:          Not started again: the pod ended before"),
        (pod("Pending", json!({})), "State:          Waiting"),
    ] {
        let page = shown(&pod, &[], None);
        assert!(page.lines().any(|one| one.trim() == line), "{line}: {page}");
    }
}
