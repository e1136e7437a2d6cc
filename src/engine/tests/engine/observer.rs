//! The observer notices what can't be: statuses that the engine gave, each with one thing changed.

use barepod_engine::observer::{Gates, Observer};
use barepod_engine::status::{Condition, ConditionKind, ContainerState, Phase, PodStatus};
use barepod_engine::time::WallTime;
use barepod_engine::world::script::AttemptScript;

use crate::pods::{never, secs};
use crate::timeline::{Run, begin};

/// A pod while it starts, while it runs, and when it has ended.
fn statuses() -> [PodStatus; 3] {
    let case = never()
        .init("i1", &[AttemptScript::ends(secs(1.0), 0)])
        .sidecar("s1", &[AttemptScript::default()])
        .main("m1", &[AttemptScript::ends(secs(5.0), 0)]);
    let mut run: Run = begin(case);
    [0.5, 3.0, 60.0].map(|at| {
        run.until(at);
        run.status()
    })
}

fn observer(seen: &[PodStatus]) -> Observer {
    let mut observer = Observer::new(Gates::None);
    for status in seen {
        observer.see(status.clone()).unwrap();
    }
    observer
}

fn condition(status: &mut PodStatus, kind: ConditionKind) -> &mut Condition {
    status.conditions.iter_mut().find(|one| one.kind == kind).unwrap()
}

/// R8: what is true passes, whatever of it was seen.
#[test]
fn what_happens_is_possible() {
    let [starts, runs, ended] = statuses();
    observer(&[starts.clone(), starts.clone(), runs.clone(), ended.clone(), ended.clone()]);
    observer(&[runs, ended]);
}

/// R8.1, R8.2, R8.3: of one status alone.
#[test]
fn a_status_that_contradicts_itself() {
    type Change = fn(&mut PodStatus);
    let changes: [(usize, &str, Change); 12] = [
        (0, "R2.1", |it| it.containers[1].state = ContainerState::Running { started_at: WallTime::default() }),
        (0, "R8.3: ready", |it| it.containers[0].ready = true),
        (0, "R8.3: started", |it| it.containers[2].started = true),
        (1, "R8.1: Pending", |it| it.phase = Phase::Pending),
        (1, "R8.1: nothing runs in a pod that has succeeded", |it| it.phase = Phase::Succeeded),
        (1, "R8.1: nothing runs in a pod that has failed", |it| it.phase = Phase::Failed),
        (1, "R8.2: ContainersReady", |it| condition(it, ConditionKind::ContainersReady).status = false),
        (1, "R8.2: Ready, without", |it| condition(it, ConditionKind::Ready).status = false),
        (1, "R8.2: Initialized once", |it| condition(it, ConditionKind::Initialized).status = false),
        (1, "R8.2: all conditions", |it| drop(it.conditions.pop())),
        (1, "containerID", |it| it.containers[2].container_id = None),
        (1, "R3.8: a restart has had", |it| it.containers[2].restart_count = 1),
    ];
    for (which, what, change) in changes {
        let mut status = statuses()[which].clone();
        change(&mut status);
        let faults = observer(&[]).see(status).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
}

/// R8.1, R8.2, R3.8: of two, the first of which is true.
#[test]
fn a_status_that_can_not_follow() {
    type Change = fn(&mut PodStatus);
    let changes: [(usize, usize, &str, Change); 9] = [
        (1, 0, "R8.1: a phase never goes back", |_| {}),
        (2, 1, "R8.1: a phase never goes back", |_| {}),
        (2, 2, "nothing happens after the end", |it| it.containers[1].state = it.containers[2].state.clone()),
        (2, 2, "what has ended has ended", |it| {
            let ContainerState::Terminated(last) = &mut it.containers[2].state else { panic!() };
            last.finished_at = Some(WallTime::default());
        }),
        (1, 1, "one instance starts once", |it| {
            it.containers[2].state = ContainerState::Running { started_at: WallTime::default() };
        }),
        (1, 1, "R3.8: a new instance", |it| it.containers[2].container_id = Some("another".into())),
        (1, 1, "what has started has started", |it| it.containers[1].started = false),
        (1, 1, "the time of Initialized", |it| {
            condition(it, ConditionKind::Initialized).last_transition = WallTime::from_unix_nanos(i64::MAX);
        }),
        (1, 1, "Initialized changes later", |it| {
            condition(it, ConditionKind::Initialized).last_transition = WallTime::from_unix_nanos(-1);
        }),
    ];
    for (first, second, what, change) in changes {
        let all = statuses();
        let mut status = all[second].clone();
        change(&mut status);
        let faults = observer(&all[first..=first]).see(status).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
}
