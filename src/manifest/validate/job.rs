//! Rules for Jobs (pkg/apis/batch/validation/validation.go).

use k8s_openapi::api::batch::v1 as batch;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::template::{indexes, pod_of, template};
use super::check::{Check, Known, each};
use super::{meta, names, validate};

/// The most pods of an Indexed Job at once, and the most indexes that may fail.
const MOST_INDEXED: i32 = 100_000;
/// The longest name of a host.
const LONGEST_HOST: usize = 63;
const NEEDS_INDEXED: &str = "requires indexed completion mode";

/// Everything that is wrong with a Job by the rules.
pub(in crate::manifest) fn job(job: &batch::Job, broken: &[FieldPath], known: Option<Known<'_>>) -> Vec<Diagnostic> {
    let namespace = job.metadata.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or("default");
    let mut check = Check { found: Vec::new(), broken, namespace, known };
    let root = FieldPath::root();
    meta::check(&job.metadata, &root.child("metadata"), &mut check);
    let Some(spec) = &job.spec else {
        check.report(Diagnostic::required(&root.child("spec"), "").help("spec.template says what to run"));
        return check.found;
    };
    let path = root.child("spec");
    numbers(spec, &path, &mut check);
    completion(job, spec, &path, &mut check);
    restart_policy(spec, &mut check);
    if let Some(policy) = &spec.pod_failure_policy {
        failure_policy(policy, spec, &path.child("podFailurePolicy"), &mut check);
    }
    if let Some(policy) = &spec.success_policy {
        success_policy(policy, spec, &path.child("successPolicy"), &mut check);
    }
    let replacements: &[&str] =
        if spec.pod_failure_policy.is_some() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    check.one_of(&path.child("podReplacementPolicy"), spec.pod_replacement_policy.as_ref(), replacements);
    let mut found = check.found;
    found.extend(of_template(job, broken, known));
    found
}

/// What is wrong with the Pod of the template, each where it stands there.
fn of_template(job: &batch::Job, broken: &[FieldPath], known: Option<Known<'_>>) -> Vec<Diagnostic> {
    let template = template();
    if broken.iter().any(|broken| broken.holds(&template)) {
        return Vec::new();
    }
    let broken: Vec<FieldPath> = broken.iter().filter_map(|whole| template.inner(whole)).collect();
    let mut found = validate(&pod_of(job, "template"), &broken, known);
    for one in &mut found {
        one.field = template.join(&one.field);
    }
    found
}

fn numbers(spec: &batch::JobSpec, path: &FieldPath, check: &mut Check<'_>) {
    for (field, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        check.not_negative(&path.child(field), value);
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let said = "when maxFailedIndexes is specified";
        check.report(Diagnostic::required(&path.child("backoffLimitPerIndex"), said));
    }
}

