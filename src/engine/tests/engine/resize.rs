//! KEP-1287: changed resources, in place and by a restart.

use barepod_engine::ResizeRefusal;
use barepod_engine::event::{CreateFailure, Event, ResizePolicy, ResizeWay};
use barepod_engine::spec::{ContainerIndex, HookSpec, ProbeSpec, RestartPolicy};
use barepod_engine::status::{ConditionKind, ContainerState};
use barepod_engine::world::script::{AttemptScript, Latencies, ProbeScript};

use crate::pods::*;
use crate::timeline::*;

const FIRST: ContainerIndex = ContainerIndex(0);

fn resized(container: u16, way: ResizeWay) -> Event {
    Event::Resized { container: ContainerIndex(container), way, summary: "{}".to_owned() }
}

fn in_progress(run: &Run) -> bool {
    run.status().conditions.iter().any(|one| one.kind == ConditionKind::PodResizeInProgress && one.status)
}

#[test]
fn in_place_nothing_happens_to_the_container() {
    let mut run = begin(always().main("m1", &[obeys(0.0)]));
    run.until(5.0);
    let engine = &run.simulation.engine;
    assert_eq!(engine.resize_way(FIRST, ResizePolicy::NotRequired), Ok(ResizeWay::InPlace));
    let lines = run.lines.len();
    run.tell(&resized(0, ResizeWay::InPlace));
    assert_eq!(
        run.lines[lines..],
        ["5 record ResizeStarted m1: Pod resize started: {}", "5 record ResizeCompleted m1: Pod resize completed: {}"]
    );
    assert!(!in_progress(&run));
}

/// By R5.2 (hook, stop signal, grace), and at once, whatever the policy and the back-off say.
#[test]
fn a_restart_is_graceful_immediate_and_no_reason_to_back_off() {
    for policy in [RestartPolicy::Always, RestartPolicy::OnFailure] {
        let mut run = begin(pod(policy).main("m1", &[obeys(1.0)]));
        for round in 1..=4 {
            run.until(f64::from(round) * 5.0);
            let engine = &run.simulation.engine;
            assert_eq!(engine.resize_way(FIRST, ResizePolicy::RestartContainer), Ok(ResizeWay::Restart));
            run.tell(&resized(0, ResizeWay::Restart));
            assert!(in_progress(&run));
        }
        run.until(22.0);
        assert_eq!(run.times("m1 signal 15"), [5.0, 10.0, 15.0, 20.0]);
        assert_eq!(run.times("m1 start"), [0.0, 6.0, 11.0, 16.0, 21.0]);
        assert_eq!(run.container("m1").restart_count, 4);
        assert!(!in_progress(&run));
        let records = run.of(&["5", "6"]);
        assert!(records.contains(&"5 record Killing m1: Container m1 resize requires restart"), "{records:?}");
        assert!(records.contains(&"6 record ResizeCompleted m1: Pod resize completed: {}"), "{records:?}");
        assert_eq!(run.of(&["BackOff"]), [""; 0]);
    }
}

/// While it stops for its resources the pod is deleted: nothing starts again, and nothing is in progress.
#[test]
fn deletion_wins_over_a_restart() {
    let mut run = begin(always().main("m1", &[obeys(3.0)]));
    run.until(5.0);
    run.tell(&resized(0, ResizeWay::Restart));
    run.until(6.0);
    run.tell(&Event::Stop { grace: None });
    assert!(!in_progress(&run));
    let way = run.simulation.engine.resize_way(FIRST, ResizePolicy::NotRequired);
    assert_eq!(way, Err(ResizeRefusal::PodEnds));
    run.until(60.0);
    assert_eq!(run.times("m1 start"), [0.0]);
    assert_eq!(run.finish(), Some("8 finish 143"));
    run.tell(&resized(0, ResizeWay::Restart));
    assert_eq!(run.finish(), run.lines.last().map(String::as_str));
}

/// A sidecar's restart takes no turn and disturbs no main (R2.6).
#[test]
fn a_sidecar_restarts_for_itself() {
    let mut run = begin(never().sidecar("s1", &[obeys(1.0)]).main("m1", &[ends(20.0, 0)]));
    run.until(5.0);
    run.tell(&resized(0, ResizeWay::Restart));
    run.until(60.0);
    assert_eq!(run.times("s1 start"), [0.0, 6.0]);
    assert_eq!(run.times("m1 start"), [0.0]);
    assert_eq!(run.finish(), Some("21 finish 0"));
}

