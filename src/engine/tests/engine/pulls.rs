//! R8.12 to R8.14: images that can be pulled.

use barepod_engine::event::{Event, ImageFailure};
use barepod_engine::spec::PullPolicy::{self, Always, IfNotPresent, Never};
use barepod_engine::spec::{ContainerIndex, ImageSpec};
use barepod_engine::status::{ContainerState, WaitingReason};
use barepod_engine::world::script::{AttemptScript, Latencies};

use crate::pods::*;
use crate::timeline::*;

fn case(policy: PullPolicy, attempts: &[AttemptScript]) -> Case {
    let slow = Latencies { image: secs(0.1), pull: secs(1.234), ..Latencies::default() };
    always().main("m1", attempts).stored("web:1", policy).latencies(slow)
}

fn absent() -> AttemptScript {
    AttemptScript { image_absent: true, ..obeys(0.0) }
}

fn waits_for(run: &Run) -> (WaitingReason, String) {
    match run.container("m1").state {
        ContainerState::Waiting { reason, message } => (reason, message),
        other => panic!("{other:?}"),
    }
}

/// R8.12: pulled where it isn't there; then, and for each further start, it is there.
#[test]
fn if_not_present_pulls_once() {
    let first = AttemptScript { image_absent: true, ..ends(1.0, 1) };
    let run = run(case(IfNotPresent, &[first, absent()]), &[stop(10.0)]);
    let there = "Container image \"web:1\" already present on machine and can be accessed by the pod";
    assert_eq!(
        run.of(&["image", "pull", "Pulling", "Pulled", "start"]),
        [
            "0 m1 image",
            "0.1 m1 pull",
            "0.1 record Pulling m1: Pulling image \"web:1\"",
            "1.334 record Pulled m1: Successfully pulled image \"web:1\" in 1.234s (1.234s including waiting). Image size: \
             4096 bytes.",
            "1.334 m1 start",
            "2.334 m1 image",
            &format!("2.434 record Pulled m1: {there}"),
            "2.434 m1 start",
        ]
    );
    assert_eq!(run.container("m1").image_id.as_deref(), Some("world"));
}

/// R8.12: pulled for each start, without a look at what is there.
#[test]
fn always_pulls_for_each_start() {
    let run = run(case(Always, &[ends(1.0, 1), obeys(0.0)]), &[stop(10.0)]);
    assert_eq!(run.times("m1 image"), [0.0; 0]);
    assert_eq!(run.times("m1 pull"), [0.0, 2.234]);
    assert_eq!(run.of(&["Pulling"]).len(), 2);
    assert_eq!(run.times("m1 start"), [1.234, 3.468]);
}

/// R8.12, R8.13: never pulled; looked for again as what can't be made, as somebody may put it there.
#[test]
fn never_waits_until_somebody_else_has_pulled_it() {
    let mut run = begin(case(Never, &[absent()]));
    run.until(45.0);
    assert_eq!(run.times("m1 image"), [0.0, 10.1, 20.2, 30.3, 40.4]);
    let message = "Container image \"web:1\" is not present with pull policy of Never";
    assert_eq!(
        run.of(&["record"])[..2],
        [&format!("0.1 record ErrImageNeverPull m1: {message}"), "0.1 record Failed m1: Error: ErrImageNeverPull"]
    );
    assert_eq!(waits_for(&run), (WaitingReason::ErrImageNeverPull, message.into()));
    let there = run_to_the_end(case(Never, &[obeys(0.0)]));
    assert_eq!((there.times("m1 start"), there.times("m1 pull")), (vec![0.1], vec![]));
}

fn run_to_the_end(case: Case) -> Run {
    run(case, &[stop(10.0)])
}

