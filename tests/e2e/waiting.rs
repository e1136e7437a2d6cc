//! `wait`, and `run --detach --wait`: until a pod is as it is wanted, or can't become so any more.

use std::process::{Child, Output, Stdio};

use serde_json::json;

use crate::harness::{Case, Manifest, main, wait};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `wait`, under way.
fn begin(case: &Case, options: &[&str]) -> Child {
    let mut command = case.command(&[&["wait"], options].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Its exit code and what it said.
#[track_caller]
fn end(mut child: Child) -> (i32, String) {
    wait("the end of `wait`", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), text(&output))
}

/// A main that is ready once the file `ready` is there, and ends with 3 once `go` is.
fn pod(case: &Case) -> Manifest {
    let probe = json!({"exec": {"command": ["test", "-e", "/t/ready"]}, "periodSeconds": 1});
    case.pod().container(main("main", "say up; hold go; exit 3", json!({"readinessProbe": probe})))
}

fn detach(case: &Case, options: &[&str]) -> Output {
    let file = case.write(&pod(case).text());
    case.command(&[&["run", "-d"], options].concat()).arg(file).output().unwrap()
}

/// Each in kubectl's words, as soon as it is so.
#[test]
fn for_what_will_be_so() {
    let Some(case) = Case::new("becomes") else { return };
    assert!(detach(&case, &[]).status.success());
    let ready = begin(&case, &["pod/becomes", "--for=condition=Ready"]);
    let manifest = case.dir().join("pod.yaml");
    let by_file = begin(&case, &["-f", manifest.to_str().unwrap(), "--for", "condition=ready=true"]);
    let failed = begin(&case, &["pod", "default/becomes", "--for", "phase=Failed"]);
    let gone = begin(&case, &["becomes", "--for=delete"]);
    let late = case.barepod(&["wait", "becomes", "--for=condition=Ready", "--timeout=0"]);
    let said = "error: timed out waiting for the condition on pods/becomes\n";
    assert_eq!((late.status.code(), text(&late).as_str()), (Some(1), said));
    case.wait_for("up");
    case.release("ready");
    let met = (0, "pod/becomes condition met\n".to_owned());
    assert_eq!(end(ready), met);
    assert_eq!(end(by_file), met);
    assert_eq!(end(begin(&case, &["becomes", "--for=phase=Running", "--timeout", "0"])), met);
    case.release("go");
    assert_eq!(end(failed), met);
    // What can't be any more is told at once.
    let (code, said) = end(begin(&case, &["becomes", "--for=phase=Running", "--timeout=-1s"]));
    assert_eq!(code, 1);
    for words in ["has ended", "container \"main\" exited 3", "phase Running can't come true any more"] {
        assert!(said.contains(words), "{said}");
    }
    // Its supervisor may still be busy with its end: that is waited for.
    assert!(case.barepod(&["rm", "becomes"]).status.success());
    assert_eq!(end(gone), met);
    assert_eq!(end(begin(&case, &["becomes", "--for=delete"])), met);
    let (code, said) = end(begin(&case, &["becomes", "--for=condition=Ready"]));
    assert!(code == 1 && said.contains("not found"), "{said}");
    case.nothing_left();
}

/// Who waits hears of the end, whoever brings it about.
#[test]
fn for_what_will_never_be_so() {
    let Some(case) = Case::new("never") else { return };
    assert!(detach(&case, &[]).status.success());
    case.wait_for("up");
    let waiting = begin(&case, &["never", "--for=condition=Ready"]);
    assert!(case.barepod(&["stop", "never", "--grace-period", "0"]).status.success());
    let (code, said) = end(waiting);
    assert!(code == 1 && said.contains("Ready is False"), "{said}");
    // A supervisor that is killed tells nobody anything.
    let mut run = case.start(&pod(&case));
    wait("the pod runs again", || case.times_said("up") == 2);
    let waiting = begin(&case, &["never", "--for=condition=Ready"]);
    run.kill();
    let (code, said) = end(waiting);
    assert!(code == 1 && said.contains("supervisor of pod \"never\" is gone"), "{said}");
    assert!(case.barepod(&["stop", "never"]).status.success());
    case.nothing_left();
}

/// `run --detach --wait`: until then, or with the pod's exit code.
#[test]
fn of_a_run() {
    let Some(case) = Case::new("awaited") else { return };
    let late = detach(&case, &["--rm", "--wait", "--wait-timeout", "100ms"]);
    assert_eq!(late.status.code(), Some(124), "{}", text(&late));
    assert!(text(&late).contains("timed out") && text(&late).contains("the pod runs on"), "{}", text(&late));
    let phase = begin(&case, &["awaited", "--for=phase=Failed"]);
    case.release("go");
    // It is forgotten with its end.
    assert_eq!(end(phase), (0, "pod/awaited condition met\n".to_owned()));
    wait("nothing left", || case.left_behind().is_empty());
    let never = detach(&case, &["--wait"]);
    assert_eq!(never.status.code(), Some(3), "{}", text(&never));
    assert!(text(&never).contains("condition Ready can't come true any more"), "{}", text(&never));
    assert!(case.barepod(&["rm", "awaited"]).status.success());
    // One after the other, whatever the supervisor of the one before still does.
    for _ in 0..5 {
        let failed = detach(&case, &["--rm", "--wait=phase=Failed"]);
        assert_eq!((failed.status.code(), text(&failed).as_str()), (Some(0), "default/awaited\n"));
    }
    wait("nothing left", || case.left_behind().is_empty());
    std::fs::remove_file(case.shared("go")).unwrap();
    case.release("ready");
    let ready = detach(&case, &["--wait=Ready"]);
    assert_eq!((ready.status.code(), text(&ready).as_str()), (Some(0), "default/awaited\n"));
    assert_eq!(case.condition("Ready")["status"], "True");
    assert!(case.barepod(&["stop", "awaited", "--grace-period", "0"]).status.success());
    case.nothing_left();
}
