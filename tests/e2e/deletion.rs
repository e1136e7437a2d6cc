//! How a pod is ended from outside: signals to `barepod run`, `barepod stop` (R5).

use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Case, Manifest, slow, wait, worker};

fn two_sidecars(case: &Case) -> Manifest {
    case.pod().sidecar("a", "serve a").sidecar("b", "serve b").main("main", "await a up; await b up; exec serve main 3")
}

/// R5.3, R5.4: the main first, then the sidecars in reverse order. Whichever way deletion is asked for.
#[test]
fn mains_first_then_sidecars_in_reverse() {
    for (name, signal) in [("by-sigterm", Some(Signal::TERM)), ("by-sigint", Some(Signal::INT)), ("by-stop", None)] {
        let Some(case) = Case::new(name) else { return };
        let mut run = case.start(&two_sidecars(&case));
        case.wait_for("main up");
        match signal {
            Some(signal) => run.signal(signal),
            None => assert!(case.barepod(&["stop", name]).status.success()),
        }
        assert_eq!(run.end(), 3);
        assert_eq!(case.trace()[3..], ["main term", "b term", "a term"]);
        assert_eq!(case.ended("main"), (3, "Error".into()));
        assert!(run.stderr().contains("stopped on request"), "{}", run.stderr());
    }
}

/// R5.2: SIGKILL after the grace period.
#[test]
fn sigkill_after_the_grace_period() {
    let Some(case) = Case::new("grace") else { return };
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 3})).main("main", "defy main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    let began = Instant::now();
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 137);
    assert!(began.elapsed().as_secs_f64() >= 3.0, "{:?}", began.elapsed());
    assert_eq!(case.trace(), ["main up", "main term"]);
}

/// A second SIGINT ends everything at once, whatever grace remains.
#[test]
fn a_second_sigint_is_at_once() {
    let Some(case) = Case::new("sigint-twice") else { return };
    let pod = case
        .pod()
        .spec(json!({"terminationGracePeriodSeconds": 3600}))
        .sidecar("web", "defy web")
        .main("main", "await web up; exec defy main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::INT);
    case.wait_for("main term");
    run.signal(Signal::INT);
    assert_eq!(run.end(), 137);
    assert!(!case.said("web term"));
}

/// R5.8: a second stop with a shorter grace shortens what remains.
#[test]
fn a_second_stop_with_a_shorter_grace() {
    let Some(case) = Case::new("stop-twice") else { return };
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 3600})).main("main", "defy main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    case.wait_for("main term");
    let stop = case.barepod(&["stop", "--grace-period", "0", "stop-twice"]);
    assert!(stop.status.success());
    assert_eq!(run.end(), 137);
}

/// R5.7: with grace 0 there are no turns: SIGTERM to all, 2 s, SIGKILL.
#[test]
fn grace_zero_has_no_turns() {
    let Some(case) = Case::new("grace-zero") else { return };
    let pod = case.pod().sidecar("web", "serve web").main("main", "await web up; exec defy main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    assert!(case.barepod(&["stop", "--grace-period", "0", "grace-zero"]).status.success());
    assert_eq!(run.end(), 137);
    assert!(case.said("web term") && case.said("main term"));
}

/// R5.9: deletion during init ends with what runs; mains never start, later sidecars neither.
#[test]
fn during_init() {
    let Some(case) = Case::new("during-init") else { return };
    let pod = case
        .pod()
        .sidecar("web", "serve web")
        .init(worker("init", "await web up; exec serve init"))
        .sidecar("late", "serve late")
        .main("main", "say main");
    let mut run = case.start(&pod);
    case.wait_for("init up");
    run.signal(Signal::TERM);
    let code = run.end();
    assert_eq!(case.phase(), "Failed");
    assert_ne!(code, 0);
    assert!(case.said("init term") && case.said("web term"));
    assert!(!case.said("late up") && !case.said("main"));
}

/// At the very beginning, before any container runs.
#[test]
fn before_anything_runs() {
    let Some(case) = Case::new("at-once") else { return };
    let mut run = case.start(&two_sidecars(&case));
    wait("the state folder", || case.state().join("lock").exists());
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
    // Where handlers weren't in place yet it was killed: the next command cleans up.
    case.barepod(&["stop", "at-once"]);
}

/// R5.10: a sidecar that crashes while mains are stopping is restarted, and stopped at its turn.
#[test]
fn a_sidecar_that_crashes_while_mains_stop_comes_back() {
    let Some(case) = Case::new("crash-in-stop") else { return };
    let main = "trap 'say main term; touch /t/crash; await web2 up; say main exits; exit 0' TERM; say main up; while :; do sleep 99 & wait $!; done";
    let web = "[ -e /t/crash ] && { say web again; exec serve web2; }; say web up; hold crash; exit 1";
    let pod = case.pod().sidecar("web", web).main("main", &format!("await web up; {main}"));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert_eq!(case.times_said("web again"), 1);
    let trace = case.trace();
    assert_eq!(trace.last().unwrap(), "web2 term", "{trace:?}");
}

/// R5.15: at activeDeadlineSeconds the pod fails and is terminated with its grace, in order.
#[test]
fn the_active_deadline() {
    let Some(case) = Case::new("deadline") else { return };
    // Long enough for all of them to start, also on an emulated machine.
    let seconds = if slow() { 20 } else { 2 };
    let pod = two_sidecars(&case).spec(json!({"activeDeadlineSeconds": seconds}));
    let began = Instant::now();
    let code = case.run(&pod);
    assert!(began.elapsed().as_secs() >= seconds, "{:?}", began.elapsed());
    assert_eq!(code, 3);
    assert_eq!(case.trace()[3..], ["main term", "b term", "a term"]);
    let status = &case.get()["status"];
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("DeadlineExceeded")));
    assert_eq!(case.messages("DeadlineExceeded").len(), 1);
}

