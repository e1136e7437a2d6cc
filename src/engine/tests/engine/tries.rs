//! R6.5: probes and hooks that can't be carried out, and those that their container's end takes along.

use barepod_engine::event::{ContainerEvent, Event, Hook, HookResult, Probe, ProbeResult};
use barepod_engine::spec::{Attempt, ContainerIndex, HookSpec, ProbeSpec};
use barepod_engine::world::script::{AttemptScript, HookScript, ProbeScript};

use crate::pods::*;
use crate::timeline::*;

fn told(event: ContainerEvent) -> Event {
    Event::Container { container: ContainerIndex(0), attempt: Attempt(0), event }
}

fn unhealthy(run: &Run) -> usize {
    run.lines.iter().filter(|line| line.contains("record Unhealthy")).count()
}

/// Three times at once, told once, and the next is due a period after the first.
#[test]
fn a_probe_that_cannot_be_carried_out_is_tried_three_times() {
    let errs =
        ProbeScript { takes: secs(0.5), errs: true, good_until: Some(secs(5.0)), ..AttemptScript::default().liveness };
    let case = never()
        .main("m1", &[AttemptScript { liveness: errs, ..ends(29.0, 0) }])
        .with(|m| m.liveness_probe = Some(ProbeSpec { failure_threshold: 1, ..probe() }));
    let run = run(case, &[]);
    assert_eq!(run.times("m1 probe liveness"), [0.0, 10.0, 10.5, 11.0, 20.0, 20.5, 21.0]);
    let records: Vec<_> = run.lines.iter().filter(|line| line.contains("Unhealthy")).collect();
    let text = "record Unhealthy m1: Liveness probe errored and resulted in unknown state: scripted";
    assert_eq!(records, [&format!("11.5 {text}"), &format!("21.5 {text}")]);
    assert_eq!(run.of(&["signal"]), [""; 0]);
}

/// What comes of a later try counts as what comes of the first.
#[test]
fn a_later_try_counts() {
    for (result, signals) in [
        (ProbeResult::Success, 0),
        (ProbeResult::Warning { message: "odd".into() }, 0),
        (ProbeResult::Failure { message: "no".into() }, 1),
    ] {
        let slow = ProbeScript { takes: secs(100.0), ..AttemptScript::default().liveness };
        let mut run = begin(never().main("m1", &[AttemptScript { liveness: slow, ..obeys(0.0) }]).with(|m| {
            m.liveness_probe = Some(ProbeSpec { failure_threshold: 1, ..probe() });
        }));
        run.until(0.0);
        let error = ProbeResult::Error { message: "no descriptors".into() };
        for result in [error.clone(), error, result.clone()] {
            run.tell(&told(ContainerEvent::ProbeDone { probe: Probe::Liveness, result }));
        }
        assert_eq!(run.times("m1 probe liveness"), [0.0, 0.0, 0.0]);
        assert_eq!(run.of(&["signal"]).len(), signals, "{result:?}");
        assert!(!run.lines.iter().any(|line| line.contains("unknown state")), "{result:?}");
    }
}

/// A probe nobody asks any more isn't tried again: here of a main that is being stopped (R6.9).
#[test]
fn nobody_tries_again_what_nobody_asks() {
    let slow = ProbeScript { takes: secs(100.0), ..AttemptScript::default().liveness };
    let case = never().main("m1", &[AttemptScript { liveness: slow, ..obeys(5.0) }]);
    let mut run = begin(case.with(|m| m.liveness_probe = Some(probe())));
    run.until(1.0);
    run.tell(&Event::Stop { grace: None });
    let result = ProbeResult::Error { message: "no".into() };
    run.tell(&told(ContainerEvent::ProbeDone { probe: Probe::Liveness, result }));
    assert_eq!(run.times("m1 probe liveness"), [0.0]);
}

