//! `barepod exec`: programs that people run in containers that run, with their own streams or at a terminal.

mod attached;
mod debugging;
mod interactive;
mod screens;
mod terminals;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcgetattr;
use serde_json::json;

use crate::harness::{Case, Run, main, patience, wait};
use terminals::Terminal;

/// Runs until it is stopped.
const IDLE: &str = "trap 'exit 0' TERM; say main up; while :; do sleep 999 & wait $!; done";

fn idle(case: &Case) -> Run<'_> {
    let run = case.start(&case.pod().main("main", IDLE));
    case.wait_for("main up");
    run
}

fn finish(run: &mut Run<'_>) {
    run.signal(Signal::TERM);
    run.end();
}

fn exec<'a>(options: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [&["exec"], options, &["--"], command].concat()
}

/// The exit code, and what was printed.
#[track_caller]
fn ran(case: &Case, options: &[&str], command: &[&str]) -> (Option<i32>, String, String) {
    let output = case.barepod(&exec(options, command));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The program's exit code is the command's; what keeps it from being run has the codes of shells.
#[test]
fn exit_codes() {
    let Some(case) = Case::new("exec-codes") else { return };
    let mut run = idle(&case);
    let name = [case.name()];
    let code = |command: &[&str]| ran(&case, &name, command);
    assert_eq!(code(&["sh", "-c", "echo out; echo err >&2; exit 7"]), (Some(7), "out\n".into(), "err\n".into()));
    assert_eq!(code(&["sh", "-c", "kill -KILL $$"]).0, Some(137));
    assert_eq!(code(&["sh", "-c", "kill -TERM $$"]).0, Some(143));
    let (absent, _, told) = code(&["nosuch"]);
    assert!(absent == Some(127) && told.contains("nosuch: executable file not found in $PATH"), "{told}");
    let (folder, _, told) = code(&["/etc"]);
    assert!(folder == Some(126) && told.contains("it is a directory"), "{told}");
    let (other, _, told) = ran(&case, &[case.name(), "-c", "side"], &["true"]);
    assert!(other == Some(1) && told.contains("container \"side\" is not in pod"), "{told}");
    finish(&mut run);
    let (ended, _, told) = code(&["true"]);
    let logs = format!("`barepod logs default/{} -c main`", case.name());
    assert!(ended == Some(1) && told.contains("has ended (") && told.contains(&logs), "{told}");
    case.nothing_left();
}

/// Of a container that has yet to start, and of one that waits to be restarted.
#[test]
fn what_does_not_run() {
    let Some(case) = Case::new("exec-waits") else { return };
    let pod = case.pod().spec(json!({"restartPolicy": "Always"}));
    let pod = pod.init(crate::harness::worker("init", "say init up; hold go")).container(main(
        "main",
        "say main up; exit 3",
        json!({}),
    ));
    let mut run = case.start_with(&pod, &["--backoff-initial", "10m", "--backoff-max", "10m"]);
    case.wait_for("init up");
    let (code, _, told) = ran(&case, &[case.name(), "-c", "main"], &["true"]);
    assert!(code == Some(1) && told.contains("container \"main\" isn't running: PodInitializing"), "{told}");
    assert_eq!(ran(&case, &[case.name(), "-c", "init"], &["echo", "in"]).1, "in\n");
    case.release("go");
    wait("the back-off", || case.container("main")["state"]["waiting"]["reason"] == "CrashLoopBackOff");
    let (code, _, told) = ran(&case, &[case.name(), "-c", "main"], &["true"]);
    assert!(code == Some(1) && told.contains("isn't running: CrashLoopBackOff"), "{told}");
    finish(&mut run);
    case.nothing_left();
}

/// Bytes arrive as they are, in both directions, from and to files and pipes; and no file of the box's gets into the
/// container: there it would be a file that can be opened anew.
#[test]
fn bytes() {
    let Some(case) = Case::new("exec-bytes") else { return };
    let mut run = idle(&case);
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    let [from, to] = ["from", "to"].map(|name| case.dir().join(name));
    fs::write(&from, &bytes).unwrap();
    let mut command = case.command(&exec(&["-i", case.name()], &["cat"]));
    command.stdin(File::open(&from).unwrap()).stdout(File::create(&to).unwrap());
    assert!(command.status().unwrap().success());
    assert!(fs::read(&to).unwrap() == bytes, "files");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = {
        let bytes = bytes.clone();
        std::thread::spawn(move || stdin.write_all(&bytes).unwrap())
    };
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success() && output.stdout == bytes, "pipes");
    // Of both streams into one file the order stays.
    let mut command = case.command(&exec(
        &["-i", case.name()],
        &["sh", "-c", "for i in 0 1 2; do readlink /proc/self/fd/$i; done; echo one >&2; echo two; echo three >&2"],
    ));
    let file = File::create(&to).unwrap();
    command.stdin(File::open(&from).unwrap()).stderr(file.try_clone().unwrap()).stdout(file);
    assert!(command.status().unwrap().success());
    let text = fs::read_to_string(&to).unwrap();
    let full =
        case.command(&exec(&[case.name()], &["echo", "lost"])).stdout(File::create("/dev/full").unwrap()).status();
    assert_eq!(full.unwrap().code(), Some(125));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[..3].iter().all(|line| line.starts_with("pipe:[")), "{text}");
    assert_eq!(lines[3..], ["one", "two", "three"]);
    finish(&mut run);
    case.nothing_left();
}

