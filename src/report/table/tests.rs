#![allow(clippy::unwrap_used)]
use super::*;
use crate::report::event_table::{Of, events};

const NOW: i64 = 1_795_435_200;

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(NOW).unwrap()
}

/// A pod with an init, a sidecar and two mains. `statuses`: of each, as in a manifest's `.status`, the state first.
fn pod(name: &str, phase: &str, initialized: bool, statuses: [&str; 4]) -> v1::Pod {
    let status = |name: &str, more: &str| {
        format!(r#"{{"name":"{name}","image":"","imageID":"","ready":false,"restartCount":0,{more}}}"#)
    };
    let [init, sidecar, first, second] = statuses;
    let text = format!(
        r#"{{"apiVersion":"v1","kind":"Pod",
        "metadata":{{"name":"{name}","creationTimestamp":"2026-11-23T11:59:00Z"}},
        "spec":{{"nodeName":"box","initContainers":[{{"name":"i"}},{{"name":"s","restartPolicy":"Always"}}],
                 "containers":[{{"name":"a"}},{{"name":"b"}}]}},
        "status":{{"phase":"{phase}","conditions":[{{"type":"Initialized","status":"{}"}}],
          "initContainerStatuses":[{},{}],"containerStatuses":[{},{}]}}}}"#,
        if initialized { "True" } else { "False" },
        status("i", init),
        status("s", sidecar),
        status("a", first),
        status("b", second),
    );
    // A key that comes twice is the later one.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(value).unwrap()
}

fn row(pod: v1::Pod) -> PodRow {
    PodRow { pod, life: Life::Running }
}

const IDLE: &str = r#""state":{"waiting":{"reason":"PodInitializing"}}"#;
const RUN: &str = r#""state":{"running":{"startedAt":"2026-11-23T11:59:00Z"}}"#;
const READY: &str = r#""state":{"running":{"startedAt":"2026-11-23T11:59:00Z"}},"ready":true,"started":true"#;
const DONE: &str = r#""state":{"terminated":{"exitCode":0,"reason":"Completed"}}"#;
const ERROR: &str = r#""state":{"terminated":{"exitCode":1,"reason":"Error"}}"#;
const CRASHED: &str = r#""state":{"waiting":{"reason":"CrashLoopBackOff"}},"restartCount":3,
    "lastState":{"terminated":{"exitCode":1,"finishedAt":"2026-11-23T11:57:10Z"}}"#;

