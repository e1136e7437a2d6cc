//! `logs --follow`: what a container prints, as it prints it.

use std::fs::{self, File};
use std::process::{Child, Stdio};

use serde_json::json;

use crate::harness::{Case, wait};

const LINES: usize = 22_000;
const ATTEMPTS: usize = 3;

/// Its exit code.
#[track_caller]
fn end(mut child: Child) -> Option<i32> {
    wait("the end of `logs`", || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code()
}

/// Over restarts and rotations (12 MB each, files of 10 MiB) each line comes once and in its order, until the pod has ended.
#[test]
fn each_line_once_over_restarts_and_rotations() {
    let Some(case) = Case::new("followed") else { return };
    let script = format!(
        "n=$(($(cat /t/n 2>/dev/null || echo 0) + 1)); echo $n > /t/n; echo begin $n; [ $n -gt 1 ] || {{ say up; hold go; }}; \
         pad=$(head -c 500 /dev/zero | tr '\\0' x); yes \"$n $pad\" | head -n {LINES} | cat -n; printf 'no end'; [ $n = {ATTEMPTS} ]"
    );
    let pod = case.pod().spec(json!({"restartPolicy": "OnFailure"})).main("main", &script);
    let mut run = case.start_with(&pod, &["-q"]);
    case.wait_for("up");
    let to = case.dir().join("to");
    let follow = case.command(&["logs", "-f", case.name()]).stdout(File::create(&to).unwrap()).spawn().unwrap();
    wait("the first line", || fs::read(&to).unwrap() == b"begin 1\n");
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(end(follow), Some(0));
    let mut expected = String::new();
    for attempt in 1..=ATTEMPTS {
        expected += &format!("begin {attempt}\n");
        for number in 1..=LINES {
            expected += &format!("{number:6}\t{attempt} {}\n", "x".repeat(500));
        }
        // What isn't ended by the container is where another attempt follows.
        expected += if attempt < ATTEMPTS { "no end\n" } else { "no end" };
    }
    let found = fs::read_to_string(&to).unwrap();
    let differs = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    assert!(found == expected, "{} bytes of {}, first in line {differs:?}", found.len(), expected.len());
    // Of a pod that has ended it shows what there is.
    assert_eq!(case.logs("main", &["-f", "--tail", "1"]), "no end");
    case.nothing_left();
}

/// Who no longer reads ends it; whose pod's supervisor is killed waits for nobody; what it doesn't do it says.
#[test]
fn its_end() {
    let Some(case) = Case::new("followed-end") else { return };
    let script = "i=0; say up; while :; do echo line $i; i=$((i + 1)); sleep 0.1; done";
    let mut run = case.start_with(&case.pod().main("main", script), &["-q"]);
    case.wait_for("up");
    let follow = |options: &[&str]| {
        let mut command = case.command(&[&["logs", "--follow", case.name()], options].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut left = follow(&[]);
    drop(left.stdout.take());
    assert_eq!(end(left), Some(0));
    assert_eq!(end(follow(&["--limit-bytes", "8"])), Some(0));
    for (option, words) in [("--previous", "cannot be used with"), ("--all-containers", "cannot be used with")] {
        let output = follow(&[option]).wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
    let to = case.dir().join("to");
    let last = case.command(&["logs", "-f", case.name()]).stdout(File::create(&to).unwrap()).spawn().unwrap();
    wait("a line", || fs::read_to_string(&to).unwrap().contains("line 0\n"));
    run.kill();
    assert_eq!(end(last), Some(0));
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
    case.nothing_left();
}
