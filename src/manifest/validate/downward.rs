//! Rules for the downward API: fields and resources of the pod in variables and files (R10.4).

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::quantity::{Quantity, huge_page_size};
use super::check::Check;
use super::names;
use super::surroundings::Surroundings;

/// What fieldRef may name in a variable, besides single labels and annotations.
const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What fieldRef may name in a file, besides single labels and annotations: what is known before the pod has addresses.
const FILES: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

/// What resourceFieldRef may name.
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// A field of the pod, as a variable.
pub(super) fn field_of_variable(selector: &v1::ObjectFieldSelector, path: &FieldPath, check: &mut Check<'_>) {
    field_ref(selector, FIELDS, path, check);
}

/// A field of the pod, as a file of a volume.
pub(super) fn field_of_file(selector: &v1::ObjectFieldSelector, path: &FieldPath, check: &mut Check<'_>) {
    field_ref(selector, FILES, path, check);
}

/// A field of the pod, one of `known`.
fn field_ref(selector: &v1::ObjectFieldSelector, known: &[&str], path: &FieldPath, check: &mut Check<'_>) {
    check.one_of(&path.child("apiVersion"), selector.api_version.as_ref(), &["v1"]);
    let field = path.child("fieldPath");
    let given = selector.field_path.as_str();
    if given.is_empty() {
        check.report(Diagnostic::required(&field, ""));
    } else if let Some((map, key)) = subscript(given) {
        if !matches!(map, "metadata.labels" | "metadata.annotations") {
            check.report(Diagnostic::invalid(&field, given, "does not support subscript"));
        }
        let key = if map == "metadata.annotations" { key.to_lowercase() } else { key.to_owned() };
        check.invalid(&field, given, &names::qualified(&key));
    } else if matches!(given, "metadata.labels" | "metadata.annotations") && !known.contains(&given) {
        check.report(
            Diagnostic::unsupported(&field, given, known)
                .help(format!("a variable holds a single one, as in {given}['key']")),
        );
    } else {
        check.one_of(&field, Some(&selector.field_path), known);
    }
}

/// `map['key']` taken apart.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

/// A resource of a container.
pub(super) fn resource_ref(
    selector: &v1::ResourceFieldSelector,
    pod: &Surroundings<'_>,
    path: &FieldPath,
    check: &mut Check<'_>,
) {
    let field = path.child("resource");
    let resource = selector.resource.as_str();
    if resource.is_empty() {
        check.report(Diagnostic::required(&field, ""));
    } else if !is_huge_pages(resource) {
        check.one_of(&field, Some(&selector.resource), RESOURCES);
    }
    if let Some(name) = selector.container_name.as_deref().filter(|name| !name.is_empty())
        && !check.is_full()
        && !pod.containers().any(|container| container.name == name)
        && !check.is_uncertain(&pod.path.child("containers"))
        && !check.is_uncertain(&pod.path.child("initContainers"))
    {
        let known: Vec<&str> = pod.containers().map(|container| container.name.as_str()).collect();
        check.report(
            Diagnostic::not_found(&path.child("containerName"), name)
                .help(format!("the pod's containers are {}", known[..known.len().min(16)].join(", "))),
        );
    }
    if let Some(Ok(divisor)) = selector.divisor.as_ref().map(Quantity::try_from) {
        self::divisor(resource, divisor, &path.child("divisor"), check);
    }
}

/// `limits.hugepages-2Mi`
fn is_huge_pages(resource: &str) -> bool {
    let name = resource.strip_prefix("limits.").or_else(|| resource.strip_prefix("requests."));
    name.and_then(huge_page_size).is_some()
}

/// What a resource may be divided by; 0 counts as 1.
fn divisor(resource: &str, divisor: Quantity, path: &FieldPath, check: &mut Check<'_>) {
    let cpu = resource.ends_with(".cpu");
    let allowed: &[&str] = if cpu {
        &["1m", "1"]
    } else {
        &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]
    };
    let fits = divisor == Quantity::default() || allowed.iter().any(|text| Quantity::parse(text) == Ok(divisor));
    if !fits {
        let kind = match () {
            () if cpu => "cpu",
            () if is_huge_pages(resource) => "hugepages",
            () => "memory",
        };
        let detail = format!("only divisor's values {} are supported with the {kind} resource", allowed.join(", "));
        check.report(Diagnostic::error(path, format!("Invalid value: {divisor}: {detail}")));
    }
}
