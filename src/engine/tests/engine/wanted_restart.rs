//! R3.9: restarts that somebody asks for.

use barepod_engine::RestartRefusal;
use barepod_engine::event::{Event, RestartOf};
use barepod_engine::spec::{Attempt, ContainerIndex, HookSpec, ImageSpec, RestartPolicy, RestartRuleAction};
use barepod_engine::status::{ConditionKind, ContainerState, Phase};
use barepod_engine::world::script::{AttemptScript, Latencies, ProbeScript, StartScript};

use crate::pods::*;
use crate::timeline::*;

fn one(index: u16) -> RestartOf {
    RestartOf::Container(ContainerIndex(index))
}

fn restart(run: &mut Run, of: RestartOf) {
    run.tell(&Event::Restart { of, grace: None });
}

fn brings(run: &Run, of: RestartOf) -> Result<Vec<(u16, u32)>, RestartRefusal> {
    let all = run.simulation.engine.restart_brings(of)?;
    Ok(all.into_iter().map(|(ContainerIndex(index), Attempt(attempt))| (index, attempt)).collect())
}

/// Mains first, by R5.2; sidecars after them, the last one first; and up again the other way round. What is done stays done,
/// and a main that had completed runs again.
#[test]
fn a_pod_restarts_in_order() {
    let case = never()
        .init("i1", &[ends(1.0, 0)])
        .sidecar("s1", &[obeys(1.0)])
        .sidecar("s2", &[obeys(2.0), AttemptScript { startup: slow(3.0), ..obeys(2.0) }])
        .with(|s| {
            s.startup_probe =
                Some(barepod_engine::spec::ProbeSpec { period: secs(1.0), failure_threshold: 9, ..probe() })
        })
        .main("m1", &[AttemptScript { pre_stop: hook(2.0), ..obeys(1.0) }])
        .with(|m| m.pre_stop = Some(HookSpec::Handler))
        .main("m2", &[ends(1.0, 0), obeys(0.0)]);
    let mut run = begin(case);
    run.until(10.0);
    assert_eq!(brings(&run, RestartOf::Pod), Ok(vec![(1, 1), (2, 1), (3, 1), (4, 1)]));
    let lines = run.lines.len();
    restart(&mut run, RestartOf::Pod);
    run.until(30.0);
    let happened: Vec<&str> = run.main_lines();
    let before = happened.iter().position(|line| line.starts_with("10 ")).unwrap();
    assert_eq!(
        happened[before..],
        [
            "10 m1 hook preStop",
            "12 m1 signal 15",
            "13 m1 exited 143",
            "13 s2 signal 15",
            "15 s2 exited 143",
            "15 s1 signal 15",
            "16 s1 exited 143",
            "16 s1 start",
            "16 s2 start",
            "19 m1 start",
            "19 m2 start",
        ]
    );
    assert!(run.lines[lines].contains("hook preStop"), "reactions come before records: {:?}", &run.lines[lines..]);
    let records = run.of(&["RestartRequested", "Killing"]);
    assert_eq!(
        records[0],
        "10 record RestartRequested pod: Restart of the pod's main containers and sidecars was asked for"
    );
    assert!(records.contains(&"10 record Killing m1: Stopping container m1, will be restarted"), "{records:?}");
    for name in ["s1", "s2", "m1", "m2"] {
        assert_eq!(run.container(name).restart_count, 1, "{name}");
    }
    assert_eq!(run.container("i1").restart_count, 0);
    assert_eq!(run.status().phase, Phase::Running);
}

fn slow(seconds: f64) -> ProbeScript {
    ProbeScript { good_from: secs(seconds), ..AttemptScript::default().startup }
}

/// Initialized stays True, and the phase Running, while sidecars gate once more.
#[test]
fn a_pod_that_restarts_stays_initialized() {
    let mut run = begin(always().sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys(1.0)]));
    run.until(5.0);
    restart(&mut run, RestartOf::Pod);
    for at in [5.0, 6.5, 7.0, 8.0] {
        run.until(at);
        assert!(run.condition(ConditionKind::Initialized).status, "{at}");
        assert_eq!(run.status().phase, Phase::Running, "{at}");
    }
    assert_eq!(run.times("m1 start"), [0.0, 7.0]);
}