/// The end of a container is blamed on no probe, and none is asked for until that end is known.
#[test]
fn no_probe_is_blamed_for_its_containers_end() {
    let slow = ProbeScript { takes: secs(100.0), ..AttemptScript::default().liveness };
    let case = always().main("m1", &[AttemptScript { liveness: slow, ..ends(25.0, 1) }]).with(|m| {
        m.liveness_probe = Some(ProbeSpec { failure_threshold: 1, ..probe() });
    });
    let mut run = begin(case);
    run.until(2.0);
    run.tell(&told(ContainerEvent::ProbeDone { probe: Probe::Liveness, result: ProbeResult::ContainerEnds }));
    run.until(30.0);
    assert_eq!(run.times("m1 probe liveness"), [0.0, 25.0], "the second is of the next instance");
    assert_eq!((unhealthy(&run), run.of(&["signal"]).len()), (0, 0));
}

/// R7.1, R7.2: of a hook it is the third try that fails.
#[test]
fn a_hook_that_cannot_be_carried_out_is_tried_three_times() {
    let errs = HookScript { errs: true, ..hook_fails(1.0) };
    let post = AttemptScript { post_start: errs, ..obeys(0.0) };
    let done = run(never().main("m1", &[post]).with(|m| m.post_start = Some(HookSpec::Handler)), &[]);
    assert_eq!(done.times("m1 hook postStart"), [0.0, 1.0, 2.0]);
    assert!(done.lines.contains(&"3 record FailedPostStartHook m1: scripted".to_string()), "{:?}", done.lines);
    assert_eq!(done.times("m1 signal 15"), [3.0]);
    let pre = AttemptScript { pre_stop: errs, ..obeys(0.0) };
    let case = never().main("m1", &[pre]).with(|m| m.pre_stop = Some(HookSpec::Handler));
    let done = run(case.clone(), &[stop(5.0)]);
    assert_eq!(done.times("m1 hook preStop"), [5.0, 6.0, 7.0]);
    assert!(done.lines.contains(&"8 record FailedPreStopHook m1: scripted".to_string()), "{:?}", done.lines);
    assert_eq!(done.times("m1 signal 15"), [8.0]);
    // Not beyond the grace.
    let done = run(case, &[stop_in(5.0, 2.0)]);
    assert_eq!((done.times("m1 hook preStop"), done.times("m1 signal 15")), (vec![5.0, 6.0], vec![7.0]));
}

/// Nobody tries the postStart hook of a container that is being stopped with its pod.
#[test]
fn a_post_start_hook_is_not_tried_again_once_the_pod_ends() {
    let errs = HookScript { errs: true, ..hook_fails(4.0) };
    let case = never().main("m1", &[AttemptScript { post_start: errs, ..stubborn() }]);
    let done = run(case.with(|m| m.post_start = Some(HookSpec::Handler)), &[stop(2.0)]);
    assert_eq!(done.times("m1 hook postStart"), [0.0]);
}

/// A container's end takes its hook along: that is no failure of the hook, and no second end is looked for.
#[test]
fn no_hook_is_blamed_for_its_containers_end() {
    let case = never().main("m1", &[AttemptScript { post_start: ENDLESS, pre_stop: ENDLESS, ..ends(20.0, 0) }]);
    let case = case.with(|m| {
        m.post_start = Some(HookSpec::Handler);
        m.pre_stop = Some(HookSpec::Handler);
    });
    let mut run = begin(case);
    run.until(2.0);
    run.tell(&told(ContainerEvent::HookDone { hook: Hook::PostStart, result: HookResult::ContainerEnds }));
    assert!(!run.container("m1").started);
    run.until(15.0);
    run.tell(&Event::Stop { grace: None });
    run.tell(&told(ContainerEvent::HookDone { hook: Hook::PreStop, result: HookResult::ContainerEnds }));
    run.until(60.0);
    assert_eq!(run.of(&["FailedPostStartHook", "FailedPreStopHook", "signal", "kill"]), [""; 0]);
    assert_eq!(run.finish(), Some("20 finish 0"));
}
