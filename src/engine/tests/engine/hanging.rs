//! R5.16: what hangs while the pod ends.

use barepod_engine::world::script::{AttemptScript, Latencies, StartScript};

use crate::pods::*;
use crate::timeline::*;

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

/// R5.7, I8: one SIGKILL for a container that is being started, however often it is asked for, and one more when it has
/// been: the first may have come too early.
#[test]
fn forced_twice_while_starting() {
    let latencies = Latencies { start: secs(5.0), kill: secs(10.0), ..Latencies::default() };
    let case = never().main("m1", &[stubborn()]).latencies(latencies);
    let run = run(case, &[From::Kill(1.0), From::Kill(2.0)]);
    assert_eq!(run.times("m1 kill"), [1.0, 5.0]);
}
