//! How pods' ends read.

use std::time::Duration;

use barepod_engine::spec::ContainerIndex;
use barepod_engine::status::{Deletion, PodReason, WaitingReason};
use barepod_engine::time::WallTime;

use super::*;

fn ended(kind: Kind, exit_code: i32, signal: Option<i32>, reason: TerminatedReason, message: &str) -> PodStatus {
    let how = Terminated {
        exit_code,
        signal,
        reason,
        message: message.to_owned(),
        started_at: None,
        finished_at: None,
        container_id: None,
    };
    let container = |name: &str, kind, state| ContainerStatus {
        name: name.to_owned(),
        kind,
        state,
        last_state: None,
        restart_count: 0,
        ready: false,
        started: false,
        container_id: None,
        image_id: None,
        grace_use: None,
    };
    let waiting = ContainerState::Waiting { reason: WaitingReason::ContainerCreating, message: String::new() };
    PodStatus {
        phase: Phase::Failed,
        reason: None,
        message: String::new(),
        conditions: Vec::new(),
        start_time: None,
        deletion: None,
        containers: vec![
            container("other", Kind::Main, waiting),
            container("web", kind, ContainerState::Terminated(how)),
        ],
        exit_code: u8::try_from(exit_code).ok(),
        exit_source: Some(ExitSource::Container(ContainerIndex(1))),
    }
}

#[test]
fn a_failures_last_line_says_why() {
    use TerminatedReason::*;
    for (status, want) in [
        (ended(Kind::Main, 1, None, Error, ""), r#"container "web" exited 1 (Error)"#),
        (
            ended(Kind::Init, 3, None, Error, "one\nno such db\n\n"),
            r#"init container "web" exited 3 (Error): no such db"#,
        ),
        (
            ended(Kind::Main, 139, Some(11), Error, ""),
            r#"container "web" was ended by signal 11, exit code 139 (Error)"#,
        ),
        (
            ended(Kind::Main, 137, Some(9), OOMKilled, ""),
            r#"container "web" ran out of memory, exit code 137 (OOMKilled)"#,
        ),
        (
            ended(Kind::Main, 3, None, OOMKilled, ""),
            r#"container "web" exited 3, after one of its processes was killed for lack of memory (OOMKilled)"#,
        ),
        (
            ended(Kind::Main, 143, Some(15), OOMKilled, "no memory"),
            "container \"web\" was ended by signal 15, exit code 143, after one of its processes was killed for lack of \
             memory (OOMKilled): no memory",
        ),
        (
            ended(Kind::Main, 128, None, StartError, "/x: no such file"),
            r#"container "web" could not be started (StartError): /x: no such file"#,
        ),
    ] {
        assert_eq!(why(&status), want);
        let long = ended(Kind::Main, 1, None, Error, &"é".repeat(300));
        assert_eq!(why(&long).matches('é').count(), 200);
    }
}

#[test]
fn the_pods_own_reasons_come_first() {
    let failed = ended(Kind::Main, 143, Some(15), TerminatedReason::Error, "");
    let message = "Pod was not done after 1m0s (--timeout): it waited for container web to exit".to_owned();
    let timeout = PodStatus {
        reason: Some(PodReason::TimedOut),
        message: message.clone(),
        exit_code: Some(124),
        exit_source: Some(ExitSource::TimedOut),
        ..failed.clone()
    };
    assert_eq!(why(&timeout), format!("TimedOut: {message}"));
    let deletion = Deletion { requested: WallTime::from_unix_nanos(0), grace_period: Duration::ZERO };
    let stopped = PodStatus { deletion: Some(deletion), ..failed.clone() };
    let want = r#"it was stopped on request; container "web" was ended by signal 15, exit code 143 (Error)"#;
    assert_eq!(why(&stopped), want);
    let succeeded = PodStatus { phase: Phase::Succeeded, exit_source: Some(ExitSource::Pod), ..failed };
    assert_eq!(why(&succeeded), "");
}

/// One source for each kind of end: what a program goes by.
#[test]
fn what_programs_read() {
    let json = |ending: &Ending| serde_json::to_string(ending).unwrap();
    let failed = ended(Kind::Main, 1, None, TerminatedReason::Error, "");
    insta::assert_snapshot!(json(&Ending::of("default/demo", &failed)), @r#"{"exitCode":1,"source":"container","pod":"default/demo","phase":"Failed","container":"web","reason":"Error","message":"container \"web\" exited 1 (Error)"}"#);
    let source = Some(ExitSource::Pod);
    let good = PodStatus { phase: Phase::Succeeded, exit_code: Some(0), exit_source: source, ..failed.clone() };
    insta::assert_snapshot!(json(&Ending::of("default/demo", &good)), @r#"{"exitCode":0,"source":"pod","pod":"default/demo","phase":"Succeeded"}"#);
    let late = PodStatus { exit_code: Some(124), exit_source: Some(ExitSource::TimedOut), ..failed };
    assert_eq!(Ending::of("a/b", &late).source, Source::Timeout);
    insta::assert_snapshot!(json(&Ending::of_error(125, "no cgroups\n")), @r#"{"exitCode":125,"source":"barepod","message":"no cgroups"}"#);
}
