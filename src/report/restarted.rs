//! Whether containers that somebody had restarted are back, by their pod's status.

use k8s_openapi::api::core::v1;

/// Reasons of a container that can't be started as it is (R8.4), or has been and waits for more.
const STUCK: [&str; 10] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
    "SignatureValidationFailed",
];

/// How a restart stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The new instance is still to come.
    UnderWay,
    /// It is there.
    Runs,
    /// It has been there and has ended, or can't be made.
    DoesNotRun,
}

/// How the restart of a container stands that is to have been restarted so often then.
pub fn restarted(pod: &v1::Pod, container: &str, restarts: u32) -> Restart {
    let lists = pod.status.iter().flat_map(|status| [&status.init_container_statuses, &status.container_statuses]);
    let Some(found) = lists.flatten().flatten().find(|one| one.name == container) else { return Restart::UnderWay };
    let Some(state) = &found.state else { return Restart::UnderWay };
    let is_new = u32::try_from(found.restart_count).is_ok_and(|count| count >= restarts);
    let reason = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
    match (&state.running, &state.terminated) {
        (Some(_), _) if is_new => Restart::Runs,
        (_, Some(_)) if is_new => Restart::DoesNotRun,
        (None, None) if reason.is_some_and(|reason| STUCK.contains(&reason)) => Restart::DoesNotRun,
        _ => Restart::UnderWay,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn how_a_restart_stands() {
        let of = |restarts, state: &str, list: &str| {
            let text = format!(
                r#"{{"status":{{"{list}":[{{"name":"web","image":"","imageID":"","ready":false,
                "restartCount":1,"state":{state}}}]}}}}"#
            );
            restarted(&serde_json::from_str(&text).unwrap(), "web", restarts)
        };
        let waiting = |reason: &str| format!(r#"{{"waiting":{{"reason":"{reason}"}}}}"#);
        for list in ["containerStatuses", "initContainerStatuses"] {
            for (restarts, state, stands) in [
                (2, r#"{"running":{}}"#.to_owned(), Restart::UnderWay),
                (2, r#"{"terminated":{"exitCode":143}}"#.to_owned(), Restart::UnderWay),
                (1, r#"{"running":{}}"#.to_owned(), Restart::Runs),
                (1, r#"{"terminated":{"exitCode":1}}"#.to_owned(), Restart::DoesNotRun),
                (1, waiting("PodInitializing"), Restart::UnderWay),
                (1, waiting("CrashLoopBackOff"), Restart::DoesNotRun),
                (2, waiting("CreateContainerError"), Restart::DoesNotRun),
            ] {
                assert_eq!(of(restarts, &state, list), stands, "{restarts} {state}");
            }
        }
        assert_eq!(restarted(&v1::Pod::default(), "web", 0), Restart::UnderWay);
    }
}