/// R5.17: the last seconds of the grace are the sidecars', by annotation: mains are killed that much earlier, and the
/// sidecars have their turns all the same.
#[test]
fn grace_that_is_reserved_for_sidecars() {
    let Some(case) = Case::new("reserved") else { return };
    let pod = case
        .pod()
        .metadata(json!({"annotations": {"barepod.dev/sidecar-grace-seconds": "3598"}}))
        .spec(json!({"terminationGracePeriodSeconds": 3600}))
        .sidecar("a", "serve a")
        .sidecar("b", "serve b")
        .main("main", "await a up; await b up; exec defy main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    let began = Instant::now();
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 137);
    assert!(began.elapsed().as_secs_f64() >= 2.0, "{:?}", began.elapsed());
    assert_eq!(case.trace()[3..], ["main term", "b term", "a term"]);
}

/// R5.4: an earlier sidecar waits for a later one's preStop and exit.
#[test]
fn an_earlier_sidecar_waits_for_a_later_ones_hook() {
    let Some(case) = Case::new("later-hook") else { return };
    let mut late = crate::harness::sidecar("late", "serve late");
    late["lifecycle"] = json!({"preStop": crate::harness::hook("say late pre; hold go; say late pre over")});
    let pod = case.pod().sidecar("early", "serve early").init(late).main("main", "await late up; say main");
    let mut run = case.start(&pod);
    case.wait_for("late pre");
    // The main has ended: whoever could go on would have by the time the status, which is written last, says so.
    wait("a status that says that the main runs or ran", || case.phase() == "Running");
    assert_eq!(case.trace()[2..], ["main", "late pre"]);
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace()[4..], ["late pre over", "late term", "early term"]);
}

/// R5.10: with a grace of a second or less no sidecar is restarted.
#[test]
fn a_sidecar_that_crashes_in_a_short_grace_stays_down() {
    let Some(case) = Case::new("crash-short") else { return };
    let main = "trap 'say main term; touch /t/crash' TERM; say main up; while :; do sleep 99 & wait $!; done";
    let pod = case
        .pod()
        .spec(json!({"terminationGracePeriodSeconds": 1}))
        .sidecar("web", "say web; hold crash; exit 1")
        .main("main", &format!("await web; {main}"));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 137);
    assert_eq!(case.times_said("web"), 1);
    assert_eq!(case.container("web")["restartCount"], 0);
}

/// R5.18: who used how much of the grace, as events and in `get -o json`; what was written can be run again.
#[test]
fn who_used_the_grace() {
    let Some(case) = Case::new("grace-used") else { return };
    let mut main = worker("main", "exec defy main");
    main["lifecycle"] = json!({"preStop": crate::harness::hook("say pre; hold go")});
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 3})).sidecar("web", "serve web").container(main);
    let mut run = case.start(&pod);
    case.wait_for("main up");
    case.wait_for("web up");
    run.signal(Signal::TERM);
    case.wait_for("pre");
    case.release("go");
    assert_eq!(run.end(), 137);
    let told = case.messages("GracePeriodUsed");
    let of = |name: &str| {
        let head = format!("Container {name} used of the grace period: ");
        told.iter().find_map(|told| told.strip_prefix(head.as_str())).unwrap_or_else(|| panic!("{name}: {told:?}"))
    };
    assert!(of("main").contains("s in preStop, ") && of("main").ends_with("s stopping, killed at the end"), "{told:?}");
    assert!(of("web").contains("s waiting for its turn, ") && !of("web").contains("killed"), "{told:?}");
    let text = case.get()["metadata"]["annotations"]["barepod.dev/grace-used"].as_str().unwrap().to_owned();
    let used: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&used["main"]["killed"], &used["web"]["killed"]), (&json!(true), &json!(false)), "{used}");
    let seconds = |name: &str, what: &str| used[name][what].as_f64().unwrap();
    let spent = seconds("main", "preStopSeconds") + seconds("main", "stoppingSeconds");
    // The end of the grace, or 2 s after the signal.
    assert!((2.9..6.0).contains(&spent), "{used}");
    assert!(seconds("web", "turnSeconds") > 1.9 && seconds("web", "preStopSeconds") == 0.0, "{used}");
}

/// R5.16: a sandbox that doesn't go at once holds up nothing else: status, signals and commands.
#[test]
fn signals_are_heard_while_the_sandbox_goes() {
    let Some(case) = Case::new("slow-sandbox") else { return };
    let pod = case.pod().spec(json!({"shareProcessNamespace": true})).main("main", "say up; hold go; exit 0");
    let mut run = case.start(&pod);
    case.wait_for("up");
    // The kernel keeps the pid 1 of a namespace until all others of it are reaped, and this one only we can reap.
    let namespace = std::fs::File::open(format!("/proc/{}/ns/pid", case.pid_1())).unwrap();
    let enter = move || {
        nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWPID).unwrap();
        std::process::Command::new("sleep").arg("1000").spawn().unwrap()
    };
    let mut guest = std::thread::spawn(enter).join().unwrap();
    case.release("go");
    wait("the status of a pod that has ended", || case.phase() == "Succeeded");
    run.signal(Signal::INT);
    run.signal(Signal::INT);
    let resize = case.barepod(&["resize", "slow-sandbox", "-c", "main", "--cpu", "1"]);
    assert!(!resize.status.success(), "{resize:?}");
    assert!(!run.has_ended());
    assert!(!guest.wait().unwrap().success());
    assert_eq!(run.end(), 0);
    assert!(!run.stderr().contains("removing the sandbox"), "{}", run.stderr());
}
