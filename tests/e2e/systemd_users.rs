//! Pods of an ordinary user on a box that systemd runs: in scopes and units of the user's manager, and across a logout. The
//! user is the one that the test VM has (scripts/vm-test).

use serde_json::{Value, json};

use crate::harness::guest::{Guest, Lingering, Login, USER, state};
use crate::harness::unit::Unit;
use crate::harness::{main, wait};

/// `systemd-run --user --scope`, as the documents advise it.
const SCOPE: [&str; 6] = ["systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes"];

fn limits(memory: &str, cpu: &str) -> Value {
    json!({"resources": {"limits": {"memory": memory, "cpu": cpu}}})
}

/// What uses memory until it is killed.
const HOG: &str = "x=x; while :; do x=$x$x; done";

/// What a warning advises works: the pod's cgroups are in the scope, with its limits, and who goes above one is killed.
#[test]
fn a_users_scope_has_limits() {
    let Some(mut guest) = Guest::new("user-scope") else { return };
    let _manager = Lingering::begin();
    guest.within(&SCOPE);
    let case = &guest.case;
    let files = "say $(cat /sys/fs/cgroup/memory.max) $(cat /sys/fs/cgroup/cpu.max); hold go; ";
    let pod = case.pod().container(main("hog", &format!("{files}{HOG}"), limits("32Mi", "500m")));
    let mut run = case.start_with(&pod, &["--network", "none"]);
    case.wait_for("33554432 50000 100000");
    let supervisor = std::fs::read_to_string(format!("/proc/{}/cgroup", run.pid().as_raw_nonzero())).unwrap();
    let (scope, _) = supervisor.trim().split_once(".scope").unwrap_or_else(|| panic!("{supervisor}"));
    let below = format!("{scope}.scope/barepod/{}", case.cgroup());
    assert!(std::path::Path::new("/sys/fs/cgroup").join(below.trim_start_matches("0::/")).exists(), "{below}");
    case.release("go");
    assert_eq!(run.end(), 137, "{}", run.stderr());
    assert!(run.stderr().contains("hog was killed: out of memory"), "{}", run.stderr());
    assert!(!run.stderr().contains("warning"), "{}", run.stderr());
    assert_eq!(case.ended("hog"), (137, "OOMKilled".to_owned()));
    drop(run);
    case.nothing_left();
}

/// A shell in the scope keeps the kernel from handing its controllers down: the pod runs, without limits, and the warning
/// says what to do.
#[test]
fn a_users_scope_that_a_shell_is_in() {
    let Some(mut guest) = Guest::new("user-shell") else { return };
    let _manager = Lingering::begin();
    guest.within(&[&SCOPE[..], &["bash", "-c", "\"$@\"; exit $?", "in"]].concat());
    let case = &guest.case;
    let pod = case.pod().container(main("main", "say ran", limits("32Mi", "500m")));
    let mut run = case.start_with(&pod, &["--network", "none"]);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let text = run.stderr();
    let told: Vec<&str> = text.lines().filter(|line| line.contains("warning:")).collect();
    assert_eq!(told.len(), 1, "{text}");
    let advice = "`systemd-run --user --scope -p Delegate=yes barepod run ...`";
    for part in ["resources.limits.memory of container \"main\"", "holds other processes", advice] {
        assert!(told[0].contains(part), "{text}");
    }
    drop(run);
    case.nothing_left();
}

