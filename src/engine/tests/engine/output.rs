//! When what containers print may wait for a reader: not while one of them is told to stop.

use barepod_engine::event::{Event, ResizeWay};
use barepod_engine::spec::{ContainerIndex, HookSpec, ProbeSpec};
use barepod_engine::world::script::{AttemptScript, ProbeScript};

use crate::pods::*;
use crate::timeline::*;

/// When it may, and when not, looked at at each of these seconds.
fn may_wait(run: &mut Run, seconds: &[f64]) -> Vec<bool> {
    let look = |at: &f64| {
        run.until(*at);
        run.simulation.engine.output_may_wait()
    };
    seconds.iter().map(look).collect()
}

#[test]
fn output_may_wait_until_a_container_is_told_to_stop() {
    let mut run = begin(never().main("m1", &[obeys(3.0)]).main("m2", &[ends(100.0, 0)]));
    assert_eq!(may_wait(&mut run, &[0.0, 5.0]), [true, true]);
    run.tell(&Event::Stop { grace: None });
    // m2 obeys at once.
    assert_eq!(may_wait(&mut run, &[5.0, 7.0, 8.0]), [false, false, true]);
}

/// It may have something to say in its preStop hook already.
#[test]
fn output_does_not_wait_during_a_pre_stop_hook() {
    let case = never().main("m1", &[AttemptScript { pre_stop: hook(2.0), ..obeys(0.0) }]);
    let mut run = begin(case.with(|m| m.pre_stop = Some(HookSpec::Handler)));
    run.until(1.0);
    run.tell(&Event::Stop { grace: None });
    assert_eq!(may_wait(&mut run, &[2.0, 3.0]), [false, true]);
}

/// Whatever it is stopped for; the next instance's may wait again.
#[test]
fn output_does_not_wait_for_whatever_reason_a_container_stops() {
    let bad = ProbeScript { good_until: Some(secs(0.0)), ..AttemptScript::default().liveness };
    let case = always().main("m1", &[AttemptScript { liveness: bad, ..obeys(4.0) }, obeys(0.0)]);
    let mut run = begin(case.with(|m| m.liveness_probe = Some(ProbeSpec { failure_threshold: 1, ..probe() })));
    assert_eq!(may_wait(&mut run, &[0.0, 3.0, 4.0]), [false, false, true]);
    let mut run = begin(always().main("m1", &[obeys(4.0)]));
    run.until(1.0);
    let container = ContainerIndex(0);
    run.tell(&Event::Resized { container, way: ResizeWay::Restart, summary: String::new() });
    assert_eq!(may_wait(&mut run, &[1.0, 4.0, 5.0]), [false, false, true]);
}