/// Whatever its policy says; what it does afterwards is up to that.
#[test]
fn one_container_comes_back_once() {
    for policy in [RestartPolicy::Never, RestartPolicy::OnFailure] {
        let case = pod(policy).sidecar("s1", &[obeys(0.0)]).main("m1", &[obeys_well(1.0), ends(2.0, 0)]);
        let mut run = begin(case);
        run.until(5.0);
        restart(&mut run, one(1));
        run.until(100.0);
        assert_eq!(run.times("m1 start"), [0.0, 6.0], "{policy:?}");
        assert_eq!(run.times("s1 start"), [0.0], "a sidecar is not concerned");
        assert_eq!(run.finish(), Some("8 finish 0"));
        let asked = "5 record RestartRequested m1: Restart of container m1 was asked for";
        assert_eq!(run.of(&["RestartRequested"]), [asked]);
    }
}

/// No rule of the container's own makes more of it (R3.7).
#[test]
fn rules_have_no_say() {
    let case = never()
        .main("m1", &[obeys(1.0)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[143])])
        .main("m2", &[obeys(1.0)]);
    let mut run = begin(case);
    run.until(5.0);
    restart(&mut run, one(0));
    run.until(20.0);
    assert_eq!(run.times("m1 start"), [0.0, 6.0]);
    assert_eq!(run.times("m2 start"), [0.0]);
}

/// What waits for its back-off waits no longer, and what has ended for good comes back, as long as the pod lives.
#[test]
fn what_does_not_run_starts_at_once() {
    let case = never()
        .main("m1", &[ends(1.0, 0), obeys(0.0)])
        .main("m2", &[ends(1.0, 1), ends(1.0, 1), obeys(0.0)])
        .with(|m| m.restart_policy = Some(RestartPolicy::Always));
    let mut run = begin(case);
    run.until(5.0);
    assert!(matches!(run.container("m1").state, ContainerState::Terminated(_)));
    assert!(matches!(run.container("m2").state, ContainerState::Waiting { .. }));
    assert_eq!(brings(&run, one(0)), Ok(vec![(0, 1)]));
    assert_eq!(brings(&run, one(1)), Ok(vec![(1, 2)]));
    restart(&mut run, one(0));
    restart(&mut run, one(1));
    run.until(20.0);
    assert_eq!(run.times("m1 start"), [0.0, 5.0]);
    assert_eq!(run.times("m2 start"), [0.0, 1.0, 5.0]);
    assert_eq!(run.container("m1").restart_count, 1);
    assert_eq!(run.container("m2").restart_count, 2);
}

/// The wish doesn't count for the back-off of those restarts that nobody wished for.
#[test]
fn a_wanted_restart_is_no_reason_to_back_off() {
    let mut run = begin(always().main("m1", &[obeys(0.0), obeys(0.0), obeys(0.0), ends(1.0, 1), obeys(0.0)]));
    for round in 1..=3 {
        run.until(f64::from(round) * 5.0);
        restart(&mut run, one(0));
    }
    run.until(40.0);
    assert_eq!(run.times("m1 start"), [0.0, 5.0, 10.0, 15.0, 16.0]);
    assert_eq!(run.of(&["BackOff"]), [""; 0]);
}

