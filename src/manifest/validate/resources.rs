//! Rules for resources (R1.9).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use super::super::defaults::aggregate;
use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::quantity::{HUGE_PAGES, Quantity, huge_page_size};
use super::super::words::nearest;
use super::check::{Check, each};
use super::names;
use super::restart;
use super::surroundings::Surroundings;

/// Amounts by name of resource.
type List = BTreeMap<String, Text>;

/// Checks a container's requests and limits.
pub(super) fn of_container(container: &v1::Container, path: &FieldPath, check: &mut Check<'_>) {
    if let Some(resources) = &container.resources {
        requirements(resources, &path.child("resources"), check);
    }
}

/// Checks what is to happen when resources are changed (KEP-1287).
pub(super) fn resize_policy(
    container: &v1::Container,
    list: restart::List,
    pod: &Surroundings<'_>,
    path: &FieldPath,
    check: &mut Check<'_>,
) {
    let policies = container.resize_policy.as_ref();
    let field = path.child("resizePolicy");
    let own = container.restart_policy.as_deref();
    let once = list == restart::List::Init && matches!(own, None | Some("Never" | "OnFailure"));
    if once && policies.is_some_and(|policies| !policies.is_empty()) && !check.is_broken(&path.child("restartPolicy")) {
        let diagnostic = Diagnostic::forbidden(&field, "must not be set for init containers");
        check.report(diagnostic.help("only sidecars (restartPolicy: Always) and main containers can be resized"));
        return;
    }
    let never = own.or(pod.spec.restart_policy.as_deref()) == Some("Never");
    let mut seen = BTreeSet::new();
    for (path, policy) in each(policies, &field) {
        check.one_of(&path.child("resourceName"), Some(&policy.resource_name), &["cpu", "memory"]);
        let restart = path.child("restartPolicy");
        check.one_of(&restart, Some(&policy.restart_policy), &["NotRequired", "RestartContainer"]);
        if never && policy.restart_policy == "RestartContainer" {
            let rule = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            check.report(Diagnostic::invalid(&restart, &policy.restart_policy, rule));
        }
        if !seen.insert(&policy.resource_name) {
            check.report(Diagnostic::duplicate(&path.child("resourceName"), &policy.resource_name));
        }
    }
}

/// Checks the pod's own requests and limits against those of its containers, and its overhead.
pub(super) fn of_pod(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    if let Some(overhead) = &spec.overhead {
        amounts(overhead, &path.child("overhead"), check);
    }
    let Some(resources) = &spec.resources else {
        return;
    };
    let field = path.child("resources");
    requirements(resources, &field, check);
    for (list, amounts) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for name in amounts.iter().flat_map(BTreeMap::keys).filter(|name| is_extended(name)) {
            let message = format!("Kubernetes knows no {name} of a whole pod");
            let forbidden = Diagnostic::forbidden(&field.child(list).key(name), message);
            check.report(forbidden.help("ask for it in the container that needs it"));
        }
        if amounts.as_ref().is_some_and(|amounts| amounts.contains_key("ephemeral-storage")) {
            let field = field.child(list).key("ephemeral-storage");
            let forbidden = Diagnostic::forbidden(&field, "Kubernetes knows no ephemeral-storage of a whole pod");
            check.report(forbidden.help("the limits of its containers together are the pod's"));
        }
    }
    for (name, request) in resources.requests.iter().flatten() {
        let (Ok(request), Some(sum)) = (
            Quantity::try_from(request),
            aggregate(name, &spec.containers, spec.init_containers.as_deref().unwrap_or_default()),
        ) else {
            continue;
        };
        if sum > request {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            let field = field.child("requests").key(name);
            check.report(Diagnostic::invalid(&field, request.to_string(), detail));
        }
    }
    for (path, container) in each(Some(&spec.containers), &path.child("containers")) {
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        for (name, limit) in limits.into_iter().flatten() {
            let whole = resources.limits.as_ref().and_then(|limits| limits.get(name)).map(Quantity::try_from);
            if let (Ok(limit), Some(Ok(whole))) = (Quantity::try_from(limit), whole)
                && limit > whole
            {
                let detail = format!("must be less than or equal to pod limits of {whole}");
                let field = path.child("resources.limits").key(name);
                check.report(Diagnostic::invalid(&field, limit.to_string(), detail));
            }
        }
    }
}

