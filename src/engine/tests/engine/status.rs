//! R8: what users see.

use barepod_engine::event::Exit;
use barepod_engine::status::{ConditionKind, ContainerState, Phase, TerminatedReason, WaitingReason};
use barepod_engine::world::script::AttemptScript;

use crate::pods::*;
use crate::timeline::*;

fn waiting(run: &Run, name: &str) -> WaitingReason {
    match run.container(name).state {
        ContainerState::Waiting { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// R8.1: phases along a plain run.
#[test]
fn phases() {
    let case = never().init("i1", &[ends(1.0, 0)]).sidecar("s1", &[obeys(2.0)]).main("m1", &[ends(3.0, 0)]);
    let mut run = begin(case);
    for (at, phase) in [(0.5, Phase::Pending), (1.5, Phase::Running), (4.5, Phase::Running), (6.0, Phase::Succeeded)] {
        run.until(at);
        assert_eq!(run.status().phase, phase, "{at}");
    }
    assert_eq!(run.status().exit_code, Some(0));
}

/// R8.1: Pending as long as a main waits to start for the first time.
#[test]
fn pending_while_a_main_waits() {
    let slow = AttemptScript { image_fails: (1, barepod_engine::event::ImageFailure::Pull), ..ends(20.0, 0) };
    let mut run = begin(always().main("m1", &[obeys(0.0)]).main("m2", &[slow]));
    run.until(5.0);
    assert_eq!(run.status().phase, Phase::Pending);
    run.until(15.0);
    assert_eq!(run.status().phase, Phase::Running);
}

/// R8.1, docs/exit-codes.md: the first failed main's code, in the order of the spec.
#[test]
fn exit_codes() {
    let case = never().main("m1", &[ends(3.0, 0)]).main("m2", &[ends(2.0, 7)]).main("m3", &[ends(1.0, 9)]);
    let run = run(case, &[]);
    assert_eq!(run.finish(), Some("3 finish 7"));
    assert_eq!(run.status().phase, Phase::Failed);
    // A main's goes before an init's, also where that one failed after it (R3.7).
    let case = never()
        .init("i1", &[ends(1.0, 0), ends(1.0, 5)])
        .main("m1", &[ends(1.0, 88)])
        .with(|m| m.restart_rules = vec![rule(barepod_engine::spec::RestartRuleAction::RestartAllContainers, &[88])]);
    assert_eq!(crate::timeline::run(case, &[]).finish(), Some("3 finish 88"));
}

/// R8.3: `lastState` is the end before the one in `state`, or, while it runs or waits, the last one.
#[test]
fn last_states() {
    let mut run = begin(on_failure().main("m1", &[ends(1.0, 3), ends(1.0, 4), ends(1.0, 0)]));
    let codes = |run: &Run| {
        let status = run.container("m1");
        let now = match status.state {
            ContainerState::Terminated(ended) => Some(ended.exit_code),
            ContainerState::Running { .. } | ContainerState::Waiting { .. } => None,
        };
        (now, status.last_state.map(|last| last.exit_code))
    };
    for (at, expected) in [(0.5, (None, None)), (1.5, (None, Some(3))), (5.0, (None, Some(4))), (12.5, (None, Some(4)))]
    {
        run.until(at);
        assert_eq!(codes(&run), expected, "{at}");
    }
    run.until(20.0);
    assert_eq!(codes(&run), (Some(0), Some(4)));
}

/// R8.2: conditions, their words and times.
#[test]
fn conditions() {
    use ConditionKind::*;
    let case = never().init("i1", &[ends(1.0, 0)]).sidecar("s1", &[obeys(0.0)]).main("m1", &[ends(3.0, 0)]);
    let mut run = begin(case);
    run.until(0.5);
    let initialized = run.condition(Initialized);
    assert_eq!((initialized.status, initialized.reason.as_deref()), (false, Some("ContainersNotInitialized")));
    assert_eq!(initialized.message, "containers with incomplete status: [i1 s1]");
    let ready = run.condition(ContainersReady);
    assert_eq!((ready.status, ready.reason.as_deref()), (false, Some("ContainersNotReady")));
    assert_eq!(ready.message, "containers with unready status: [s1 m1]");
    assert!(run.condition(PodReadyToStartContainers).status && run.condition(PodScheduled).status);
    run.until(2.0);
    for kind in [Initialized, Ready, ContainersReady] {
        let condition = run.condition(kind);
        assert!(condition.status);
        assert_eq!((condition.reason, condition.last_transition.as_unix_nanos()), (None, 1_000_000_000));
    }
    run.until(10.0);
    assert!(run.condition(Initialized).status);
    for kind in [Initialized, Ready, ContainersReady] {
        assert_eq!(run.condition(kind).reason.as_deref(), Some("PodCompleted"));
    }
    assert!(!run.condition(Ready).status && !run.condition(PodReadyToStartContainers).status);
    let run = crate::timeline::run(never().init("i1", &[ends(1.0, 1)]).main("m1", &[ends(1.0, 0)]), &[]);
    assert_eq!(run.condition(Ready).reason.as_deref(), Some("PodFailed"));
    assert!(!run.condition(Initialized).status);
}

/// R8.2: readiness gates count for Ready alone.
#[test]
fn readiness_gates() {
    let mut case = always().main("m1", &[obeys(0.0)]);
    case.spec.readiness_gates = vec!["example.com/lb".into()];
    let mut run = begin(case);
    run.until(1.0);
    assert!(run.condition(ConditionKind::ContainersReady).status);
    let ready = run.condition(ConditionKind::Ready);
    assert_eq!((ready.status, ready.reason.as_deref()), (false, Some("ReadinessGatesNotReady")));
    assert!(ready.message.contains("\"example.com/lb\""));
}

/// R8.3, R8.4: default waiting reasons.
#[test]
fn waiting_reasons() {
    let mut with_init = begin(never().init("i1", &[obeys(0.0)]).main("m1", &[obeys(0.0)]));
    with_init.until(1.0);
    assert_eq!(waiting(&with_init, "m1"), WaitingReason::PodInitializing);
    assert_eq!(waiting(&unbegun(never().main("m1", &[])), "m1"), WaitingReason::ContainerCreating);
}

/// R8.4, R8.5: how instances ended.
#[test]
fn terminated_reasons() {
    use TerminatedReason::*;
    for (exit, oom_killed, code, signal, reason) in [
        (Exit::Code(0), false, 0, None, Completed),
        (Exit::Code(3), false, 3, None, Error),
        (Exit::Signal(11), false, 139, Some(11), Error),
        (Exit::Signal(9), true, 137, Some(9), OOMKilled),
        // Another process of it was killed before. containerd has OOMKilled even for 0.
        (Exit::Code(0), true, 0, None, Completed),
        (Exit::Code(3), true, 3, None, OOMKilled),
        (Exit::Signal(15), true, 143, Some(15), OOMKilled),
        (Exit::Unknown, false, 137, None, ContainerStatusUnknown),
    ] {
        let script = AttemptScript { ends: Some((secs(1.0), exit)), oom_killed, ..AttemptScript::default() };
        let run = run(never().main("m1", &[script]), &[]);
        let ContainerState::Terminated(terminated) = run.container("m1").state else { panic!() };
        assert_eq!((terminated.exit_code, terminated.signal, terminated.reason), (code, signal, reason));
        assert_eq!(terminated.started_at.unwrap().as_unix_nanos(), 0);
        assert_eq!(terminated.finished_at.unwrap().as_unix_nanos(), 1_000_000_000);
        assert_eq!(run.finish(), Some(format!("1 finish {code}").as_str()));
    }
}

/// R8.6: deleted before the mains started.
#[test]
fn deleted_before_the_mains() {
    let run = run(always().init("i1", &[obeys_well(1.0)]).main("m1", &[obeys(0.0)]), &[stop(1.0)]);
    assert_eq!(run.status().phase, Phase::Failed);
    assert!(matches!(run.container("m1").state, ContainerState::Waiting { .. }));
    assert_eq!(run.finish(), Some("2 finish 1"));
}

/// R8.8: the words of a plain run's events.
#[test]
fn records() {
    let run = run(never().main("m1", &[obeys(0.0)]), &[stop(1.0)]);
    assert_eq!(
        run.of(&["record"]),
        [
            "0 record Pulled m1: Container image \"world\" already present on machine and can be accessed by the pod",
            "0 record Created m1: Container created",
            "0 record Started m1: Container started",
            "1 record Killing m1: Stopping container m1",
        ]
    );
}

/// Answers to older attempts, and what doesn't fit, change nothing.
#[test]
fn stale_answers_are_dropped() {
    use barepod_engine::event::{ContainerEvent, Event, Hook, HookResult};
    use barepod_engine::spec::{Attempt, ContainerIndex};
    let mut run = begin(always().main("m1", &[ends(1.0, 1), obeys(0.0)]));
    run.until(5.0);
    let before = run.status();
    let exit = ContainerEvent::Exited { exit: Exit::Code(0), oom_killed: false, message: String::new() };
    let hook =
        ContainerEvent::HookDone { hook: Hook::PostStart, result: HookResult::Failure { message: String::new() } };
    let failed = ContainerEvent::StartFailed { message: String::new() };
    let created = ContainerEvent::Created { container_id: "old".into() };
    for event in [exit, hook, failed, created, ContainerEvent::Started, ContainerEvent::Removed] {
        for container in [0, 7] {
            let event = event.clone();
            run.tell(&Event::Container { container: ContainerIndex(container), attempt: Attempt(0), event });
        }
    }
    run.tell(&Event::Begin);
    run.tell(&Event::SandboxReady);
    run.tell(&Event::SandboxRemoved);
    run.tell(&Event::Tick);
    assert_eq!(run.status(), before);
}
