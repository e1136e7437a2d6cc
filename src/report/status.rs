//! The engine's status as a v1 Pod's (R8).

use std::collections::BTreeMap;

use barepod_engine::spec::Kind;
use barepod_engine::status::{ContainerState, ContainerStatus, ExitSource, Phase, PodStatus, Terminated};
use barepod_engine::time::WallTime;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::ending;

/// What the status says that isn't the engine's.
#[derive(Clone, Debug, Default)]
pub struct StatusFacts {
    /// The box's addresses, the main one first.
    pub host_ips: Vec<String>,
    /// The pod's, the main one first.
    pub pod_ips: Vec<String>,
    /// What containers that were made have in force, by name.
    pub resources: BTreeMap<String, v1::ResourceRequirements>,
    /// Whom the first process of a container that was made is run as, by name.
    pub users: BTreeMap<String, v1::ContainerUser>,
    /// `Guaranteed`, `Burstable` or `BestEffort` (R8.10).
    pub qos_class: String,
}

/// Bytes of all termination messages of a pod; each container has an equal share (the kubelet's normalizeStatus).
const MESSAGES: usize = 12 * 1024;

/// `pod` with the status it has.
pub fn v1(pod: &v1::Pod, status: &PodStatus, facts: &StatusFacts) -> v1::Pod {
    let mut pod = pod.clone();
    super::grace::annotate(&mut pod, &status.containers);
    if let Some(start) = status.start_time {
        pod.metadata.creation_timestamp.get_or_insert(time(start));
    }
    if let Some(deletion) = status.deletion {
        let grace = i64::try_from(deletion.grace_period.as_secs()).unwrap_or(i64::MAX);
        let ends = deletion.requested.as_unix_nanos().saturating_add(grace.saturating_mul(1_000_000_000));
        pod.metadata.deletion_timestamp = Some(time(WallTime::from_unix_nanos(ends)));
        pod.metadata.deletion_grace_period_seconds = Some(grace);
    }
    let of_spec = |name: &str| {
        let spec = pod.spec.as_ref();
        let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
        let mains = spec.map(|spec| &spec.containers).into_iter().flatten();
        inits.chain(mains).find(|one| one.name == name)
    };
    let image_of = |name: &str| {
        let mut extra = pod.spec.iter().flat_map(|spec| &spec.ephemeral_containers).flatten();
        let fixed = of_spec(name).and_then(|one| one.image.clone());
        fixed.or_else(|| extra.find(|one| one.name == name)?.image.clone())
    };
    let statuses = |of: fn(Kind) -> bool| {
        let all: Vec<_> = status
            .containers
            .iter()
            .filter(|container| of(container.kind))
            .map(|container| container_status(container, of_spec(&container.name), image_of(&container.name), facts))
            .collect();
        (!all.is_empty()).then_some(all)
    };
    let new = v1::PodStatus {
        phase: Some(format!("{:?}", status.phase)),
        reason: status.reason.map(|reason| format!("{reason:?}")),
        message: text(&status.message).or_else(|| unexplained(status)),
        conditions: Some(status.conditions.iter().map(condition).collect()),
        start_time: status.start_time.map(time),
        init_container_statuses: statuses(Kind::gates),
        container_statuses: statuses(|kind| kind == Kind::Main),
        ephemeral_container_statuses: statuses(|kind| kind == Kind::Ephemeral),
        host_ip: facts.host_ips.first().cloned(),
        host_ips: list(&facts.host_ips, |ip| v1::HostIP { ip }),
        pod_ip: facts.pod_ips.first().cloned(),
        pod_ips: list(&facts.pod_ips, |ip| v1::PodIP { ip }),
        qos_class: text(&facts.qos_class),
        ..v1::PodStatus::default()
    };
    pod.status = Some(new);
    limit_messages(&mut pod);
    pod
}

/// Why a pod failed where neither a reason nor a container says it: one that was stopped before it came to run.
fn unexplained(status: &PodStatus) -> Option<String> {
    let is_said = status.reason.is_some() || matches!(status.exit_source, Some(ExitSource::Container(_)));
    (status.phase == Phase::Failed && !is_said).then(|| ending::why(status))
}