fn requirements(resources: &v1::ResourceRequirements, path: &FieldPath, check: &mut Check<'_>) {
    huge_pages(resources, path, check);
    let limits = resources.limits.iter().flatten();
    for (field, list) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        if let Some(list) = list {
            amounts(list, &path.child(field), check);
        }
    }
    for (name, limit) in limits {
        let request = resources.requests.as_ref().and_then(|requests| requests.get(name)).map(Quantity::try_from);
        if let (Ok(limit), Some(Ok(request))) = (Quantity::try_from(limit), request) {
            let rule = if is_given(name) && request != limit {
                "must be equal to"
            } else if request > limit {
                "must be less than or equal to"
            } else {
                continue;
            };
            let field = path.child("requests").key(name);
            check.report(Diagnostic::invalid(&field, request.to_string(), format!("{rule} {name} limit of {limit}")));
        }
    }
}

/// What is given has a limit; huge pages need a word about cpu or memory as well.
fn huge_pages(resources: &v1::ResourceRequirements, path: &FieldPath, check: &mut Check<'_>) {
    let limited = |name: &String| resources.limits.as_ref().is_some_and(|limits| limits.contains_key(name));
    for name in resources.requests.iter().flat_map(BTreeMap::keys) {
        if is_given(name) && !limited(name) {
            let field = path.child("limits").key(name);
            let message = "Required value: Limit must be set for non overcommitable resources";
            check.report(
                Diagnostic::error(&field, message).help("what is given, not shared, needs its amount as a limit"),
            );
        }
    }
    let mut names = [&resources.limits, &resources.requests].into_iter().flatten().flat_map(BTreeMap::keys);
    let has_others = names.clone().any(|name| matches!(name.as_str(), "cpu" | "memory"));
    if !has_others && names.any(|name| name.starts_with(HUGE_PAGES)) {
        check.report(
            Diagnostic::forbidden(path, "HugePages require cpu or memory").help("add a request of one of them"),
        );
    }
}

/// What a device plugin would offer (`nvidia.com/gpu`).
fn is_extended(name: &str) -> bool {
    name.contains('/')
}

/// What is given to one container, never shared by several.
fn is_given(name: &str) -> bool {
    name.starts_with(HUGE_PAGES) || is_extended(name)
}

/// Names and amounts of one list.
fn amounts(list: &List, path: &FieldPath, check: &mut Check<'_>) {
    for (name, text) in list {
        let field = path.key(name);
        resource_name(name, &field, check);
        let Ok(amount) = Quantity::try_from(text) else {
            // Decoding has said so already.
            continue;
        };
        if amount.is_negative() {
            check.report(Diagnostic::invalid(&field, &text.0, "must be greater than or equal to 0"));
        } else if matches!(name.as_str(), "memory" | "ephemeral-storage") && !amount.is_whole() {
            let message = format!("Invalid value: fractional byte value \"{}\" is invalid, must be an integer", text.0);
            let help = "m stands for thousandths; for megabytes write M or Mi";
            check.report(Diagnostic::error(&field, message).help(help));
        } else if is_extended(name) && !amount.is_whole() {
            check.report(Diagnostic::invalid(&field, &text.0, "must be an integer"));
        } else if let Some(size) = huge_page_size(name)
            && !amount.is_multiple_of(size)
        {
            let page = name.trim_start_matches(HUGE_PAGES);
            let detail = format!("{} is not positive integer multiple of {page}", text.0);
            check.report(Diagnostic::invalid(&field, &text.0, detail));
        }
    }
}

/// Which resources there are, and which of them mean something here.
fn resource_name(name: &str, field: &FieldPath, check: &mut Check<'_>) {
    match name {
        "cpu" | "memory" | "ephemeral-storage" => {}
        _ if huge_page_size(name).is_some() => {}
        _ if name.starts_with(HUGE_PAGES) => {
            let diagnostic = Diagnostic::invalid(field, name, "must name a size of pages").at_key();
            check.report(diagnostic.help("as in hugepages-2Mi or hugepages-1Gi"));
        }
        _ if !name.contains('/') => {
            let diagnostic = Diagnostic::invalid(field, name, "must be a standard resource for containers").at_key();
            let known = ["cpu", "memory", "ephemeral-storage"];
            let help = match nearest(name, &known) {
                Some(near) => format!("did you mean {near}?"),
                None => "cpu and memory are known here".to_owned(),
            };
            check.report(diagnostic.help(help));
        }
        _ => {
            for detail in names::qualified(name) {
                check.report(Diagnostic::invalid(field, name, detail).at_key());
            }
            // As a kubelet, which leaves out what no device plugin has registered (predicate.go).
            let said = format!("{name} has no effect: this box offers none, so that the container gets none");
            check.report(
                Diagnostic::warning(field, said)
                    .help("there are no device plugins here; a device can be a hostPath volume"),
            );
        }
    }
}