fn is_indexed(spec: &batch::JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn completion(job: &batch::Job, spec: &batch::JobSpec, path: &FieldPath, check: &mut Check<'_>) {
    check.one_of(&path.child("completionMode"), spec.completion_mode.as_ref(), &["NonIndexed", "Indexed"]);
    if !is_indexed(spec) {
        let per_index =
            [("backoffLimitPerIndex", spec.backoff_limit_per_index), ("maxFailedIndexes", spec.max_failed_indexes)];
        for (field, value) in per_index {
            if let Some(value) = value {
                check.report(Diagnostic::invalid(&path.child(field), i64::from(value), NEEDS_INDEXED));
            }
        }
        return;
    }
    let mut most = |field: &str, value: Option<i32>, most: i32, why: &str| {
        if let Some(value) = value.filter(|value| *value > most) {
            check.report(Diagnostic::invalid(&path.child(field), i64::from(value), why));
        }
    };
    let said = format!("must be less than or equal to {MOST_INDEXED} when completion mode is Indexed");
    most("parallelism", spec.parallelism, MOST_INDEXED, &said);
    most("maxFailedIndexes", spec.max_failed_indexes, MOST_INDEXED, &said);
    let Some(completions) = spec.completions else {
        let said = "when completion mode is Indexed";
        return check.report(Diagnostic::required(&path.child("completions"), said));
    };
    let all = "must be less than or equal to completions";
    most("maxFailedIndexes", spec.max_failed_indexes, completions, all);
    if completions > MOST_INDEXED && spec.backoff_limit_per_index.is_some() {
        let said = format!("must be less than or equal to 10000 when completions are more than {MOST_INDEXED}");
        most("parallelism", spec.parallelism, 10_000, &said);
        most("maxFailedIndexes", spec.max_failed_indexes, 10_000, &said);
        if spec.max_failed_indexes.is_none() {
            let said = format!("when completions are more than {MOST_INDEXED}");
            check.report(Diagnostic::required(&path.child("maxFailedIndexes"), &said));
        }
    }
    // The hosts are called so: JOB-INDEX.
    if let Some(name) = job.metadata.name.as_deref().filter(|_| completions > 0) {
        let host = format!("{name}-{}", completions - 1);
        if host.len() > LONGEST_HOST {
            let said =
                format!("its pods' hosts are called JOB-INDEX, and {host} is longer than {LONGEST_HOST} characters");
            check.report(Diagnostic::invalid(&FieldPath::root().child("metadata.name"), name, said));
        }
    }
}

fn restart_policy(spec: &batch::JobSpec, check: &mut Check<'_>) {
    let field = template().child("spec.restartPolicy");
    let policy = spec.template.spec.as_ref().and_then(|pod| pod.restart_policy.as_deref()).unwrap_or_default();
    match (policy, &spec.pod_failure_policy) {
        ("", _) => check.report(
            Diagnostic::required(&field, "valid values: \"OnFailure\", \"Never\"")
                .help("Never: a failed pod is replaced; OnFailure: its containers are restarted"),
        ),
        ("OnFailure", Some(_)) => {
            let said = "only \"Never\" is supported when podFailurePolicy is specified";
            check.report(Diagnostic::invalid(&field, policy, said));
        }
        ("OnFailure" | "Never", _) => {}
        (other, _) => check.report(Diagnostic::unsupported(&field, other, &["OnFailure", "Never"])),
    }
}

fn at_most_20<T>(list: &[T], path: &FieldPath, check: &mut Check<'_>) {
    if list.len() > 20 {
        check.report(Diagnostic::too_many(path, list.len(), 20));
    }
}

fn failure_policy(policy: &batch::PodFailurePolicy, spec: &batch::JobSpec, path: &FieldPath, check: &mut Check<'_>) {
    let pod = spec.template.spec.as_ref();
    let mains = pod.into_iter().flat_map(|pod| &pod.containers);
    let inits = pod.into_iter().flat_map(|pod| pod.init_containers.iter().flatten());
    let containers: Vec<&str> = mains.chain(inits).map(|one| one.name.as_str()).collect();
    let rules = path.child("rules");
    at_most_20(&policy.rules, &rules, check);
    for (path, rule) in each(Some(&policy.rules), &rules) {
        let field = path.child("action");
        match rule.action.as_str() {
            "" => check.report(Diagnostic::required(&field, "")),
            "FailIndex" if spec.backoff_limit_per_index.is_none() => {
                check.report(Diagnostic::invalid(&field, "FailIndex", "requires the backoffLimitPerIndex to be set"));
            }
            _ => check.one_of(&field, Some(&rule.action), &["Count", "FailIndex", "FailJob", "Ignore"]),
        }
        match (&rule.on_exit_codes, &rule.on_pod_conditions) {
            (Some(codes), None) => exit_codes(codes, &containers, &path.child("onExitCodes"), check),
            (None, Some(patterns)) => conditions(patterns, &path.child("onPodConditions"), check),
            (None, None) => {
                let said = "Invalid value: specifying one of OnExitCodes and OnPodConditions is required";
                check.report(Diagnostic::error(&path, said));
            }
            (Some(_), Some(_)) => {
                let said = "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported";
                check.report(Diagnostic::error(&path, said));
            }
        }
    }
}

fn exit_codes(
    codes: &batch::PodFailurePolicyOnExitCodesRequirement,
    containers: &[&str],
    path: &FieldPath,
    check: &mut Check<'_>,
) {
    match codes.operator.as_str() {
        "" => check.report(Diagnostic::required(&path.child("operator"), "")),
        _ => check.one_of(&path.child("operator"), Some(&codes.operator), &["In", "NotIn"]),
    }
    if let Some(name) = codes.container_name.as_deref().filter(|name| !containers.contains(name)) {
        let said = "must be one of the container or initContainer names in the pod template";
        check.report(Diagnostic::invalid(&path.child("containerName"), name, said));
    }
    let values = path.child("values");
    match codes.values.len() {
        0 => check.report(Diagnostic::required(&values, "at least one value is required")),
        256.. => check.report(Diagnostic::too_many(&values, codes.values.len(), 255)),
        _ => {}
    }
    for (path, value) in each(Some(&codes.values), &values) {
        if *value == 0 && codes.operator == "In" {
            check.report(Diagnostic::invalid(&path, 0_i64, "must not be 0 for the In operator"));
        }
    }
    for pair in codes.values.windows(2) {
        if pair[0] > pair[1] {
            return check.report(Diagnostic::error(&values, "Invalid value: must be ordered"));
        }
        if pair[0] == pair[1] {
            return check.report(Diagnostic::duplicate(&values, i64::from(pair[0])));
        }
    }
}

fn conditions(patterns: &Vec<batch::PodFailurePolicyOnPodConditionsPattern>, path: &FieldPath, check: &mut Check<'_>) {
    at_most_20(patterns, path, check);
    for (path, pattern) in each(Some(patterns), path) {
        check.invalid(&path.child("type"), &pattern.type_, &names::qualified(&pattern.type_));
        check.one_of(&path.child("status"), pattern.status.as_ref(), &["False", "True", "Unknown"]);
    }
}

fn success_policy(policy: &batch::SuccessPolicy, spec: &batch::JobSpec, path: &FieldPath, check: &mut Check<'_>) {
    if !is_indexed(spec) {
        return check.report(Diagnostic::error(path, format!("Invalid value: {NEEDS_INDEXED}")).at_key());
    }
    let rules = path.child("rules");
    if policy.rules.is_empty() {
        check.report(Diagnostic::required(&rules, "at least one rule is required"));
    }
    at_most_20(&policy.rules, &rules, check);
    let completions = u32::try_from(spec.completions.unwrap_or_default()).unwrap_or_default();
    for (path, rule) in each(Some(&policy.rules), &rules) {
        let field = path.child("succeededCount");
        check.not_negative(&field, rule.succeeded_count.map(i64::from));
        let of = match &rule.succeeded_indexes {
            None if rule.succeeded_count.is_none() => {
                let said = "at least one of succeededCount or succeededIndexes must be specified";
                check.report(Diagnostic::required(&path, said));
                continue;
            }
            None => completions,
            Some(text) => match indexes(text, completions) {
                Ok(all) => all.iter().map(|(first, last)| last - first + 1).sum(),
                Err(why) => {
                    let said = format!("error parsing succeededIndexes: {why}");
                    check.report(Diagnostic::invalid(&path.child("succeededIndexes"), text.as_str(), said));
                    continue;
                }
            },
        };
        let count = rule.succeeded_count.and_then(|count| u32::try_from(count).ok());
        if let Some(count) = count.filter(|count| *count > of) {
            let said = format!("must be less than or equal to {of} (the number of indexes)");
            check.report(Diagnostic::invalid(&field, i64::from(count), said));
        }
    }
}
