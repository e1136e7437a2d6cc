//! R5: the end.

use barepod_engine::event::{Event, Exit};
use barepod_engine::spec::{HookSpec, ProbeSpec, RestartRuleAction, SidecarPreStop};
use barepod_engine::status::{ContainerState, GraceEnd, Phase, PodReason, TerminatedReason};
use barepod_engine::world::script::{AttemptScript, Latencies, ProbeScript, StartScript, StopScript};

use crate::pods::*;
use crate::timeline::*;

/// R5.1, R5.3, R8.1: sidecars one by one in reverse order, within the pod's grace; the phase stays Running meanwhile.
#[test]
fn natural_end() {
    let case = never()
        .sidecar("s1", &[obeys(1.0)])
        .sidecar("s2", &[obeys(2.0)])
        .sidecar("s3", &[stubborn()])
        .main("m1", &[ends(1.0, 0)])
        .main("m2", &[ends(2.0, 0)])
        .grace(10.0);
    let mut run = begin(case);
    run.until(5.0);
    assert_eq!(run.status().phase, Phase::Running);
    run.until(100.0);
    assert_eq!(
        run.of(&["signal", "kill", "finish"]),
        ["2 s3 signal 15", "12 s3 kill", "12 s2 signal 15", "12 s1 signal 15", "14 finish 0"]
    );
    assert_eq!(run.status().phase, Phase::Succeeded);
}

/// R5.11: codes of sidecars count for nothing.
#[test]
fn sidecars_codes_do_not_count() {
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Signal(15)] {
        let sidecar = AttemptScript { on_stop: StopScript::Ends(secs(0.0), exit), ..AttemptScript::default() };
        let run = run(never().sidecar("s1", &[sidecar]).main("m1", &[ends(1.0, 0)]), &[]);
        assert_eq!((run.finish(), run.status().phase), (Some("1 finish 0"), Phase::Succeeded));
    }
}

/// R5.2, R5.4: deletion: mains at once, then sidecars in reverse order.
#[test]
fn deletion() {
    let case = always()
        .sidecar("s1", &[obeys(1.0)])
        .sidecar("s2", &[obeys(1.0)])
        .main("m1", &[obeys(2.0)])
        .main("m2", &[obeys_well(4.0)]);
    let run = run(case, &[stop(10.0)]);
    assert_eq!(
        run.of(&["signal", "exited", "finish"]),
        [
            "10 m2 signal 15",
            "10 m1 signal 15",
            "12 m1 exited 143",
            "14 m2 exited 0",
            "14 s2 signal 15",
            "15 s2 exited 143",
            "15 s1 signal 15",
            "16 s1 exited 143",
            "16 finish 143",
        ]
    );
    assert!(run.lines.contains(&"10 record Killing m1: Stopping container m1".to_string()));
}

/// R5.2 (e), R5.16: SIGKILL at the end of the grace.
#[test]
fn grace_runs_out() {
    let case = never().main("m1", &[stubborn()]).grace(7.0);
    assert_eq!(
        run(case, &[stop(1.0)]).main_lines()[1..],
        ["1 m1 signal 15", "8 m1 kill", "8 m1 exited signal9", "8 finish 137"]
    );
}

/// R5.2 (c): at least two seconds between signal and SIGKILL.
#[test]
fn two_seconds_at_least() {
    for grace in [0.0, 1.0, 2.0] {
        let run = run(never().main("m1", &[stubborn()]), &[stop_in(1.0, grace)]);
        assert_eq!(run.times("m1 kill"), [3.0]);
    }
}

/// R5.4: nobody waits for an init; R5.9: nor for what comes after it.
#[test]
fn deletion_during_init() {
    let case = never()
        .sidecar("s1", &[obeys(1.0)])
        .sidecar("s2", &[obeys(1.0)])
        .init("i1", &[obeys(5.0)])
        .sidecar("s3", &[obeys(1.0)])
        .main("m1", &[ends(1.0, 0)]);
    let run = run(case, &[stop(10.0)]);
    assert_eq!(
        run.of(&["signal", "finish"]),
        ["10 i1 signal 15", "10 s2 signal 15", "11 s1 signal 15", "15 finish 143"]
    );
    assert_eq!(run.status().phase, Phase::Failed);
}

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

