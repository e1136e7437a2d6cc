//! `run --detach` and `run --rm`: a pod that is nobody's terminal's, and one that leaves nothing to be read.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::user::Ids;
use crate::harness::{Case, Guard, Manifest, Run, binary, wait, wait_for};

const BACKOFF: [&str; 4] = ["--backoff-initial", "300ms", "--backoff-max", "1200ms"];

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs `run -d` to its end, with its output in pipes that are read until nobody has them any more.
fn detach(case: &Case, pod: &Manifest, options: &[&str]) -> Output {
    let file = case.write(&pod.text());
    let words = [&["run", "-d"], &BACKOFF[..], options].concat();
    case.command(&words).arg(file).output().unwrap()
}

/// The supervisor's pid, as its ledger has it.
fn supervisor(case: &Case) -> i32 {
    let ledger: Value = serde_json::from_slice(&fs::read(case.state().join("ledger.json")).unwrap()).unwrap();
    i32::try_from(ledger["supervisor_pid"].as_i64().unwrap()).unwrap()
}

/// What a process has open.
fn open_files(pid: i32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

/// What a test that was killed has started ends all the same: as `run -d` outlives who called it, each test has a guard.
#[test]
fn a_killed_test_leaves_no_pod() {
    let Some(case) = Case::new("guarded") else { return };
    let dir = case.dir().join("own");
    let root = dir.join("root").display().to_string();
    let mut guard = Guard::of(&dir, &binary());
    let file = case.write(&case.pod().main("main", "say main; hold go").text());
    let started =
        Command::new(binary()).args(["--root", &root, "run", "-d"]).arg(file).stdin(Stdio::null()).output().unwrap();
    assert!(started.status.success(), "{}", err(&started));
    case.wait_for("main");
    guard.alarm();
    assert!(!dir.exists());
}

/// `$(barepod run -d ...)` goes on when the sandbox is there; nothing of the caller's is kept, whatever that has open.
#[test]
fn the_caller_goes_on() {
    let Some(mut case) = Case::new("detached") else { return };
    // Pipes beyond the standard streams, too.
    case.within(&["bash", "-c", "exec \"$@\" 7>&1 8>&2", "bash"]);
    let pod =
        case.pod().sidecar("web", "echo from web; serve web").main("main", "await web up; say main; hold go; exit 7");
    let exit = case.dir().join("exit.json");
    let started = detach(&case, &pod, &["--exit-code-file", exit.to_str().unwrap()]);
    assert_eq!((started.status.code(), out(&started).as_str()), (Some(0), "default/detached\n"), "{}", err(&started));
    // At once, without a look at whether it has come so far.
    assert_eq!(case.get()["metadata"]["name"], "detached");
    let pid = supervisor(&case);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    assert_eq!((fields[3], fields[4]), (pid.to_string().as_str(), "0"), "session and terminal: {stat}");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), PathBuf::from("/"));
    let std = |fd: u32| fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
    assert_eq!([std(0), std(1)], [PathBuf::from("/dev/null"), PathBuf::from("/dev/null")]);
    assert_eq!(std(2), case.state().join("supervisor.log"));
    case.wait_for("main");
    assert_eq!(case.logs("web", &[]), "from web\n");
    case.release("go");
    wait("the exit code file", || exit.exists());
    let ending: Value = serde_json::from_slice(&fs::read(&exit).unwrap()).unwrap();
    assert_eq!((&ending["exitCode"], &ending["container"]), (&json!(7), &json!("main")), "{ending}");
    wait("the supervisor's end", || !PathBuf::from(format!("/proc/{pid}/fd/0")).exists());
    let log = fs::read_to_string(case.state().join("supervisor.log")).unwrap();
    for line in ["main started", "main exited 7", "default/detached Failed: container \"main\" exited 7 (Error)"] {
        assert!(log.contains(line), "{line:?} in {log}");
    }
    // What containers print is not among it.
    assert!(!log.contains("from web"), "{log}");
    let page = out(&case.barepod(&["describe", "detached"]));
    assert!(page.contains("supervisor.log\n") && page.contains("default/detached Failed"), "{page}");
    case.nothing_left();
}

