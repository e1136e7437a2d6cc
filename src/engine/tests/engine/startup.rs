//! R2: who starts after whom.

use barepod_engine::event::{CreateFailure, Event, ImageFailure};
use barepod_engine::spec::HookSpec;
use barepod_engine::status::{ContainerState, Phase, PodReason, WaitingReason};
use barepod_engine::world::script::{AttemptScript, Latencies, ProbeScript, StartScript};

use crate::pods::*;
use crate::timeline::*;

/// R2.1, R2.2, R2.3, R5.3: the whole order of a plain pod.
#[test]
fn inits_one_by_one_then_mains_together() {
    let case = never()
        .init("i1", &[ends(1.0, 0)])
        .sidecar("s1", &[obeys(0.5)])
        .init("i2", &[ends(1.0, 0)])
        .main("m1", &[ends(2.0, 0)])
        .main("m2", &[ends(1.0, 0)]);
    let run = run(case, &[]);
    assert_eq!(
        run.main_lines(),
        [
            "0 i1 start",
            "1 i1 exited 0",
            "1 s1 start",
            "1 i2 start",
            "2 i2 exited 0",
            "2 m1 start",
            "2 m2 start",
            "3 m2 exited 0",
            "4 m1 exited 0",
            "4 s1 signal 15",
            "4.5 s1 exited 143",
            "4.5 finish 0",
        ]
    );
    assert_eq!(run.status().phase, Phase::Succeeded);
}

/// R2.1: the next init's image is asked for in the very step that hears of the exit, before the removal.
#[test]
fn the_next_init_does_not_wait_for_the_removal() {
    let latencies = Latencies { remove: secs(3.0), ..Latencies::default() };
    let case = never().init("i1", &[ends(1.0, 0)]).init("i2", &[ends(1.0, 0)]).main("m1", &[ends(0.0, 0)]);
    let run = run(case.latencies(latencies), &[]);
    let at = |line: &str| run.lines.iter().position(|other| other == line).unwrap();
    assert!(at("1 i2 image") < at("1 i1 remove"));
    assert_eq!(run.times("i2 start"), [1.0]);
}

/// R2.1: an entry is not even created before the one in front of it is done.
#[test]
fn nothing_is_made_ahead() {
    let latencies = Latencies { create: secs(1.0), ..Latencies::default() };
    let case = never().init("i1", &[ends(5.0, 0)]).sidecar("s1", &[obeys(0.0)]).main("m1", &[ends(1.0, 0)]);
    let run = run(case.latencies(latencies), &[]);
    let asked: Vec<&str> = run.of(&["image"]).into_iter().filter(|line| line.ends_with(" image")).collect();
    assert_eq!(asked, ["0 i1 image", "6 s1 image", "7 m1 image"]);
}

/// R2.3: a sidecar is done when its postStart is over and its startupProbe has succeeded.
#[test]
fn a_sidecar_is_done_when_started() {
    let slow = AttemptScript {
        post_start: hook(3.0),
        startup: ProbeScript { good_from: secs(15.0), ..AttemptScript::default().startup },
        ..obeys(0.0)
    };
    let case = never()
        .sidecar("s1", &[slow])
        .with(|s| {
            s.post_start = Some(HookSpec::Handler);
            s.startup_probe = Some(probe());
            s.readiness_probe = Some(probe());
        })
        .main("m1", &[ends(1.0, 0)]);
    let run = run(case, &[]);
    // Probed at 3, 13 and 23 s, after the hook.
    assert_eq!(run.times("s1 probe startup"), [3.0, 13.0, 23.0]);
    assert_eq!(run.times("m1 start"), [23.0]);
}

/// R2.3: readiness plays no part.
#[test]
fn readiness_gates_nobody() {
    let unready = AttemptScript {
        readiness: ProbeScript { good_from: secs(900.0), ..AttemptScript::default().readiness },
        ..obeys(0.0)
    };
    let case = never().sidecar("s1", &[unready]).with(|s| s.readiness_probe = Some(probe()));
    assert_eq!(run(case.main("m1", &[ends(1.0, 0)]), &[]).times("m1 start"), [0.0]);
}