/// What a program leaves running, with its output open, keeps nobody waiting: not the command, and not a `$(...)` where the
/// output is a file.
#[test]
fn a_daemon_in_the_container() {
    let Some(case) = Case::new("exec-daemon") else { return };
    let mut run = idle(&case);
    let to = case.dir().join("to");
    let mut command = case.command(&exec(&[case.name()], &["sh", "-c", "sleep 1000 & echo begun"]));
    command.stdout(File::create(&to).unwrap()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    assert_eq!(fs::read_to_string(&to).unwrap(), "begun\n");
    assert_eq!(case.processes("sleep 1000").len(), 1);
    // Nor one that never stops to write, into a file or at a terminal.
    let mut command = case.command(&exec(&[case.name()], &["sh", "-c", "yes & exit 6"]));
    command.stdout(File::create(&to).unwrap()).stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(6));
    let nohup = ["sh", "-c", "trap '' HUP; yes & exit 7"];
    let at = Terminal::begin(&case, &["-t", case.name()], &nohup);
    let before = tcgetattr(&at.slave).unwrap();
    let mut reader = at.master.try_clone().unwrap();
    let reads = std::thread::spawn(move || while matches!(reader.read(&mut [0; 65536]), Ok(1..)) {});
    assert_eq!(at.end(&before), Some(7));
    reads.join().unwrap();
    finish(&mut run);
    case.nothing_left();
}

/// Signals go to the program; who is killed takes it along by SIGHUP.
#[test]
fn signals_and_a_killed_client() {
    let Some(case) = Case::new("exec-signals") else { return };
    let mut run = idle(&case);
    let script = "trap 'say NAME int; exit 5' INT; trap 'say NAME hup; exit 6' HUP; say NAME up; \
                  while :; do sleep 0.1; done";
    let begin = |name: &str| {
        let script = script.replace("NAME", name);
        let child = case.command(&exec(&[case.name()], &["sh", "-c", &script])).spawn().unwrap();
        case.wait_for(&format!("{name} up"));
        child
    };
    let send = |child: &std::process::Child, signal| kill_process(Pid::from_child(child), signal).unwrap();
    let mut asked = begin("asked");
    send(&asked, Signal::INT);
    assert_eq!(asked.wait().unwrap().code(), Some(5));
    let mut killed = begin("killed");
    send(&killed, Signal::KILL);
    killed.wait().unwrap();
    case.wait_for("killed hup");
    finish(&mut run);
    case.nothing_left();
}