/// R5.7: grace 0: no hooks, no turns, SIGTERM, 2 s, SIGKILL; forced: SIGKILL.
#[test]
fn no_grace() {
    let case = || {
        never()
            .sidecar("s1", &[stubborn()])
            .with(|s| s.pre_stop = Some(HookSpec::Handler))
            .main("m1", &[stubborn()])
            .with(|m| m.pre_stop = Some(HookSpec::Handler))
    };
    assert_eq!(
        run(case(), &[stop_in(1.0, 0.0)]).of(&["hook", "signal", "kill"]),
        ["1 m1 signal 15", "1 s1 signal 15", "3 m1 kill", "3 s1 kill"]
    );
    assert_eq!(
        run(case(), &[From::Kill(1.0)]).of(&["hook", "signal", "kill", "finish"]),
        ["1 s1 kill", "1 m1 kill", "1 finish 137"]
    );
    assert_eq!(
        run(case(), &[stop(1.0), From::Kill(2.0)]).of(&["kill", "finish"]),
        ["2 s1 kill", "2 m1 kill", "2 finish 137"]
    );
}

/// R5.7: forced, while things are being made.
#[test]
fn forced_while_being_made() {
    let latencies = Latencies {
        sandbox: secs(1.0),
        image: secs(1.0),
        create: secs(1.0),
        start: secs(1.0),
        kill: secs(0.5),
        ..Latencies::default()
    };
    for (at, end) in [(0.5, "0.5 finish 1"), (1.5, "2 finish 1"), (2.5, "3.5 finish 1"), (3.5, "4 finish 137")] {
        let run = run(never().main("m1", &[stubborn()]).latencies(latencies), &[From::Kill(at)]);
        assert_eq!(run.finish(), Some(end), "{at}: {:?}", run.lines);
    }
    let hangs = AttemptScript { create_hangs: true, ..stubborn() };
    let done = run(never().main("m1", &[hangs]), &[From::Kill(1.0)]);
    assert_eq!(done.finish(), Some("1 finish 1"));
    // Without force it has the grace.
    let done = run(never().main("m1", &[hangs]).grace(4.0), &[stop(1.0)]);
    assert_eq!(done.finish(), Some("5 finish 1"));
    assert_eq!(run(never().main("m1", &[hangs]), &[stop(1.0), stop_in(2.0, 3.0)]).finish(), Some("5 finish 1"));
}

/// R5.16: an image that can't be looked at (a network file system that is gone) holds up nobody's end.
#[test]
fn an_image_that_hangs() {
    let hangs = AttemptScript { image_hangs: true, ..stubborn() };
    let ended = run(never().main("m1", &[hangs]), &[stop(1.0)]);
    assert_eq!(
        ended.of(&["image", "kill", "sandbox", "Failed", "finish"])[1..],
        ["0 m1 image", "1 m1 kill", "1 sandbox remove", "1 finish 1"]
    );
    assert_eq!(run(never().main("m1", &[hangs]), &[From::Kill(1.0)]).finish(), Some("1 finish 1"));
    let mut late = never().main("m1", &[hangs]);
    late.spec.active_deadline = Some(secs(2.0));
    assert_eq!(run(late, &[]).finish(), Some("2 finish 1"));
    // Others have their grace.
    let beside = never().sidecar("s1", &[obeys(3.0)]).main("m1", &[hangs]);
    assert_eq!(
        run(beside, &[stop(1.0)]).of(&["signal", "kill", "finish"]),
        ["1 m1 kill", "1 s1 signal 15", "4 finish 1"]
    );
    // R5.10: a sidecar that is still wanted has until the mains have ended.
    let twice = [AttemptScript::ends(secs(2.0), 1), hangs];
    let wanted = never().sidecar("s1", &twice).main("m1", &[obeys(5.0)]);
    assert_eq!(
        run(wanted, &[stop(3.0)]).of(&["signal", "kill", "finish"]),
        ["3 m1 signal 15", "8 s1 kill", "8 finish 143"]
    );
}

/// R5.16: so does a sandbox that is not to be had (a volume on such a file system).
#[test]
fn a_sandbox_that_hangs() {
    let case = || {
        let mut case = never().main("m1", &[stubborn()]);
        case.script.sandbox_hangs = true;
        case
    };
    let ended = run(case(), &[stop(1.0)]);
    assert_eq!(ended.of(&["sandbox", "finish"]), ["0 sandbox create", "1 sandbox remove", "1 finish 1"]);
    assert_eq!(run(case(), &[From::Kill(1.0)]).finish(), Some("1 finish 1"));
    let mut late = case();
    late.spec.active_deadline = Some(secs(2.0));
    assert_eq!(run(late, &[]).finish(), Some("2 finish 1"));
}

