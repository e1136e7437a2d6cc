//! R3 and R4: what is started again, and when.

use barepod_engine::spec::{RestartPolicy, RestartRuleAction};
use barepod_engine::status::{ConditionKind, ContainerState, Phase, WaitingReason};
use barepod_engine::world::script::{AttemptScript, StartScript};

use crate::pods::*;
use crate::timeline::*;

/// R3.1: the three policies on a main, by exit code.
#[test]
fn policies_of_mains() {
    use RestartPolicy::{Always, Never, OnFailure};
    for (policy, own, code, again) in [
        (Always, None, 0, true),
        (Always, None, 1, true),
        (OnFailure, None, 0, false),
        (OnFailure, None, 1, true),
        (Never, None, 0, false),
        (Never, None, 1, false),
        (Always, Some(Never), 1, false),
        (Never, Some(Always), 0, true),
        (Never, Some(OnFailure), 0, false),
        (Never, Some(OnFailure), 3, true),
    ] {
        let case = pod(policy).main("m1", &[ends(1.0, code), obeys(0.0)]).with(|m| m.restart_policy = own);
        let starts = run(case, &[stop(100.0)]).times("m1 start").len();
        assert_eq!(starts, if again { 2 } else { 1 }, "{policy:?} {own:?} {code}");
    }
}

/// R3.1: the first rule that matches decides, before any policy.
#[test]
fn rules_come_before_policies() {
    use RestartRuleAction::{Restart, RestartAllContainers};
    let case = never()
        .main("m1", &[ends(1.0, 7), ends(1.0, 9)])
        .with(|m| m.restart_rules = vec![rule(Restart, &[7]), rule(RestartAllContainers, &[7])]);
    let run = run(case, &[]);
    assert_eq!(run.times("m1 start"), [0.0, 1.0]);
    assert_eq!(run.finish(), Some("2 finish 9"));
    let mut not_in = rule(Restart, &[0, 9]);
    not_in.operator = barepod_engine::spec::ExitCodeOperator::NotIn;
    let case = never().main("m1", &[ends(1.0, 7), ends(1.0, 9)]).with(|m| m.restart_rules = vec![not_in]);
    assert_eq!(crate::timeline::run(case, &[]).finish(), Some("2 finish 9"));
}

/// R3.2, R3.3: an init is retried under OnFailure and Always, and fails the pod under Never.
#[test]
fn policies_of_inits() {
    use RestartPolicy::{Always, Never, OnFailure};
    for (policy, own, fails) in [
        (Always, None, false),
        (OnFailure, None, false),
        (Never, None, true),
        (Never, Some(OnFailure), false),
        (Always, Some(Never), true),
    ] {
        let case = pod(policy)
            .sidecar("s1", &[obeys(1.0)])
            .init("i1", &[ends(1.0, 5), ends(1.0, 0)])
            .with(|i| i.restart_policy = own)
            .main("m1", &[ends(1.0, 0)])
            .with(|m| m.restart_policy = Some(Never));
        let run = run(case, &[]);
        if fails {
            assert_eq!(
                run.main_lines(),
                ["0 s1 start", "0 i1 start", "1 i1 exited 5", "1 s1 signal 15", "2 s1 exited 143", "2 finish 5"]
            );
            assert_eq!(run.status().phase, Phase::Failed);
        } else {
            assert_eq!(run.finish(), Some("4 finish 0"));
        }
    }
}

/// R3.4, R4.3: a sidecar is restarted whatever its code and the pod's policy, with back-off.
#[test]
fn sidecars_are_restarted() {
    for code in [0, 1, 137] {
        let run = run(never().sidecar("s1", &[ends(1.0, code)]).main("m1", &[ends(40.0, 0)]), &[]);
        assert_eq!(run.times("s1 start"), [0.0, 1.0, 12.0, 33.0]);
        assert_eq!(run.finish(), Some("40 finish 0"));
    }
}

/// R3.6: the next instance is created when the old one is gone.
#[test]
fn never_two_instances() {
    let latencies = barepod_engine::world::script::Latencies {
        remove: secs(5.0),
        ..barepod_engine::world::script::Latencies::default()
    };
    let run = run(always().main("m1", &[ends(1.0, 1)]).latencies(latencies), &[stop(30.0)]);
    assert_eq!(run.times("m1 image"), [0.0, 6.0, 17.0]);
}

