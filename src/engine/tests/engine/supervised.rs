//! R5.10, R6.9: sidecars that are looked after while the mains stop.

use barepod_engine::spec::{HookSpec, ProbeSpec, RestartRuleAction};
use barepod_engine::world::script::{AttemptScript, Latencies, ProbeScript};

use crate::pods::*;
use crate::timeline::*;

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