/// R8.13, R8.14: what failed is said, and a moment later that it waits; tried again after 10 s, 20 s ... 300 s.
#[test]
fn pulls_that_fail_back_off() {
    let failing = AttemptScript { pull_fails: (8, ImageFailure::Pull), ..absent() };
    let mut one = always().main("m1", &[failing]).stored("web:1", IfNotPresent);
    let mut run = begin(one.clone());
    run.until(0.5);
    assert_eq!(waits_for(&run), (WaitingReason::ErrImagePull, "scripted".into()));
    run.until(5.0);
    let backs_off = "Back-off pulling image \"web:1\"";
    let reason = (WaitingReason::ImagePullBackOff, format!("{backs_off}: ErrImagePull: scripted"));
    assert_eq!(waits_for(&run), reason);
    run.until(10.5);
    assert_eq!(waits_for(&run).0, WaitingReason::ErrImagePull);
    let once = |at: f64| {
        [
            format!("{at} record Pulling m1: Pulling image \"web:1\""),
            format!("{at} record Failed m1: Failed to pull image \"web:1\": scripted"),
            format!("{at} record Failed m1: Error: ErrImagePull"),
            format!("{} record BackOff m1: {backs_off}", at + 1.0),
            format!("{} record Failed m1: Error: ImagePullBackOff", at + 1.0),
        ]
    };
    run.until(1500.0);
    assert_eq!(run.of(&["record"])[..10], [once(0.0), once(10.0)].concat());
    assert_eq!(run.times("m1 pull"), [0.0, 10.0, 30.0, 70.0, 150.0, 310.0, 610.0, 910.0, 1210.0]);
    assert_eq!(run.times("m1 start"), [1210.0]);
    // Ours: with a lower back-off sooner, and never after the next try.
    one.spec.backoff.max = secs(1.0);
    let quick = run_to_the_end(one);
    assert_eq!(quick.times("m1 pull")[..3], [0.0, 1.0, 3.0]);
    assert_eq!(quick.of(&["BackOff"])[0], format!("0.5 record BackOff m1: {backs_off}"));
}

/// R8.13, R8.14: one that isn't trusted is told of with the kubelet's words for that, and tried again like any other.
#[test]
fn what_is_not_trusted_is_not_pulled() {
    let failing = AttemptScript { pull_fails: (1, ImageFailure::Signature), ..absent() };
    let mut run = begin(always().main("m1", &[failing]).stored("web:1", IfNotPresent));
    run.until(0.5);
    let message = "image pull failed for web:1 because the signature validation failed: scripted";
    assert_eq!(waits_for(&run), (WaitingReason::SignatureValidationFailed, message.into()));
    assert_eq!(
        run.of(&["Failed"]),
        [
            "0 record Failed m1: Failed to pull image \"web:1\": SignatureValidationFailed: scripted",
            "0 record Failed m1: Error: SignatureValidationFailed"
        ]
    );
    run.until(5.0);
    assert_eq!(waits_for(&run).0, WaitingReason::ImagePullBackOff);
    run.until(12.0);
    assert_eq!(run.times("m1 pull"), [0.0, 10.0]);
}

/// R8.14: a pull that works, or an image that is there, ends it.
#[test]
fn a_pull_that_works_ends_the_back_off() {
    let failing = AttemptScript { pull_fails: (2, ImageFailure::Pull), ..ends(1.0, 1) };
    let run = run(always().main("m1", &[failing]).stored("web:1", Always), &[stop(70.0)]);
    assert_eq!(run.times("m1 pull"), [0.0, 10.0, 30.0, 31.0, 41.0, 61.0]);
}

/// R8.13: a store that can't be read, and a name that is none.
#[test]
fn what_cannot_be_looked_for() {
    for (failure, said, reason) in [
        (ImageFailure::Pull, "Failed to inspect image \"web:1\": scripted", WaitingReason::ImageInspectError),
        (
            ImageFailure::InvalidName,
            "Failed to apply default image tag \"web:1\": scripted",
            WaitingReason::InvalidImageName,
        ),
    ] {
        let broken = AttemptScript { image_fails: (3, failure), ..obeys(0.0) };
        let mut run = begin(always().main("m1", &[broken]).stored("web:1", IfNotPresent));
        run.until(5.0);
        let error = format!("0 record Failed m1: Error: {reason:?}");
        assert_eq!(run.of(&["record"]), [format!("0 record InspectFailed m1: {said}"), error]);
        assert_eq!(waits_for(&run), (reason, said.into()));
        run.until(100.0);
        assert_eq!(run.times("m1 image"), [0.0, 10.0, 30.0, 70.0]);
    }
}