/// R8.7: cut at their ends, at the boundary of a character.
fn limit_messages(pod: &mut v1::Pod) {
    let Some(status) = &mut pod.status else { return };
    let lists =
        [&mut status.init_container_statuses, &mut status.container_statuses, &mut status.ephemeral_container_statuses];
    let mut all: Vec<&mut v1::ContainerStatus> = lists.into_iter().flatten().flatten().collect();
    let share = MESSAGES / all.len().max(1);
    let states = all.iter_mut().flat_map(|one| [&mut one.state, &mut one.last_state]).flatten();
    for message in states.filter_map(|state| state.terminated.as_mut()?.message.as_mut()) {
        let mut end = share.min(message.len());
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
}

fn list<T>(ips: &[String], make: fn(String) -> T) -> Option<Vec<T>> {
    (!ips.is_empty()).then(|| ips.iter().cloned().map(make).collect())
}

fn condition(condition: &barepod_engine::status::Condition) -> v1::PodCondition {
    v1::PodCondition {
        type_: format!("{:?}", condition.kind),
        status: if condition.status { "True" } else { "False" }.to_owned(),
        reason: condition.reason.clone(),
        message: text(&condition.message),
        last_transition_time: Some(time(condition.last_transition)),
        ..v1::PodCondition::default()
    }
}

fn container_status(
    container: &ContainerStatus,
    spec: Option<&v1::Container>,
    image: Option<String>,
    facts: &StatusFacts,
) -> v1::ContainerStatus {
    let last = |last: &Terminated| v1::ContainerState { terminated: Some(terminated(last)), ..Default::default() };
    v1::ContainerStatus {
        // KEP-1287: what was granted, and what is in force.
        allocated_resources: spec.and_then(|spec| spec.resources.as_ref()?.requests.clone()),
        resources: facts.resources.get(&container.name).cloned(),
        user: facts.users.get(&container.name).cloned(),
        volume_mounts: spec.and_then(|spec| spec.volume_mounts.as_deref()).map(|all| all.iter().map(mount).collect()),
        name: container.name.clone(),
        image: image.unwrap_or_default(),
        image_id: container.image_id.clone().unwrap_or_default(),
        container_id: container.container_id.clone(),
        ready: container.ready,
        // Nor has the kubelet's, of a container that nothing waits for (R8.11).
        started: (container.kind != Kind::Ephemeral).then_some(container.started),
        restart_count: i32::try_from(container.restart_count).unwrap_or(i32::MAX),
        state: Some(state(&container.state)),
        // Never left out by the API server, even where it is empty.
        last_state: Some(container.last_state.as_ref().map(last).unwrap_or_default()),
        ..v1::ContainerStatus::default()
    }
}

/// KEP-3857: whether it is read-only at all depths. Where it can't be, the container isn't made.
fn mount(mount: &v1::VolumeMount) -> v1::VolumeMountStatus {
    let read_only = mount.read_only.filter(|read_only| *read_only);
    let recursive = matches!(mount.recursive_read_only.as_deref(), Some("IfPossible" | "Enabled"));
    v1::VolumeMountStatus {
        mount_path: mount.mount_path.clone(),
        name: mount.name.clone(),
        read_only,
        recursive_read_only: read_only.map(|_| if recursive { "Enabled" } else { "Disabled" }.to_owned()),
        volume_status: None,
    }
}

fn state(state: &ContainerState) -> v1::ContainerState {
    let mut new = v1::ContainerState::default();
    match state {
        ContainerState::Waiting { reason, message } => {
            new.waiting =
                Some(v1::ContainerStateWaiting { reason: Some(format!("{reason:?}")), message: text(message) });
        }
        ContainerState::Running { started_at } => {
            new.running = Some(v1::ContainerStateRunning { started_at: Some(time(*started_at)) });
        }
        ContainerState::Terminated(ended) => new.terminated = Some(terminated(ended)),
    }
    new
}

fn terminated(ended: &Terminated) -> v1::ContainerStateTerminated {
    v1::ContainerStateTerminated {
        exit_code: ended.exit_code,
        signal: ended.signal,
        reason: Some(format!("{:?}", ended.reason)),
        message: text(&ended.message),
        started_at: ended.started_at.map(time),
        finished_at: ended.finished_at.map(time),
        container_id: ended.container_id.clone(),
    }
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn time(wall: WallTime) -> Time {
    super::v1_time(wall.as_unix_nanos().div_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests;