/// R8.9: every status that kubectl has a word for.
#[test]
fn the_status_column_says_what_kubectl_says() {
    let waiting = |reason: &str| format!(r#""state":{{"waiting":{{"reason":"{reason}"}}}}"#);
    let code = r#""state":{"terminated":{"exitCode":7}}"#;
    let signal = r#""state":{"terminated":{"exitCode":137,"signal":9}}"#;
    let oom = r#""state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}"#;
    let stopped = r#""state":{"terminated":{"exitCode":143,"reason":"Error"}}"#;
    let cases = [
        ("init-waits", "Pending", false, [IDLE, IDLE, IDLE, IDLE]),
        ("init-runs", "Pending", false, [RUN, IDLE, IDLE, IDLE]),
        ("init-image", "Pending", false, [&waiting("ErrImagePull"), IDLE, IDLE, IDLE]),
        ("init-create", "Pending", false, [&waiting("CreateContainerError"), IDLE, IDLE, IDLE]),
        ("init-crash", "Pending", false, [CRASHED, IDLE, IDLE, IDLE]),
        ("init-error", "Failed", false, [ERROR, IDLE, IDLE, IDLE]),
        ("init-code", "Pending", false, [code, IDLE, IDLE, IDLE]),
        ("init-signal", "Pending", false, [signal, IDLE, IDLE, IDLE]),
        ("sidecar-starts", "Pending", false, [DONE, RUN, IDLE, IDLE]),
        ("sidecar-crash", "Pending", false, [DONE, CRASHED, IDLE, IDLE]),
        ("mains-wait", "Pending", true, [DONE, READY, IDLE, IDLE]),
        ("running", "Running", true, [DONE, READY, READY, READY]),
        ("sidecar-again", "Running", true, [DONE, CRASHED, READY, READY]),
        ("not-ready", "Running", true, [DONE, READY, RUN, READY]),
        ("main-crash", "Running", true, [DONE, READY, CRASHED, READY]),
        ("one-done", "Running", true, [DONE, READY, DONE, READY]),
        ("main-image", "Pending", true, [DONE, READY, &waiting("ImagePullBackOff"), READY]),
        ("main-config", "Pending", true, [DONE, READY, READY, &waiting("CreateContainerConfigError")]),
        ("completed", "Succeeded", true, [DONE, stopped, DONE, DONE]),
        ("failed", "Failed", true, [DONE, stopped, DONE, ERROR]),
        ("oom", "Failed", true, [DONE, stopped, oom, DONE]),
        ("killed", "Failed", true, [DONE, stopped, signal, DONE]),
        ("code", "Failed", true, [DONE, stopped, DONE, code]),
    ];
    let mut rows: Vec<PodRow> =
        cases.into_iter().map(|(name, phase, initialized, of)| row(pod(name, phase, initialized, of))).collect();
    let mut stopping = pod("terminating", "Running", true, [DONE, READY, READY, READY]);
    stopping.metadata.deletion_timestamp = stopping.metadata.creation_timestamp.clone();
    let mut stopped = pod("stopped", "Failed", true, [DONE, stopped, ERROR, ERROR]);
    stopped.metadata.deletion_timestamp = stopped.metadata.creation_timestamp.clone();
    let mut deadline = pod("deadline", "Failed", true, [DONE, DONE, ERROR, ERROR]);
    deadline.status.as_mut().unwrap().reason = Some("DeadlineExceeded".to_owned());
    let mut swept = pod("swept", "Failed", false, [code, IDLE, IDLE, IDLE]);
    swept.status.as_mut().unwrap().reason = Some("SupervisorLost".to_owned());
    rows.extend([stopping, stopped, deadline, swept].map(row));
    rows.push(PodRow { pod: pod("lost", "Running", true, [DONE, READY, READY, READY]), life: Life::Lost });
    insta::assert_snapshot!(pods(&rows, now(), &Width::Normal.into(), Namespaces::of(&rows), None));
}

#[test]
fn wide_tables_and_several_namespaces() {
    let mut there = pod("there", "Running", true, [DONE, READY, READY, READY]);
    there.metadata.namespace = Some("ops".to_owned());
    there.status.as_mut().unwrap().pod_ip = Some("127.0.0.1".to_owned());
    // Before anything is known of it: no status, no times.
    let bare: v1::Pod = serde_json::from_str(
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bare"},"spec":{"containers":[{"name":"a"}]}}"#,
    )
    .unwrap();
    let rows = [row(bare), row(there)];
    insta::assert_snapshot!(pods(&rows, now(), &Width::Wide.into(), Namespaces::of(&rows), None));
}

/// R8.9: a pod that is up again is Ready before it is Running, and READY counts sidecars.
#[test]
fn one_finished_main_beside_a_running_one() {
    let mut pod = pod("p", "Running", true, [DONE, READY, DONE, READY]);
    assert_eq!(status(&pod), "NotReady");
    let conditions = pod.status.as_mut().unwrap().conditions.as_mut().unwrap();
    conditions.push(v1::PodCondition {
        type_: "Ready".to_owned(),
        status: "True".to_owned(),
        ..v1::PodCondition::default()
    });
    assert_eq!(status(&pod), "Running");
    assert_eq!(ready(&pod), "2/3");
}

/// R8.9: kubectl counts the retries of inits only while there is something to initialize.
#[test]
fn restarts_of_inits_count_until_they_are_done() {
    let crashing = pod("p", "Pending", false, [CRASHED, IDLE, IDLE, IDLE]);
    assert_eq!(restarts(&crashing, now()), "3 (2m50s ago)");
    let done = r#""state":{"terminated":{"exitCode":0,"reason":"Completed"}},"restartCount":3"#;
    assert_eq!(restarts(&pod("p", "Running", true, [done, READY, READY, READY]), now()), "0");
    assert_eq!(restarts(&pod("p", "Running", true, [done, CRASHED, CRASHED, READY]), now()), "6 (2m50s ago)");
}

#[test]
fn events_say_how_often_and_hide_no_control_characters() {
    let event = |kind: &str, reason: &str, container: Option<&str>, message: &str, count: u32| EventLine {
        time: jiff::Timestamp::from_second(NOW - 65).unwrap(),
        first: (count > 1).then(|| jiff::Timestamp::from_second(NOW - 3665).unwrap()),
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        container: container.map(str::to_owned),
        message: message.to_owned(),
        count,
    };
    let lines = [
        event("Normal", "Started", Some("web"), "Container started", 1),
        event("Warning", "BackOff", Some("web"), "back-off 20s restarting failed container", 4),
        event("Warning", "FailedMount", None, "a\x1b[2J\nb\u{85}c\u{202e}d", 1),
    ];
    let of_web = lines.each_ref().map(|line| ("web", line));
    insta::assert_snapshot!(events(&of_web, Of::Pod, now(), None));
    let several = events(&of_web[1..2], Of::Pods, now(), None);
    assert!(several.starts_with("LAST SEEN") && several.contains("BackOff   web   web         back-off"), "{several}");
}

#[test]
fn spans_are_kubectls() {
    for (seconds, text) in [
        (-1, "0s"),
        (5, "5s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (11_000, "3h3m"),
        (90_000, "25h"),
        (200_000, "2d7h"),
        (700_000, "8d"),
        (65_000_000, "2y22d"),
        (300_000_000, "9y"),
    ] {
        assert_eq!(ago(now(), jiff::Timestamp::from_second(NOW - seconds).unwrap()), text);
    }
}

#[test]
fn control_characters_never_reach_a_terminal() {
    assert_eq!(sanitize("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
    assert_eq!(sanitize("käse 日本 \u{9b}31m\x7f"), "käse 日本 \\u{9b}31m\\u{7f}");
    // What turns text around hides what it says just as well.
    assert_eq!(sanitize("\u{202e}x\u{2066}"), "\\u{202e}x\\u{2066}");
}

/// A line that is longer than the terminal would go on somewhere in the next, under other columns.
#[test]
fn tables_keep_within_the_terminal() {
    let mut long = pod("a-pod-with-a-long-name-of-its-own", "Running", true, [DONE, READY, READY, READY]);
    long.metadata.namespace = Some("operations".to_owned());
    let rows = [row(pod("short", "Running", true, [DONE, READY, READY, READY])), row(long)];
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    let at = |columns| pods(&rows, now(), &Width::Wide.into(), Namespaces::of(&rows), Some(columns));
    assert_eq!(at(200), pods(&rows, now(), &Width::Wide.into(), Namespaces::of(&rows), None));
    for columns in [40, 80] {
        let text = at(columns);
        assert!(widest(&text) <= columns.max(60), "{columns}: {text}");
        // Each pod is a block, with all that the table has.
        for line in [
            "NAMESPACE:  operations",
            "NAME:       a-pod-with-a-long-name-of-its-own",
            "STATUS:     Running",
            "NODE:       ",
        ] {
            assert_eq!(
                text.lines().filter(|one| one.starts_with(line)).count(),
                if line.contains("a-pod") || line.contains("operations") { 1 } else { 2 },
                "{line}: {text}"
            );
        }
    }
    let event = EventLine {
        time: jiff::Timestamp::from_second(NOW - 65).unwrap(),
        first: None,
        kind: "Warning".to_owned(),
        reason: "BackOff".to_owned(),
        container: Some("web".to_owned()),
        message: "Back-off restarting failed container web in pod web_default(0123)".to_owned(),
        count: 1,
    };
    let at = |columns| events(&[("web", &event)], Of::Pod, now(), Some(columns));
    assert_eq!(at(200).lines().count(), 2, "{}", at(200));
    let text = at(80);
    assert!(widest(&text) <= 80 && text.lines().count() > 2 && text.starts_with("LAST SEEN"), "{text}");
    let text = at(40);
    assert!(widest(&text) <= 40 && text.starts_with("LAST SEEN:  65s\nTYPE:       Warning\n"), "{text}");
}

/// It was stopped before its containers began: nothing is created any more.
#[test]
fn nothing_waits_in_a_pod_that_has_ended() {
    let creating = r#""state":{"waiting":{"reason":"ContainerCreating"}}"#;
    let initializing = r#""state":{"waiting":{"reason":"PodInitializing"}}"#;
    for (initialized, of, shown) in [
        (false, [initializing; 4], "Failed"),
        (false, [DONE, initializing, initializing, initializing], "Failed"),
        (false, [ERROR, initializing, initializing, initializing], "Init:Error"),
        (true, [DONE, DONE, creating, creating], "Failed"),
        (true, [DONE, DONE, DONE, creating], "Failed"),
        (true, [DONE, DONE, ERROR, creating], "Error"),
    ] {
        assert_eq!(status(&pod("stopped", "Failed", initialized, of)), shown, "{of:?}");
    }
}

/// Without a status nobody saw how it ended.
#[test]
fn a_pod_without_a_status() {
    let bare = |life| PodRow { pod: v1::Pod::default(), life };
    for (life, shown) in
        [(Life::Running, "Pending"), (Life::Lost, "Unknown"), (Life::Ended, "Unknown"), (Life::Left, "CleanupFailed")]
    {
        assert_eq!(status_of(&bare(life)), shown, "{life:?}");
    }
}

#[test]
fn labels_and_kinds() {
    let row = |metadata| {
        let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
        PodRow { pod: serde_json::from_value(pod).unwrap(), life: Life::Running }
    };
    let labels = serde_json::json!({"example.com/tier": "front", "app": "web"});
    let rows = [row(serde_json::json!({"name": "web", "labels": labels})), row(serde_json::json!({"name": "db"}))];
    let table = |shown: &Shown| pods(&rows, jiff::Timestamp::UNIX_EPOCH, shown, Namespaces::of(&rows), None);
    let columns = ["example.com/tier", "none"].map(str::to_owned).to_vec();
    let shown = Shown { label_columns: columns, labels: true, kind: true, ..Shown::default() };
    assert_eq!(
        table(&shown),
        "NAME      READY   STATUS    RESTARTS   AGE         TIER    NONE   LABELS\n\
         pod/web   0/0     Pending   0          <unknown>   front          app=web,example.com/tier=front\n\
         pod/db    0/0     Pending   0          <unknown>                  <none>\n"
    );
    let plain = table(&Shown::default());
    assert!(plain.starts_with("NAME   READY   STATUS    RESTARTS   AGE\nweb "), "{plain}");
}