#[test]
fn what_does_not_run_gets_its_resources_with_the_next_instance() {
    let mut run = begin(always().init("i1", &[ends(2.0, 0)]).main("m1", &[ends(1.0, 1)]));
    let main = ContainerIndex(1);
    run.until(1.0);
    let engine = &run.simulation.engine;
    assert_eq!(engine.resize_way(FIRST, ResizePolicy::NotRequired), Err(ResizeRefusal::Init));
    assert_eq!(engine.resize_way(main, ResizePolicy::RestartContainer), Ok(ResizeWay::NextInstance));
    run.until(6.0);
    assert!(matches!(run.container("m1").state, ContainerState::Waiting { .. }), "it backs off");
    run.tell(&resized(1, ResizeWay::NextInstance));
    assert!(!in_progress(&run));
    run.until(15.0);
    assert_eq!(run.times("m1 start"), [2.0, 3.0, 14.0]);
}

/// One that is being ended for something else goes on doing so, by that one's grace and rules.
#[test]
fn a_restart_joins_an_end_that_is_under_way() {
    let sick = AttemptScript {
        liveness: ProbeScript { good_until: Some(secs(5.0)), ..AttemptScript::default().liveness },
        pre_stop: hook(3.0),
        ..stubborn()
    };
    let case = |policy| {
        always()
            .main("m1", &[sick, obeys(0.0)])
            .with(|m| {
                m.restart_policy = policy;
                m.pre_stop = Some(HookSpec::Handler);
                m.liveness_probe = Some(ProbeSpec { failure_threshold: 1, grace_period: Some(secs(4.0)), ..probe() });
            })
            .main("m2", &[obeys(0.0)])
    };
    let mut run = begin(case(None));
    run.until(11.0);
    run.tell(&resized(0, ResizeWay::Restart));
    assert!(in_progress(&run));
    run.until(60.0);
    assert_eq!(
        run.of(&["hook", "signal", "kill", "start"])[2..],
        ["10 m1 hook preStop", "13 m1 signal 15", "15 m1 kill", "15 m1 start"]
    );
    assert!(!in_progress(&run));
    // R3.5: not where that never starts again; then nothing is in progress either.
    let mut run = begin(case(Some(RestartPolicy::Never)));
    run.until(11.0);
    run.tell(&resized(0, ResizeWay::Restart));
    run.until(60.0);
    assert_eq!(run.times("m1 start"), [0.0]);
    assert!(!in_progress(&run));
}

/// An instance that is being made has the old amounts: they are made up for before it starts.
#[test]
fn what_is_resized_while_it_is_created_gets_its_limits_before_it_starts() {
    for (at, written) in [(0.5, false), (1.5, true), (2.5, false)] {
        let slow = Latencies { image: secs(1.0), create: secs(1.0), start: secs(1.0), ..Latencies::default() };
        let mut run = begin(always().main("m1", &[obeys(0.0)]).latencies(slow));
        run.until(at);
        assert_eq!(run.simulation.engine.resize_way(FIRST, ResizePolicy::NotRequired), Ok(ResizeWay::InPlace));
        run.tell(&resized(0, ResizeWay::InPlace));
        run.until(10.0);
        let lines: &[&str] = if written { &["2 limits m1", "2 m1 start"] } else { &["2 m1 start"] };
        assert_eq!(run.of(&["limits", "start"]), lines, "resized at {at}");
    }
}

/// A creation that fails is made anew, with the new amounts.
#[test]
fn a_creation_that_failed_leaves_no_limits_to_be_made_up_for() {
    let slow = Latencies { create: secs(1.0), ..Latencies::default() };
    let fails = AttemptScript { create_fails: (1, CreateFailure::Create), ..obeys(0.0) };
    let mut run = begin(always().main("m1", &[fails]).latencies(slow));
    run.until(0.5);
    run.tell(&resized(0, ResizeWay::InPlace));
    run.until(20.0);
    assert_eq!(run.of(&["limits", "start"]), ["12 m1 start"]);
}

/// The pod has room for the old instance until that is gone, and shrinks before the next one is made; once.
#[test]
fn the_pod_shrinks_between_the_instances() {
    let mut run = begin(always().main("m1", &[obeys(2.0), ends(1.0, 1)]).main("m2", &[obeys(0.0)]));
    run.until(5.0);
    run.tell(&resized(0, ResizeWay::Restart));
    run.until(8.0);
    assert_eq!(
        run.of(&["limits", "create", "exited"]).into_iter().filter(|line| !line.contains("m2")).collect::<Vec<_>>(),
        [
            "0 sandbox create",
            "0 m1 create",
            "7 m1 exited 143",
            "7 limits pod",
            "7 m1 create",
            "8 m1 exited 1",
            "8 m1 create"
        ]
    );
}