/// What can be refused is refused to the caller, with the words and the exit codes of a run in the foreground.
#[test]
fn what_is_wrong_is_said_here() {
    let Some(case) = Case::new("wrong") else { return };
    let both = |pod: &Manifest, options: &[&str]| {
        let file = case.write(&pod.text());
        let foreground = case.command(&[&["run"], options].concat()).arg(file).output().unwrap();
        let detached = detach(&case, pod, options);
        assert_eq!((foreground.status.code(), err(&foreground)), (detached.status.code(), err(&detached)));
        assert_eq!(out(&detached), "");
        (detached.status.code().unwrap(), err(&detached))
    };
    let broken = case.pod().spec(json!({"restartPolicy": "Sometimes"})).main("main", "true");
    assert_eq!(both(&broken, &[]).0, 2);
    let unknown = case.pod().main("main", "true");
    assert_eq!(both(&unknown, &["--volume", "none=/tmp"]).0, 2);
    let pod = case.pod().main("main", "exec serve main");
    assert_eq!(detach(&case, &pod, &[]).status.code(), Some(0));
    case.wait_for("main up");
    let (code, said) = both(&pod, &[]);
    assert!(code == 125 && said.contains("already running"), "{code} {said}");
    for options in [&["--attach", "main"][..], &["--no-prefix"], &["--exit-code-file", "/dev/stdout"]] {
        let refused = detach(&case, &pod, options);
        assert_eq!(refused.status.code(), Some(2), "{options:?}: {}", err(&refused));
    }
    assert!(case.barepod(&["stop", "wrong"]).status.success());
    case.nothing_left();
}

/// A sandbox that can't be made yet is said to the caller, who waits; a signal to it ends the pod in order.
#[test]
fn the_caller_waits_for_the_sandbox() {
    let Some(case) = Case::new("waiting") else { return };
    let late = case.dir().join("late");
    let volumes = json!({"volumes": [{"name": "late", "hostPath": {"path": late, "type": "Directory"}}]});
    let pod = case.pod().spec(volumes).main("main", "exec serve main");
    let file = case.write(&pod.text());
    let options = [&["-d"], &BACKOFF[..]].concat();
    for signal in [Signal::TERM, Signal::INT] {
        let mut run = Run::start(&case, &file, &options);
        run.wait_for_line("is not a directory");
        assert_eq!(case.phase(), "Pending");
        run.signal(signal);
        assert_eq!(run.end(), 1, "{}", run.stderr());
        assert!(run.stderr().contains("default/waiting Failed"), "{}", run.stderr());
        assert!(!case.state().join("supervisor.log").exists());
        assert!(case.left_of_the_ended().is_empty(), "{:?}", case.left_of_the_ended());
    }
    let mut run = Run::start(&case, &file, &options);
    run.wait_for_line("is not a directory");
    fs::create_dir(&late).unwrap();
    assert_eq!(run.end(), 0, "{}", run.stderr());
    case.wait_for("main up");
    assert!(case.barepod(&["stop", "waiting"]).status.success());
    fs::remove_dir(&late).unwrap();
    case.nothing_left();
}

/// The pod outlives the terminal that it was started on, and the session.
#[test]
fn the_terminal_may_go() {
    let Some(case) = Case::new("terminal-gone") else { return };
    let file = case.write(&case.pod().main("main", "exec serve main").text());
    let pty = nix::pty::openpty(None, None).unwrap();
    let inner = case.command(&["run", "-d"]);
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(inner.get_program()).args(inner.get_args()).arg(file);
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(case.dir());
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    let mut run = Run::on_terminal(&case, &mut command);
    assert_eq!(run.end(), 0);
    drop((pty.slave, File::from(pty.master)));
    case.wait_for("main up");
    let terminals: Vec<PathBuf> =
        open_files(supervisor(&case)).into_iter().filter(|path| path.starts_with("/dev/pts")).collect();
    assert!(terminals.is_empty(), "{terminals:?}");
    assert!(case.barepod(&["stop", "terminal-gone"]).status.success());
    case.nothing_left();
}