/// The processes that `of` has begun, and that are there yet.
fn children(of: Pid) -> BTreeSet<String> {
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// The supervisor hears of the client's end and of the program's beginning at once: the program gets SIGHUP all the same.
#[test]
fn a_client_that_is_killed_at_the_beginning() {
    let Some(case) = Case::new("exec-early") else { return };
    let mut run = idle(&case);
    let supervisor = run.pid();
    for number in 1..=5 {
        let script = format!("trap 'say {number} hup; exit 6' HUP; say {number} up; while :; do sleep 0.1; done");
        let before = children(supervisor);
        let mut client = case.command(&exec(&[case.name()], &["sh", "-c", &script])).spawn().unwrap();
        // The helper that begins the program: what it reports is read by the supervisor only when that goes on.
        let began = Instant::now();
        while children(supervisor).is_subset(&before) && began.elapsed() < patience() {
            std::hint::spin_loop();
        }
        kill_process(supervisor, Signal::STOP).unwrap();
        case.wait_for(&format!("{number} up"));
        client.kill().unwrap();
        client.wait().unwrap();
        kill_process(supervisor, Signal::CONT).unwrap();
        case.wait_for(&format!("{number} hup"));
    }
    finish(&mut run);
    case.nothing_left();
}

/// Each signal is passed on, not the first alone; and nobody but the program is asked what it does about them.
#[test]
fn one_signal_after_the_other() {
    let Some(case) = Case::new("exec-again") else { return };
    let mut run = idle(&case);
    let script = "trap 'say int' INT; trap 'say term; exit 4' TERM; say up; while :; do sleep 0.1; done";
    let mut child = case.command(&exec(&[case.name()], &["sh", "-c", script])).spawn().unwrap();
    case.wait_for("up");
    for times in 1..=3 {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        wait("the signal", || case.times_said("int") == times);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    finish(&mut run);
    case.nothing_left();
}

/// A supervisor that doesn't answer is told of, and keeps nobody: neither before the program runs nor afterwards.
#[test]
fn a_supervisor_that_is_stopped() {
    let Some(case) = Case::new("exec-stopped") else { return };
    let mut run = idle(&case);
    run.signal(Signal::STOP);
    let told = case.dir().join("told");
    let command = || {
        let mut command = case.command(&exec(&[case.name()], &["sh", "-c", "say ran"]));
        command.stderr(File::create(&told).unwrap());
        command
    };
    let mut child = command().spawn().unwrap();
    wait("its signals are its own", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        u64::from_str_radix(blocked, 16).unwrap() & 2 != 0
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    wait("the note", || fs::read_to_string(&told).unwrap().contains("is stopped (SIGSTOP)"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    run.signal(Signal::CONT);
    assert!(command().status().unwrap().success());
    // Who has left wanted nothing any more.
    assert_eq!(case.times_said("ran"), 1);
    finish(&mut run);
    case.nothing_left();
}

/// A program that ends in the same moment as its container has its own exit code where it had one.
#[test]
fn a_program_that_ends_its_container() {
    let Some(case) = Case::new("exec-last") else { return };
    let mut run = idle(&case);
    let (code, _, told) = ran(&case, &[case.name()], &["sh", "-c", "kill -TERM 1; exit 3"]);
    // It may be killed with its container before it has exited.
    assert!(
        code == Some(3) || code == Some(137) && told.contains("has ended, and the program with it"),
        "{code:?} {told}"
    );
    run.end();
    case.nothing_left();
}

/// A FIFO with a name is a file of the box's: it doesn't get into the container, and stays its owner's.
#[test]
fn a_fifo_stays_outside() {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let Some(case) = Case::new("exec-fifo") else { return };
    let user = json!({"securityContext": {"runAsUser": 1000}});
    let mut run = case.start(&case.pod().container(main("main", IDLE, user)));
    case.wait_for("main up");
    let fifo = case.dir().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let reader = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(&fifo).unwrap();
    let mut command = case.command(&exec(&[case.name()], &["sh", "-c", "readlink /proc/self/fd/1"]));
    command.stdout(fs::OpenOptions::new().write(true).open(&fifo).unwrap());
    assert!(command.status().unwrap().success());
    let mut text = [0; 4096];
    let read = rustix::io::read(&reader, &mut text).unwrap();
    assert!(text[..read].starts_with(b"pipe:["), "{:?}", String::from_utf8_lossy(&text[..read]));
    assert_eq!(fs::metadata(&fifo).unwrap().uid(), 0);
    finish(&mut run);
    case.nothing_left();
}

/// Programs at once: more than there may be are refused, the others end as they would alone.
#[test]
fn a_crowd() {
    let Some(case) = Case::new("exec-crowd") else { return };
    if !crate::harness::open_files_suffice(4096) {
        return;
    }
    let mut run = idle(&case);
    let begin = |_| {
        let mut command = case.command(&exec(&[case.name()], &["sh", "-c", "say in; hold go; exit 5"]));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut crowd: Vec<_> = (0..60).map(begin).collect();
    wait("all of them", || case.times_said("in") == 60);
    let more: Vec<_> = (0..10).map(begin).collect();
    wait("those that may", || case.times_said("in") == 64);
    case.release("go");
    let ends = crowd.drain(..).chain(more).map(|child| child.wait_with_output().unwrap());
    let (good, refused): (Vec<_>, Vec<_>) = ends.partition(|end| end.status.code() == Some(5));
    // Clients have their bound as well, and are told of it.
    assert_eq!((good.len(), refused.len()), (64, 6));
    for one in refused {
        let told = String::from_utf8_lossy(&one.stderr).into_owned();
        assert!(told.contains("at most 64 programs at a time") || told.contains("too many other commands"), "{told}");
    }
    finish(&mut run);
    case.nothing_left();
}
