//! A Job as its controller sees it.

use std::time::Duration;

use barepod_engine::job::{
    CodeOperator, CompletionMode, FailureAction, FailureMatch, FailureRule, JobBackoff, JobSpec, PodCondition,
    Replacement, Restarts, SuccessRule, Suspension,
};
use k8s_openapi::api::batch::v1 as batch;

use crate::manifest;

/// Of a Job that has been checked and has its defaults.
pub(super) fn spec(job: &batch::Job) -> JobSpec {
    let spec = job.spec.clone().unwrap_or_default();
    let completions = spec.completions.map(number);
    let rules = spec.pod_failure_policy.into_iter().flat_map(|policy| policy.rules);
    let success = spec.success_policy.into_iter().flat_map(|policy| policy.rules);
    let restart_policy = spec.template.spec.and_then(|pod| pod.restart_policy);
    JobSpec {
        parallelism: spec.parallelism.map_or(1, number),
        completions,
        mode: match spec.completion_mode.as_deref() {
            Some("Indexed") => CompletionMode::Indexed,
            _ => CompletionMode::NonIndexed,
        },
        backoff_limit: spec.backoff_limit.map_or(6, number),
        backoff_limit_per_index: spec.backoff_limit_per_index.map(number),
        max_failed_indexes: spec.max_failed_indexes.map(number),
        failure_rules: rules.map(failure_rule).collect(),
        success_rules: success.map(|rule| success_rule(&rule, completions.unwrap_or_default())).collect(),
        active_deadline: spec.active_deadline_seconds.map(|limit| Duration::from_secs(limit.unsigned_abs())),
        ttl_after_finished: spec.ttl_seconds_after_finished.map(|ttl| Duration::from_secs(number(ttl).into())),
        suspension: suspension(spec.suspend),
        replacement: match spec.pod_replacement_policy.as_deref() {
            Some("Failed") => Replacement::Failed,
            _ => Replacement::TerminatingOrFailed,
        },
        restarts: match restart_policy.as_deref() {
            Some("OnFailure") => Restarts::OnFailure,
            _ => Restarts::Never,
        },
        backoff: JobBackoff::default(),
    }
}

fn suspension(suspend: Option<bool>) -> Suspension {
    if suspend == Some(true) { Suspension::Suspended } else { Suspension::Active }
}

/// What the rules have proven not to be negative.
fn number(value: i32) -> u32 {
    value.unsigned_abs()
}

fn failure_rule(rule: batch::PodFailurePolicyRule) -> FailureRule {
    let action = match rule.action.as_str() {
        "FailJob" => FailureAction::FailJob,
        "FailIndex" => FailureAction::FailIndex,
        "Ignore" => FailureAction::Ignore,
        _ => FailureAction::Count,
    };
    let on = match rule.on_exit_codes {
        Some(codes) => FailureMatch::ExitCodes {
            container: codes.container_name,
            operator: if codes.operator == "In" { CodeOperator::In } else { CodeOperator::NotIn },
            values: codes.values,
        },
        None => {
            let condition = |one: batch::PodFailurePolicyOnPodConditionsPattern| PodCondition {
                kind: one.type_,
                status: one.status.unwrap_or_else(|| "True".to_owned()),
            };
            FailureMatch::Conditions(rule.on_pod_conditions.into_iter().flatten().map(condition).collect())
        }
    };
    FailureRule { action, on }
}

fn success_rule(rule: &batch::SuccessPolicyRule, completions: u32) -> SuccessRule {
    let indexes = rule.succeeded_indexes.as_deref().and_then(|text| manifest::indexes(text, completions).ok());
    SuccessRule { indexes, count: rule.succeeded_count.map(number) }
}