/// R2.4: a main's postStart delays the mains behind it, all of which exist by then.
#[test]
fn post_start_of_a_main_delays_the_next() {
    let latencies = Latencies { create: secs(1.0), ..Latencies::default() };
    let case = never()
        .main("m1", &[AttemptScript { post_start: hook(4.0), ..ends(9.0, 0) }])
        .with(|m| m.post_start = Some(HookSpec::Handler))
        .main("m2", &[ends(1.0, 0)])
        .with(|m| m.post_start = Some(HookSpec::Sleep(secs(2.0))))
        .main("m3", &[ends(1.0, 0)]);
    let run = run(case.latencies(latencies), &[]);
    assert_eq!(
        run.of(&["create", "start"]),
        ["0 sandbox create", "0 m1 create", "0 m2 create", "0 m3 create", "1 m1 start", "5 m2 start", "6 m3 start",]
    );
}

/// R2.4: a main that can't start, or can't be had, holds up nobody.
#[test]
fn a_main_that_fails_holds_up_nobody() {
    for broken in [
        AttemptScript { start: StartScript::Fails, ..ends(1.0, 0) },
        AttemptScript { create_fails: (9, CreateFailure::Config), ..ends(1.0, 0) },
        AttemptScript { image_fails: (9, ImageFailure::Pull), ..ends(1.0, 0) },
        ends(0.0, 1),
    ] {
        let run = run(always().main("m1", &[broken]).main("m2", &[obeys(0.0)]), &[stop(50.0)]);
        assert_eq!(run.times("m2 start"), [0.0]);
    }
}

/// R2.4: mains start in their order even where a later one is made sooner.
#[test]
fn mains_start_in_order() {
    let slow = AttemptScript { image_fails: (1, ImageFailure::Pull), ..ends(1.0, 0) };
    let case = never().main("m1", &[ends(1.0, 0)]).main("m2", &[slow]).main("m3", &[ends(1.0, 0)]);
    assert_eq!(run(case, &[]).of(&["start"]), ["0 m1 start", "0 m3 start", "10 m2 start"]);
}

/// R2.5, R3.4: a sidecar that was started is restarted while an init is retried.
#[test]
fn sidecars_live_on_while_an_init_is_retried() {
    let case = on_failure()
        .sidecar("s1", &[ends(3.0, 0), obeys(0.0)])
        .init("i1", &[ends(1.0, 1), ends(1.0, 1), ends(1.0, 0)])
        .main("m1", &[ends(1.0, 0)]);
    let run = run(case, &[]);
    assert_eq!(run.times("s1 start"), [0.0, 3.0]);
    assert_eq!(run.times("i1 start"), [0.0, 1.0, 12.0]);
    assert_eq!(run.times("m1 start"), [13.0]);
    assert_eq!(run.container("i1").restart_count, 2);
}

/// R2.5: a sidecar that dies before it was started blocks.
#[test]
fn a_sidecar_that_was_never_started_blocks() {
    let dies = AttemptScript {
        startup: ProbeScript { good_from: secs(900.0), ..AttemptScript::default().startup },
        ..ends(2.0, 0)
    };
    let case = never()
        .sidecar("s1", &[dies, dies, obeys(0.0)])
        .with(|s| s.startup_probe = Some(probe()))
        .main("m1", &[ends(1.0, 0)]);
    assert_eq!(run(case, &[]).times("m1 start"), [14.0]);
}

/// R2.6: a sidecar that was done once never gates again.
#[test]
fn a_sidecar_gates_once() {
    let unstarted = AttemptScript {
        startup: ProbeScript { good_from: secs(900.0), ..AttemptScript::default().startup },
        ..obeys(0.0)
    };
    let case = always()
        .sidecar("s1", &[ends(3.0, 1), unstarted])
        .with(|s| s.startup_probe = Some(probe()))
        .main("m1", &[ends(5.0, 1)]);
    assert_eq!(run(case, &[stop(40.0)]).times("m1 start"), [0.0, 5.0, 20.0]);
}

/// R2.8: nothing is started once deletion was requested, however far its making is.
#[test]
fn nothing_starts_after_deletion() {
    let latencies = Latencies { image: secs(1.0), create: secs(1.0), sandbox: secs(1.0), ..Latencies::default() };
    for at in [0.5, 1.5, 2.5] {
        let run = run(never().main("m1", &[ends(1.0, 0)]).latencies(latencies), &[stop(at)]);
        assert_eq!(run.of(&["start"]), [""; 0]);
        assert_eq!(run.status().phase, Phase::Failed);
        assert!(matches!(
            run.container("m1").state,
            ContainerState::Waiting { reason: WaitingReason::ContainerCreating, .. }
        ));
        assert_eq!(run.times("finish 1").len(), 1, "{:?}", run.lines);
    }
}

