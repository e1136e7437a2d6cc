//! R5.2, R5.5, R5.6, R5.17: preStop hooks and reserved grace.

use barepod_engine::spec::{HookSpec, SidecarPreStop};
use barepod_engine::status::GraceEnd;
use barepod_engine::world::script::AttemptScript;

use crate::pods::*;
use crate::timeline::*;

/// R5.2 (a), R5.5, R5.6: hooks of sidecars run at the start, together with the mains'; their time is taken off.
#[test]
fn pre_stop_hooks() {
    let case = never()
        .sidecar("s1", &[AttemptScript { pre_stop: hook(3.0), ..obeys(1.0) }])
        .with(|s| s.pre_stop = Some(HookSpec::Handler))
        .sidecar("s2", &[AttemptScript { pre_stop: hook(8.0), ..obeys(1.0) }])
        .with(|s| s.pre_stop = Some(HookSpec::Handler))
        .main("m1", &[AttemptScript { pre_stop: hook(2.0), ..stubborn() }])
        .with(|m| m.pre_stop = Some(HookSpec::Handler))
        .main("m2", &[obeys(0.0)])
        .with(|m| m.pre_stop = Some(HookSpec::Sleep(secs(1.0))))
        .grace(6.0);
    let run = run(case, &[stop(10.0)]);
    assert_eq!(
        run.of(&["hook", "signal", "kill", "finish"]),
        [
            "10 s1 hook preStop",
            "10 s2 hook preStop",
            "10 m1 hook preStop",
            "11 m2 signal 15",
            "12 m1 signal 15",
            "16 m1 kill",
            "16 s2 signal 15",
            "16 s1 signal 15",
            "17 finish 137",
        ]
    );
    // R5.18.
    let used = run.container("m1").grace_use.unwrap();
    assert_eq!((used.hook, used.turn, used.stopping, used.end), (secs(2.0), secs(0.0), secs(4.0), GraceEnd::Killed));
    let used = run.container("s1").grace_use.unwrap();
    assert_eq!((used.hook, used.turn, used.stopping, used.end), (secs(3.0), secs(3.0), secs(1.0), GraceEnd::Exited));
    for line in [
        "16 record GracePeriodUsed m1: Container m1 used of the grace period: 2s in preStop, 4s stopping, killed at the end",
        "17 record GracePeriodUsed s1: Container s1 used of the grace period: 3s in preStop, 3s waiting for its turn, 1s stopping",
    ] {
        assert!(run.lines.iter().any(|one| one == line), "{line}");
    }
}

/// R5.4: an earlier sidecar waits for a later one's preStop and exit.
#[test]
fn an_earlier_sidecar_waits_for_a_later_ones_hook() {
    let case = never()
        .sidecar("s1", &[obeys(1.0)])
        .sidecar("s2", &[AttemptScript { pre_stop: hook(8.0), ..obeys(1.0) }])
        .with(|s| s.pre_stop = Some(HookSpec::Handler))
        .main("m1", &[ends(1.0, 0)]);
    assert_eq!(run(case, &[]).of(&["signal"]), ["9 s2 signal 15", "10 s1 signal 15"]);
}

/// R5.6: an endless preStop: with 30 s grace the container lives 32 s.
#[test]
fn an_endless_pre_stop_is_given_up() {
    let case = never()
        .main("m1", &[AttemptScript { pre_stop: ENDLESS, ..stubborn() }])
        .with(|m| m.pre_stop = Some(HookSpec::Handler));
    let run = run(case, &[stop(1.0)]);
    assert_eq!(
        run.main_lines()[1..],
        ["1 m1 hook preStop", "31 m1 signal 15", "33 m1 kill", "33 m1 exited signal9", "33 finish 137"]
    );
    assert_eq!(run.of(&["FailedPreStopHook"]), [""; 0]);
}

/// R7.2: a preStop that fails changes nothing.
#[test]
fn a_failing_pre_stop() {
    let case = never()
        .main("m1", &[AttemptScript { pre_stop: hook_fails(1.0), ..obeys(1.0) }])
        .with(|m| m.pre_stop = Some(HookSpec::Handler));
    let run = run(case, &[stop(1.0)]);
    assert_eq!(run.times("m1 signal 15"), [2.0]);
    assert_eq!(run.of(&["FailedPreStopHook"]), ["2 record FailedPreStopHook m1: scripted"]);
}

/// R5.17: a reserve for the sidecars.
#[test]
fn reserved_grace() {
    let case = || {
        let mut case = never().sidecar("s1", &[stubborn()]).main("m1", &[stubborn()]);
        case.spec.sidecar_grace = Some(secs(10.0));
        case
    };
    assert_eq!(
        run(case(), &[stop(1.0)]).of(&["signal", "kill"]),
        ["1 m1 signal 15", "21 m1 kill", "21 s1 signal 15", "31 s1 kill"]
    );
    assert_eq!(run(case(), &[stop(1.0), stop_in(2.0, 15.0)]).of(&["kill"]), ["7 m1 kill", "17 s1 kill"]);
}

/// R5.17: preStop at the sidecar's turn.
#[test]
fn pre_stop_at_turn() {
    let mut case = never()
        .sidecar("s1", &[AttemptScript { pre_stop: hook(2.0), ..obeys(1.0) }])
        .with(|s| s.pre_stop = Some(HookSpec::Handler))
        .main("m1", &[obeys(5.0)]);
    case.spec.sidecar_pre_stop = SidecarPreStop::AtTurn;
    let run = run(case, &[stop(1.0)]);
    assert_eq!(run.of(&["hook", "signal"]), ["1 m1 signal 15", "6 s1 hook preStop", "8 s1 signal 15"]);
    let used = run.container("s1").grace_use.unwrap();
    assert_eq!((used.hook, used.turn, used.stopping), (secs(2.0), secs(5.0), secs(1.0)));
}