/// R8.13, R4.5: what was pulled and is no good is found out when the container is made.
#[test]
fn a_pulled_image_that_is_no_good() {
    let unusable = AttemptScript { image_unusable: 1, ..absent() };
    let run = run_to_the_end(always().main("m1", &[unusable]).stored("web:1", IfNotPresent));
    assert_eq!(
        run.of(&["record"])[..3],
        [
            "0 record Pulling m1: Pulling image \"web:1\"",
            "0 record Pulled m1: Successfully pulled image \"web:1\" in 0s (0s including waiting).",
            "0 record Failed m1: Error: scripted",
        ]
    );
}

/// A folder that isn't there is one that can't be had, whatever says so.
#[test]
fn a_folder_is_never_pulled() {
    let mut run = begin(always().main("m1", &[absent()]));
    run.until(15.0);
    assert_eq!((run.times("m1 image"), run.times("m1 pull")), (vec![0.0, 10.0], vec![]));
    assert_eq!(run.of(&["record"])[0], "0 record Failed m1: Error: it isn't there");
}

/// R5.16, R4.7: a pull is given up with the pod, and nothing is said of that; so is what it waits for.
#[test]
fn a_pull_ends_with_the_pod() {
    let long = Latencies { pull: secs(600.0), ..Latencies::default() };
    let hangs = AttemptScript { pull_hangs: true, ..absent() };
    for (script, latencies) in [(absent(), long), (hangs, Latencies::default())] {
        let case = always().main("m1", &[script]).stored("web:1", IfNotPresent).latencies(latencies);
        let run = run(case, &[stop(5.0)]);
        assert_eq!(run.of(&["pull", "kill", "finish"]), ["0 m1 pull", "5 m1 kill", "5 finish 1"]);
        assert_eq!(run.of(&["record"]), ["0 record Pulling m1: Pulling image \"web:1\""]);
    }
    let failing = AttemptScript { pull_fails: (9, ImageFailure::Pull), ..absent() };
    let waits = run(always().main("m1", &[failing]).stored("web:1", IfNotPresent), &[stop(0.5)]);
    assert_eq!((waits.finish(), waits.of(&["BackOff"])), (Some("0.5 finish 1"), vec![]));
}

/// R2.4: a main that is pulled holds up those behind it, as at the kubelet's; one that waits for its next try doesn't.
#[test]
fn mains_wait_for_the_pull_in_front() {
    let failing = AttemptScript { pull_fails: (1, ImageFailure::Pull), ..absent() };
    let slow = Latencies { pull: secs(5.0), ..Latencies::default() };
    let case = always().main("m1", &[failing]).stored("web:1", IfNotPresent).main("m2", &[obeys(0.0)]);
    let run = run(case.latencies(slow), &[stop(60.0)]);
    assert_eq!(run.of(&["start"]), ["5 m2 start", "20 m1 start"]);
}

/// R3.10, R8.14: another image is looked for at once, by its own name and policy.
#[test]
fn a_new_image_is_another() {
    let failing = AttemptScript { pull_fails: (2, ImageFailure::Pull), ..absent() };
    let mut run = begin(always().main("m1", &[failing]).stored("web:1", IfNotPresent));
    run.until(5.0);
    let image = ImageSpec::Store { name: "web:2".into(), policy: Always };
    run.tell(&Event::DefinitionChanged { container: ContainerIndex(0), image });
    run.until(50.0);
    assert_eq!(run.times("m1 image"), [0.0]);
    assert_eq!(run.times("m1 pull"), [0.0, 5.0, 15.0]);
    assert_eq!(run.of(&["Pulling"])[1], "5 record Pulling m1: Pulling image \"web:2\"");
}
