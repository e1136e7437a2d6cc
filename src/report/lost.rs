//! The status of a pod whose supervisor died and left no engine to ask: from the status that was written last, what a
//! kubelet says of containers it can't find (R8.6).

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::store::read::has_ended;

/// What became of a pod's supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was killed, and what was left of the pod has been removed.
    Killed,
    /// The box was restarted: with it ended all of the pod's processes.
    Rebooted,
}

impl Loss {
    fn reason(self) -> &'static str {
        match self {
            Self::Killed => "SupervisorLost",
            Self::Rebooted => "NodeRebooted",
        }
    }

    fn message(self) -> &'static str {
        match self {
            // As the engine says it.
            Self::Killed => "The supervisor ended without finishing the pod; what was left of it has been removed",
            Self::Rebooted => "The box was restarted while the pod ran",
        }
    }
}

/// `pod`, whose supervisor was killed, for one who only looks: containers may run on, and nobody knows of them what the last
/// status doesn't say. A pod that had ended stays as it is.
pub fn unsupervised(pod: &v1::Pod, advice: &str) -> v1::Pod {
    if has_ended(pod) {
        return pod.clone();
    }
    let mut pod = pod.clone();
    let status = pod.status.get_or_insert_default();
    status.phase = Some("Unknown".to_owned());
    status.reason = Some(Loss::Killed.reason().to_owned());
    status.message = Some(format!("The supervisor ended without finishing the pod; {advice}"));
    for condition in status.conditions.iter_mut().flatten() {
        if matches!(condition.type_.as_str(), "Ready" | "ContainersReady") {
            condition.status = "Unknown".to_owned();
        }
    }
    pod
}

/// A status that says that the supervisor was lost says how.
pub fn explain(pod: &mut v1::Pod, loss: Loss) {
    let status = pod.status.get_or_insert_default();
    if status.reason.as_deref() == Some(Loss::Killed.reason()) {
        status.reason = Some(loss.reason().to_owned());
        status.message = Some(loss.message().to_owned());
    }
}

/// `pod` as Failed, with the reason; a pod that had ended stays as it is.
pub fn lost(pod: &v1::Pod, loss: Loss, now: jiff::Timestamp) -> v1::Pod {
    let now = super::v1_time(now.as_second());
    if has_ended(pod) {
        return pod.clone();
    }
    let mut pod = pod.clone();
    let status = pod.status.get_or_insert_default();
    status.phase = Some("Failed".to_owned());
    status.reason = Some(loss.reason().to_owned());
    status.message = Some(loss.message().to_owned());
    let lists =
        [&mut status.init_container_statuses, &mut status.container_statuses, &mut status.ephemeral_container_statuses];
    for container in lists.into_iter().flatten().flatten() {
        end(container, &now);
    }
    for condition in status.conditions.iter_mut().flatten() {
        let reason = match condition.type_.as_str() {
            "Ready" | "ContainersReady" => Some("PodFailed".to_owned()),
            "PodReadyToStartContainers" | "AllContainersRestarting" | "PodResizeInProgress" => None,
            _ => continue,
        };
        if condition.status != "False" {
            condition.status = "False".to_owned();
            condition.last_transition_time = Some(now.clone());
        }
        condition.reason = reason;
        condition.message = None;
    }
    pod
}

/// What ran has ended, nobody knows how; what never ran stays waiting (R8.6).
fn end(container: &mut v1::ContainerStatus, now: &Time) {
    let Some(running) = container.state.as_ref().and_then(|state| state.running.clone()) else { return };
    container.ready = false;
    container.started = container.started.map(|_| false);
    let terminated = v1::ContainerStateTerminated {
        exit_code: 137,
        reason: Some("ContainerStatusUnknown".to_owned()),
        message: Some("The container could not be located when the pod was terminated".to_owned()),
        started_at: running.started_at,
        finished_at: Some(now.clone()),
        container_id: container.container_id.clone(),
        ..v1::ContainerStateTerminated::default()
    };
    container.state = Some(v1::ContainerState { terminated: Some(terminated), ..v1::ContainerState::default() });
}
