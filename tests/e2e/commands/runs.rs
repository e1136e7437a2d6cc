//! `run` beside other commands, and from standard input.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use super::err;
use crate::harness::{Case, slow, wait};

/// A second `run` of a pod that runs is refused and disturbs nothing; of one that ended it starts anew.
#[test]
fn two_runs_of_one_pod() {
    let Some(case) = Case::new("twice") else { return };
    let pod = case.pod().main("main", "say main; hold go");
    let mut run = case.start(&pod);
    case.wait_for("main");
    let second = case.barepod(&["run", "pod.yaml"]);
    assert_eq!(second.status.code(), Some(125), "{}", err(&second));
    let pid = run.pid().as_raw_nonzero().to_string();
    assert!(err(&second).contains("is already running") && err(&second).contains(&pid), "{}", err(&second));
    wait("Running", || case.phase() == "Running");
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["main", "main"]);
    assert_eq!(case.container("main")["restartCount"], 0);
}

/// Two `run`s of one pod at the same moment: one runs, the other is refused.
#[test]
fn two_runs_at_the_same_moment() {
    let Some(case) = Case::new("race") else { return };
    let file = case.write(&case.pod().main("main", "say main; exec serve main").text());
    let start = || {
        let mut command = case.command(&["run"]);
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut both = [start(), start()];
    case.wait_for("main up");
    wait("one is refused", || {
        both.iter_mut().any(|run| run.try_wait().unwrap().is_some_and(|end| end.code() == Some(125)))
    });
    assert!(case.barepod(&["stop", "race"]).status.success());
    let mut codes = both.map(|mut run| run.wait().unwrap().code());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(125)]);
    assert_eq!(case.times_said("main"), 1);
}

/// Commands that name a pod at the very moment it starts neither disturb it nor keep it from starting.
#[test]
fn a_look_at_a_pod_that_starts() {
    let Some(case) = Case::new("looked-at") else { return };
    let pod = case.pod().main("main", "true");
    for _ in 0..if slow() { 5 } else { 20 } {
        let mut run = case.start(&pod);
        while !run.has_ended() {
            case.barepod(&["get", "looked-at"]);
        }
        assert_eq!(run.end(), 0, "{}", run.stderr());
        case.barepod(&["rm", "looked-at"]);
    }
}

/// A manifest from standard input; `--name`.
#[test]
fn from_standard_input_under_another_name() {
    let Some(case) = Case::new("renamed") else { return };
    let pod = case.pod().metadata(json!({"name": "original"})).main("main", "say $(hostname)");
    let text = std::fs::read_to_string(case.write(&pod.text())).unwrap();
    let mut command = case.command(&["run", "--name", "renamed", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(case.trace(), ["renamed"]);
}
