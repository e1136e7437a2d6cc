//! `describe job`: a Job for people, section by section as kubectl has them.

use std::path::Path;

use barepod_engine::job::JobStatus;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1;

use super::{NONE, NOTHING, clock, containers, map, volumes};
use crate::report::job as words;
use crate::report::page::{Field, Page, field};
use crate::report::table;
use crate::store::events::EventLine;

/// What a Job is shown by.
#[derive(Clone, Copy, Debug)]
pub struct DescribedJob<'a> {
    /// With its defaults.
    pub job: &'a batch::Job,
    /// A pod of its template.
    pub template: &'a v1::Pod,
    /// From its controller.
    pub status: &'a JobStatus,
    /// What happened to it; `None`: that isn't asked for.
    pub events: Option<&'a [EventLine]>,
    /// To tell how long ago that was.
    pub now: jiff::Timestamp,
    /// Who runs it, in words.
    pub process: &'a str,
    /// Of one in the background: where its process says what it has to say.
    pub log: Option<&'a Path>,
    /// Columns of the terminal; `None`: lines are as long as they are.
    pub width: Option<usize>,
}

/// The whole page.
pub fn describe(described: &DescribedJob<'_>) -> String {
    let &DescribedJob { job, template: pod, status, events, now, process, log, width } = described;
    let mut page = Page::new(width);
    let mut fields = head(job, status);
    fields.push(field(0, "Process", [process]));
    fields.extend(log.map(|path| field(0, "Log", [path.display().to_string()])));
    page.fields(&fields);
    template(&mut page, pod);
    conditions(&mut page, status);
    if let Some(events) = events {
        happened(&mut page, events, now);
    }
    page.into_text()
}

fn head(job: &batch::Job, status: &JobStatus) -> Vec<Field> {
    let meta = &job.metadata;
    let spec = job.spec.clone().unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
    let number = |number: Option<i32>| number.map(|number| number.to_string());
    let mode = spec.completion_mode.unwrap_or_else(|| "NonIndexed".to_owned());
    let is_indexed = mode == "Indexed";
    let seconds = |seconds: i64| format!("{seconds}s");
    let optional = [
        ("Backoff Limit", number(spec.backoff_limit)),
        ("Backoff Limit Per Index", number(spec.backoff_limit_per_index)),
        ("Max Failed Indexes", number(spec.max_failed_indexes)),
        ("TTL Seconds After Finished", number(spec.ttl_seconds_after_finished)),
        ("Start Time", status.start_time.map(|at| clock(words::time(at)))),
        ("Completed At", status.completion_time.map(|at| clock(words::time(at)))),
        (
            "Duration",
            status
                .completion_time
                .zip(status.start_time)
                .map(|(end, start)| table::ago(words::time(end), words::time(start))),
        ),
        ("Active Deadline Seconds", spec.active_deadline_seconds.map(seconds)),
    ];
    let selector = format!("batch.kubernetes.io/controller-uid={}", text(&meta.uid));
    let mut fields = vec![
        field(0, "Name", [text(&meta.name)]),
        field(0, "Namespace", [text(&meta.namespace)]),
        field(0, "Selector", [selector]),
        field(0, "Labels", map(meta.labels.iter().flatten(), "=")),
        field(0, "Annotations", map(meta.annotations.iter().flatten(), ": ")),
        field(0, "Parallelism", [number(spec.parallelism).unwrap_or_else(|| "1".to_owned())]),
        field(0, "Completions", [number(spec.completions).unwrap_or_else(|| "<unset>".to_owned())]),
        field(0, "Completion Mode", [mode]),
        field(0, "Suspend", [spec.suspend.unwrap_or_default().to_string()]),
    ];
    fields.extend(optional.into_iter().filter_map(|(key, value)| value.map(|value| field(0, key, [value]))));
    let JobStatus { active, ready, succeeded, failed, terminating, .. } = status;
    let mut pods = format!("{active} Active ({ready} Ready) / {succeeded} Succeeded / {failed} Failed");
    if *terminating > 0 {
        pods += &format!(" / {terminating} Terminating");
    }
    fields.push(field(0, "Pods Statuses", [pods]));
    let indexes = |text: &str| if text.is_empty() { NONE.to_owned() } else { text.to_owned() };
    if is_indexed {
        fields.push(field(0, "Completed Indexes", [indexes(&status.completed_indexes)]));
    }
    fields.extend(status.failed_indexes.as_ref().map(|failed| field(0, "Failed Indexes", [indexes(failed)])));
    fields
}

