//! R7: hooks. preStop is termination's (R5.2).

use barepod_engine::event::Event;
use barepod_engine::spec::{HookSpec, RestartPolicy};
use barepod_engine::status::ContainerState;
use barepod_engine::world::script::{AttemptScript, Latencies};

use crate::pods::*;
use crate::timeline::*;

/// R7.1: a postStart that fails: event, killed with its grace and its preStop, then R3.
#[test]
fn a_failing_post_start() {
    for (policy, again) in [(RestartPolicy::Always, true), (RestartPolicy::Never, false)] {
        let fails = AttemptScript { post_start: hook_fails(2.0), pre_stop: hook(1.0), ..obeys(1.0) };
        let case = pod(policy).main("m1", &[fails, obeys(0.0)]).with(|m| {
            m.post_start = Some(HookSpec::Handler);
            m.pre_stop = Some(HookSpec::Handler);
        });
        let run = run(case, &[stop(8.0)]);
        assert_eq!(
            run.main_lines()[..5],
            ["0 m1 start", "0 m1 hook postStart", "2 m1 hook preStop", "3 m1 signal 15", "4 m1 exited 143"]
        );
        assert!(run.lines.contains(&"2 record FailedPostStartHook m1: scripted".to_string()));
        assert!(run.lines.contains(&"2 record Killing m1: FailedPostStartHook".to_string()));
        assert_eq!(run.times("m1 start").len(), if again { 2 } else { 1 });
    }
}

/// R7.1, R8.3: no time limit, and not started until it returns.
#[test]
fn post_start_has_no_time_limit() {
    let slow = AttemptScript { post_start: ENDLESS, ..ends(1000.0, 0) };
    let case = never().main("m1", &[slow]).with(|m| m.post_start = Some(HookSpec::Handler)).main("m2", &[ends(1.0, 0)]);
    let mut run = begin(case);
    run.until(999.0);
    assert!(!run.container("m1").started);
    assert_eq!(run.of(&["start"]), ["0 m1 start"]);
    run.until(2000.0);
    // Its container ended: the next goes on.
    assert_eq!(run.times("m2 start"), [1000.0]);
}

/// R7.3: preStop doesn't run when a container ends by itself.
#[test]
fn no_pre_stop_after_an_exit() {
    let case = always().main("m1", &[ends(1.0, 1)]).with(|m| m.pre_stop = Some(HookSpec::Handler));
    assert_eq!(run(case, &[stop(5.0)]).of(&["hook"]), [""; 0]);
}

/// R7.4, R7.2: sleeps are the engine's own, and are cut by the grace.
#[test]
fn sleeps() {
    let case = never().main("m1", &[stubborn()]).with(|m| m.pre_stop = Some(HookSpec::Sleep(secs(4.0))));
    let done = run(case, &[stop(1.0)]);
    assert_eq!(done.main_lines()[1..3], ["5 m1 signal 15", "31 m1 kill"]);
    let case = never().main("m1", &[stubborn()]).with(|m| m.pre_stop = Some(HookSpec::Sleep(secs(29.0))));
    assert_eq!(run(case, &[stop_in(1.0, 10.0)]).main_lines()[1..3], ["11 m1 signal 15", "13 m1 kill"]);
    let mut run = begin(never().main("m1", &[obeys(0.0)]).with(|m| m.post_start = Some(HookSpec::Sleep(secs(3.0)))));
    run.until(2.0);
    assert!(!run.container("m1").started);
    run.until(3.0);
    assert!(run.container("m1").started);
}

/// R2.3, R7.1: a sidecar whose postStart failed was never started: nothing behind it starts.
#[test]
fn a_failed_post_start_opens_no_gate() {
    let fails = AttemptScript { post_start: hook_fails(1.0), ..obeys(5.0) };
    let case = never()
        .sidecar("s1", &[fails, obeys(0.0)])
        .with(|s| s.post_start = Some(HookSpec::Handler))
        .main("m1", &[ends(1.0, 0)]);
    let mut run = begin(case);
    run.until(3.0);
    assert!(!run.container("s1").started);
    run.until(60.0);
    assert_eq!(run.times("m1 start"), [6.0]);
}

/// R8.3, R2.8: a container whose start was under way when deletion came runs no postStart, and isn't started for that.
#[test]
fn a_post_start_that_is_never_run() {
    let latencies = Latencies { start: secs(5.0), ..Latencies::default() };
    let case = |hook| never().main("m1", &[obeys_well(10.0)]).with(|m| m.post_start = hook).latencies(latencies);
    for (hook, started) in [(Some(HookSpec::Handler), false), (Some(HookSpec::Sleep(secs(0.0))), false), (None, true)] {
        let mut run = begin(case(hook));
        run.until(1.0);
        run.tell(&Event::Stop { grace: None });
        run.until(6.0);
        assert!(matches!(run.container("m1").state, ContainerState::Running { .. }));
        assert_eq!((run.container("m1").started, run.container("m1").ready), (started, started), "{hook:?}");
        assert!(run.of(&["hook"]).is_empty());
    }
}