/// R5.16, I5: a start that hangs (an OCI hook) is ended with the grace, whatever ends the pod.
#[test]
fn a_start_that_hangs() {
    let hangs = AttemptScript { start: StartScript::Hangs, ..stubborn() };
    let case = || never().main("m1", &[hangs]).grace(4.0);
    let done = run(case(), &[stop(1.0)]);
    assert_eq!(done.of(&["signal", "kill", "finish"]), ["5 m1 kill", "5 finish 128"]);
    assert_eq!(run(case(), &[From::Kill(1.0)]).finish(), Some("1 finish 128"));
    assert_eq!(run(case(), &[stop(1.0), stop_in(2.0, 1.0)]).finish(), Some("3 finish 128"));
    let mut late = case();
    late.spec.active_deadline = Some(secs(2.0));
    assert_eq!(run(late, &[]).finish(), Some("6 finish 128"));
    // Until then it counts as running: a sidecar waits for it (R5.3), and a start that goes on is stopped in order.
    let beside = never().sidecar("s1", &[obeys(1.0)]).main("m1", &[hangs]).grace(4.0);
    assert_eq!(
        run(beside, &[stop(1.0)]).of(&["signal", "kill", "finish"]),
        ["5 m1 kill", "5 s1 signal 15", "6 finish 128"]
    );
    // A sidecar that hangs is waited for by the mains, and by nobody once the pod ends.
    let first = never().sidecar("s1", &[hangs]).main("m1", &[stubborn()]).grace(4.0);
    assert_eq!(run(first, &[stop(1.0)]).of(&["signal", "kill", "finish"]), ["5 s1 kill", "5 finish 1"]);
    // R5.17: what is reserved for the sidecars stays theirs.
    let mut reserved = never().sidecar("s1", &[stubborn()]).main("m1", &[hangs]).grace(6.0);
    reserved.spec.sidecar_grace = Some(secs(4.0));
    assert_eq!(
        run(reserved, &[stop(1.0)]).of(&["signal", "kill", "finish"]),
        ["3 m1 kill", "3 s1 signal 15", "7 s1 kill", "7 finish 128"]
    );
}

/// R5.8: a shorter grace shortens what remains; a longer one changes nothing.
#[test]
fn second_deletion() {
    let case = || never().sidecar("s1", &[stubborn()]).main("m1", &[stubborn()]);
    assert_eq!(
        run(case(), &[stop(0.0), stop_in(5.0, 10.0)]).of(&["signal", "kill"]),
        ["0 m1 signal 15", "15 m1 kill", "15 s1 signal 15", "17 s1 kill"]
    );
    assert_eq!(run(case(), &[stop(0.0), stop_in(5.0, 100.0)]).times("m1 kill"), [30.0]);
    let shortened = run(case(), &[stop(0.0), stop_in(5.0, 10.0)]);
    assert_eq!(shortened.status().deletion.unwrap().grace_period, secs(10.0));
    // Also at natural end.
    let case = never().sidecar("s1", &[stubborn()]).main("m1", &[ends(1.0, 0)]);
    assert_eq!(run(case, &[stop_in(5.0, 3.0)]).times("s1 kill"), [8.0]);
}

/// R5.10: a sidecar that exits while mains are stopping is restarted, and stopped at its turn.
#[test]
fn sidecars_are_kept_while_mains_stop() {
    let case = never()
        .sidecar(
            "s1",
            &[
                AttemptScript { pre_stop: hook(1.0), post_start: hook(1.0), ..ends(12.0, 1) },
                AttemptScript { pre_stop: hook(1.0), post_start: hook(1.0), ..obeys(1.0) },
            ],
        )
        .with(|s| {
            s.pre_stop = Some(HookSpec::Handler);
            s.post_start = Some(HookSpec::Handler);
        })
        .main("m1", &[obeys(8.0)]);
    let run = run(case, &[stop(10.0)]);
    assert_eq!(
        run.main_lines()[3..],
        [
            "10 s1 hook preStop",
            "10 m1 signal 15",
            "12 s1 exited 1",
            "12 s1 start",
            "12 s1 hook postStart",
            "18 m1 exited 143",
            "18 s1 hook preStop",
            "19 s1 signal 15",
            "20 s1 exited 143",
            "20 finish 143",
        ]
    );
}