/// The document's unit as a user's, with a limit of its own: what is killed for that is said to be out of memory, nothing
/// but its container ends, and `systemctl --user stop` keeps the order.
#[test]
fn a_users_unit_has_limits() {
    let Some(guest) = Guest::new("user-unit") else { return };
    let _manager = Lingering::begin();
    let case = &guest.case;
    let script = format!("[ -e /t/once ] || {{ touch /t/once; say hogs; {HOG}; }}; exec serve main");
    let pod = case.pod().sidecar("side", "serve side").container(main("main", &script, json!({})));
    case.write(&pod.spec(json!({"restartPolicy": "OnFailure"})).text());
    let unit = Unit::of_user(case, "MemoryMax=128M\nEnvironment=PATH=/usr/local/bin:/usr/bin:/usr/sbin");
    unit.start();
    case.wait_for("main up");
    let pid = unit.show("MainPID");
    assert_eq!(unit.show("NRestarts"), "0", "{}", unit.journal());
    let restarted = || case.container("main")["lastState"]["terminated"]["reason"] == "OOMKilled";
    wait("what the container ended by", restarted);
    assert_eq!((case.times_said("hogs"), case.times_said("side up")), (1, 1));
    assert_eq!((unit.show("ActiveState"), unit.show("MainPID")), ("active".to_owned(), pid));
    assert!(unit.journal().contains("main was killed: out of memory"), "{}", unit.journal());
    assert!(unit.stop().status().unwrap().success());
    assert_eq!(case.trace().split_off(3), ["main term", "side term"], "{}", unit.journal());
    assert_eq!((unit.show("ActiveState"), unit.show("Result")), ("inactive".to_owned(), "success".to_owned()));
}

/// Without lingering a user's units end with the user's last session: gracefully, as by `systemctl --user stop`.
#[test]
fn a_users_unit_ends_with_the_last_session() {
    let Some(guest) = Guest::new("user-logout") else { return };
    let case = &guest.case;
    case.write(&case.pod().sidecar("side", "serve side").main("main", "serve main").text());
    let mut login = Login::begin();
    wait("the user's manager", || state() == "active" && crate::harness::guest::has_manager());
    let unit = Unit::of_user(case, "");
    login.types(&format!("systemctl --user start {}", unit.name()));
    case.wait_for("main up");
    login.hang_up();
    wait("the end of the user's manager", || state().is_empty());
    assert_eq!(case.trace().split_off(2), ["main term", "side term"]);
}

/// With lingering they go on.
#[test]
fn a_lingering_users_unit_goes_on() {
    let Some(guest) = Guest::new("user-linger") else { return };
    let case = &guest.case;
    let _manager = Lingering::begin();
    case.write(&case.pod().main("main", "serve main").text());
    let unit = Unit::of_user(case, "");
    let mut login = Login::begin();
    login.types(&format!("systemctl --user start {}", unit.name()));
    case.wait_for("main up");
    login.hang_up();
    wait("the end of the session", || state() == "lingering");
    assert_eq!(unit.show("ActiveState"), "active");
    assert!(!case.said("main term"));
    assert!(unit.stop().status().unwrap().success());
    assert!(case.said("main term"));
}

/// `nohup` holds when the terminal goes: the pod runs on without the session's shell, its state stays where it is, and it
/// ends by the user's word.
#[test]
fn nohup_outlives_the_terminal() {
    let Some(guest) = Guest::new("user-nohup") else { return };
    let case = &guest.case;
    case.write(&case.pod().main("main", "say up; hold go; say over").text());
    let mut login = Login::begin();
    let (manifest, output) = (case.dir().join("pod.yaml"), case.dir().join("out.txt"));
    login.types(&format!(
        "nohup {} run --network none {} > {} 2>&1 &",
        guest.barepod(),
        manifest.display(),
        output.display()
    ));
    case.wait_for("up");
    assert_eq!(state(), "active", "{USER} is logged in");
    login.hang_up();
    // The session stays as long as a process of it: so do $XDG_RUNTIME_DIR, where state is by default, and the bus.
    wait("the session to have no shell", || state() == "closing");
    assert!(crate::harness::guest::has_manager());
    let held = case.marked();
    assert!(held.iter().any(|command| command.contains("run")), "{held:?}");
    assert_eq!(case.phase(), "Running");
    case.release("go");
    case.wait_for("over");
    wait("the end of the pod", || case.marked().is_empty());
}
