//! What whoever reads a pod's statuses one after the other may ever see (R8): each is true in itself, and can have come
//! after the one before. Knows nothing of the engine but what it shows. For tests: of random pods in virtual time, and of
//! real ones by what is on disk.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::spec::Kind;
use crate::status::{
    Condition, ConditionKind, ContainerState, ContainerStatus, Phase, PodStatus, Terminated, TerminatedReason,
};
use crate::time::WallTime;

/// The conditions that every pod has (R8.2).
const ALWAYS: [ConditionKind; 5] = [
    ConditionKind::PodScheduled,
    ConditionKind::PodReadyToStartContainers,
    ConditionKind::Initialized,
    ConditionKind::ContainersReady,
    ConditionKind::Ready,
];

/// Whether the pod has readiness gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gates {
    /// `Ready` is `ContainersReady`.
    None,
    /// `Ready` may be less.
    Some,
}

/// Somebody who has seen some statuses of one pod.
#[derive(Clone, Debug)]
pub struct Observer {
    gates: Gates,
    before: Option<PodStatus>,
    /// Start-up began again (R3.7, R2.7): what is so until a main has run for the first time may be so again.
    starts_over: bool,
}

/// What is wrong with a status.
type Faults = Vec<String>;

impl Observer {
    /// Before the first status.
    pub fn new(gates: Gates) -> Self {
        Self { gates, before: None, starts_over: false }
    }

    /// Takes in the next one.
    ///
    /// # Errors
    /// What can't be of it, and what can't be after the one before.
    pub fn see(&mut self, status: PodStatus) -> Result<(), Faults> {
        let before = self.before.take();
        let lost = before.as_ref().is_some_and(|before| {
            holds(before, ConditionKind::PodReadyToStartContainers)
                && !holds(&status, ConditionKind::PodReadyToStartContainers)
        });
        if lost || holds(&status, ConditionKind::AllContainersRestarting) {
            self.starts_over = true;
        }
        let mut faults = self.faults(&status);
        if let Some(before) = before {
            self.breaks(&before, &status, &mut faults);
        }
        self.before = Some(status);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// What of one status contradicts itself.
    fn faults(&self, status: &PodStatus) -> Faults {
        let mut faults = vec![];
        for one in &status.containers {
            of_one(one, &mut faults);
        }
        let mut check = |holds: bool, what: &str| {
            if !holds {
                faults.push(what.into());
            }
        };
        let all = &status.containers;
        let mains = || all.iter().filter(|one| one.kind == Kind::Main);
        let runs = all.iter().any(is_running);
        match status.phase {
            Phase::Pending => {
                let new = |one: &ContainerStatus| is_waiting(one) && (one.last_state.is_none() || self.starts_over);
                // While all are being restarted the last may not be gone yet.
                let restarting = holds(status, ConditionKind::AllContainersRestarting);
                let waits = mains().any(new) || self.starts_over && mains().any(|one| !is_running(one));
                check(waits || restarting, "R8.1: Pending as long as a main waits to start for the first time");
            }
            Phase::Running => check(status.start_time.is_some(), "Running has begun"),
            Phase::Succeeded => {
                check(!runs, "R8.1: nothing runs in a pod that has succeeded");
                check(mains().all(exited_well), "R8.1: all mains exited 0");
            }
            Phase::Failed => check(!runs, "R8.1: nothing runs in a pod that has failed"),
        }
        check(ALWAYS.iter().all(|kind| condition(status, *kind).is_some()), "R8.2: all conditions are there");
        let ready = all.iter().all(|one| matches!(one.kind, Kind::Init | Kind::Ephemeral) || one.ready);
        let [containers_ready, pod_ready, initialized] =
            [ConditionKind::ContainersReady, ConditionKind::Ready, ConditionKind::Initialized]
                .map(|kind| holds(status, kind));
        check(containers_ready == ready, "R8.2: ContainersReady is that all mains and sidecars are ready");
        check(!pod_ready || containers_ready, "R8.2: Ready is no less than ContainersReady");
        check(self.gates == Gates::Some || pod_ready == containers_ready, "R8.2: Ready, without readiness gates");
        let started = mains().any(|one| !is_waiting(one) || one.restart_count != 0);
        check(!started || initialized, "R8.2: Initialized once a main has started");
        let done = |one: &ContainerStatus| matches!(one.state, ContainerState::Terminated(_));
        if let Some(waiting) = all.iter().position(|one| one.kind == Kind::Init && !done(one)) {
            let none = !all[waiting + 1..].iter().any(|one| one.kind != Kind::Ephemeral && is_running(one));
            check(none || initialized, "R2.1: nothing starts before the init container ahead of it");
        }
        faults
    }

    /// What of two statuses can't be in this order.
    fn breaks(&self, before: &PodStatus, after: &PodStatus, faults: &mut Faults) {
        let mut check = |holds: bool, what: &str| {
            if !holds {
                faults.push(what.into());
            }
        };
        let rank = |phase| match phase {
            Phase::Pending => 0,
            Phase::Running => 1,
            Phase::Succeeded | Phase::Failed => 2,
        };
        let is_final = rank(before.phase) == 2;
        let back = before.phase == Phase::Running && after.phase == Phase::Pending;
        let follows = rank(before.phase) <= rank(after.phase) || back && self.starts_over;
        check(follows && (!is_final || before.phase == after.phase), "R8.1: a phase never goes back");
        check(before.deletion.is_none() || after.deletion.is_some(), "a deletion is not taken back");
        check(before.start_time.is_none() || before.start_time == after.start_time, "a pod begins once");
        check(before.exit_code.is_none() || before.exit_code == after.exit_code, "a pod ends once");
        for kind in ALWAYS {
            let (Some(from), Some(to)) = (condition(before, kind), condition(after, kind)) else { continue };
            let same = from.last_transition == to.last_transition;
            if from.last_transition > to.last_transition {
                check(false, &format!("R8.2: {kind:?} changes later and later"));
            }
            // Those two may have been otherwise between two looks.
            let flips = matches!(kind, ConditionKind::ContainersReady | ConditionKind::Ready);
            if !flips && from.status == to.status && !same {
                check(false, &format!("R8.2: the time of {kind:?} changes with it only"));
            }
            if kind == ConditionKind::Initialized {
                // Once a main has started; before that start-up that begins again takes it back.
                let started = after.containers.iter().any(|one| one.kind == Kind::Main && has_started(one));
                let may_go = self.starts_over && !started;
                check(!from.status || to.status || may_go, "R8.2: Initialized stays");
            }
        }
        check(before.containers.len() <= after.containers.len(), "containers don't go");
        let came = after.containers.get(before.containers.len()..).unwrap_or_default();
        check(came.iter().all(|one| one.kind == Kind::Ephemeral), "R2.9: only ephemeral containers come");
        check(came.is_empty() || !is_final, "R2.8: none comes after the end");
        for (from, to) in before.containers.iter().zip(&after.containers) {
            of_two(from, to, is_final, faults);
        }
    }
}

/// As [`Observer::faults`], of one container.
fn of_one(one: &ContainerStatus, faults: &mut Faults) {
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{}: {what}", one.name));
        }
    };
    check(!one.started || is_running(one), "R8.3: started is running");
    let may_be_ready = match one.kind {
        Kind::Init => exited_well(one),
        Kind::Sidecar | Kind::Main => one.started,
        Kind::Ephemeral => false,
    };
    check(!one.ready || may_be_ready, "R8.3: ready");
    check(one.kind != Kind::Ephemeral || one.restart_count == 0, "R3.11: an ephemeral container runs once");
    let unknown = matches!(
        &one.state,
        ContainerState::Terminated(Terminated { reason: TerminatedReason::ContainerStatusUnknown, .. })
    );
    check(is_waiting(one) || unknown || one.container_id.is_some(), "what was there has a containerID");
    // One that was ended before it was started leaves the state to the instance before.
    let ended = matches!(one.state, ContainerState::Terminated(_)) || one.last_state.is_some();
    check(one.restart_count == 0 || ended, "R3.8: a restart has had an instance before");
}