/// R5.10: no restarts with a grace of a second or less, at natural end, after the mains, or once the grace is over.
#[test]
fn sidecars_are_not_kept_otherwise() {
    let case = |main| never().sidecar("s1", &[ends(1.5, 1), stubborn()]).main("m1", &[main]);
    let starts = |run: Run| run.times("s1 start").len();
    assert_eq!(starts(run(case(stubborn()), &[stop_in(1.0, 1.0)])), 1);
    assert_eq!(starts(run(case(stubborn()), &[stop_in(1.0, 2.0)])), 2);
    assert_eq!(starts(run(case(ends(1.0, 0)), &[])), 1);
    let two = never().sidecar("s1", &[ends(3.0, 1)]).sidecar("s2", &[obeys(10.0)]).main("m1", &[obeys(1.0)]);
    assert_eq!(starts(run(two, &[stop(1.0)])), 1);
    // Back-off applies, and ends with the mains.
    let case = never().sidecar("s1", &[ends(1.0, 1)]).main("m1", &[obeys(5.0)]);
    let run = run(case, &[stop(0.5)]);
    assert_eq!(run.times("s1 start"), [0.0, 1.0]);
    assert_eq!(run.finish(), Some("5.5 finish 143"));
}

/// R5.10: a sidecar's liveness goes on while mains stop, and ends it without a turn to be restarted.
#[test]
fn liveness_while_mains_stop() {
    let sick = AttemptScript {
        liveness: ProbeScript { good_until: Some(secs(11.0)), ..AttemptScript::default().liveness },
        ..obeys(1.0)
    };
    let case = || {
        never()
            .sidecar("s1", &[sick, obeys(0.0)])
            .with(|s| s.liveness_probe = Some(barepod_engine::spec::ProbeSpec { failure_threshold: 1, ..probe() }))
    };
    let done = run(case().main("m1", &[obeys(20.0)]), &[stop(11.0)]);
    assert_eq!(
        done.of(&["start", "signal", "exited"])[2..],
        [
            "11 m1 signal 15",
            "20 s1 signal 15",
            "21 s1 exited 143",
            "21 s1 start",
            "31 m1 exited 143",
            "31 s1 signal 15",
            "31 s1 exited 143",
        ]
    );
    // R5.1: not at natural end.
    let done = run(case().sidecar("s2", &[obeys(15.0)]).main("m1", &[ends(12.0, 0)]), &[]);
    assert_eq!(done.of(&["signal"]), ["12 s2 signal 15", "27 s1 signal 15"]);
}

/// R5.10: one that is being ended for its probe when deletion comes goes on to be restarted.
#[test]
fn a_probe_kill_under_way_at_deletion() {
    let sick = AttemptScript {
        liveness: ProbeScript { good_until: Some(secs(1.0)), ..AttemptScript::default().liveness },
        pre_stop: hook(3.0),
        ..obeys(1.0)
    };
    let case = never()
        .sidecar("s1", &[sick, obeys(0.0)])
        .with(|s| {
            s.liveness_probe = Some(barepod_engine::spec::ProbeSpec { failure_threshold: 1, ..probe() });
            s.pre_stop = Some(HookSpec::Handler);
        })
        .main("m1", &[obeys(10.0)]);
    assert_eq!(
        run(case, &[stop(11.0)]).of(&["start", "signal"])[2..],
        ["11 m1 signal 15", "13 s1 signal 15", "14 s1 start", "21 s1 signal 15"]
    );
}

/// R5.3, R7.1: a postStart that fails while the pod ends takes no sidecar out of its turn.
#[test]
fn a_failing_post_start_at_natural_end() {
    let case = never()
        .sidecar("s1", &[ends(1.0, 1), AttemptScript { post_start: hook_fails(8.0), ..obeys(0.0) }])
        .with(|s| s.post_start = Some(HookSpec::Handler))
        .sidecar("s2", &[obeys(10.0)])
        .main("m1", &[ends(3.0, 0)]);
    assert_eq!(run(case, &[]).of(&["signal"]), ["3 s2 signal 15", "13 s1 signal 15"]);
}

