//! Rules for restart policies (R1.3, R1.4; KEP-753, KEP-5307, KEP-5532).

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::check::{Check, each};

const POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const ACTIONS: &[&str] = &["Restart", "RestartAllContainers"];
const OPERATORS: &[&str] = &["In", "NotIn"];
/// Rules of one container.
const MOST_RULES: usize = 20;
/// Exit codes of one rule.
const MOST_CODES: usize = 255;

/// Which list a container is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Init,
    Main,
}

/// Checks the pod's policy (R1.3).
pub(super) fn of_pod(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    check.one_of(&path.child("restartPolicy"), spec.restart_policy.as_ref(), POLICIES);
}

/// Checks a container's policy and rules (R1.3, R1.4).
pub(super) fn of_container(container: &v1::Container, list: List, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("restartPolicy");
    if let Some(policy) = &container.restart_policy
        && !POLICIES.contains(&policy.as_str())
    {
        let diagnostic = Diagnostic::unsupported(&field, policy, POLICIES);
        check.report(match list {
            List::Init => {
                diagnostic.help("\"Always\" makes it a sidecar; leave the line out for a plain init container")
            }
            List::Main => diagnostic,
        });
    }
    let rules = container.restart_policy_rules.as_ref();
    let rules_field = path.child("restartPolicyRules");
    let count = rules.map_or(0, Vec::len);
    if count > 0 && container.restart_policy.is_none() {
        check.report(
            Diagnostic::required(&field, "must specify restartPolicy when restart rules are used")
                .help("it says what happens when no rule matches"),
        );
    }
    if count > MOST_RULES {
        check.report(Diagnostic::too_many(&rules_field, count, MOST_RULES));
    }
    for (path, rule) in each(rules, &rules_field) {
        of_rule(rule, &path, check);
    }
}

fn of_rule(rule: &v1::ContainerRestartRule, path: &FieldPath, check: &mut Check<'_>) {
    if rule.action.is_empty() {
        check.report(Diagnostic::required(&path.child("action"), ""));
    } else {
        check.one_of(&path.child("action"), Some(&rule.action), ACTIONS);
    }
    let field = path.child("exitCodes");
    let Some(codes) = &rule.exit_codes else {
        check.report(Diagnostic::required(&field, "must be specified"));
        return;
    };
    if codes.operator.is_empty() {
        check.report(Diagnostic::required(&field.child("operator"), ""));
    } else {
        check.one_of(&field.child("operator"), Some(&codes.operator), OPERATORS);
    }
    let values = field.child("values");
    match codes.values.as_ref().map_or(0, Vec::len) {
        0 => check.report(Diagnostic::required(&values, "must specify at least one exit code")),
        count if count > MOST_CODES => check.report(Diagnostic::too_many(&values, count, MOST_CODES)),
        _ => {}
    }
    for (path, code) in each(codes.values.as_ref(), &values) {
        if !(0..=255).contains(code) {
            check.report(Diagnostic::invalid(&path, *code, "must be between 0 and 255, inclusive"));
        }
    }
}
