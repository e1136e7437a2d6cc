//! A Job's pods: what they are called, what they have from their Job, and what one that has ended means to it.

use barepod_engine::job::{PodCondition, PodEnd};
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::manifest;

/// Label and annotation of pods of Indexed Jobs.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Annotations of pods of Jobs with `backoffLimitPerIndex` (R11.11).
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// A name that is generated has at most so many characters before its last five.
const LONGEST_BASE: usize = 58;

/// A new name, as the API server generates them: `JOB-xxxxx`, of an Indexed Job `JOB-INDEX-xxxxx`.
pub(super) fn name(job: &str, index: Option<u32>, random: u32) -> String {
    let end = index.map_or_else(|| "-".to_owned(), |index| format!("-{index}-"));
    let mut base: String = job.chars().take(LONGEST_BASE.saturating_sub(end.len())).collect();
    base.push_str(&end);
    let mut meta = ObjectMeta { generate_name: Some(base), ..ObjectMeta::default() };
    manifest::generate_name(&mut meta, random);
    meta.name.unwrap_or_default()
}

/// The pod of a Job's template, with all that the controller of a cluster adds to it; `failures` of its index before, those that were
/// ignored behind them.
pub(super) fn pod(job: &batch::Job, name: &str, index: Option<u32>, failures: Option<(u32, u32)>) -> v1::Pod {
    let mut pod = manifest::pod_of(job, name);
    let job_name = job.metadata.name.clone().unwrap_or_default();
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let labels = pod.metadata.labels.get_or_insert_default();
    for (label, value) in [("job-name", &job_name), ("controller-uid", &uid)] {
        labels.insert(label.to_owned(), value.clone());
        labels.insert(format!("batch.kubernetes.io/{label}"), value.clone());
    }
    pod.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name: job_name.clone(),
        uid,
        controller: Some(true),
        block_owner_deletion: Some(true),
    }]);
    if let Some(index) = index {
        labels.insert(INDEX.to_owned(), index.to_string());
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(INDEX.to_owned(), index.to_string());
        if let Some((counted, ignored)) = failures {
            annotations.insert(FAILURES.to_owned(), counted.to_string());
            if ignored > 0 {
                annotations.insert(IGNORED.to_owned(), ignored.to_string());
            }
        }
        if let Some(spec) = &mut pod.spec {
            spec.hostname = Some(format!("{job_name}-{index}"));
            for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
                add_index(container.env.get_or_insert_default());
            }
        }
    }
    pod
}

/// A container that has such a variable keeps it.
fn add_index(env: &mut Vec<v1::EnvVar>) {
    const NAME: &str = "JOB_COMPLETION_INDEX";
    if env.iter().any(|variable| variable.name == NAME) {
        return;
    }
    let field_path = format!("metadata.labels['{INDEX}']");
    let field_ref = Some(v1::ObjectFieldSelector { api_version: None, field_path });
    let value_from = Some(v1::EnvVarSource { field_ref, ..v1::EnvVarSource::default() });
    env.push(v1::EnvVar { name: NAME.to_owned(), value: None, value_from });
}

/// How a pod has ended (R11.2: by its mains; a sidecar's end makes no pod fail).
pub(super) fn end(pod: &v1::Pod) -> PodEnd {
    let Some(status) = pod.status.as_ref().filter(|status| status.phase.as_deref() != Some("Succeeded")) else {
        return PodEnd::Succeeded;
    };
    let conditions = status.conditions.iter().flatten();
    let conditions = conditions.map(|one| PodCondition { kind: one.type_.clone(), status: one.status.clone() });
    PodEnd::Failed { exits: exits(status), conditions: conditions.collect() }
}

/// Of mains, then of inits.
fn exits(status: &v1::PodStatus) -> Vec<(String, i32)> {
    let statuses = [&status.container_statuses, &status.init_container_statuses];
    let code = |one: &v1::ContainerStatus| {
        let ended = one.state.as_ref()?.terminated.as_ref()?;
        Some((one.name.clone(), ended.exit_code))
    };
    statuses.into_iter().flatten().flatten().filter_map(code).collect()
}