/// A supervisor that is killed before there is a sandbox is told of as what it is.
#[test]
fn a_supervisor_that_dies_too_early() {
    let Some(case) = Case::new("too-early") else { return };
    let volumes = json!({"volumes": [{"name": "no", "hostPath": {"path": "/no/such", "type": "Directory"}}]});
    let file = case.write(&case.pod().spec(volumes).main("main", "true").text());
    let mut run = Run::start(&case, &file, &["-d"]);
    run.wait_for_line("is not a directory");
    let pid = rustix::process::Pid::from_raw(supervisor(&case)).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(run.end(), 125);
    assert!(run.stderr().contains("the supervisor was killed before"), "{}", run.stderr());
    assert!(case.barepod(&["stop", "too-early"]).status.success());
    case.nothing_left();
}

/// An ordinary user's, of whom two processes are left in the background.
#[test]
fn a_users_pod() {
    let Some(case) = Case::of_user("users-detached", Ids::Subordinate) else { return };
    let pod = case.pod().main("main", "say main; hold go");
    let started = detach(&case, &pod, &["--network", "none", "--rm"]);
    assert_eq!(
        (started.status.code(), out(&started).as_str()),
        (Some(0), "default/users-detached\n"),
        "{}",
        err(&started)
    );
    case.wait_for("main");
    let broken = case.pod().spec(json!({"restartPolicy": "Sometimes"})).main("main", "true");
    assert_eq!(detach(&case, &broken, &["--network", "none"]).status.code(), Some(2));
    case.release("go");
    wait("the end of all", || case.left_behind().is_empty());
}

/// `--rm`: nothing of the pod is left to be read when its run is over, however that ended.
#[test]
fn a_pod_is_forgotten() {
    let Some(case) = Case::new("forgotten") else { return };
    for (script, code) in [("true", 0), ("exit 3", 3)] {
        let mut run = case.start_with(&case.pod().main("main", script), &["--rm"]);
        assert_eq!(run.end(), code);
        assert!(case.left_behind().is_empty(), "{:?}", case.left_behind());
    }
    let pod = case.pod().main("main", "say up; exec serve main");
    assert_eq!(detach(&case, &pod, &["--rm"]).status.code(), Some(0));
    case.wait_for("main up");
    let stopped = case.barepod(&["stop", "forgotten"]);
    assert!(stopped.status.success() && err(&stopped).contains("stopped: Succeeded"), "{}", err(&stopped));
    wait("nothing left", || case.left_behind().is_empty());
    assert_eq!(case.barepod(&["get", "forgotten"]).status.code(), Some(1));
    // A run that never began forgets nothing of another.
    assert_eq!(case.run(&case.pod().main("main", "echo kept")), 0);
    let broken = case.pod().spec(json!({"restartPolicy": "Sometimes"})).main("main", "true");
    assert_eq!(case.start_with(&broken, &["--rm"]).end(), 2);
    assert_eq!(case.logs("main", &[]), "kept\n");
    case.nothing_left();
}

/// The supervisor of a pod that is detached can be killed like any: what was said before is found by who looks.
#[test]
fn the_log_outlives_a_killed_supervisor() {
    let Some(case) = Case::new("log-stays") else { return };
    let pod = case.pod().main("main", "exec serve main");
    assert_eq!(detach(&case, &pod, &[]).status.code(), Some(0));
    case.wait_for("main up");
    let pid = supervisor(&case);
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let said = wait_for("the note", || Some(err(&case.barepod(&["get", "log-stays"]))).filter(|said| !said.is_empty()));
    assert!(said.contains("supervisor.log)"), "{said}");
    assert!(case.barepod(&["stop", "log-stays"]).status.success());
    case.nothing_left();
}
