//! A Job as Kubernetes shows it: its status, and its row of `get jobs`.

pub mod happened;

use barepod_engine::job::{ConditionKind, JobStatus, Reason};
use barepod_engine::time::WallTime;
use serde_json::{Map, Value, json};

use super::table::ago;

/// Columns of [`row`].
pub const HEADER: [&str; 5] = ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"];

/// `status` of the `batch/v1` Job; what is 0 or unknown is left out, as the API server does.
pub fn status(status: &JobStatus) -> Value {
    let mut all = Map::new();
    let conditions: Vec<Value> = status
        .conditions
        .iter()
        .map(|one| {
            let is_true = if one.is_true { "True" } else { "False" };
            let since = time(one.since).to_string();
            let (kind, reason) = (kind(one.kind), reason(one.reason));
            let message = message(one.reason);
            json!({"type": kind, "status": is_true, "reason": reason, "message": message, "lastTransitionTime": since})
        })
        .collect();
    if !conditions.is_empty() {
        all.insert("conditions".to_owned(), conditions.into());
    }
    for (name, count) in [("active", status.active), ("succeeded", status.succeeded), ("failed", status.failed)] {
        if count > 0 {
            all.insert(name.to_owned(), count.into());
        }
    }
    all.insert("ready".to_owned(), status.ready.into());
    all.insert("terminating".to_owned(), status.terminating.into());
    if !status.completed_indexes.is_empty() {
        all.insert("completedIndexes".to_owned(), status.completed_indexes.clone().into());
    }
    if let Some(indexes) = &status.failed_indexes {
        all.insert("failedIndexes".to_owned(), indexes.clone().into());
    }
    for (name, at) in [("startTime", status.start_time), ("completionTime", status.completion_time)] {
        if let Some(at) = at {
            all.insert(name.to_owned(), time(at).to_string().into());
        }
    }
    all.into()
}

/// As `kubectl get jobs` has it.
pub fn row(job: &Value, status: &JobStatus, now: jiff::Timestamp) -> Vec<String> {
    let wanted = |field: &str| job["spec"][field].as_u64();
    let completions = match (wanted("completions"), wanted("parallelism")) {
        (Some(completions), _) => format!("{}/{completions}", status.succeeded),
        (None, Some(parallelism)) if parallelism > 1 => format!("{}/1 of {parallelism}", status.succeeded),
        (None, _) => format!("{}/1", status.succeeded),
    };
    let last = status.conditions.iter().rev().find(|one| one.is_true);
    let end = last.filter(|one| matches!(one.kind, ConditionKind::Failed | ConditionKind::Complete));
    let end = end.map_or(now, |one| time(one.since));
    let duration = status.start_time.map(|start| ago(end, time(start))).unwrap_or_default();
    let created = job["metadata"]["creationTimestamp"].as_str().and_then(|text| text.parse().ok());
    let age = created.map_or_else(|| "<unknown>".to_owned(), |created| ago(now, created));
    let name = job["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let shown = last.map_or("Running", |one| kind(one.kind)).to_owned();
    vec![name, shown, completions, duration, age]
}

/// A condition's `type`.
pub fn kind(kind: ConditionKind) -> &'static str {
    match kind {
        ConditionKind::Suspended => "Suspended",
        ConditionKind::FailureTarget => "FailureTarget",
        ConditionKind::SuccessCriteriaMet => "SuccessCriteriaMet",
        ConditionKind::Failed => "Failed",
        ConditionKind::Complete => "Complete",
    }
}

/// A condition's `reason`.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::JobSuspended => "JobSuspended",
        Reason::JobResumed => "JobResumed",
        Reason::BackoffLimitExceeded => "BackoffLimitExceeded",
        Reason::DeadlineExceeded => "DeadlineExceeded",
        Reason::PodFailurePolicy => "PodFailurePolicy",
        Reason::MaxFailedIndexesExceeded => "MaxFailedIndexesExceeded",
        Reason::FailedIndexes => "FailedIndexes",
        Reason::CompletionsReached => "CompletionsReached",
        Reason::SuccessPolicy => "SuccessPolicy",
    }
}

/// A condition's `message`.
pub fn message(reason: Reason) -> &'static str {
    match reason {
        Reason::JobSuspended => "Job suspended",
        Reason::JobResumed => "Job resumed",
        Reason::BackoffLimitExceeded => "Job has reached the specified backoff limit",
        Reason::DeadlineExceeded => "Job was active longer than specified deadline",
        Reason::PodFailurePolicy => "A pod failed as a FailJob rule of the podFailurePolicy has it",
        Reason::MaxFailedIndexesExceeded => "Job has exceeded the specified maximal number of failed indexes",
        Reason::FailedIndexes => "Job has failed indexes",
        Reason::CompletionsReached => "Reached expected number of succeeded pods",
        Reason::SuccessPolicy => "Matched a rule of the successPolicy",
    }
}

/// In whole seconds, as the API has it.
pub fn time(wall: WallTime) -> jiff::Timestamp {
    jiff::Timestamp::from_second(wall.as_unix_nanos().div_euclid(1_000_000_000)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use barepod_engine::job::JobCondition;

    use super::*;

    #[test]
    fn a_row_and_a_status_as_kubectl_has_them() {
        let wall = |seconds: i64| WallTime::from_unix_nanos(seconds * 1_000_000_000);
        let condition = |kind, reason, is_true| JobCondition { kind, is_true, reason, since: wall(100) };
        let of = |succeeded, conditions| JobStatus {
            succeeded,
            conditions,
            start_time: Some(wall(10)),
            ..JobStatus::default()
        };
        let now = time(wall(130));
        let job = |spec: Value| json!({"metadata": {"name": "pi", "creationTimestamp": "1970-01-01T00:00:05Z"}, "spec": spec});
        let complete = vec![condition(ConditionKind::Complete, Reason::CompletionsReached, true)];
        let resumed = vec![condition(ConditionKind::Suspended, Reason::JobResumed, false)];
        for (spec, status, expected) in [
            (json!({"completions": 3}), of(1, Vec::new()), ["Running", "1/3", "2m", "2m5s"]),
            (json!({"completions": 3}), of(3, complete), ["Complete", "3/3", "90s", "2m5s"]),
            (json!({"parallelism": 2}), of(0, resumed), ["Running", "0/1 of 2", "2m", "2m5s"]),
        ] {
            assert_eq!(row(&job(spec), &status, now)[1..], expected);
        }
        let failed = vec![condition(ConditionKind::Failed, Reason::DeadlineExceeded, true)];
        assert_eq!(
            status(&of(0, failed)),
            json!({
                "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded",
                    "message": "Job was active longer than specified deadline", "lastTransitionTime": "1970-01-01T00:01:40Z"}],
                "ready": 0, "terminating": 0, "startTime": "1970-01-01T00:00:10Z",
            })
        );
    }
}