/// R5.12: the stop signal.
#[test]
fn stop_signals() {
    let case = never().main("m1", &[obeys(0.0)]).with(|m| m.stop_signal = Some(3));
    assert_eq!(run(case, &[stop(1.0)]).times("m1 signal 3"), [1.0]);
    // The image's, where the manifest names none.
    let quits = AttemptScript { image_stop_signal: Some(10), ..obeys(0.0) };
    assert_eq!(run(never().main("m1", &[quits]), &[stop(1.0)]).times("m1 signal 10"), [1.0]);
    let case = never().main("m1", &[quits]).with(|m| m.stop_signal = Some(3));
    assert_eq!(run(case, &[stop(1.0)]).times("m1 signal 3"), [1.0]);
}

/// R4.7, R5.4, R5.10: a sidecar that waits for its restart when deletion is requested counts as gone, also while mains
/// take longer to stop than it would have waited.
#[test]
fn a_sidecar_in_back_off_at_deletion_is_gone() {
    let case = never().sidecar("s1", &[ends(1.0, 1)]).main("m1", &[obeys(20.0)]);
    let run = run(case, &[stop(5.0)]);
    assert_eq!(run.times("s1 start"), [0.0, 1.0]);
    assert_eq!(run.finish(), Some("25 finish 143"));
}

/// R5.15, R8.4: activeDeadlineSeconds.
#[test]
fn active_deadline() {
    let mut case = always().sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys_well(1.0)]);
    case.spec.active_deadline = Some(secs(20.0));
    let run = run(case, &[]);
    assert_eq!(run.of(&["signal", "finish"]), ["20 m1 signal 15", "21 s1 signal 15", "22 finish 1"]);
    let status = run.status();
    assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::DeadlineExceeded)));
    // The init's code isn't the pod's then.
    let mut case = never().init("i1", &[obeys(0.0)]).main("m1", &[ends(1.0, 0)]);
    case.spec.active_deadline = Some(secs(5.0));
    assert_eq!(crate::timeline::run(case, &[]).finish(), Some("5 finish 1"));
}

/// R5.15: a pod that ends already fails at its deadline all the same, with the grace that it has; not once nothing of it
/// runs any more.
#[test]
fn a_deadline_while_the_pod_ends() {
    let with_deadline = |mut case: Case| {
        case.spec.active_deadline = Some(secs(20.0));
        case
    };
    let exceeded = (Phase::Failed, Some(PodReason::DeadlineExceeded));
    let outcome = |run: &Run| (run.status().phase, run.status().reason);
    // Mains done, the sidecar stops from 15 on: its grace ends at 25, not at 30.
    let natural = || with_deadline(never().sidecar("s1", &[stubborn()]).main("m1", &[ends(15.0, 0)]).grace(10.0));
    let done = run(natural(), &[]);
    assert_eq!(done.of(&["signal", "kill", "finish"]), ["15 s1 signal 15", "25 s1 kill", "25 finish 1"]);
    assert_eq!(outcome(&done), exceeded);
    assert_eq!(done.of(&["DeadlineExceeded"]).len(), 1);
    // Deletion's grace isn't shortened to the pod's either.
    let deleted = with_deadline(never().main("m1", &[obeys_well(30.0)]).grace(1.0));
    let done = run(deleted, &[stop_in(10.0, 60.0)]);
    assert_eq!(done.of(&["signal", "kill", "finish"]), ["10 m1 signal 15", "40 finish 1"]);
    assert_eq!(outcome(&done), exceeded);
    // In time, and with the removal under way at the deadline.
    let in_time = with_deadline(never().sidecar("s1", &[obeys(1.0)]).main("m1", &[ends(15.0, 0)]));
    assert_eq!(outcome(&run(in_time, &[])), (Phase::Succeeded, None));
    let removed_late = Latencies { remove: secs(10.0), ..Latencies::default() };
    let removing = with_deadline(never().main("m1", &[ends(15.0, 0)]).latencies(removed_late));
    assert_eq!(outcome(&run(removing, &[])), (Phase::Succeeded, None));
}

/// R5.15, R3.7: where a main asks for a restart of all at the very moment of the deadline, or the shell wakes up late, the
/// pod ends with its grace; nobody is killed.
#[test]
fn restart_all_at_the_deadline() {
    let mut case = always()
        .main("m1", &[obeys(1.0)])
        .main("m2", &[ends(20.0, 88)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])]);
    case.spec.active_deadline = Some(secs(20.0));
    let run = run(case, &[]);
    assert_eq!(run.main_lines()[2..], ["20 m2 exited 88", "20 m1 signal 15", "21 m1 exited 143", "21 finish 143"]);
}

