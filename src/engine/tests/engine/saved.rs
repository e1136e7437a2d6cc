//! An engine can be saved and loaded at any time between two steps.

use barepod_engine::event::Event;
use barepod_engine::spec::{HookSpec, PullPolicy};
use barepod_engine::world::script::{AttemptScript, Latencies, ProbeScript};

use crate::pods::*;
use crate::timeline::begin;

/// R12.1: an engine that is saved in the middle and loaded again goes on as if nothing had been.
#[test]
fn a_saved_engine_goes_on() {
    let case = || always().init("i1", &[ends(1.0, 0)]).sidecar("s1", &[obeys(1.0)]).main("m1", &[ends(2.0, 1)]);
    let mut kept = begin(case());
    let mut saved = begin(case());
    for at in 0..60 {
        kept.until(f64::from(at));
        saved.until(f64::from(at));
        let text = serde_json::to_string(&saved.simulation.engine).unwrap();
        assert!(text.len() < 16_384, "{} bytes", text.len());
        saved.simulation.engine = serde_json::from_str(&text).unwrap();
    }
    assert_eq!(kept.lines, saved.lines);
    assert_eq!(kept.status(), saved.status());
}

/// R12.1: what a kubelet forgets when it is restarted stays known (kubernetes #137146, #137720): an init that is done isn't run again,
/// nor is a startup probe that has passed; back-off and grace go on.
#[test]
fn what_was_done_stays_done() {
    let case = always()
        .init("i1", &[ends(1.0, 0)])
        .sidecar("s1", &[obeys(1.0)])
        .with(|one| one.startup_probe = Some(probe()))
        .main("m1", &[ends(1.0, 1), ends(1.0, 1), ends(1.0, 1)]);
    let mut run = begin(case);
    for at in [0.5, 1.5, 4.0, 20.0, 40.0] {
        run.until(at);
        let text = serde_json::to_string(&run.simulation.engine).unwrap();
        run.simulation.engine = serde_json::from_str(&text).unwrap();
    }
    run.until(60.0);
    assert_eq!(run.times("i1 start"), [0.0]);
    assert_eq!(run.times("s1 probe startup"), [1.0]);
    // 0, 10 and 20 s after the exits (R4.1).
    assert_eq!(run.times("m1 start"), [1.0, 2.0, 13.0, 34.0]);
    assert_eq!(run.container("m1").restart_count, 3);
}

/// R12.2: at each moment the engine says what it waits for.
#[test]
fn what_is_under_way_is_known() {
    let second = secs(1.0);
    let latencies = Latencies {
        sandbox: second,
        remove_sandbox: second,
        image: second,
        pull: second,
        create: second,
        start: second,
        kill: second,
        remove: second,
    };
    let main = AttemptScript {
        image_absent: true,
        post_start: hook(3.0),
        pre_stop: hook(3.0),
        liveness: ProbeScript { takes: secs(0.5), ..AttemptScript::default().liveness },
        ..stubborn()
    };
    let case = never().main("m1", &[main]).stored("web", PullPolicy::IfNotPresent).with(|one| {
        one.post_start = Some(HookSpec::Handler);
        one.pre_stop = Some(HookSpec::Handler);
        one.liveness_probe = Some(probe());
    });
    let mut run = begin(case.grace(10.0).latencies(latencies));
    for (at, under_way) in [
        (0.5, "sandbox create"),
        (1.5, "m1 image"),
        (2.5, "m1 pull"),
        (3.5, "m1 create"),
        (4.5, "m1 start"),
        (6.0, "m1 hook postStart"),
        (8.2, "m1 probe liveness"),
        (9.5, ""),
    ] {
        run.until(at);
        assert_eq!(run.under_way().join(", "), under_way, "at {at}");
    }
    run.until(10.0);
    run.tell(&Event::Stop { grace: None });
    for (at, under_way) in [
        (12.0, "m1 hook preStop"),
        // Its stop signal was sent.
        (14.0, ""),
        (20.5, "m1 kill"),
        (21.5, "m1 remove"),
        (22.5, "sandbox remove"),
        (30.0, ""),
    ] {
        run.until(at);
        assert_eq!(run.under_way().join(", "), under_way, "at {at}");
    }
}

/// R12.2: what is to be killed is still to be killed, whatever it was at.
#[test]
fn what_was_killed_is_killed_again() {
    for (at, under_way) in [(0.5, "m1 image, m1 kill"), (1.5, "m1 create, m1 kill"), (2.5, "m1 start, m1 kill")] {
        let second = secs(1.0);
        let latencies = Latencies { image: second, create: second, start: second, ..Latencies::default() };
        let mut run = begin(never().main("m1", &[stubborn()]).latencies(latencies));
        run.until(at);
        run.tell(&Event::Kill);
        assert_eq!(run.under_way().join(", "), under_way, "at {at}");
    }
}