/// What its pods are made of.
fn template(page: &mut Page, pod: &v1::Pod) {
    let spec = pod.spec.clone().unwrap_or_default();
    page.fields(&[field(0, "Pod Template", NOTHING)]);
    page.fields(&[
        field(1, "Labels", map(pod.metadata.labels.iter().flatten(), "=")),
        field(1, "Annotations", map(pod.metadata.annotations.iter().flatten(), ": ")),
        field(1, "Restart Policy", [spec.restart_policy.as_deref().unwrap_or(NONE)]),
    ]);
    let lists = [("Init Containers", spec.init_containers.as_deref()), ("Containers", Some(&spec.containers[..]))];
    for (key, list) in lists {
        let list = list.unwrap_or_default();
        if !list.is_empty() {
            page.fields(&[field(0, key, NOTHING)]);
            list.iter().for_each(|container| containers::describe_template(page, container));
        }
    }
    volumes::describe(page, &spec);
}

fn conditions(page: &mut Page, status: &JobStatus) {
    if status.conditions.is_empty() {
        return page.fields(&[field(0, "Conditions", [NONE])]);
    }
    page.fields(&[field(0, "Conditions", NOTHING)]);
    let rows = status.conditions.iter().map(|one| {
        let is_true = if one.is_true { "True" } else { "False" };
        let why = format!("{}: {}", words::reason(one.reason), words::message(one.reason));
        vec![words::kind(one.kind).to_owned(), is_true.to_owned(), why]
    });
    page.table(1, &["Type", "Status", "Reason"], &rows.collect::<Vec<_>>());
}

fn happened(page: &mut Page, events: &[EventLine], now: jiff::Timestamp) {
    if events.is_empty() {
        return page.fields(&[field(0, "Events", [NONE])]);
    }
    page.fields(&[field(0, "Events", NOTHING)]);
    let row = |event: &EventLine| {
        vec![event.kind.clone(), event.reason.clone(), table::last_seen(event, now), event.message.clone()]
    };
    page.table(1, &["Type", "Reason", "Age", "Message"], &events.iter().map(row).collect::<Vec<_>>());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use barepod_engine::job::{ConditionKind, JobCondition, Reason};
    use barepod_engine::time::WallTime;
    use serde_json::json;

    use super::*;
    use crate::report::job::happened;

    #[test]
    fn a_job_as_kubectl_describes_it() {
        let wall = |seconds: i64| WallTime::from_unix_nanos(seconds * 1_000_000_000);
        let job: batch::Job = serde_json::from_value(json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "pi", "namespace": "ops", "uid": "u-1", "labels": {"app": "pi"}},
            "spec": {
                "parallelism": 2, "completions": 3, "completionMode": "Indexed", "backoffLimit": 6, "suspend": false,
                "backoffLimitPerIndex": 1, "activeDeadlineSeconds": 60,
                "template": {"metadata": {"labels": {"tier": "batch"}}, "spec": {
                    "restartPolicy": "Never",
                    "initContainers": [{"name": "proxy", "image": "bundle:p", "restartPolicy": "Always"}],
                    "containers": [{"name": "main", "image": "rootfs:/srv", "command": ["work"],
                        "resources": {"limits": {"memory": "64Mi"}}, "env": [{"name": "A", "value": "b"}]}],
                    "volumes": [{"name": "data", "emptyDir": {}}]
                }}
            }
        }))
        .unwrap();
        let failed = JobCondition {
            kind: ConditionKind::Failed,
            is_true: true,
            reason: Reason::FailedIndexes,
            since: wall(100),
        };
        let status = JobStatus {
            succeeded: 2,
            failed: 2,
            completed_indexes: "0,2".into(),
            failed_indexes: Some("1".into()),
            start_time: Some(wall(10)),
            completion_time: Some(wall(100)),
            conditions: vec![failed],
            ..JobStatus::default()
        };
        let events = [
            happened::of_pod("pi-0-abcde", happened::PodChange::Created, "1970-01-01T00:00:11Z".parse().unwrap()),
            happened::changed(&[], &[failed]).remove(0),
        ];
        let now = "1970-01-01T00:02:00Z".parse().unwrap();
        let (events, process) = (Some(&events[..]), "ended");
        let log = Some(Path::new("/run/barepod/jobs/ops_pi/runner.log"));
        let v1::PodTemplateSpec { metadata, spec } = job.spec.clone().unwrap().template;
        let template = v1::Pod { metadata: metadata.unwrap(), spec, status: None };
        let described =
            DescribedJob { job: &job, template: &template, status: &status, events, now, process, log, width: None };
        insta::assert_snapshot!(describe(&described));
    }
}