/// R4.5, R8.4: what leaves no exited instance is tried again every 10 s; images with a back-off of their own.
#[test]
fn what_cannot_be_made_is_tried_again() {
    let case = never().main("m1", &[AttemptScript { create_fails: (3, CreateFailure::Config), ..ends(1.0, 0) }]);
    assert_eq!(run(case, &[]).times("m1 create"), [0.0, 10.0, 20.0, 30.0]);
    let case = never().main("m1", &[AttemptScript { image_fails: (7, ImageFailure::Pull), ..ends(1.0, 0) }]);
    let mut run = begin(case);
    run.until(5.0);
    let reason = |run: &Run| match run.container("m1").state {
        ContainerState::Waiting { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&run), WaitingReason::ErrImagePull);
    run.until(15.0);
    assert_eq!(reason(&run), WaitingReason::ImagePullBackOff);
    run.until(3000.0);
    assert_eq!(run.times("m1 image"), [0.0, 10.0, 30.0, 70.0, 150.0, 310.0, 610.0, 910.0]);
    // Ours: the retry follows a back-off that was set lower.
    let mut case = never().main("m1", &[AttemptScript { create_fails: (1, CreateFailure::Run), ..ends(1.0, 0) }]);
    case.spec.backoff.max = secs(2.0);
    assert_eq!(crate::timeline::run(case, &[]).times("m1 create"), [0.0, 2.0]);
}

/// The sandbox is tried again; a process that dies before its start is made again, not in a hot loop.
#[test]
fn sandboxes_and_stillborn_containers_are_made_again() {
    let mut case = never().main("m1", &[ends(1.0, 0)]);
    case.script.sandbox_failures = 2;
    let done = run(case, &[]);
    assert_eq!(done.times("sandbox create"), [0.0, 10.0, 20.0]);
    assert_eq!(done.finish(), Some("21 finish 0"));
    let stillborn = AttemptScript { dies_unstarted: Some(secs(1.0)), ..ends(1.0, 0) };
    let case = never()
        .main("m1", &[AttemptScript { post_start: hook(25.0), ..obeys(0.0) }])
        .with(|m| m.post_start = Some(HookSpec::Handler))
        .main("m2", &[stillborn]);
    let run = run(case, &[stop(40.0)]);
    assert_eq!(run.times("m2 create"), [0.0, 11.0, 22.0, 33.0]);
    assert_eq!(run.container("m2").restart_count, 0);
}

/// R4.8: whoever asks for a network has it from the start or no pod; later on it is tried again like any sandbox.
#[test]
fn a_network_that_must_be_there() {
    let mut case = never().main("m1", &[ends(1.0, 0)]);
    case.script.no_network_at = Some(0);
    let given_up = run(case.clone(), &[]);
    assert_eq!(given_up.lines, ["0 sandbox create", "0 give up"]);
    assert_eq!(given_up.status().phase, Phase::Failed);
    // A sandbox that failed for something else is none.
    (case.script.sandbox_failures, case.script.no_network_at) = (1, Some(1));
    assert_eq!(run(case, &[]).lines[2..], ["10 sandbox create", "10 give up"]);
    let mut case = always().main("m1", &[obeys(0.0)]);
    case.script.no_network_at = Some(1);
    let mut again = begin(case);
    again.until(1.0);
    again.tell(&Event::SandboxLost);
    again.until(100.0);
    assert_eq!(again.times("sandbox create"), [0.0, 1.0, 11.0]);
    let said = "1 record FailedCreatePodSandBox pod: Failed to create pod sandbox: scripted";
    assert!(again.lines.iter().any(|line| line == said), "{:#?}", again.lines);
    assert_eq!(again.times("m1 start"), [0.0, 11.0]);
}

/// The kubelet's admission: a pod that can't be run here fails at once, and nothing of it is made.
#[test]
fn a_rejected_pod_fails_before_anything_is_made() {
    let mut run = unbegun(always().init("i1", &[ends(1.0, 0)]).main("m1", &[obeys(0.0)]));
    run.tell(&Event::Rejected { message: "no room".into() });
    run.tell(&Event::Begin);
    run.until(100.0);
    assert_eq!(run.lines, ["0 record UnexpectedAdmissionError pod: no room", "0 finish 1"]);
    let status = run.status();
    assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::UnexpectedAdmissionError)));
    assert_eq!(status.message, "Pod was rejected: no room");
    assert!(matches!(run.container("m1").state, ContainerState::Waiting { .. }));
}
