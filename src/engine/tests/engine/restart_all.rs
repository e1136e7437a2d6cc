//! R3.7: the restart of all containers.

use barepod_engine::event::Exit;
use barepod_engine::spec::RestartRuleAction;
use barepod_engine::status::{ConditionKind, ContainerState, Phase, WaitingReason};
use barepod_engine::world::script::{AttemptScript, StartScript};

use crate::pods::*;
use crate::timeline::*;

/// R3.7: everything is killed at once, then start-up from the first init; counts go on; back-off applies.
#[test]
fn restart_all_containers() {
    let case = never()
        .init("i1", &[ends(1.0, 0)])
        .sidecar("s1", &[stubborn()])
        .with(|s| s.pre_stop = Some(barepod_engine::spec::HookSpec::Handler))
        .main("m1", &[ends(3.0, 88), ends(1.0, 0)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])])
        .main("m2", &[ends(1.0, 0)]);
    let mut run = begin(case);
    run.until(4.5);
    assert_eq!(run.status().phase, Phase::Pending);
    assert!(run.condition(ConditionKind::Initialized).status);
    assert!(!run.condition(ConditionKind::AllContainersRestarting).status);
    run.until(100.0);
    assert_eq!(
        run.main_lines(),
        [
            "0 i1 start",
            "1 i1 exited 0",
            "1 s1 start",
            "1 m1 start",
            "1 m2 start",
            "2 m2 exited 0",
            "4 m1 exited 88",
            "4 s1 kill",
            "4 s1 exited signal9",
            "4 i1 start",
            "5 i1 exited 0",
            "5 s1 start",
            "5 m1 start",
            "5 m2 start",
            "6 m1 exited 0",
            "6 m2 exited 0",
            "6 s1 hook preStop",
            "6 s1 signal 15",
            "36 s1 kill",
            "36 s1 exited signal9",
            "36 finish 0",
        ]
    );
    for name in ["i1", "s1", "m1", "m2"] {
        assert_eq!(run.container(name).restart_count, 1);
    }
}

/// R3.7: the condition is True until all are gone; probes and hooks trigger nothing meanwhile; R2.1 no timer spins.
#[test]
fn restart_all_containers_waits_for_the_last() {
    let latencies = barepod_engine::world::script::Latencies {
        kill: secs(60.0),
        ..barepod_engine::world::script::Latencies::default()
    };
    let sick = AttemptScript {
        liveness: barepod_engine::world::script::ProbeScript {
            good_until: Some(secs(1.0)),
            ..AttemptScript::default().liveness
        },
        ..stubborn()
    };
    let case = never()
        .main("m1", &[ends(3.0, 88), ends(1.0, 0)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])])
        .main("m2", &[sick, ends(1.0, 0)])
        .with(|m| m.liveness_probe = Some(probe()));
    let mut run = begin(case.latencies(latencies));
    run.until(50.0);
    assert!(run.condition(ConditionKind::AllContainersRestarting).status);
    assert_eq!(run.times("m2 probe liveness"), [0.0]);
    run.until(100.0);
    assert_eq!(run.times("m2 kill"), [3.0]);
    assert_eq!(run.times("m1 start"), [0.0, 63.0]);
    assert_eq!(run.finish(), Some("64 finish 0"));
}

/// R8.2, R3.7: a program that could not be executed counts as a main that started: Initialized stays True while all start
/// again for it.
#[test]
fn a_restart_of_all_for_a_start_error() {
    let fails = AttemptScript { start: StartScript::Fails, ..ends(1.0, 0) };
    let case = never()
        .init("i1", &[ends(1.0, 0)])
        .main("m1", &[fails, ends(1.0, 0)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[128])]);
    let mut run = begin(case);
    run.until(1.5);
    assert_eq!(run.times("i1 start"), [0.0, 1.0]);
    assert_eq!(run.status().phase, Phase::Pending);
    assert!(run.condition(ConditionKind::Initialized).status);
    run.until(100.0);
    assert_eq!(run.finish(), Some("3 finish 0"));
}

/// R3.7: a second restart of all backs off; the inits' clean exits too.
#[test]
fn restart_all_containers_backs_off() {
    let case = never()
        .init("i1", &[ends(1.0, 0)])
        .main("m1", &[ends(1.0, 88), ends(1.0, 88), ends(1.0, 0)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])]);
    // i1 exits at 1, 3 and was last restarted at 2: 3 + 10.
    assert_eq!(
        run(case, &[]).of(&["start"]),
        ["0 i1 start", "1 m1 start", "2 i1 start", "3 m1 start", "13 i1 start", "14 m1 start"]
    );
}

/// R3.7, R4.4: what had ended before the restart of all says that it waits, and why, as what was killed for it does.
#[test]
fn restart_all_containers_shows_the_back_off() {
    let case = never()
        .init("i1", &[ends(1.0, 0)])
        .main("m1", &[ends(1.0, 88), ends(1.0, 88), ends(1.0, 0)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])]);
    let mut run = begin(case);
    run.until(5.0);
    let status = run.container("i1");
    let ContainerState::Waiting { reason, message } = status.state else { panic!("{status:?}") };
    assert_eq!(reason, WaitingReason::CrashLoopBackOff);
    assert_eq!(message, "back-off 10s restarting failed container=i1 pod=web_default(u-1)");
    assert_eq!(status.last_state.map(|last| last.exit_code), Some(0));
    assert_eq!(
        run.of(&["record"]).into_iter().filter(|line| line.contains("BackOff i1")).collect::<Vec<_>>(),
        ["4 record BackOff i1: Back-off restarting failed container i1 in pod web_default(u-1)"]
    );
}

/// R5.10: RestartAllContainers never triggers once deletion was requested.
#[test]
fn restart_all_containers_not_while_ending() {
    let obeys_with_88 = AttemptScript {
        on_stop: barepod_engine::world::script::StopScript::Ends(secs(1.0), Exit::Code(88)),
        ..AttemptScript::default()
    };
    let case = never()
        .main("m1", &[obeys_with_88])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])])
        .main("m2", &[obeys(3.0)]);
    assert_eq!(run(case, &[stop(1.0)]).finish(), Some("4 finish 88"));
}
