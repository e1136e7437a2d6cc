//! R2.7: a sandbox that is gone.

use barepod_engine::event::{CreateFailure, Event};
use barepod_engine::spec::{HookSpec, RestartPolicy};
use barepod_engine::status::{ConditionKind, ContainerState, Phase};
use barepod_engine::world::script::{AttemptScript, Latencies};

use crate::pods::*;
use crate::timeline::*;

/// R2.7: in a new sandbox everything starts again from the first init; counts and back-off go on.
#[test]
fn a_lost_sandbox_is_made_anew() {
    let case = always()
        .init("i1", &[ends(1.0, 0)])
        .sidecar("s1", &[stubborn()])
        .with(|s| s.pre_stop = Some(HookSpec::Handler))
        .init("i2", &[ends(1.0, 0)])
        .main("m1", &[ends(1.0, 3), stubborn()]);
    let mut run = begin(case.latencies(Latencies { sandbox: secs(1.0), kill: secs(1.0), ..Latencies::default() }));
    run.until(10.0);
    run.tell(&Event::SandboxLost);
    assert_eq!(run.status().phase, Phase::Running);
    // R8.2: also while what was in the old one is still being ended.
    assert!(!run.condition(ConditionKind::PodReadyToStartContainers).status);
    run.until(11.5);
    assert!(!run.condition(ConditionKind::PodReadyToStartContainers).status);
    assert_eq!(run.status().phase, Phase::Pending);
    // No rule did that.
    assert!(run.status().conditions.iter().all(|one| one.kind != ConditionKind::AllContainersRestarting));
    run.until(50.0);
    assert_eq!(
        run.of(&["create", "start", "kill", "signal", "hook"])[9..],
        [
            // The main was restarted at 4, right after its exit.
            "4 m1 create",
            "4 m1 start",
            "10 s1 kill",
            "10 m1 kill",
            "11 sandbox create",
            "12 i1 create",
            "12 i1 start",
            "13 s1 create",
            "13 s1 start",
            "13 i2 create",
            "13 i2 start",
            // R4.1: last restarted at 4, killed at 11.
            "21 m1 create",
            "21 m1 start",
        ],
        "{:#?}",
        run.lines
    );
    for (name, count) in [("i1", 1), ("s1", 1), ("i2", 1), ("m1", 2)] {
        assert_eq!(run.container(name).restart_count, count, "{name}");
    }
    let said = "10 record SandboxChanged pod: Pod sandbox changed, it will be killed and re-created.";
    assert!(run.lines.iter().any(|line| line == said));
}

/// R2.7: under OnFailure, the pod's or its own, what had exited 0 stays so.
#[test]
fn what_succeeded_does_not_run_in_the_new_sandbox() {
    let case = on_failure()
        .main("m1", &[ends(1.0, 0)])
        .main("m2", &[stubborn(), ends(1.0, 0)])
        .main("m3", &[ends(1.0, 1), stubborn(), ends(1.0, 0)])
        .main("m4", &[ends(5.0, 0)])
        .with(|m| m.restart_policy = Some(RestartPolicy::Always));
    let run = run(case, &[From::SandboxLost(2.0), stop(30.0)]);
    assert_eq!(run.times("m1 start"), [0.0]);
    assert_eq!(run.times("m2 start"), [0.0, 2.0]);
    assert_eq!(run.times("m3 start"), [0.0, 1.0, 12.0]);
    assert_eq!(run.times("m4 start"), [0.0, 2.0, 17.0]);
}

/// R2.7: under Never the pod ends, unless no container was ever created.
#[test]
fn a_lost_sandbox_ends_a_pod_that_never_restarts() {
    let case = || never().sidecar("s1", &[stubborn()]).main("m1", &[stubborn()]);
    let done = run(case(), &[From::SandboxLost(5.0)]);
    assert_eq!(done.of(&["signal", "kill", "finish"]), ["5 s1 kill", "5 m1 kill", "5 finish 137"]);
    assert_eq!(done.status().phase, Phase::Failed);
    let slow = Latencies { image: secs(2.0), ..Latencies::default() };
    let done = run(case().latencies(slow), &[From::SandboxLost(1.0), stop(10.0)]);
    assert_eq!(done.times("sandbox create"), [0.0, 2.0]);
    assert_eq!(done.times("m1 start"), [6.0]);
}

