//! `barepod run -it`: a container that is at our terminal from its beginning.

use std::io::Write;
use std::process::{Output, Stdio};

use rustix::termios::tcgetattr;
use serde_json::{Value, json};

use super::terminals::Terminal;
use crate::harness::user::Ids;
use crate::harness::{Case, main, wait};

fn write(case: &Case, script: &str, more: Value) -> String {
    case.write(&case.pod().container(main("main", script, more)).text()).display().to_string()
}

fn at_terminal() -> Value {
    json!({"tty": true, "stdin": true})
}

/// R10.11: nothing is missed at the beginning, not even the size; Ctrl-C is the container's, and the exit code the pod's.
#[test]
fn a_shell() {
    let Some(case) = Case::new("run-shell") else { return };
    let file = write(&case, "stty size; exec sh", at_terminal());
    let mut at = Terminal::of(&case, (24, 80), &["run", "--rm", "-it", &file]);
    let before = tcgetattr(&at.slave).unwrap();
    at.shows("24 80\r\n");
    at.resize(10, 40);
    at.types("until [ \"$(stty size)\" = '10 40' ]; do sleep 0.1; done; echo sized-$((1+1))\n");
    at.shows("sized-2");
    at.types("echo waits-$((2+2)); sleep 1000\n");
    at.shows("waits-4");
    wait("sleep", || case.processes("sleep 1000").len() == 1);
    at.types("\x03");
    wait("the end of it", || case.processes("sleep 1000").is_empty());
    at.types("exit 5\n");
    assert_eq!(at.end(&before), Some(5));
    assert_eq!(case.barepod(&["get", case.name()]).status.code(), Some(1));
    case.nothing_left();
}

fn piped(case: &Case, file: &str, input: &str) -> Output {
    let mut child = case.command(&["run", "-i", file]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Without a terminal: our input and its end, both streams, all of what it prints.
#[test]
fn a_filter() {
    let Some(case) = Case::new("run-filter") else { return };
    let file = write(&case, "echo begun; echo err >&2; wc -l; exit 3", json!({"stdin": true, "stdinOnce": true}));
    let output = piped(&case, &file, "one\ntwo\n");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "begun\n2\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("err\n"));
    case.nothing_left();
}

/// The keys leave the pod running in the background.
#[test]
fn a_shell_that_is_left() {
    let Some(case) = Case::new("run-left") else { return };
    let file = write(&case, "trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done", at_terminal());
    let mut at = Terminal::of(&case, (24, 80), &["run", "-it", &file]);
    let before = tcgetattr(&at.slave).unwrap();
    at.shows("begun\r\n");
    at.types("\x10\x11");
    at.shows("which runs on");
    assert_eq!(at.end(&before), Some(0));
    assert!(case.container("main")["state"]["running"].is_object());
    assert!(case.barepod(&["stop", case.name()]).status.success());
    case.nothing_left();
}

/// What can't be is refused before anything is made, as in the foreground.
#[test]
fn what_is_refused() {
    let Some(case) = Case::new("run-refused") else { return };
    for (more, why) in [
        (json!({}), "no container of the pod has `stdin: true` or `tty: true`"),
        (json!({"tty": true}), "hasn't `stdin: true`"),
    ] {
        let output = piped(&case, &write(&case, "exit 0", more), "");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(why), "{told}");
    }
    case.nothing_left();
}

/// An ordinary user's pod, between whose supervisor and the command there is one more process.
#[test]
fn a_shell_in_a_users_pod() {
    let Some(case) = Case::of_user("user-run", Ids::Subordinate) else { return };
    let file = write(&case, "stty size; exec sh", at_terminal());
    let mut at = Terminal::of(&case, (24, 80), &["run", "-it", "--network", "none", &file]);
    let before = tcgetattr(&at.slave).unwrap();
    at.shows("24 80\r\n");
    at.types("echo in-$((1+1)); exit 4\n");
    at.shows("in-2");
    assert_eq!(at.end(&before), Some(4));
}
