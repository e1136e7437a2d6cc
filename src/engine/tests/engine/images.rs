//! R8.4, R4.5: images that can't be had, and those that no container can be made of.

use barepod_engine::event::ImageFailure;
use barepod_engine::status::{ContainerState, WaitingReason};
use barepod_engine::world::script::{AttemptScript, Latencies};

use crate::pods::*;
use crate::timeline::*;

fn reason(run: &Run) -> WaitingReason {
    match run.container("m1").state {
        ContainerState::Waiting { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// What is there and no good is found out as by the kubelet's runtimes, when the container is made: it is pulled, it is
/// CreateContainerError, and it is looked for again after the delay of a creation that failed, not of a pull.
#[test]
fn an_unusable_image_is_a_creation_that_fails() {
    let unusable = AttemptScript { image_unusable: 3, ..ends(1.0, 0) };
    let mut run = begin(never().main("m1", &[unusable]));
    run.until(5.0);
    assert_eq!(reason(&run), WaitingReason::CreateContainerError);
    assert_eq!(run.container("m1").image_id.as_deref(), Some("world"));
    assert_eq!(
        run.of(&["record"]),
        [
            "0 record Pulled m1: Container image \"world\" already present on machine and can be accessed by the pod",
            "0 record Failed m1: Error: scripted",
        ]
    );
    run.until(100.0);
    assert_eq!(run.times("m1 image"), [0.0, 10.0, 20.0, 30.0]);
    assert_eq!(run.times("m1 create"), [30.0]);
    assert_eq!(run.finish(), Some("31 finish 0"));
}

/// R4.7, R8.6: what is found when nobody wants it any more is no news.
#[test]
fn an_unusable_image_that_nobody_wants() {
    let case = never().main("m1", &[AttemptScript { image_unusable: 1, ..ends(1.0, 0) }]);
    let slow = Latencies { image: secs(3.0), ..Latencies::default() };
    let done = run(case.latencies(slow), &[stop(1.0)]);
    assert!(!done.lines.iter().any(|line| line.contains("record Failed")), "{:?}", done.lines);
    assert_eq!((done.times("m1 image"), done.finish()), (vec![0.0], Some("3 finish 1")));
}

/// A pull's back-off is over once something was found.
#[test]
fn an_unusable_image_ends_the_back_off_of_pulls() {
    let both = AttemptScript { image_fails: (2, ImageFailure::Pull), image_unusable: 1, ..ends(1.0, 0) };
    let run = run(never().main("m1", &[both]), &[]);
    assert_eq!(run.times("m1 image"), [0.0, 10.0, 30.0, 40.0]);
}
