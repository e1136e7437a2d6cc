//! Why nothing can be run in a container now, by the pod's status, and what to do instead.

use k8s_openapi::api::core::v1;

use super::sanitize;
use super::table::ago;
use crate::store::read::has_ended;

/// As [`not_running_at`], now.
pub fn not_running(pod: &v1::Pod, container: &str, name: &str) -> String {
    not_running_at(pod, container, name, jiff::Timestamp::now())
}

/// `container "web" has ended (exit code 1, 3s ago); ...`
fn not_running_at(pod: &v1::Pod, container: &str, name: &str, now: jiff::Timestamp) -> String {
    let status = pod.status.as_ref();
    let statuses = status.into_iter().flat_map(|status| {
        let lists = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
        lists.into_iter().flatten().flatten()
    });
    let state = statuses.into_iter().find(|one| one.name == container).and_then(|one| one.state.as_ref());
    let container = sanitize(container);
    let logs = format!("`barepod logs {name} -c {container}` shows what it printed");
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        let end = match ended.signal {
            Some(signal) if signal != 0 => format!("signal {signal}"),
            _ => format!("exit code {}", ended.exit_code),
        };
        let when = ended.finished_at.as_ref().and_then(|time| jiff::Timestamp::from_second(time.0.as_second()).ok());
        let when = when.map(|then| format!(", {} ago", ago(now, then))).unwrap_or_default();
        return format!("container {container:?} has ended ({end}{when}); {logs}");
    }
    let phase = status.and_then(|status| status.phase.as_deref()).filter(|_| has_ended(pod));
    if let (Some(phase), true) = (phase, state.is_some_and(|state| state.waiting.is_some())) {
        return format!("container {container:?} never started: the pod has ended before ({phase})");
    }
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
        let reason = sanitize(waiting.reason.as_deref().unwrap_or("ContainerCreating"));
        let message = waiting.message.as_deref().filter(|text| !text.is_empty());
        let message = message.map(|text| format!(", {}", sanitize(text))).unwrap_or_default();
        let advice = match &*reason {
            "CrashLoopBackOff" => logs,
            _ => format!("`barepod describe {name}` shows what it waits for"),
        };
        return format!("container {container:?} isn't running: {reason}{message}; {advice}");
    }
    match phase {
        Some(phase) => format!("the pod has ended ({phase}); {logs}"),
        None => format!("container {container:?} isn't running; `barepod describe {name}` shows all about the pod"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_that_is_not_running_does() {
        let told = |state: &str, phase: &str| {
            let text = format!(
                r#"{{"status":{{"phase":"{phase}","containerStatuses":[{{"name":"web","image":"","imageID":"",
                "ready":false,"restartCount":0,"state":{state}}}]}}}}"#
            );
            let now = jiff::Timestamp::from_second(1_700_000_003).unwrap();
            not_running_at(&serde_json::from_str(&text).unwrap(), "web", "default/p", now)
        };
        let ended = r#"{"terminated":{"exitCode":1,"finishedAt":"2023-11-14T22:13:20Z"}}"#;
        let logs = "`barepod logs default/p -c web` shows what it printed";
        let want = format!("container \"web\" has ended (exit code 1, 3s ago); {logs}");
        assert_eq!(told(ended, "Running"), want);
        let killed = r#"{"terminated":{"exitCode":137,"signal":9}}"#;
        assert_eq!(told(killed, "Running"), format!("container \"web\" has ended (signal 9); {logs}"));
        let loops = r#"{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 10s"}}"#;
        let want = format!("container \"web\" isn't running: CrashLoopBackOff, back-off 10s; {logs}");
        assert_eq!(told(loops, "Running"), want);
        let waits = told(r#"{"waiting":{"reason":"PodInitializing"}}"#, "Pending");
        assert!(waits.contains("PodInitializing; `barepod describe default/p`"), "{waits}");
        let unborn = told(r#"{"waiting":{"reason":"PodInitializing"}}"#, "Failed");
        assert_eq!(unborn, "container \"web\" never started: the pod has ended before (Failed)");
        assert_eq!(told("{}", "Failed"), format!("the pod has ended (Failed); {logs}"));
        assert!(told("{}", "Pending").contains("isn't running"));
    }
}