/// R5.7, I8: one SIGKILL for a container that is being started, however often it is asked for, and one more when it has
/// been: the first may have come too early.
#[test]
fn forced_twice_while_starting() {
    let latencies = Latencies { start: secs(5.0), kill: secs(10.0), ..Latencies::default() };
    let case = never().main("m1", &[stubborn()]).latencies(latencies);
    let run = run(case, &[From::Kill(1.0), From::Kill(2.0)]);
    assert_eq!(run.times("m1 kill"), [1.0, 5.0]);
}

/// R3.7, R6.6: what is being killed for a restart of all isn't probed, also where deletion comes meanwhile.
#[test]
fn no_probes_of_what_is_being_killed() {
    let latencies = Latencies { kill: secs(5.0), ..Latencies::default() };
    let case = never()
        .sidecar("s1", &[stubborn()])
        .with(|s| s.liveness_probe = Some(ProbeSpec { period: secs(1.0), ..probe() }))
        .main("m1", &[stubborn()])
        .main("m2", &[ends(2.5, 88)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])])
        .latencies(latencies);
    let run = run(case, &[stop(3.5)]);
    assert_eq!(run.times("s1 probe liveness"), [0.0, 1.0, 2.0]);
}

/// R5.16, R3.6: the sandbox goes after the last removal, and `Finish` after it.
#[test]
fn the_sandbox_goes_last() {
    let latencies = Latencies { remove: secs(1.0), remove_sandbox: secs(1.0), ..Latencies::default() };
    let run = run(never().main("m1", &[ends(1.0, 4)]).latencies(latencies), &[]);
    assert_eq!(run.of(&["remove", "finish"]), ["1 m1 remove", "2 sandbox remove", "3 finish 4"]);
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

/// R5.1: a sidecar in back-off or being made when the mains end is not waited for, and not restarted.
#[test]
fn natural_end_while_a_sidecar_waits_or_is_made() {
    let case = never().sidecar("s1", &[ends(1.0, 1)]).main("m1", &[ends(5.0, 0)]);
    assert_eq!(run(case, &[]).finish(), Some("5 finish 0"));
    let latencies = Latencies { create: secs(3.0), ..Latencies::default() };
    let case = never().sidecar("s1", &[ends(1.0, 1), obeys(0.0)]).main("m1", &[ends(2.0, 0)]).latencies(latencies);
    let run = run(case, &[]);
    // Started at 3, exited at 4, made until 7; the main runs from 6 to 8... and again until the create is answered.
    assert_eq!(run.times("s1 start"), [3.0, 7.0]);
    assert_eq!(run.finish(), Some("8 finish 0"));
}

/// R8.6: nothing is known of what ran when the supervisor was lost.
#[test]
fn supervisor_lost() {
    let case = always().init("i1", &[ends(1.0, 0)]).sidecar("s1", &[obeys(0.0)]).main("m1", &[obeys(0.0)]);
    let done = run(case, &[From::Lost(5.0)]);
    let status = done.status();
    assert_eq!(
        (status.phase, status.reason, status.exit_code),
        (Phase::Failed, Some(PodReason::SupervisorLost), Some(137))
    );
    for name in ["s1", "m1"] {
        let ContainerState::Terminated(terminated) = done.container(name).state else { panic!() };
        assert_eq!((terminated.exit_code, terminated.reason), (137, TerminatedReason::ContainerStatusUnknown));
    }
    let ContainerState::Terminated(terminated) = done.container("i1").state else { panic!() };
    assert_eq!(terminated.exit_code, 0);
    // One that never ran stays waiting.
    let case = never().init("i1", &[obeys(0.0)]).main("m1", &[obeys(0.0)]);
    let done = run(case, &[From::Lost(5.0)]);
    assert!(matches!(done.container("m1").state, ContainerState::Waiting { .. }));
    assert_eq!(done.simulation.engine.next_deadline(), None);
}

/// Deletion before anything began.
#[test]
fn deletion_before_the_begin() {
    let case = never().main("m1", &[ends(1.0, 0)]);
    let mut run = unbegun(case);
    run.tell(&Event::Stop { grace: None });
    assert_eq!(run.finish(), Some("0 finish 1"));
}