/// R2.7: while the pod ends nobody starts again (R5.10); and what could not be made in the old sandbox is tried at once.
#[test]
fn a_lost_sandbox_at_other_moments() {
    let case = always().sidecar("s1", &[stubborn()]).main("m1", &[stubborn()]);
    let done = run(case, &[stop(5.0), From::SandboxLost(6.0)]);
    assert_eq!(done.of(&["start", "kill", "finish"])[2..], ["6 s1 kill", "6 m1 kill", "6 finish 137"]);
    let broken = AttemptScript { create_fails: (1, CreateFailure::Create), ..obeys(0.0) };
    let done = run(always().main("m1", &[broken]), &[From::SandboxLost(3.0), stop(9.0)]);
    assert_eq!(done.times("m1 create"), [0.0, 3.0]);
    // It can't be made anew at first; a deletion meanwhile ends it.
    let slow = Latencies { sandbox: secs(2.0), ..Latencies::default() };
    let done = run(always().main("m1", &[obeys(0.0)]).latencies(slow), &[From::SandboxLost(5.0), stop(6.0)]);
    assert_eq!(done.times("sandbox create"), [0.0, 5.0]);
    assert_eq!(done.times("sandbox remove"), [6.0]);
    assert_eq!(done.times("m1 start"), [2.0]);
}

/// R8.2, R5.10: a sandbox that was lost doesn't come back by a deletion, and nothing is started in it.
#[test]
fn a_deletion_brings_no_lost_sandbox_back() {
    // It ends while the main still runs: elsewhere that is a reason to start it again.
    let case = always().sidecar("s1", &[ends(5.5, 1), stubborn()]).main("m1", &[stubborn()]);
    let slow = Latencies { kill: secs(1.0), ..Latencies::default() };
    for order in [[Event::SandboxLost, Event::Stop { grace: None }], [Event::Stop { grace: None }, Event::SandboxLost]]
    {
        let mut run = begin(case.clone().latencies(slow));
        run.until(5.0);
        assert!(run.condition(ConditionKind::PodReadyToStartContainers).status);
        for event in &order {
            run.tell(event);
        }
        let sandbox = run.condition(ConditionKind::PodReadyToStartContainers);
        assert!(!sandbox.status, "{order:?}");
        run.until(20.0);
        assert_eq!(run.of(&["kill", "finish"]), ["5 s1 kill", "5 m1 kill", "6 finish 137"], "{order:?}");
        // It changed once only, when the sandbox was lost.
        assert_eq!(run.condition(ConditionKind::PodReadyToStartContainers).last_transition, sandbox.last_transition);
        assert_eq!(run.times("s1 start"), [0.0], "{order:?}");
    }
}

/// R8.6 before R2.7: a pod whose supervisor is lost while it starts over stays as it is.
#[test]
fn a_lost_supervisor_makes_no_sandbox_anew() {
    let case = always().main("m1", &[stubborn()]);
    let mut run = begin(case.latencies(Latencies { kill: secs(1.0), ..Latencies::default() }));
    run.until(5.0);
    run.tell(&Event::SandboxLost);
    run.until(5.5);
    run.tell(&Event::SupervisorLost);
    assert_eq!(run.times("sandbox create"), [0.0]);
    assert_eq!(run.status().phase, Phase::Failed);
    assert!(matches!(run.container("m1").state, ContainerState::Terminated(_)));
}

/// R8.3 with R2.7: an init that succeeds while its sandbox is lost has to run again, and isn't shown as ready while it waits.
#[test]
fn an_init_that_succeeds_in_a_lost_sandbox_waits_unready() {
    let case = always()
        .sidecar("s1", &[stubborn()])
        .init("i1", &[ends(1.0, 3), ends(1.5, 0), ends(1.0, 0)])
        .main("m1", &[stubborn()]);
    let mut run = begin(case.latencies(Latencies { kill: secs(1.0), ..Latencies::default() }));
    run.until(2.0);
    run.tell(&Event::SandboxLost);
    run.until(2.7);
    let init = run.container("i1");
    assert!(matches!(&init.state, ContainerState::Waiting { .. }), "{init:?}");
    assert_eq!((init.last_state.map(|last| last.exit_code), init.ready), (Some(0), false));
    run.until(60.0);
    assert!(run.container("i1").ready);
    assert_eq!(run.times("m1 start").len(), 1);
}
