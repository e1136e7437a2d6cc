//! `run --fail-fast` and `--timeout`: when a pod is not waited for any longer.

use barepod_engine::event::{CreateFailure, Event, ImageFailure};
use barepod_engine::spec::{ContainerIndex, FailFast, PodSpec, RestartPolicy};
use barepod_engine::status::{ExitSource, Phase, PodReason};
use barepod_engine::time::Instant;
use barepod_engine::world::script::{AttemptScript, ContainerScript};

use crate::pods::*;
use crate::timeline::*;

fn asked(mut case: Case, ask: impl FnOnce(&mut PodSpec)) -> Case {
    ask(&mut case.spec);
    case
}

fn fail_fast(case: Case) -> Run {
    run(asked(case, |spec| spec.fail_fast = FailFast::Yes), &[])
}

fn timeout(case: Case, seconds: f64) -> Run {
    run(asked(case, |spec| spec.timeout = Some(secs(seconds))), &[])
}

fn unmade() -> AttemptScript {
    AttemptScript { create_fails: (1_000, CreateFailure::Config), ..AttemptScript::default() }
}

/// What a kubelet would try again for ever: each reason, and who is waited for meanwhile is stopped in order.
#[test]
fn what_can_not_be_made_ends_the_pod() {
    let image = |failure| AttemptScript { image_fails: (1_000, failure), ..AttemptScript::default() };
    for (script, why) in [
        (unmade(), "CreateContainerConfigError"),
        (image(ImageFailure::Pull), "ErrImagePull"),
        (image(ImageFailure::NeverPull), "ErrImageNeverPull"),
        (image(ImageFailure::InvalidName), "InvalidImageName"),
    ] {
        for policy in [RestartPolicy::Always, RestartPolicy::OnFailure, RestartPolicy::Never] {
            let case = pod(policy).sidecar("s1", &[obeys(1.0)]).main("m1", std::slice::from_ref(&script));
            let run = fail_fast(case.main("m2", &[obeys(0.0)]));
            let status = run.status();
            assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::FailFast)), "{why}");
            assert!(status.message.contains("container m1") && status.message.contains(why), "{}", status.message);
            // Nobody has failed but who never ran: not the code of one that was stopped for it.
            assert_eq!(run.finish(), Some("1 finish 1"), "{:?}", run.lines);
            assert_eq!(status.exit_source, Some(ExitSource::Pod));
        }
    }
}

/// The same pods go on where nobody asked.
#[test]
fn who_has_not_asked_waits() {
    let waits = run(always().main("m1", &[unmade()]), &[]);
    assert_eq!((waits.finish(), waits.status().phase), (None, Phase::Pending));
    let mut sandbox = always().main("m1", &[obeys(0.0)]);
    sandbox.script.sandbox_failures = 1;
    assert_eq!(run(sandbox.clone(), &[]).status().phase, Phase::Running);
    assert_eq!(fail_fast(sandbox).finish(), Some("0 finish 1"));
}

/// A main that failed for good: its code counts, not those of the containers that are stopped for it.
#[test]
fn a_main_that_failed_for_good_ends_the_pod() {
    let case = never().sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys(2.0)]).main("m2", &[ends(5.0, 7)]);
    let run = fail_fast(case.clone());
    assert_eq!(run.of(&["signal"]), ["5 m1 signal 15", "7 s1 signal 15"]);
    assert_eq!(run.finish(), Some("8 finish 7"));
    assert_eq!(run.status().exit_source, Some(ExitSource::Container(ContainerIndex(2))));
    // A main that the policy restarts may still succeed; one that exits 0 has.
    let again = on_failure().main("m1", &[ends(1.0, 3), ends(1.0, 0)]).main("m2", &[ends(9.0, 0)]);
    assert_eq!(fail_fast(again).finish(), Some("9 finish 0"));
    let done = never().main("m1", &[ends(1.0, 0)]).main("m2", &[ends(9.0, 0)]);
    assert_eq!(fail_fast(done).finish(), Some("9 finish 0"));
}

