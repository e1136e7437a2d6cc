//! The order of a pod: what starts after what, and what ends before what (R2, R5.1 to R5.3).

use crate::harness::{Case, sidecar, worker};

/// R2.1, R2.2, R5.1: init, then sidecar, then main; SIGTERM to the sidecar after the main, and not before.
#[test]
fn init_sidecar_main_and_back() {
    let Some(case) = Case::new("order") else { return };
    let pod = case
        .pod()
        .init(worker("init", "say init"))
        .sidecar("web", "serve web")
        .main("main", "await web up; say main; exit 7");
    assert_eq!(case.run(&pod), 7);
    assert_eq!(case.trace(), ["init", "web up", "main", "web term"]);
    assert_eq!(case.ended("web"), (0, "Completed".into()));
    assert_eq!(case.ended("main"), (7, "Error".into()));
    assert_eq!(case.phase(), "Failed");
}

/// R2.1: inits one by one, among sidecars; a later one sees all that an earlier one did.
#[test]
fn inits_one_by_one_among_sidecars() {
    let Some(case) = Case::new("interleaved") else { return };
    let pod = case
        .pod()
        .init(worker("one", "say one; say one exits"))
        .sidecar("log", "serve log")
        .init(worker("two", "await log up; say two; say two exits"))
        .init(worker("three", "say three"))
        .main("main", "say main");
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["one", "one exits", "log up", "two", "two exits", "three", "main", "log term"]);
}

/// R5.3: sidecars end one by one, the last first.
#[test]
fn sidecars_end_in_reverse() {
    let Some(case) = Case::new("reverse") else { return };
    let slow = |name: &str| {
        let script = "trap 'say NAME term; usleep 50000; say NAME exits; exit 0' TERM; say NAME up; while :; do sleep 99 & wait $!; done";
        sidecar(name, &script.replace("NAME", name))
    };
    let pod = case
        .pod()
        .init(slow("a"))
        .init(slow("b"))
        .init(slow("c"))
        .main("main", "await a up; await b up; await c up; say main");
    assert_eq!(case.run(&pod), 0);
    let trace = case.trace();
    assert_eq!(trace[trace.len() - 7..], ["main", "c term", "c exits", "b term", "b exits", "a term", "a exits"]);
}

/// R2.4, R5.1: mains run together, and the last of them to exit ends the pod.
#[test]
fn mains_run_together_and_the_last_ends_the_pod() {
    let Some(case) = Case::new("together") else { return };
    let pod = case
        .pod()
        .sidecar("web", "serve web")
        .main("first", "await web up; say first; await second; say first exits")
        .main("second", "await first; say second; await first exits; hold go; say second exits");
    let mut run = case.start(&pod);
    run.wait_for_line("first exited 0");
    assert!(!case.said("web term"));
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace()[1..], ["first", "second", "first exits", "second exits", "web term"]);
}

/// R5.6: a sidecar that takes no notice of SIGTERM holds up those before it until the grace period is over; R5.11: its
/// 137 doesn't make the pod a failure.
#[test]
fn a_defiant_sidecar_holds_up_earlier_ones_for_the_grace_period() {
    let Some(case) = Case::new("defiant") else { return };
    let pod = case
        .pod()
        .spec(serde_json::json!({"terminationGracePeriodSeconds": 2}))
        .sidecar("early", "serve early")
        .sidecar("late", "defy late")
        .main("main", "await early up; await late up");
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace()[2..], ["late term", "early term"]);
    assert_eq!(case.ended("late").0, 137);
    assert_eq!(case.phase(), "Succeeded");
}

/// R5.14: what a container's init leaves running dies with it.
#[test]
fn grandchildren_die_with_their_container() {
    for (name, shared) in [("orphan-own-pid", false), ("orphan-shared-pid", true)] {
        let Some(case) = Case::new(name) else { return };
        let script = "(trap '' TERM HUP; say child; while :; do sleep 99; done) & await child; say exits";
        let pod = case.pod().spec(serde_json::json!({"shareProcessNamespace": shared})).main("main", script);
        assert_eq!(case.run(&pod), 0);
        assert_eq!(case.trace(), ["child", "exits"]);
    }
}

/// R2.2, R3.3: a failed init under Never ends the pod and its sidecars; mains never start.
#[test]
fn a_failed_init_ends_the_pod_and_its_sidecars() {
    let Some(case) = Case::new("init-fails") else { return };
    let pod = case
        .pod()
        .sidecar("web", "serve web")
        .init(worker("bad", "await web up; say bad; exit 5"))
        .init(worker("never", "say never"))
        .main("main", "say main");
    assert_eq!(case.run(&pod), 5);
    assert_eq!(case.trace(), ["web up", "bad", "web term"]);
    assert_eq!(case.phase(), "Failed");
    assert_eq!(case.container("main")["state"]["waiting"]["reason"], "PodInitializing");
}
