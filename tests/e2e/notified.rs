//! What a service manager such as systemd hears of a pod (sd_notify(3)): that it is ready, how it is, that it ends, that its
//! supervisor is well. Here a socket of the test's own stands for systemd; tests/e2e/systemd.rs has the real one.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Case, Manifest, Run, main, wait};

/// Hears what is told, message by message.
struct Manager {
    socket: UnixDatagram,
    messages: RefCell<Vec<Vec<String>>>,
}

impl Manager {
    fn new(case: &Case) -> Self {
        let socket = UnixDatagram::bind(case.dir().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, messages: RefCell::new(Vec::new()) }
    }

    /// All messages so far, each with its lines: what they mean depends on what is in one.
    fn messages(&self) -> Vec<Vec<String>> {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            self.messages.borrow_mut().push(text.lines().map(str::to_owned).collect());
        }
        self.messages.borrow().clone()
    }

    /// All lines so far.
    fn heard(&self) -> Vec<String> {
        self.messages().concat()
    }

    fn has(&self, line: &str) -> bool {
        self.place(line).is_some()
    }

    fn place(&self, line: &str) -> Option<usize> {
        self.heard().iter().position(|one| one.starts_with(line))
    }

    #[track_caller]
    fn wait_for(&self, line: &str) {
        wait(&format!("{line} from the supervisor"), || self.has(line));
    }
}

/// The pod as a service of that manager.
fn start<'a>(case: &'a Case, pod: &Manifest, options: &[&str], more: &[(&str, &str)]) -> Run<'a> {
    let file = case.write(&pod.text());
    let mut command = case.command(&[&["run"], options].concat());
    command.arg(file).env("NOTIFY_SOCKET", case.dir().join("notify")).envs(more.iter().copied());
    command.stdout(File::create(case.dir().join("out.txt")).unwrap());
    Run::of(case, command.stderr(File::create(case.dir().join("err.txt")).unwrap()))
}

/// A main that is ready once the file `ready` is there.
fn pod(case: &Case, script: &str) -> Manifest {
    let probe = json!({"exec": {"command": ["test", "-e", "/t/ready"]}, "periodSeconds": 1});
    case.pod().container(main("main", script, json!({"readinessProbe": probe})))
}

#[test]
fn of_a_pods_whole_life() {
    let Some(case) = Case::new("told") else { return };
    let manager = Manager::new(&case);
    let slow = "trap 'say term; hold go; exit 0' TERM; say up; while :; do sleep 1000 & wait $!; done";
    let pod = pod(&case, slow).spec(json!({"terminationGracePeriodSeconds": 1000}));
    let mut run = start(&case, &pod, &[], &[("WATCHDOG_USEC", "100000")]);
    manager.wait_for("STATUS=Running, 0/1 ready");
    assert!(!manager.has("READY"), "{:?}", manager.heard());
    let fed = || manager.heard().iter().filter(|line| *line == "WATCHDOG=1").count();
    wait("the watchdog is fed, and fed again", || fed() > 2);
    case.release("ready");
    manager.wait_for("READY=1");
    assert!(manager.has("STATUS=Running, 1/1 ready") && !manager.has("STOPPING"), "{:?}", manager.heard());
    run.signal(Signal::TERM);
    case.wait_for("term");
    manager.wait_for("STOPPING=1");
    let extended = |line: &str| line.strip_prefix("EXTEND_TIMEOUT_USEC=").map(|micros| micros.parse::<u64>().unwrap());
    let longest = manager.heard().iter().filter_map(|line| extended(line)).max();
    // The grace period and some more.
    assert!(longest.is_some_and(|micros| (1_000_000_000..1_031_000_000).contains(&micros)), "{longest:?}");
    let before = fed();
    wait("the watchdog is fed while the pod stops", || fed() > before + 1);
    case.release("go");
    assert_eq!(run.end(), 0);
    let ended = manager.place("STATUS=Succeeded (Completed)");
    assert!(manager.place("READY=1") < manager.place("STOPPING=1") && manager.place("STOPPING=1") < ended);
    let heard = manager.heard();
    assert_eq!(heard.iter().filter(|line| *line == "READY=1" || *line == "STOPPING=1").count(), 2, "{heard:?}");
    drop(run);
    case.nothing_left();
}

/// Ready may be something else; and nobody is told anything where that is wished, or where the pod is nobody's service.
#[test]
fn of_another_condition_or_nothing() {
    let Some(case) = Case::new("told-otherwise") else { return };
    let manager = Manager::new(&case);
    let pod = pod(&case, "serve main");
    let mut run = start(&case, &pod, &["--sdnotify", "Initialized"], &[]);
    manager.wait_for("READY=1");
    case.wait_for("main up");
    assert!(!manager.has("STATUS=Running, 1/1"), "{:?}", manager.heard());
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    drop(run);
    case.release("ready");
    let heard = manager.heard().len();
    let mut run = start(&case, &pod, &["--sdnotify", "ignore"], &[("WATCHDOG_USEC", "100000")]);
    wait("the pod runs again", || case.times_said("main up") == 2);
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    drop(run);
    let mut run = start(&case, &pod, &["--detach", "--wait"], &[("WATCHDOG_USEC", "100000")]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    drop(run);
    assert!(case.barepod(&["stop", case.name()]).status.success());
    assert_eq!(manager.heard().len(), heard, "{:?}", manager.heard());
    case.nothing_left();
}

/// A job that is never ready is a success all the same; one that fails isn't ready, and systemd learns that from the exit code.
#[test]
fn of_pods_that_end_before_they_are_ready() {
    let Some(case) = Case::new("told-of-jobs") else { return };
    let manager = Manager::new(&case);
    let mut run = start(&case, &pod(&case, "exit 3"), &[], &[]);
    assert_eq!(run.end(), 3, "{}", run.stderr());
    drop(run);
    assert!(!manager.has("READY") && manager.has("STATUS=Failed"), "{:?}", manager.heard());
    // A sidecar ends after the main: some word of the pod's end comes before the last.
    for job in [pod(&case, "exit 0"), pod(&case, "exit 0").sidecar("web", "serve web")] {
        let before = manager.messages().len();
        let mut run = start(&case, &job, &[], &[]);
        assert_eq!(run.end(), 0, "{}", run.stderr());
        drop(run);
        let messages = manager.messages().split_off(before);
        let times = |line: &str| messages.concat().iter().filter(|one| *one == line).count();
        // systemd believes no READY beside STOPPING or after it.
        assert_eq!((times("READY=1"), times("STOPPING=1")), (1, 0), "{messages:?}");
    }
    case.nothing_left();
}

/// Nobody listens, or at an address of a kind that isn't known: the pod runs.
#[test]
fn of_nobody() {
    let Some(case) = Case::new("told-nobody") else { return };
    let pod = pod(&case, "exit 0");
    let mut run = start(&case, &pod, &[], &[]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(
        run.stderr().contains("/notify: No such file or directory (os error 2); the service manager is told nothing")
    );
    drop(run);
    let mut run = start(&case, &pod, &[], &[("NOTIFY_SOCKET", "vsock:2:1")]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(run.stderr().contains("$NOTIFY_SOCKET: neither a path nor an abstract name"), "{}", run.stderr());
    drop(run);
    case.nothing_left();
}