/// 124, whatever the containers exit with when they are told to stop; deleted with its own grace period.
#[test]
fn a_pod_that_takes_too_long_is_deleted() {
    let run = timeout(never().grace(5.0).sidecar("s1", &[obeys(0.0)]).main("m1", &[obeys_well(1.0)]), 60.0);
    assert_eq!(run.of(&["signal", "finish"]), ["60 m1 signal 15", "61 s1 signal 15", "61 finish 124"]);
    let status = run.status();
    assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::TimedOut)));
    assert_eq!(status.exit_source, Some(ExitSource::TimedOut));
    assert_eq!(status.deletion.map(|deletion| deletion.grace_period), Some(secs(5.0)));
    assert_eq!(status.message, "Pod was not done after 1m0s (--timeout): it waited for container m1 to exit");
}

/// What is in time is none, nor is what was ending before.
#[test]
fn a_pod_that_is_in_time_is_not_timed_out() {
    assert_eq!(timeout(never().main("m1", &[ends(60.0, 4)]), 60.0).finish(), Some("60 finish 4"));
    let slow = never().sidecar("s1", &[obeys(20.0)]).main("m1", &[ends(59.0, 0)]);
    assert_eq!(timeout(slow, 60.0).finish(), Some("79 finish 0"));
    let stopped = asked(never().main("m1", &[obeys(20.0)]), |spec| spec.timeout = Some(secs(60.0)));
    assert_eq!(run(stopped, &[stop(50.0)]).finish(), Some("70 finish 143"));
}

/// Whom it waited for: an init, a sidecar that isn't started, a container that can't be made, one in back-off.
#[test]
fn a_timeout_says_what_was_waited_for() {
    let waiting = |case| timeout(case, 60.0).status().message.split_once("it waited for ").unwrap().1.to_owned();
    assert_eq!(waiting(never().init("i1", &[obeys(0.0)]).main("m1", &[])), "init container i1 to exit");
    let mut probed = never().sidecar("s1", &[obeys(0.0)]).with(|spec| spec.startup_probe = Some(probe()));
    probed.spec.containers[0].startup_probe.as_mut().unwrap().failure_threshold = 99;
    probed.script.containers[0] = ContainerScript::always(AttemptScript {
        startup: barepod_engine::world::script::ProbeScript { good_from: secs(999.0), ..obeys(0.0).startup },
        ..obeys(0.0)
    });
    assert_eq!(waiting(probed.main("m1", &[])), "sidecar s1 to be started: its startup probe has not succeeded");
    let unmade = waiting(never().main("m1", &[obeys(0.0)]).main("m2", &[unmade()]));
    assert!(unmade.starts_with("container m2: CreateContainerConfigError: "), "{unmade}");
    let mut failing = always().main("m1", &[]);
    failing.script.containers[0] = ContainerScript::always(ends(0.0, 1));
    let failing = waiting(failing);
    assert!(failing.starts_with("container m1: CrashLoopBackOff: back-off "), "{failing}");
}

/// Who is waited for while it stops: not who waits for its turn.
#[test]
fn who_is_waited_for() {
    let mut run = begin(never().grace(30.0).sidecar("s1", &[obeys(5.0)]).main("m1", &[obeys(10.0)]));
    let at = |run: &Run, seconds| {
        let awaited = run.simulation.engine.awaited(Instant::default().after(secs(seconds)));
        awaited.iter().map(|one| (one.container.0, one.left, one.grace)).collect::<Vec<_>>()
    };
    run.until(5.0);
    assert_eq!(at(&run, 5.0), []);
    run.tell(&Event::Stop { grace: None });
    run.until(12.0);
    assert_eq!(at(&run, 12.0), [(1, secs(23.0), secs(30.0))]);
    run.until(16.0);
    assert_eq!(at(&run, 16.0), [(0, secs(19.0), secs(30.0))]);
    run.tell(&Event::Kill);
    assert_eq!(at(&run, 16.0).iter().map(|one| one.1).collect::<Vec<_>>(), [secs(0.0)]);
    // R5.7: each has 2 s at least.
    let mut run = begin(never().grace(0.0).main("m1", &[obeys(1.0)]));
    run.until(0.0);
    run.tell(&Event::Stop { grace: None });
    assert_eq!(at(&run, 0.5), [(0, secs(1.5), secs(2.0))]);
}
