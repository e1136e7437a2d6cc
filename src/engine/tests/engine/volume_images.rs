//! R8.17: images of volumes.

use barepod_engine::event::ImageFailure;
use barepod_engine::spec::Ahead;
use barepod_engine::spec::PullPolicy::{Always, IfNotPresent, Never};
use barepod_engine::status::{ContainerState, WaitingReason};
use barepod_engine::world::script::{AttemptScript, Latencies};

use crate::pods::*;
use crate::timeline::*;

fn absent(script: AttemptScript) -> AttemptScript {
    AttemptScript { image_absent: true, ..script }
}

/// What is done, without what is said of it.
fn done(run: &Run) -> Vec<String> {
    let lines = run.of(&["image", "pull", "start"]).into_iter().map(|line| line.to_string());
    lines.filter(|line| !line.contains("record")).collect()
}

fn slow() -> Latencies {
    Latencies { image: secs(0.25), pull: secs(2.0), ..Latencies::default() }
}

/// R8.17: a container's volumes come before its own image, and once for the life of the sandbox, whatever the policy. Their
/// events are the pod's.
#[test]
fn volumes_come_first_and_once() {
    let case = always()
        .main("m1", &[absent(ends(1.0, 1)), obeys(0.0)])
        .stored("web:1", IfNotPresent)
        .shows(0, "data:1", Always)
        .shows(2, "more:1", IfNotPresent)
        .latencies(slow());
    let run = run(case, &[stop(15.0)]);
    assert_eq!(
        run.of(&["image", "pull", "Pulling", "Pulled", "start"]),
        [
            "0 m1 pull of volume 0",
            "0 record Pulling pod: Pulling image \"data:1\"",
            "2 m1 image of volume 2",
            "2 record Pulled pod: Successfully pulled image \"data:1\" in 2s (2s including waiting). Image size: 4096 bytes.",
            "2.25 m1 pull of volume 2",
            "2.25 record Pulling pod: Pulling image \"more:1\"",
            "4.25 m1 image",
            "4.25 record Pulled pod: Successfully pulled image \"more:1\" in 2s (2s including waiting). Image size: 4096 bytes.",
            "4.5 m1 pull",
            "4.5 record Pulling m1: Pulling image \"web:1\"",
            "6.5 record Pulled m1: Successfully pulled image \"web:1\" in 2s (2s including waiting). Image size: 4096 bytes.",
            "6.5 m1 start",
            "7.5 m1 image",
            "7.75 record Pulled m1: Container image \"web:1\" already present on machine and can be accessed by the pod",
            "7.75 m1 start",
        ]
    );
}

/// R8.17, R8.14: a container whose volume can't be had waits with the reasons of its own image; others don't.
#[test]
fn who_mounts_it_waits_for_it() {
    let failing = AttemptScript { pull_fails: (1, ImageFailure::Pull), ..absent(obeys(0.0)) };
    let own = always().main("m1", &[failing]).stored("web:1", IfNotPresent).shows(0, "data:1", Always);
    let case = own.main("m2", &[obeys(0.0)]).latencies(slow());
    let mut run = begin(case);
    let waits = |run: &Run| match run.container("m1").state {
        ContainerState::Waiting { reason, message } => (reason, message),
        other => panic!("{other:?}"),
    };
    run.until(2.5);
    assert_eq!(waits(&run), (WaitingReason::ErrImagePull, "scripted".into()));
    assert_eq!(run.times("m2 start"), [2.0]);
    run.until(4.0);
    let backs_off = "Back-off pulling image \"data:1\"";
    assert_eq!(waits(&run), (WaitingReason::ImagePullBackOff, format!("{backs_off}: ErrImagePull: scripted")));
    run.until(20.0);
    assert_eq!(
        run.of(&["Failed", "BackOff"]),
        [
            "2 record Failed pod: Failed to pull image \"data:1\": scripted",
            "2 record Failed m1: Error: ErrImagePull",
            &format!("3 record BackOff pod: {backs_off}"),
            "3 record Failed m1: Error: ImagePullBackOff",
        ]
    );
    assert_eq!((run.times("m1 pull of volume 0"), run.times("m1 start")), (vec![0.0, 12.0], vec![16.25]));
    let never = always().main("m1", &[absent(obeys(0.0))]).shows(0, "data:1", Never);
    let mut run = begin(never);
    run.until(1.0);
    let message = "Container image \"data:1\" is not present with pull policy of Never";
    assert_eq!(waits(&run), (WaitingReason::ErrImageNeverPull, message.into()));
}

/// R8.16, R8.17: two that mount one volume bring it once.
#[test]
fn two_that_mount_it_pull_it_once() {
    let case = always()
        .main("m1", &[absent(obeys(0.0))])
        .stored("own:1", IfNotPresent)
        .shows(0, "data:1", IfNotPresent)
        .main("m2", &[absent(obeys(0.0))])
        .stored("web:1", Always)
        .shows(0, "data:1", IfNotPresent)
        .latencies(slow());
    let run = run(case, &[stop(10.0)]);
    assert_eq!(
        done(&run),
        [
            "0 m1 image of volume 0",
            "0 m2 image of volume 0",
            "0.25 m1 pull of volume 0",
            "2.25 m1 image",
            "2.25 m2 pull",
            "2.5 m1 pull",
            "4.5 m1 start",
            "4.5 m2 start",
        ]
    );
}

/// R8.15, R8.17: while init containers run, a main's volumes come one after the other, then its own image.
#[test]
fn volumes_are_brought_ahead() {
    let case = never()
        .init("i1", &[ends(10.0, 0)])
        .main("m1", &[absent(ends(1.0, 0))])
        .stored("web:1", IfNotPresent)
        .shows(0, "data:1", Always)
        .shows(1, "more:1", IfNotPresent)
        .latencies(slow());
    let run = run(case, &[]);
    assert_eq!(
        done(&run),
        [
            "0 i1 image",
            "0 m1 pull of volume 0",
            "0.25 i1 start",
            "2 m1 image of volume 1",
            "2.25 m1 pull of volume 1",
            "4.25 m1 image",
            "4.5 m1 pull",
            "10.25 m1 image",
            "10.5 m1 start",
        ]
    );
}

/// R8.16, R8.17: that its own image was pulled for another doesn't stand for its volume's.
#[test]
fn an_image_of_another_is_not_that_of_a_volume() {
    let mut case = never()
        .init("i1", &[absent(ends(1.0, 0))])
        .stored("web:1", Always)
        .main("m1", &[ends(1.0, 0)])
        .stored("web:1", Always)
        .shows(0, "data:1", Always)
        .latencies(slow());
    case.spec.ahead = Ahead::No;
    let run = run(case, &[]);
    assert_eq!(done(&run), ["0 i1 pull", "2 i1 start", "3 m1 pull of volume 0", "5 m1 pull", "7 m1 start"]);
}

/// R5.16, R8.17: a pull of a volume ends with the pod.
#[test]
fn what_is_under_way_for_a_volume_ends_with_the_pod() {
    let hangs = AttemptScript { pull_hangs: true, ..absent(obeys(0.0)) };
    let run = run(always().main("m1", &[hangs]).shows(0, "data:1", Always), &[stop_in(5.0, 0.0)]);
    assert_eq!(run.of(&["pull", "kill", "sandbox"])[1..], ["0 m1 pull of volume 0", "5 m1 kill", "5 sandbox remove"]);
}
