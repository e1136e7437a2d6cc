//! Ephemeral containers: R2.9, R3.11, R5.21, R8.11.

use barepod_engine::event::{Event, ImageFailure, RestartOf};
use barepod_engine::spec::{ContainerIndex, FailFast, Kind, RestartRuleAction};
use barepod_engine::status::{ConditionKind, ContainerState, Phase, WaitingReason};
use barepod_engine::world::script::{AttemptScript, ContainerScript, Latencies};
use barepod_engine::{EphemeralRefusal, ResizeRefusal, RestartRefusal};

use crate::pods::*;
use crate::timeline::*;

/// What the ephemeral containers that are added to it do, one after the other.
fn with(mut case: Case, attempts: &[AttemptScript]) -> Case {
    case.script
        .containers
        .extend(attempts.iter().map(|&attempt| ContainerScript { attempts: vec![attempt], image: None }));
    case
}

/// R2.9: whatever the others are at, and behind all of them.
#[test]
fn it_starts_beside_an_init_that_runs_and_holds_up_nobody() {
    let case = never().init("i1", &[ends(10.0, 0)]).sidecar("s1", &[obeys(0.0)]).main("m1", &[obeys(0.0)]);
    let mut run = begin(with(case, &[obeys(0.0)]));
    run.until(2.0);
    assert_eq!(run.simulation.engine.takes_ephemeral("e1"), Ok(ContainerIndex(3)));
    run.add("e1");
    run.until(20.0);
    assert_eq!(run.main_lines()[..4], ["0 i1 start", "2 e1 start", "10 i1 exited 0", "10 s1 start"]);
    assert_eq!(run.times("m1 start"), [10.0]);
    for reason in ["Pulled", "Created", "Started"] {
        assert!(run.lines.iter().any(|line| line.starts_with(&format!("2 record {reason} e1: "))), "{reason}");
    }
    assert_eq!(run.status().containers[3].kind, Kind::Ephemeral);
}

/// R2.9: without a sandbox it waits for one.
#[test]
fn it_waits_for_the_sandbox() {
    let case = never().main("m1", &[obeys(0.0)]).latencies(Latencies { sandbox: secs(5.0), ..Latencies::default() });
    let mut run = begin(with(case, &[]));
    run.until(1.0);
    run.add("e1");
    run.until(20.0);
    assert_eq!(run.times("e1 start"), [5.0]);
}

/// R1.1, R2.8: names are unique over all kinds, and a pod that ends or has ended takes none.
#[test]
fn what_is_refused_changes_nothing() {
    let mut run = begin(with(always().init("i1", &[ends(0.0, 0)]).main("m1", &[obeys(5.0)]), &[]));
    run.until(1.0);
    run.add("e1");
    let engine = |run: &Run, name| run.simulation.engine.takes_ephemeral(name);
    for (at, name) in [(0, "i1"), (1, "m1"), (2, "e1")] {
        assert_eq!(engine(&run, name), Err(EphemeralRefusal::NameTaken(ContainerIndex(at))));
        run.add(name);
        assert_eq!(run.status().containers.len(), 3, "{name}");
    }
    run.tell(&Event::Stop { grace: None });
    for until in [2.0, 60.0] {
        assert_eq!(engine(&run, "e2"), Err(EphemeralRefusal::PodEnds));
        run.add("e2");
        assert_eq!(run.status().containers.len(), 3);
        run.until(until);
    }
    assert!(run.finish().is_some());
}

/// R3.11: it runs once, whatever the pod's policy, and nobody restarts it or gives it other resources.
#[test]
fn it_runs_once() {
    let mut run = begin(with(always().main("m1", &[obeys(0.0)]), &[ends(2.0, 3), AttemptScript::default()]));
    run.until(1.0);
    run.add("e1");
    run.until(100.0);
    assert_eq!(run.times("e1 start"), [1.0]);
    let ended = run.container("e1");
    assert!(matches!(&ended.state, ContainerState::Terminated(ended) if ended.exit_code == 3), "{ended:?}");
    assert_eq!(ended.restart_count, 0);
    let (engine, one) = (&run.simulation.engine, ContainerIndex(1));
    assert_eq!(engine.restart_brings(RestartOf::Container(one)), Err(RestartRefusal::Ephemeral));
    assert_eq!(engine.change_brings(one), Err(RestartRefusal::Ephemeral));
    let policy = barepod_engine::event::ResizePolicy::NotRequired;
    assert_eq!(engine.resize_way(one, policy), Err(ResizeRefusal::Ephemeral));
    assert!(!engine.restart_brings(RestartOf::Pod).unwrap().iter().any(|(index, _)| *index == one));
    run.tell(&Event::Restart { of: RestartOf::Container(one), grace: None });
    run.until(200.0);
    assert_eq!(run.times("e1 start").len(), 1);
    assert_eq!(run.status().phase, Phase::Running, "R5.21: its exit code is nobody's");
}

/// R4.5: what can't be made is tried again, and nothing of the pod is different for it.
#[test]
fn an_image_that_is_missing_is_tried_again() {
    let missing = AttemptScript { image_fails: (2, ImageFailure::Pull), ..obeys(0.0) };
    let mut case = always().main("m1", &[obeys(0.0)]);
    case.spec.fail_fast = FailFast::Yes;
    let mut run = begin(with(case, &[missing]));
    run.until(1.0);
    run.add("e1");
    let reason = |run: &Run| match run.container("e1").state {
        ContainerState::Waiting { reason, .. } => Some(reason),
        ContainerState::Running { .. } | ContainerState::Terminated(_) => None,
    };
    run.until(2.0);
    assert_eq!(reason(&run), Some(WaitingReason::ErrImagePull));
    run.until(12.0);
    assert_eq!(reason(&run), Some(WaitingReason::ImagePullBackOff));
    assert!(run.condition(ConditionKind::Ready).status, "R8.11");
    run.until(60.0);
    assert_eq!(run.times("e1 start"), [31.0]);
    assert_eq!(run.status().phase, Phase::Running, "R5.21: --fail-fast doesn't look at it");
}

