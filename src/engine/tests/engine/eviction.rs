//! Eviction of pods that use more disk than they may: the kubelet's localStorageEviction.

use barepod_engine::event::{Event, StorageExceeded};
use barepod_engine::spec::ContainerIndex;
use barepod_engine::status::{Condition, ConditionKind, Phase, PodReason};

use crate::pods::*;
use crate::timeline::*;

fn exceeded() -> Event {
    Event::StorageExceeded(StorageExceeded::EmptyDir { volume: "cache".into(), limit: "1Gi".into() })
}

fn evict(case: Case, at: f64, event: Event) -> Run {
    let mut run = begin(case);
    run.until(at);
    run.tell(&event);
    run.until(3600.0);
    run
}

fn evictions(run: &Run) -> Vec<&str> {
    run.of(&["Evicted"])
}

fn disruption(run: &Run) -> Option<Condition> {
    run.status().conditions.into_iter().find(|one| one.kind == ConditionKind::DisruptionTarget)
}

/// R5.2, R5.6, R8.8: all have a second, and two after their stop signals; sidecars last.
#[test]
fn an_evicted_pod_fails_within_seconds() {
    let case = always().sidecar("s1", &[stubborn()]).main("m1", &[obeys_well(0.5)]).main("m2", &[stubborn()]);
    let run = evict(case, 10.0, exceeded());
    let want = ["10 m2 signal 15", "10 m1 signal 15", "11 s1 signal 15", "12 m2 kill", "13 s1 kill", "13 finish 137"];
    assert_eq!(run.of(&["signal", "kill", "finish"]), want);
    let status = run.status();
    assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::Evicted)));
    assert_eq!(status.message, "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\".");
    assert_eq!(status.deletion, None);
    let condition = disruption(&run).unwrap();
    assert_eq!((condition.status, condition.reason.as_deref()), (true, Some("TerminationByKubelet")));
    assert_eq!(condition.message, status.message);
    assert_eq!(evictions(&run).len(), 1);
}

/// R5.2: it fails also where all its mains end well.
#[test]
fn an_evicted_pod_never_succeeds() {
    let run = evict(never().main("m1", &[obeys_well(0.0)]), 5.0, exceeded());
    assert_eq!((run.status().phase, run.finish()), (Phase::Failed, Some("5 finish 1")));
}

/// R5.8: one that is stopping slowly already has no more than others.
#[test]
fn eviction_shortens_a_deletion() {
    let mut run = begin(always().main("m1", &[stubborn()]));
    run.until(5.0);
    run.tell(&Event::Stop { grace: Some(secs(600.0)) });
    run.until(10.0);
    run.tell(&exceeded());
    run.until(3600.0);
    assert_eq!(run.of(&["signal", "kill", "finish"]), ["5 m1 signal 15", "11 m1 kill", "11 finish 137"]);
    assert_eq!(run.status().reason, Some(PodReason::Evicted));
}

/// Once is enough, and after the end nothing changes (I4).
#[test]
fn a_pod_is_evicted_once() {
    let mut run = begin(never().main("m1", &[obeys(1.0)]));
    run.until(5.0);
    run.tell(&exceeded());
    run.tell(&Event::StorageExceeded(StorageExceeded::Pod { limit: "2Gi".into() }));
    run.until(60.0);
    assert_eq!(evictions(&run).len(), 1);
    let mut run = begin(never().main("m1", &[ends(1.0, 0)]));
    run.until(60.0);
    run.tell(&exceeded());
    assert_eq!((run.status().phase, run.status().reason, disruption(&run)), (Phase::Succeeded, None, None));
}

/// The kubelet's words; a container that there is not is no reason.
#[test]
fn each_limit_has_its_words() {
    let cases = [
        (
            StorageExceeded::Pod { limit: "2Gi".into() },
            "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi.",
        ),
        (
            StorageExceeded::Container { container: ContainerIndex(0), limit: "1Mi".into() },
            "Container m1 exceeded its local ephemeral storage limit \"1Mi\".",
        ),
        (StorageExceeded::Container { container: ContainerIndex(7), limit: "1Mi".into() }, ""),
    ];
    for (exceeded, words) in cases {
        let run = evict(always().main("m1", &[obeys(0.0)]), 1.0, Event::StorageExceeded(exceeded));
        assert_eq!(run.status().message, words);
    }
}

/// R8.6: what was being evicted when the supervisor was killed stays so.
#[test]
fn an_evicted_pod_whose_supervisor_is_lost() {
    let mut run = begin(always().main("m1", &[stubborn()]));
    run.until(5.0);
    run.tell(&exceeded());
    run.tell(&Event::SupervisorLost);
    let status = run.status();
    assert_eq!((status.phase, status.reason), (Phase::Failed, Some(PodReason::Evicted)));
    assert_eq!(disruption(&run).unwrap().message, status.message);
}