/// R4.1, R4.2: at once, 10 s, 20 s ... 300 s after the exit; over from the start after ten quiet minutes.
#[test]
fn back_off() {
    let mut attempts = vec![ends(1.0, 1); 8];
    attempts.push(ends(600.5, 1));
    attempts.push(ends(1.0, 1));
    let run = run(always().main("m1", &attempts), &[stop(3500.0)]);
    let starts = run.times("m1 start");
    let exits: Vec<f64> = run
        .lines
        .iter()
        .filter(|line| line.contains("m1 exited"))
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let waits: Vec<f64> = starts[1..].iter().zip(&exits).map(|(start, exit)| start - exit).collect();
    assert_eq!(waits[..9], [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 0.0]);
    assert_eq!(waits[9], 10.0);
}

/// R4.2: exactly ten minutes are not more than ten minutes.
#[test]
fn back_off_is_kept_for_ten_minutes() {
    let run = run(always().main("m1", &[ends(1.0, 1), ends(600.0, 1), obeys(0.0)]), &[stop(700.0)]);
    assert_eq!(run.times("m1 start"), [0.0, 1.0, 611.0]);
}

/// R4.4, R8.4, R8.8.
#[test]
fn back_off_is_shown() {
    let mut run = begin(always().main("m1", &[ends(1.0, 1)]));
    run.until(5.0);
    let status = run.container("m1");
    let ContainerState::Waiting { reason: WaitingReason::CrashLoopBackOff, message } = status.state else { panic!() };
    assert_eq!(message, "back-off 10s restarting failed container=m1 pod=web_default(u-1)");
    assert_eq!(status.last_state.unwrap().exit_code, 1);
    assert_eq!(run.status().phase, Phase::Running);
    assert!(
        run.lines.contains(
            &"2 record BackOff m1: Back-off restarting failed container m1 in pod web_default(u-1)".to_string()
        )
    );
}

/// R4.4: delays as Go prints them.
#[test]
fn back_off_is_shown_in_gos_words() {
    for (seconds, words) in [(0.5, "500ms"), (1.5, "1.5s"), (80.0, "1m20s"), (300.0, "5m0s"), (3600.0, "1h0m0s")] {
        let mut case = always().main("m1", &[ends(1.0, 1)]);
        case.spec.backoff.initial = secs(seconds);
        case.spec.backoff.max = secs(seconds);
        let mut run = begin(case);
        run.until(2.1);
        let ContainerState::Waiting { message, .. } = run.container("m1").state else { panic!("{seconds}") };
        assert!(message.starts_with(&format!("back-off {words} restarting")), "{message}");
    }
}

/// R4.6: the knobs.
#[test]
fn back_off_can_be_set() {
    let mut case = always().main("m1", &[ends(0.0, 1)]);
    case.spec.backoff.initial = secs(1.0);
    case.spec.backoff.max = secs(3.0);
    case.spec.backoff.reset_after = secs(6.0);
    assert_eq!(run(case, &[stop(11.0)]).times("m1 start"), [0.0, 0.0, 1.0, 3.0, 6.0, 9.0]);
}

/// R4.5, R8.4: a program that can't be executed counts as an exit with 128.
#[test]
fn start_errors_back_off() {
    let broken = AttemptScript { start: StartScript::Fails, ..obeys(0.0) };
    let done = run(always().main("m1", &[broken]), &[stop(50.0)]);
    assert_eq!(done.times("m1 start"), [0.0, 0.0, 10.0, 30.0]);
    let run = run(never().main("m1", &[broken]), &[]);
    assert_eq!(run.finish(), Some("0 finish 128"));
    assert!(run.lines.contains(&"0 record Failed m1: Error: scripted".to_string()));
}

/// R4.7: deletion ends all waiting at once.
#[test]
fn deletion_ends_back_off() {
    let done = run(always().main("m1", &[ends(1.0, 3)]), &[stop(5.0)]);
    assert_eq!(done.finish(), Some("5 finish 3"));
}

/// R3.8: counts and lastState.
#[test]
fn counts_and_last_state() {
    let mut run = begin(always().main("m1", &[ends(1.0, 1), ends(1.0, 2), obeys(0.0)]));
    run.until(20.0);
    let status = run.container("m1");
    assert_eq!(status.restart_count, 2);
    assert_eq!(status.last_state.unwrap().exit_code, 2);
    assert!(matches!(status.state, ContainerState::Running { .. }));
}

/// An exit that overtakes the answer to its start is an exit like any other.
#[test]
fn an_exit_overtakes_its_start() {
    let latencies = barepod_engine::world::script::Latencies {
        start: secs(2.0),
        ..barepod_engine::world::script::Latencies::default()
    };
    let quick = AttemptScript { start: StartScript::Overtaken, ..ends(1.0, 0) };
    let case = never().init("i1", &[quick]).main("m1", &[quick]).latencies(latencies);
    let run = run(case, &[]);
    assert_eq!(run.finish(), Some("2 finish 0"));
    assert!(run.condition(ConditionKind::Initialized).status);
    assert_eq!(run.status().phase, Phase::Succeeded);
}