/// Once more while it is under way: one restart, and no more time for it.
#[test]
fn asked_for_twice() {
    let case = always().sidecar("s1", &[obeys(1.0)]).main("m1", &[stubborn(), obeys(1.0)]).grace(10.0);
    let mut run = begin(case);
    run.until(5.0);
    restart(&mut run, RestartOf::Pod);
    run.until(7.0);
    restart(&mut run, RestartOf::Pod);
    restart(&mut run, one(1));
    assert_eq!(brings(&run, RestartOf::Pod), Ok(vec![(0, 1), (1, 1)]));
    run.until(14.5);
    run.tell(&Event::Restart { of: RestartOf::Pod, grace: Some(secs(60.0)) });
    run.until(40.0);
    assert_eq!(run.times("m1 kill"), [15.0]);
    assert_eq!(run.times("m1 start"), [0.0, 16.0]);
    assert_eq!(run.times("s1 start"), [0.0, 16.0]);
    // A shorter grace shortens it.
    let mut run = begin(always().main("m1", &[stubborn(), obeys(1.0)]));
    run.until(5.0);
    restart(&mut run, one(0));
    run.until(6.0);
    run.tell(&Event::Restart { of: one(0), grace: Some(secs(3.0)) });
    run.until(40.0);
    assert_eq!(run.times("m1 kill"), [9.0]);
    assert_eq!(run.times("m1 start"), [0.0, 9.0]);
}

/// What stops for a failed probe, and would stay so (R3.5), is wanted again.
#[test]
fn a_container_that_is_stopped_already() {
    let sick = AttemptScript {
        liveness: ProbeScript { good_until: Some(secs(1.0)), ..AttemptScript::default().liveness },
        ..obeys(5.0)
    };
    let case = never().main("m1", &[sick, obeys(0.0)]).with(|m| {
        m.liveness_probe = Some(barepod_engine::spec::ProbeSpec { period: secs(1.0), failure_threshold: 1, ..probe() })
    });
    let mut run = begin(case);
    run.until(4.0);
    assert_eq!(run.times("m1 signal 15").len(), 1);
    restart(&mut run, one(0));
    run.until(20.0);
    assert_eq!(run.times("m1 signal 15").len(), 1);
    assert_eq!(run.times("m1 start").len(), 2);
}

/// With its reserve of the grace (R5.17), and what hangs in its start is ended with it.
#[test]
fn the_grace_of_a_restart_ends() {
    let case = always()
        .sidecar("s1", &[obeys(1.0)])
        .main("m1", &[stubborn(), obeys(0.0)])
        .main("m2", &[AttemptScript { start: StartScript::Hangs, ..obeys(0.0) }, obeys(0.0)])
        .grace(10.0);
    let mut case = case;
    case.spec.sidecar_grace = Some(secs(4.0));
    let mut run = begin(case);
    run.until(5.0);
    restart(&mut run, RestartOf::Pod);
    run.until(40.0);
    assert_eq!(run.times("m1 kill"), [11.0]);
    assert_eq!(run.times("m2 kill"), [11.0]);
    assert_eq!(run.times("s1 signal 15"), [11.0]);
    assert_eq!(run.times("m1 start"), [0.0, 12.0]);
}

/// What is being made is given up, not waited for.
#[test]
fn a_restart_while_containers_are_made() {
    let latencies = Latencies { image: secs(10.0), ..Latencies::default() };
    let case = always().sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys(1.0)]).latencies(latencies);
    let mut run = begin(case);
    run.until(15.0);
    assert_eq!(brings(&run, RestartOf::Pod), Ok(vec![(0, 1), (1, 0)]));
    restart(&mut run, RestartOf::Pod);
    run.until(60.0);
    assert_eq!(run.times("m1 kill"), [15.0]);
    assert_eq!(run.times("s1 signal 15"), [15.0]);
    assert_eq!(run.times("s1 start"), [10.0, 30.0]);
    assert_eq!(run.container("m1").restart_count, 0);
    assert_eq!(run.times("m1 start").len(), 1);
}

