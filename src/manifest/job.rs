//! A Job in a text: read by the same walk as Pods, its template checked as a Pod is.

use k8s_openapi::api::batch::v1 as batch;

use super::diagnostic::Diagnostic;
use super::documents::text_of;
use super::path::FieldPath;
use super::template::pod_of;
use super::tree::Node;
use super::validate::{self, Known};
use super::{apply_defaults, de};

/// `apiVersion` of Jobs.
const VERSION: &str = "batch/v1";

/// Whether a document is a Job, of whatever version; one of another group's (batch.volcano.sh, say) isn't.
pub(super) fn is_job(tree: &Node) -> bool {
    let group = text_of(tree, "apiVersion").and_then(|version| version.split_once('/'));
    text_of(tree, "kind") == Some("Job") && group.is_none_or(|(group, _)| !group.contains('.'))
}

/// The Job in a tree, with what is wrong with it and odd about it. `namespace` gives it one where it has none.
pub(super) fn read(
    tree: &Node,
    known: Option<Known<'_>>,
    namespace: impl FnOnce(&mut Option<String>) -> Option<Diagnostic>,
) -> (batch::Job, Vec<Diagnostic>) {
    let field = FieldPath::root().child("apiVersion");
    let help = format!("write apiVersion: {VERSION}");
    match text_of(tree, "apiVersion") {
        Some(VERSION) => {}
        Some(version) => {
            return (batch::Job::default(), vec![Diagnostic::unsupported(&field, version, &[VERSION]).help(help)]);
        }
        None => return (batch::Job::default(), vec![Diagnostic::required(&field, "").help(help)]),
    }
    let de::Read { value: mut job, mut found, broken } = de::from_tree::<batch::Job>(tree);
    found.extend(namespace(&mut job.metadata.namespace));
    found.extend(validate::job(&job, &broken, known));
    (job, found)
}

/// Sets what the API server would set before it stores the Job (pkg/apis/batch/v1/defaults.go), its template's defaults included.
pub fn apply_job_defaults(job: &mut batch::Job) {
    if job.metadata.namespace.as_ref().is_none_or(String::is_empty) {
        job.metadata.namespace = Some("default".to_owned());
    }
    let mut pod = pod_of(job, "template");
    apply_defaults(&mut pod);
    let Some(spec) = &mut job.spec else { return };
    spec.template.spec = pod.spec;
    // All at once where nothing says otherwise: one success is enough.
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    // Of each index some failures are borne, of all together any number.
    let limit = if spec.backoff_limit_per_index.is_some() { i32::MAX } else { 6 };
    spec.backoff_limit.get_or_insert(limit);
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    spec.suspend.get_or_insert(false);
    let replacement = if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replacement.to_owned());
    for rule in spec.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules) {
        for pattern in rule.on_pod_conditions.iter_mut().flatten() {
            pattern.status.get_or_insert_with(|| "True".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