/// What a failed pod's end makes of the exit code of its Job's run.
pub(super) fn code(end: &PodEnd) -> Option<u8> {
    match end {
        PodEnd::Succeeded => None,
        PodEnd::Failed { exits, .. } => {
            let first = exits.iter().map(|(_, code)| *code).find(|code| *code != 0);
            Some(first.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
        }
    }
}

/// Whether it is Ready, and how often all its containers together have been restarted.
pub(super) fn readiness(pod: &v1::Pod) -> (bool, u32) {
    let Some(status) = &pod.status else { return (false, 0) };
    let is_ready = status.conditions.iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True");
    let all = [&status.container_statuses, &status.init_container_statuses].into_iter().flatten().flatten();
    let restarts = all.map(|one| one.restart_count).fold(0, i32::saturating_add);
    (is_ready, restarts.unsigned_abs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_as_a_cluster_makes_them() {
        let long = "a".repeat(70);
        for (job, index, expected) in [
            ("pi", None, "pi-bbbbb".to_owned()),
            ("pi", Some(3), "pi-3-bbbbb".to_owned()),
            (&*long, None, format!("{}-bbbbb", "a".repeat(57))),
            (&*long, Some(12), format!("{}-12-bbbbb", "a".repeat(54))),
        ] {
            assert_eq!(name(job, index, 0), expected);
        }
    }

    #[test]
    fn a_pod_has_its_index_from_its_job() {
        let job: batch::Job = serde_json::from_value(json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "pi", "namespace": "ops", "uid": "u"},
            "spec": {"template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [
                {"name": "a"}, {"name": "b", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "mine"}]},
            ]}}},
        }))
        .unwrap();
        let annotations = |failures| pod(&job, "pi-2-abcde", Some(2), failures).metadata.annotations.unwrap();
        let of = |counted: &str| [(FAILURES.to_owned(), counted.to_owned()), (INDEX.to_owned(), "2".to_owned())];
        assert_eq!(annotations(Some((1, 0))), of("1").into());
        assert_eq!(annotations(Some((0, 3))).get(IGNORED).map(String::as_str), Some("3"));
        let pod = serde_json::to_value(pod(&job, "pi-2-abcde", Some(2), None)).unwrap();
        assert_eq!(pod["metadata"]["namespace"], "ops");
        let labels = &pod["metadata"]["labels"];
        assert_eq!((&labels["app"], &labels["job-name"], &labels[INDEX]), (&json!("x"), &json!("pi"), &json!("2")));
        assert_eq!(labels["batch.kubernetes.io/controller-uid"], "u");
        assert_eq!(pod["metadata"]["annotations"][INDEX], "2");
        assert_eq!(pod["spec"]["hostname"], "pi-2");
        let path = format!("metadata.labels['{INDEX}']");
        assert_eq!(pod["spec"]["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], path);
        assert_eq!(pod["spec"]["containers"][1]["env"], json!([{"name": "JOB_COMPLETION_INDEX", "value": "mine"}]));
    }

    #[test]
    fn what_an_ended_pod_means() {
        let ended = |phase: &str, mains: serde_json::Value, inits: serde_json::Value| -> v1::Pod {
            let of = |codes: &serde_json::Value| -> Vec<serde_json::Value> {
                let state = |code| {
                    json!({"name": "c", "state": {"terminated": {"exitCode": code}}, "image": "", "imageID": "",
                    "ready": false, "restartCount": 0})
                };
                codes.as_array().unwrap().iter().map(state).collect()
            };
            let status = json!({"phase": phase, "containerStatuses": of(&mains), "initContainerStatuses": of(&inits)});
            serde_json::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "status": status}))
                .unwrap()
        };
        for (pod, expected) in [
            (ended("Succeeded", json!([0]), json!([143])), None),
            (ended("Failed", json!([0, 3]), json!([])), Some(3)),
            (ended("Failed", json!([]), json!([7])), Some(7)),
            (ended("Failed", json!([]), json!([])), Some(1)),
        ] {
            assert_eq!(code(&end(&pod)), expected);
        }
    }
}
