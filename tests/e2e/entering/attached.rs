//! `barepod attach`: what a container prints from now on, and what it reads.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcgetattr;
use serde_json::{Value, json};

use super::finish;
use super::terminals::Terminal;
use crate::harness::user::Ids;
use crate::harness::{Case, Run, main, wait};

/// Prints until it is released.
const TICKS: &str = "echo before; say up; until [ -e /t/go ]; do echo tick; sleep 0.05; done";

fn starts<'a>(case: &'a Case, script: &str, more: Value) -> Run<'a> {
    let run = case.start(&case.pod().container(main("main", script, more)));
    case.wait_for("up");
    run
}

/// A command that is attached, and what it has shown by now.
struct Client<'a> {
    case: &'a Case,
    name: &'a str,
    child: Child,
}

impl<'a> Client<'a> {
    fn begin(case: &'a Case, name: &'a str, options: &[&str], stdin: Stdio) -> Self {
        let mut command = case.command(&[&["attach", case.name()], options].concat());
        let file = |end: &str| File::create(case.dir().join(format!("{name}.{end}"))).unwrap();
        let child = command.stdin(stdin).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Self { case, name, child }
    }

    fn shown(&self, end: &str) -> String {
        fs::read_to_string(self.case.dir().join(format!("{}.{end}", self.name))).unwrap()
    }

    fn wait_for_ticks(&self) {
        wait("ticks", || self.shown("out").contains("tick\n"));
    }

    fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// R10.11: several at once, each from the moment on when it came, on the stream where it was printed; the container's exit
/// code is theirs.
#[test]
fn what_a_container_prints() {
    let Some(case) = Case::new("attach") else { return };
    let mut run = starts(&case, &format!("{TICKS}; echo out; echo err >&2; exit 3"), json!({}));
    let mut clients = ["one", "two"].map(|name| Client::begin(&case, name, &[], Stdio::null()));
    clients.iter().for_each(Client::wait_for_ticks);
    // One that is killed, and one that ends by itself, change nothing.
    for signal in [Signal::KILL, Signal::INT] {
        let mut third = Client::begin(&case, "three", &[], Stdio::null());
        third.wait_for_ticks();
        kill_process(Pid::from_child(&third.child), signal).unwrap();
        assert_eq!(third.end(), Some(130).filter(|_| signal == Signal::INT));
    }
    case.release("go");
    for client in &mut clients {
        assert_eq!(client.end(), Some(3));
        let (out, err) = (client.shown("out"), client.shown("err"));
        assert!(out.ends_with("tick\nout\n") && !out.contains("before"), "{out}");
        assert_eq!(err, "err\nnote: container \"main\" of pod default/attach has ended (exit code 3)\n");
    }
    assert_eq!(run.end(), 3);
    assert!(case.logs("main", &[]).starts_with("before\n"));
    let mut late = Client::begin(&case, "late", &[], Stdio::null());
    assert_eq!(late.end(), Some(1));
    assert!(late.shown("err").contains("has ended ("), "{}", late.shown("err"));
    case.nothing_left();
}

/// R10.11: who doesn't take what comes keeps nobody, misses some of it, and is told.
#[test]
fn a_client_that_reads_nothing() {
    let Some(case) = Case::new("attach-slow") else { return };
    let script = format!("{TICKS}; yes 0123456789abcde | head -c 4000000; say flooded; hold end; exit 0");
    let mut run = starts(&case, &script, json!({}));
    let errors = case.dir().join("errors");
    let mut command = case.command(&["attach", case.name()]);
    command.stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let first = stdout.read(&mut [0; 4]).unwrap();
    case.release("go");
    case.wait_for("flooded");
    wait("the note", || fs::read_to_string(&errors).unwrap().contains("faster than it is taken"));
    case.release("end");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let told = fs::read_to_string(&errors).unwrap();
    let lost: usize = told.split(" bytes of its output").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    // All but the ticks is there or was left out.
    let ticks = (first + rest.len() + lost).checked_sub(4_000_000).unwrap();
    assert!(lost > 0 && ticks < 100_000, "{} {told}", rest.len());
    run.end();
    assert_eq!(case.logs("main", &[]).matches("0123456789abcde").count(), 250_000);
    case.nothing_left();
}

/// R10.11: what is typed reaches the container; it stays open when a client leaves, unless `stdinOnce` gives it to the first.
#[test]
fn what_a_container_reads() {
    let script = "say up; while read line; do say got $line; done; say end; exit 4";
    let Some(case) = Case::new("attach-stdin") else { return };
    let mut run = starts(&case, script, json!({"stdin": true}));
    for word in ["one", "two"] {
        let mut client = Client::begin(&case, word, &["-i"], Stdio::piped());
        let mut stdin = client.child.stdin.take().unwrap();
        writeln!(stdin, "{word}").unwrap();
        drop(stdin);
        case.wait_for(&format!("got {word}"));
        client.child.kill().unwrap();
        client.end();
    }
    assert_eq!(case.trace(), ["up", "got one", "got two"]);
    finish(&mut run);
    let Some(case) = Case::new("attach-once") else { return };
    let mut run = starts(&case, script, json!({"stdin": true, "stdinOnce": true}));
    let mut first = Client::begin(&case, "first", &["-i"], Stdio::piped());
    writeln!(first.child.stdin.as_ref().unwrap(), "one").unwrap();
    case.wait_for("got one");
    let mut second = Client::begin(&case, "second", &["-i"], Stdio::null());
    wait("the note", || second.shown("err").contains("was another command's (`stdinOnce`)"));
    drop(first.child.stdin.take());
    assert_eq!((first.end(), second.end(), run.end()), (Some(4), Some(4), 4));
    assert_eq!(case.trace(), ["up", "got one", "end"]);
    case.nothing_left();
}

/// A shell that is a container's own program: its size and changes of that, Ctrl-C, the keys to leave by, a client that is
/// killed, two at once.
#[test]
fn a_containers_terminal() {
    let Some(case) = Case::new("attach-tty") else { return };
    let mut run = starts(&case, "say up; exec sh", json!({"tty": true, "stdin": true}));
    let at = || Terminal::of(&case, (33, 101), &["attach", "-it", case.name()]);
    let mut first = at();
    let before = tcgetattr(&first.slave).unwrap();
    first.types("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.1; done; echo sized-$((1+1))\n");
    first.shows("sized-2");
    first.resize(10, 40);
    first.types("until [ \"$(stty size)\" = '10 40' ]; do sleep 0.1; done; echo sized-$((2+2))\n");
    first.shows("sized-4");
    first.types("echo waits-$((3+3)); sleep 1000\n");
    first.shows("waits-6");
    wait("sleep", || case.processes("sleep 1000").len() == 1);
    first.types("\x03");
    wait("the end of it", || case.processes("sleep 1000").is_empty());
    first.types("echo again-$((4+4))\n");
    first.shows("again-8");
    first.types("\x10\x11");
    first.shows("which runs on");
    assert_eq!(first.end(&before), Some(0));
    let mut killed = at();
    killed.types("echo begun-$((5+5))\n");
    killed.shows("begun-10");
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let (mut one, mut two) = (at(), at());
    one.types("echo one-$((6+6))\n");
    one.shows("one-12");
    two.types("echo two-$((7+7))\n");
    two.shows("two-14");
    one.shows("two-14");
    one.types("exit 7\n");
    for mut client in [one, two] {
        client.shows("note: container \"main\" of pod default/attach-tty has ended (exit code 7)");
        assert_eq!(client.end(&before), Some(7));
    }
    assert_eq!(run.end(), 7);
    assert!(case.logs("main", &[]).contains("two-14\r\n"));
    case.nothing_left();
}

/// What isn't as the options take it to be is said, and so is a supervisor's end.
#[test]
fn a_container_without_terminal_and_input() {
    let Some(case) = Case::new("attach-plain") else { return };
    let mut run = starts(&case, &format!("{TICKS}; exit 0"), json!({}));
    let mut client = Client::begin(&case, "client", &["-it"], Stdio::null());
    client.wait_for_ticks();
    wait("the notes", || {
        let told = client.shown("err");
        told.contains("reads nothing: its `stdin` isn't set") && told.contains("has no terminal: its `tty` isn't set")
    });
    run.kill();
    assert_eq!(client.end(), Some(125));
    assert!(client.shown("err").contains("the pod's supervisor is gone"), "{}", client.shown("err"));
    case.barepod(&["rm", "--force", case.name()]);
    case.nothing_left();
}

/// An ordinary user's pod, whose supervisor is in another pid namespace and user namespace than the command.
#[test]
fn a_terminal_in_a_users_pod() {
    let Some(case) = Case::of_user("user-attach", Ids::Subordinate) else { return };
    let mut run = starts(&case, "say up; exec sh", json!({"tty": true, "stdin": true}));
    let mut at = Terminal::of(&case, (24, 80), &["attach", "-it", case.name()]);
    let before = tcgetattr(&at.slave).unwrap();
    at.types("echo in-$((1+1)); exit 4\n");
    at.shows("in-2");
    assert_eq!(at.end(&before), Some(4));
    assert_eq!(run.end(), 4);
}
