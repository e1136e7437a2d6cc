//! Who used how much of the grace period (R5.18). A v1 Pod has no field for it: it is an annotation of barepod's own,
//! there once a container that was stopped with its pod has ended.

use std::collections::BTreeMap;

use barepod_engine::status::{ContainerStatus, GraceEnd, GraceUse};
use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

/// The annotation: a JSON object of containers' names to [`Used`].
pub const ANNOTATION: &str = "barepod.dev/grace-used";

/// How one container used the grace period, times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// In its preStop hook.
    pub pre_stop_seconds: f64,
    /// A sidecar: waiting for the mains and for later sidecars.
    pub turn_seconds: f64,
    /// Between its stop signal and its exit.
    pub stopping_seconds: f64,
    /// Whether SIGKILL ended it.
    pub killed: bool,
}

impl From<GraceUse> for Used {
    fn from(GraceUse { hook, turn, stopping, end }: GraceUse) -> Self {
        Self {
            pre_stop_seconds: hook.as_secs_f64(),
            turn_seconds: turn.as_secs_f64(),
            stopping_seconds: stopping.as_secs_f64(),
            killed: end == GraceEnd::Killed,
        }
    }
}

/// Notes it in the pod's annotations; one that came with the manifest is of another pod and goes.
pub(super) fn annotate(pod: &mut v1::Pod, containers: &[ContainerStatus]) {
    if let Some(annotations) = &mut pod.metadata.annotations
        && annotations.remove(ANNOTATION).is_some()
        && annotations.is_empty()
    {
        pod.metadata.annotations = None;
    }
    let used = containers.iter().filter_map(|one| Some((one.name.as_str(), Used::from(one.grace_use?))));
    let used: BTreeMap<&str, Used> = used.collect();
    if !used.is_empty()
        && let Ok(text) = serde_json::to_string(&used)
    {
        pod.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), text);
    }
}

/// What [`ANNOTATION`] says of a container, for people: `10s in preStop, 19s stopping, killed at the end`. `None` where the
/// container has not been stopped with its pod.
pub fn used(pod: &v1::Pod, container: &str) -> Option<String> {
    let text = pod.metadata.annotations.as_ref()?.get(ANNOTATION)?;
    let all: BTreeMap<String, Used> = serde_json::from_str(text).ok()?;
    let used = all.get(container)?;
    // Nobody but barepod writes it, but a file can be anything.
    let time = |seconds: f64| std::time::Duration::try_from_secs_f64(seconds).ok();
    let end = if used.killed { GraceEnd::Killed } else { GraceEnd::Exited };
    let (hook, turn) = (time(used.pre_stop_seconds)?, time(used.turn_seconds)?);
    Some(GraceUse { hook, turn, stopping: time(used.stopping_seconds)?, end }.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use barepod_engine::spec::Kind;
    use barepod_engine::status::{ContainerState, WaitingReason};

    use super::*;

    fn container(name: &str, grace_use: Option<GraceUse>) -> ContainerStatus {
        let state = ContainerState::Waiting { reason: WaitingReason::ContainerCreating, message: String::new() };
        ContainerStatus {
            name: name.to_owned(),
            kind: Kind::Main,
            state,
            last_state: None,
            restart_count: 0,
            ready: false,
            started: false,
            container_id: None,
            image_id: None,
            grace_use,
        }
    }

    /// R5.18: there and back, and nothing where there is nothing to say.
    #[test]
    fn the_annotation_says_who_used_the_grace() {
        let used_up = GraceUse {
            hook: Duration::from_millis(1_500),
            turn: Duration::ZERO,
            stopping: Duration::from_secs(2),
            end: GraceEnd::Killed,
        };
        let mut pod = v1::Pod::default();
        annotate(&mut pod, &[container("web", None)]);
        assert_eq!((&pod.metadata.annotations, used(&pod, "web")), (&None, None));
        annotate(&mut pod, &[container("web", Some(used_up)), container("late", None)]);
        let text = r#"{"web":{"preStopSeconds":1.5,"turnSeconds":0.0,"stoppingSeconds":2.0,"killed":true}}"#;
        assert_eq!(
            pod.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION)).map(String::as_str),
            Some(text)
        );
        assert_eq!(used(&pod, "web").as_deref(), Some("1.5s in preStop, 2s stopping, killed at the end"));
        assert_eq!(used(&pod, "late"), None);
        // A manifest that was got from an earlier pod.
        annotate(&mut pod, &[container("web", None)]);
        assert_eq!(pod.metadata.annotations, None);
        // What nobody wrote.
        for text in ["", "[]", r#"{"web":{"preStopSeconds":-1,"turnSeconds":0,"stoppingSeconds":2,"killed":true}}"#] {
            pod.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), text.to_owned());
            assert_eq!(used(&pod, "web"), None, "{text}");
        }
    }
}
