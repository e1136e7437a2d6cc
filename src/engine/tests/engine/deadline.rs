//! R5.15: activeDeadlineSeconds.

use barepod_engine::spec::RestartRuleAction;
use barepod_engine::status::{Phase, PodReason};
use barepod_engine::world::script::Latencies;

use crate::pods::*;
use crate::timeline::*;

/// R5.15, R8.4: activeDeadlineSeconds.
#[test]
fn active_deadline() {
    let mut case = always().sidecar("s1", &[obeys(1.0)]).main("m1", &[obeys_well(1.0)]);
    case.spec.active_deadline = Some(secs(20.0));
    let run = run(case, &[]);
    assert_eq!(run.of(&["signal", "finish"]), ["20 m1 signal 15", "21 s1 signal 15", "22 finish 1"]);
    let status = run.status();
    assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::DeadlineExceeded)));
    // The init's code isn't the pod's then.
    let mut case = never().init("i1", &[obeys(0.0)]).main("m1", &[ends(1.0, 0)]);
    case.spec.active_deadline = Some(secs(5.0));
    assert_eq!(crate::timeline::run(case, &[]).finish(), Some("5 finish 1"));
}

/// R5.15: a pod that ends already fails at its deadline all the same, with the grace that it has; not once nothing of it
/// runs any more.
#[test]
fn a_deadline_while_the_pod_ends() {
    let with_deadline = |mut case: Case| {
        case.spec.active_deadline = Some(secs(20.0));
        case
    };
    let exceeded = (Phase::Failed, Some(PodReason::DeadlineExceeded));
    let outcome = |run: &Run| (run.status().phase, run.status().reason);
    // Mains done, the sidecar stops from 15 on: its grace ends at 25, not at 30.
    let natural = || with_deadline(never().sidecar("s1", &[stubborn()]).main("m1", &[ends(15.0, 0)]).grace(10.0));
    let done = run(natural(), &[]);
    assert_eq!(done.of(&["signal", "kill", "finish"]), ["15 s1 signal 15", "25 s1 kill", "25 finish 1"]);
    assert_eq!(outcome(&done), exceeded);
    assert_eq!(done.of(&["DeadlineExceeded"]).len(), 1);
    // Deletion's grace isn't shortened to the pod's either.
    let deleted = with_deadline(never().main("m1", &[obeys_well(30.0)]).grace(1.0));
    let done = run(deleted, &[stop_in(10.0, 60.0)]);
    assert_eq!(done.of(&["signal", "kill", "finish"]), ["10 m1 signal 15", "40 finish 1"]);
    assert_eq!(outcome(&done), exceeded);
    // In time, and with the removal under way at the deadline.
    let in_time = with_deadline(never().sidecar("s1", &[obeys(1.0)]).main("m1", &[ends(15.0, 0)]));
    assert_eq!(outcome(&run(in_time, &[])), (Phase::Succeeded, None));
    let removed_late = Latencies { remove: secs(10.0), ..Latencies::default() };
    let removing = with_deadline(never().main("m1", &[ends(15.0, 0)]).latencies(removed_late));
    assert_eq!(outcome(&run(removing, &[])), (Phase::Succeeded, None));
}

/// R5.15, R3.7: where a main asks for a restart of all at the very moment of the deadline, or the shell wakes up late, the
/// pod ends with its grace; nobody is killed.
#[test]
fn restart_all_at_the_deadline() {
    let mut case = always()
        .main("m1", &[obeys(1.0)])
        .main("m2", &[ends(20.0, 88)])
        .with(|m| m.restart_rules = vec![rule(RestartRuleAction::RestartAllContainers, &[88])]);
    case.spec.active_deadline = Some(secs(20.0));
    let run = run(case, &[]);
    assert_eq!(run.main_lines()[2..], ["20 m2 exited 88", "20 m1 signal 15", "21 m1 exited 143", "21 finish 143"]);
}

/// R5.20: set while the pod runs, shorter than it was or where there was none; from the start, and never longer.
#[test]
fn a_deadline_that_is_set_while_the_pod_runs() {
    let set = |seconds: f64| barepod_engine::event::Event::ActiveDeadline { length: secs(seconds) };
    let mut run = begin(always().main("m1", &[obeys(1.0)]));
    run.until(5.0);
    assert!(run.simulation.engine.takes_changes());
    run.tell(&set(20.0));
    run.until(10.0);
    run.tell(&set(60.0));
    run.until(19.0);
    assert_eq!(run.times("m1 signal 15"), [0.0; 0]);
    run.until(100.0);
    assert_eq!(run.times("m1 signal 15"), [20.0]);
    assert!(!run.simulation.engine.takes_changes());
    // It is over already.
    let mut run = begin(always().main("m1", &[obeys(1.0)]));
    run.until(30.0);
    run.tell(&set(10.0));
    run.until(100.0);
    assert_eq!(run.times("m1 signal 15"), [30.0]);
    assert_eq!(run.status().reason, Some(barepod_engine::status::PodReason::DeadlineExceeded));
}