/// R5.21: when the mains have ended the pod ends though it runs, and it is told to stop at once.
#[test]
fn a_pod_does_not_wait_for_it() {
    let case = never().sidecar("s1", &[obeys(1.0)]).main("m1", &[ends(10.0, 0)]);
    let mut run = begin(with(case, &[obeys(3.0), ends(1.0, 7)]));
    run.until(1.0);
    run.add("e1");
    run.add("e2");
    run.until(60.0);
    let ends = run.main_lines().into_iter().filter(|line| line.starts_with('1')).collect::<Vec<_>>();
    let expected = [
        "1 e1 start",
        "1 e2 start",
        "10 m1 exited 0",
        "10 e1 signal 15",
        "10 s1 signal 15",
        "11 s1 exited 143",
        "13 e1 exited 143",
        "13 finish 0",
    ];
    assert_eq!(ends, expected);
    assert_eq!(run.status().phase, Phase::Succeeded, "R5.21");
}

/// R5.21: it is stopped with the mains, by the pod's grace, and no sidecar waits for it.
#[test]
fn deletion_stops_it_with_the_mains() {
    let case = always().sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys(2.0)]).grace(10.0);
    let mut run = begin(with(case, &[stubborn()]));
    run.until(1.0);
    run.add("e1");
    run.until(5.0);
    run.tell(&Event::Stop { grace: None });
    run.until(60.0);
    let mut first = run.main_lines().into_iter().filter(|line| line.starts_with("5 ")).collect::<Vec<_>>();
    first.sort_unstable();
    assert_eq!(first, ["5 e1 signal 15", "5 m1 signal 15"]);
    assert_eq!(run.times("s1 signal 15"), [7.0]);
    assert_eq!(run.times("e1 kill"), [15.0]);
    assert!(run.finish().is_some_and(|line| line.starts_with("15 ")), "{:?}", run.finish());
}

/// R3.11: a restart of all containers, by rule or on request, is none of its business.
#[test]
fn it_outlives_restarts_of_all_others() {
    let all = |main: &mut barepod_engine::spec::ContainerSpec| {
        main.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])];
    };
    let case = always().init("i1", &[ends(0.0, 0)]).main("m1", &[ends(5.0, 88), obeys(1.0)]).with(all);
    let mut run = begin(with(case, &[obeys(0.0)]));
    run.until(1.0);
    run.add("e1");
    run.until(20.0);
    assert_eq!(run.times("i1 start").len(), 2);
    run.tell(&Event::Restart { of: RestartOf::Pod, grace: None });
    run.until(40.0);
    assert_eq!(run.times("m1 start").len(), 3);
    assert_eq!(run.of(&["e1"]).into_iter().filter(|line| line.contains("signal") || line.contains("kill")).count(), 0);
    assert!(matches!(run.container("e1").state, ContainerState::Running { .. }));
}

/// R3.11: one that is added while all others are being stopped for a restart starts meanwhile.
#[test]
fn it_starts_in_the_middle_of_a_restart() {
    let mut run = begin(with(always().main("m1", &[obeys(5.0)]), &[obeys(0.0)]));
    run.until(1.0);
    run.tell(&Event::Restart { of: RestartOf::Pod, grace: None });
    run.until(2.0);
    run.add("e1");
    run.until(20.0);
    assert_eq!((run.times("e1 start"), run.times("m1 start")), (vec![2.0], vec![0.0, 6.0]));
}

/// R3.11: with the sandbox it ends for good; one that had not run yet starts in the new one.
#[test]
fn it_ends_with_its_sandbox() {
    let missing = AttemptScript { image_fails: (1, ImageFailure::Pull), ..obeys(0.0) };
    let mut run = begin(with(always().main("m1", &[obeys(0.0)]), &[obeys(0.0), missing]));
    run.until(1.0);
    run.add("e1");
    run.add("e2");
    run.until(2.0);
    run.tell(&Event::SandboxLost);
    run.until(60.0);
    assert_eq!((run.times("e1 start"), run.times("e2 start")), (vec![1.0], vec![2.0]));
    assert!(matches!(run.container("e1").state, ContainerState::Terminated(_)));
    assert_eq!(run.times("m1 start"), [0.0, 2.0]);
}

/// R8.11: it counts for no condition, is never ready, and waits as the others do.
#[test]
fn its_status_is_its_own() {
    let case = always().main("m1", &[obeys(0.0)]).latencies(Latencies { image: secs(5.0), ..Latencies::default() });
    let mut run = begin(with(case, &[ends(2.0, 1)]));
    run.until(10.0);
    run.add("e1");
    let waiting = ContainerState::Waiting { reason: WaitingReason::ContainerCreating, message: String::new() };
    assert_eq!(run.container("e1").state, waiting);
    for until in [16.0, 20.0] {
        run.until(until);
        assert!(run.condition(ConditionKind::Ready).status, "{until}");
        assert!(run.condition(ConditionKind::Initialized).status, "{until}");
        assert!(!run.container("e1").ready, "{until}");
        assert_eq!(run.status().phase, Phase::Running);
    }
    assert_eq!(run.status().exit_code, None);
}
