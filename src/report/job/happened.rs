//! R11.16: what happened to a Job, as the controller of a cluster says it.

use barepod_engine::job::{ConditionKind, JobCondition};

use super::{message, reason, time};
use crate::store::events::EventLine;

/// What is new of a Job's conditions.
pub fn changed(before: &[JobCondition], after: &[JobCondition]) -> Vec<EventLine> {
    let new = after.iter().filter(|one| !before.contains(one));
    let line = |one: &JobCondition| {
        let text = message(one.reason);
        let (kind, reason, text) = match (one.kind, one.is_true) {
            (ConditionKind::Suspended, true) => ("Normal", "Suspended", text),
            (ConditionKind::Suspended, false) => ("Normal", "Resumed", text),
            (ConditionKind::Complete, _) => ("Normal", "Completed", "Job completed"),
            (ConditionKind::Failed, _) => ("Warning", reason(one.reason), text),
            // The two above say how it has ended.
            (ConditionKind::FailureTarget | ConditionKind::SuccessCriteriaMet, _) => return None,
        };
        Some(event(time(one.since), kind, reason, text.to_owned()))
    };
    new.filter_map(line).collect()
}

/// What has become of one of its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodChange {
    /// It runs.
    Created,
    /// It could not be made.
    NotCreated,
    /// It has been asked to end.
    Deleted,
}

/// What the Job says of that.
pub fn of_pod(pod: &str, change: PodChange, now: jiff::Timestamp) -> EventLine {
    let (kind, reason, text) = match change {
        PodChange::Created => ("Normal", "SuccessfulCreate", format!("Created pod: {pod}")),
        PodChange::NotCreated => ("Warning", "FailedCreate", format!("Error creating: pod {pod} could not be made")),
        PodChange::Deleted => ("Normal", "SuccessfulDelete", format!("Deleted pod: {pod}")),
    };
    event(now, kind, reason, text)
}

fn event(time: jiff::Timestamp, kind: &str, reason: &str, message: String) -> EventLine {
    let (kind, reason) = (kind.to_owned(), reason.to_owned());
    EventLine { time, first: None, kind, reason, container: None, message, count: 1 }
}

#[cfg(test)]
mod tests {
    use barepod_engine::job::Reason;
    use barepod_engine::time::WallTime;

    use super::*;

    /// R11.16.
    #[test]
    fn what_is_new_is_said_once() {
        let condition = |kind, reason, is_true| JobCondition {
            kind,
            is_true,
            reason,
            since: WallTime::from_unix_nanos(5_000_000_000),
        };
        let suspended = condition(ConditionKind::Suspended, Reason::JobSuspended, true);
        let resumed = condition(ConditionKind::Suspended, Reason::JobResumed, false);
        let met = condition(ConditionKind::SuccessCriteriaMet, Reason::CompletionsReached, true);
        let complete = condition(ConditionKind::Complete, Reason::CompletionsReached, true);
        let failed = condition(ConditionKind::Failed, Reason::BackoffLimitExceeded, true);
        for (before, after, expected) in [
            (vec![], vec![suspended], "Normal Suspended: Job suspended"),
            (vec![suspended], vec![suspended], ""),
            (vec![suspended], vec![resumed], "Normal Resumed: Job resumed"),
            (vec![resumed], vec![resumed, met, complete], "Normal Completed: Job completed"),
            (vec![], vec![met], ""),
            (vec![], vec![failed], "Warning BackoffLimitExceeded: Job has reached the specified backoff limit"),
        ] {
            let lines = changed(&before, &after);
            let text = |line: &EventLine| format!("{} {}: {}", line.kind, line.reason, line.message);
            assert_eq!(lines.iter().map(text).collect::<Vec<_>>().join(", "), expected);
            assert!(lines.iter().all(|line| line.time == time(complete.since)));
        }
    }
}