/// R3.10: one whose image is new restarts as if asked to, and one that waits for a better image waits no longer; what is being
/// made is left alone.
#[test]
fn a_new_image() {
    let changed = |index| Event::DefinitionChanged { container: ContainerIndex(index), image: ImageSpec::Folder };
    let missing = AttemptScript { image_fails: (1, barepod_engine::event::ImageFailure::Pull), ..obeys(1.0) };
    let latencies = Latencies { create: secs(1.0), ..Latencies::default() };
    let case = never().main("m1", &[obeys(1.0)]).main("m2", &[missing]).latencies(latencies);
    let mut run = begin(case);
    run.until(5.0);
    assert_eq!(run.simulation.engine.change_brings(ContainerIndex(0)), Ok(Attempt(1)));
    assert_eq!(run.simulation.engine.change_brings(ContainerIndex(1)), Ok(Attempt(0)));
    run.tell(&changed(0));
    run.tell(&changed(1));
    run.until(5.5);
    assert_eq!(run.simulation.engine.change_brings(ContainerIndex(1)), Err(RestartRefusal::BeingMade));
    run.tell(&changed(1));
    run.until(20.0);
    assert_eq!(run.times("m1 start"), [1.0, 7.0]);
    assert_eq!(run.times("m2 start"), [6.0]);
    let records = run.of(&["Killing"]);
    assert_eq!(records, ["5 record Killing m1: Container m1 definition changed, will be restarted"]);
    assert_eq!(run.container("m1").restart_count, 1);
    run.tell(&Event::Stop { grace: None });
    assert_eq!(run.simulation.engine.change_brings(ContainerIndex(0)), Err(RestartRefusal::PodEnds));
    run.until(60.0);
    assert_eq!(run.times("m1 start").len(), 2);
}

/// A deletion takes over a restart in order, and keeps the order; what was asked for is forgotten.
#[test]
fn a_restart_becomes_the_end() {
    let case = always().sidecar("s1", &[obeys(1.0)]).sidecar("s2", &[obeys(1.0)]).main("m1", &[obeys(5.0)]);
    let mut run = begin(case);
    run.until(5.0);
    restart(&mut run, RestartOf::Pod);
    run.until(6.0);
    run.tell(&Event::Stop { grace: None });
    run.until(60.0);
    assert_eq!(run.times("m1 signal 15"), [5.0]);
    assert_eq!(run.times("s2 signal 15"), [10.0]);
    assert_eq!(run.times("s1 signal 15"), [11.0]);
    assert_eq!(run.times("s1 start"), [0.0]);
    assert_eq!(run.finish(), Some("12 finish 143"));
}

/// Who hangs in its start had the restart's grace, and has no more than the deletion's now.
#[test]
fn a_start_that_hangs_has_the_grace_of_the_end() {
    let hangs = AttemptScript { start: StartScript::Hangs, ..obeys(0.0) };
    let mut run = begin(always().main("m1", &[hangs]).grace(30.0));
    run.until(5.0);
    restart(&mut run, RestartOf::Pod);
    run.until(6.0);
    run.tell(&Event::Stop { grace: Some(secs(4.0)) });
    run.until(60.0);
    assert_eq!(run.times("m1 kill"), [10.0]);
}

/// The pod's end wins; refused before and behind what can be restarted.
#[test]
fn refusals() {
    let case = || always().init("i1", &[ends(3.0, 0)]).sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys(3.0)]);
    let mut run = begin(case());
    run.until(1.0);
    for of in [RestartOf::Pod, one(0), one(1), one(2)] {
        assert_eq!(brings(&run, of), Err(RestartRefusal::Initializing), "{of:?}");
        restart(&mut run, of);
    }
    run.until(5.0);
    assert_eq!(brings(&run, one(0)), Err(RestartRefusal::Init));
    restart(&mut run, one(0));
    run.tell(&Event::Restart { of: one(9), grace: None });
    assert_eq!(run.of(&["RestartRequested"]), [""; 0]);
    restart(&mut run, RestartOf::Pod);
    run.until(6.0);
    run.tell(&Event::Stop { grace: None });
    for of in [RestartOf::Pod, one(1)] {
        assert_eq!(brings(&run, of), Err(RestartRefusal::PodEnds), "{of:?}");
        restart(&mut run, of);
    }
    run.until(60.0);
    assert_eq!(run.times("m1 start"), [3.0]);
    assert_eq!(run.finish(), Some("9 finish 143"));
}
