//! R5: the end.

use barepod_engine::event::{Event, Exit};
use barepod_engine::spec::HookSpec;
use barepod_engine::status::{ContainerState, Phase, PodReason, TerminatedReason};
use barepod_engine::world::script::{AttemptScript, Latencies, StopScript};

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

/// R5.19: the first asks, also where somebody has asked before, and each further one is by force.
#[test]
fn interrupts() {
    let case = || never().sidecar("s1", &[stubborn()]).main("m1", &[stubborn()]);
    let [once, twice] = [From::Interrupt(1.0), From::Interrupt(2.0)];
    assert_eq!(
        run(case(), &[once]).of(&["signal", "kill"]),
        ["1 m1 signal 15", "31 m1 kill", "31 s1 signal 15", "33 s1 kill"]
    );
    assert_eq!(run(case(), &[once, twice]).of(&["kill", "finish"]), ["2 s1 kill", "2 m1 kill", "2 finish 137"]);
    assert_eq!(run(case(), &[stop(0.0), once]).times("m1 kill"), [30.0]);
    assert_eq!(run(case(), &[stop(0.0), once, twice]).times("m1 kill"), [2.0]);
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

/// R5.16, R3.6: the sandbox goes after the last removal, and `Finish` after it.
#[test]
fn the_sandbox_goes_last() {
    let latencies = Latencies { remove: secs(1.0), remove_sandbox: secs(1.0), ..Latencies::default() };
    let run = run(never().main("m1", &[ends(1.0, 4)]).latencies(latencies), &[]);
    assert_eq!(run.of(&["remove", "finish"]), ["1 m1 remove", "2 sandbox remove", "3 finish 4"]);
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
