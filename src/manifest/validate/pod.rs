//! Rules for the pod as a whole (R1.1, R1.3, R1.10), and the way to those for its parts.

use std::collections::HashSet;

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::check::{Check, each};
use super::restart::List;
use super::surroundings::Surroundings;
use super::{container, names, network, references, resources, restart, security, supported, volume};

/// Checks the spec and everything in it.
pub(super) fn check(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let pod = Surroundings { spec, path };
    restart::of_pod(spec, path, check);
    times(spec, path, check);
    network::of_pod(spec, path, check);
    namespaces(spec, path, check);
    security::of_pod(spec, path, check);
    resources::of_pod(spec, path, check);
    volume::volumes(&pod, &path.child("volumes"), check);
    for (path, gate) in each(spec.readiness_gates.as_ref(), &path.child("readinessGates")) {
        check.invalid(&path.child("conditionType"), &gate.condition_type, &names::qualified(&gate.condition_type));
    }
    for (field, name) in [
        ("nodeName", &spec.node_name),
        ("serviceAccountName", &spec.service_account_name),
        ("priorityClassName", &spec.priority_class_name),
    ] {
        if let Some(name) = name.as_ref().filter(|name| !name.is_empty()) {
            check.invalid(&path.child(field), name, &names::dns_subdomain(name));
        }
    }
    check.one_of(&path.child("preemptionPolicy"), spec.preemption_policy.as_ref(), &["PreemptLowerPriority", "Never"]);
    operating_system(spec, path, check);
    references::pull_secrets(spec, path, check);
    containers(&pod, check);
    supported::of_pod(spec, path, check);
}

/// Every container, and that their names differ (R1.1): inits are held against the mains, as the API server does.
fn containers(pod: &Surroundings<'_>, check: &mut Check<'_>) {
    let (mains, inits) = (pod.path.child("containers"), pod.path.child("initContainers"));
    if pod.spec.containers.is_empty() {
        check.report(Diagnostic::required(&mains, "").help("a pod needs at least one container"));
    }
    let mut seen: HashSet<&str> = HashSet::new();
    let lists =
        [(List::Main, Some(&pod.spec.containers), &mains), (List::Init, pod.spec.init_containers.as_ref(), &inits)];
    for (list, containers, field) in lists {
        for (path, container) in each(containers, field) {
            container::check(container, list, pod, &path, check);
            let name = container.name.as_str();
            if seen.contains(name) && !name.is_empty() {
                check.report(Diagnostic::duplicate(&path.child("name"), name));
            }
            seen.insert(name);
        }
    }
}

/// Times of the pod.
fn times(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    check.not_negative(&path.child("terminationGracePeriodSeconds"), spec.termination_grace_period_seconds);
    let most = i64::from(i32::MAX);
    if let Some(seconds) = spec.active_deadline_seconds.filter(|seconds| !(1..=most).contains(seconds)) {
        let detail = format!("must be between 1 and {most}, inclusive");
        check.report(Diagnostic::invalid(&path.child("activeDeadlineSeconds"), seconds, detail));
    }
}

/// Which namespaces go together (R1.10).
fn namespaces(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        check.report(Diagnostic::invalid(&path.child("shareProcessNamespace"), true, detail));
    }
    if spec.host_users == Some(false) {
        for (field, host) in
            [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)]
        {
            if host == Some(true) {
                check.report(Diagnostic::forbidden(&path.child(field), "when `hostUsers` is false"));
            }
        }
    }
}

/// The operating system.
fn operating_system(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("os.name");
    match spec.os.as_ref().map(|os| os.name.as_str()) {
        None | Some("linux") => {}
        Some("") => check.report(Diagnostic::required(&field, "")),
        Some("windows") => {
            check.report(Diagnostic::error(&field, "Forbidden: Windows is not supported").help("write linux"));
        }
        Some(other) => check.report(Diagnostic::unsupported(&field, other, &["linux", "windows"])),
    }
}
