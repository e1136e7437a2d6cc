//! What a container's own program reads from and writes to: `tty`, `stdin`.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::user::Ids;
use crate::harness::{Case, hook, main, probe, wait};

/// What the first attempt of `main` wrote, as stream, tag and text.
fn entries(case: &Case) -> Vec<String> {
    let folder = fs::read_dir(case.root().join("logs")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(folder.join("main/0.log")).unwrap();
    text.split('\n').filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()
}

/// R10.10: a terminal is all three streams and /dev/console, the container's user has it, and it is one stream in the log.
/// What runs beside the program has none of it.
#[test]
fn a_terminal_of_its_own() {
    let Some(case) = Case::new("tty") else { return };
    let script = "for i in 0 1 2; do [ -t $i ] || say no terminal at $i; done; say $(tty) $TERM $(stat -c %u $(tty)); \
        echo out; echo err >&2; echo console > /dev/console; echo name > $(tty); echo mine > /dev/tty; \
        hold probed; trap 'say int; exit 3' INT; say up; while :; do sleep 0.1; done";
    let more = json!({
        "tty": true,
        "securityContext": {"runAsUser": 1000},
        "startupProbe": probe("[ ! -t 0 ] && [ ! -t 1 ] && touch /t/probed"),
        "lifecycle": {"preStop": hook("say hook; kill -INT 1")},
    });
    let mut run = case.start(&case.pod().container(main("main", script, more)));
    case.wait_for("up");
    assert_eq!(case.trace()[0], "/dev/pts/0 xterm 1000");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 3);
    assert_eq!(case.trace()[1..], ["up", "hook", "int"]);
    let lines = ["out", "err", "console", "name", "mine"].map(|line| format!("stdout F {line}\r"));
    assert_eq!(entries(&case), lines);
    case.nothing_left();
}

/// R10.10: the terminal outlives the program's own use of it, and what is written last isn't lost.
#[test]
fn a_terminal_that_is_closed_and_opened_again() {
    let Some(case) = Case::new("tty-again") else { return };
    let script = "exec </dev/null >/dev/null 2>&1; say closed; hold go; seq 1 5000 > /dev/console; exit 5";
    let mut run = case.start(&case.pod().container(main("main", script, json!({"tty": true, "stdin": true}))));
    case.wait_for("closed");
    case.release("go");
    assert_eq!(run.end(), 5);
    assert_eq!(entries(&case).last().unwrap(), "stdout F 5000\r");
    assert_eq!(entries(&case).len(), 5000);
    case.nothing_left();
}

/// R10.10: what nobody is attached to stays open and silent; without `stdin` there is nothing to read.
#[test]
fn standard_input() {
    let Some(case) = Case::new("stdin") else { return };
    let script = "say $(readlink /proc/self/fd/0); cat; say nothing; say up; hold go; exit 0";
    assert_eq!(case.run(&case.pod().main("main", &script.replace("hold go; ", ""))), 0);
    assert_eq!(case.trace(), ["/dev/null", "nothing", "up"]);
    let Some(case) = Case::new("stdin-open") else { return };
    // Ended by a signal: not by an end of what it reads.
    let script = "timeout 0.3 cat; say $?; timeout 0.3 cat < /dev/stdin; say $?; exec cat";
    let mut run = case.start(&case.pod().container(main("main", script, json!({"stdin": true, "stdinOnce": true}))));
    wait("both", || case.trace().len() == 2);
    assert_eq!(case.trace(), ["143", "143"]);
    run.signal(Signal::INT);
    run.end();
    case.nothing_left();
}

/// In an ordinary user's pod the ids are those of its user namespace.
#[test]
fn a_terminal_in_a_users_pod() {
    let Some(case) = Case::of_user("user-tty", Ids::Subordinate) else { return };
    let more = json!({"tty": true, "securityContext": {"runAsUser": 1000}});
    let pod = case.pod().container(main("main", "tty; stat -c %u $(tty); echo console > /dev/console", more));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.logs("main", &[]), "/dev/pts/0\r\n1000\r\nconsole\r\n");
}

/// Likewise in a pod with a user namespace of its own: the terminal is its user's, whoever that is on the host.
#[test]
fn a_terminal_in_a_user_namespace() {
    let Some(case) = Case::new("userns-tty") else { return };
    let script = "tty; stat -c %u $(tty); echo name > $(tty); echo console > /dev/console";
    let more = json!({"tty": true, "stdin": true, "securityContext": {"runAsUser": 1000}});
    let pod = case.pod().spec(json!({"hostUsers": false})).container(main("main", script, more));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.logs("main", &[]), "/dev/pts/0\r\n1000\r\nname\r\nconsole\r\n");
    case.nothing_left();
}