/// As [`Observer::breaks`], of one container.
fn of_two(from: &ContainerStatus, to: &ContainerStatus, is_final: bool, faults: &mut Faults) {
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{}: {what}", from.name));
        }
    };
    check(from.name == to.name && from.kind == to.kind, "one container keeps its place");
    check(from.restart_count <= to.restart_count, "R3.8: a restart is not undone");
    let same = from.restart_count == to.restart_count;
    if let (ContainerState::Running { started_at: first }, ContainerState::Running { started_at: second }) =
        (&from.state, &to.state)
    {
        check(same == (from.container_id == to.container_id), "R3.8: a new instance is a restart");
        check(!same || first == second, "one instance starts once");
        check(!same || !from.started || to.started, "what has started has started");
    }
    if matches!(from.state, ContainerState::Terminated(_)) && is_running(to) {
        check(!same, "what has ended doesn't run on");
    }
    if is_running(from) && is_waiting(to) {
        check(to.last_state.is_some(), "what ran and waits has ended");
    }
    check(newest_end(from) <= newest_end(to), "what has ended has ended");
    check(!is_final || from.state == to.state, "nothing happens after the end");
}

fn condition(status: &PodStatus, kind: ConditionKind) -> Option<&Condition> {
    status.conditions.iter().find(|one| one.kind == kind)
}

fn holds(status: &PodStatus, kind: ConditionKind) -> bool {
    condition(status, kind).is_some_and(|one| one.status)
}

fn is_running(one: &ContainerStatus) -> bool {
    matches!(one.state, ContainerState::Running { .. })
}

fn is_waiting(one: &ContainerStatus) -> bool {
    matches!(one.state, ContainerState::Waiting { .. })
}

fn exited_well(one: &ContainerStatus) -> bool {
    matches!(one.state, ContainerState::Terminated(Terminated { exit_code: 0, .. }))
}

fn has_started(one: &ContainerStatus) -> bool {
    is_running(one) || matches!(one.state, ContainerState::Terminated(_)) || one.last_state.is_some()
}

/// When the newest instance that has ended did so.
fn newest_end(one: &ContainerStatus) -> Option<WallTime> {
    match (&one.state, &one.last_state) {
        (ContainerState::Terminated(last), _) | (_, Some(last)) => last.finished_at,
        (_, None) => None,
    }
}
