//! Rules for environment variables (R10.3, R10.4).

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::objects::ObjectKind;
use super::super::path::FieldPath;
use super::super::quantity::{Quantity, huge_page_size};
use super::config::{self, Reference};
use super::pod::Surroundings;
use super::{Check, each, names, volume};

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

/// Checks a container's variables.
pub(super) fn check(container: &v1::Container, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    for (path, variable) in each(container.env.as_ref(), path) {
        let name = path.child("name");
        if variable.name.is_empty() {
            check.report(Diagnostic::required(&name, ""));
        } else {
            check.invalid(&name, &variable.name, &names::env_name(&variable.name));
        }
        if let Some(source) = &variable.value_from {
            let field = path.child("valueFrom");
            if variable.value.as_ref().is_some_and(|value| !value.is_empty()) {
                let detail = "may not be specified when `value` is not empty";
                check.report(Diagnostic::error(&field, format!("Invalid value: {detail}")).at_key());
            }
            self::source(source, pod, &field, check);
        }
    }
}

/// One source, and only one.
fn source(source: &v1::EnvVarSource, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let given = [
        source.field_ref.is_some(),
        source.resource_field_ref.is_some(),
        source.config_map_key_ref.is_some(),
        source.secret_key_ref.is_some(),
        source.file_key_ref.is_some(),
    ];
    match given.into_iter().filter(|given| *given).count() {
        0 if !check.is_uncertain(path) => {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
            check.report(Diagnostic::error(path, format!("Invalid value: {detail}")).at_key());
        }
        0 | 1 => {}
        _ => {
            let detail = "may not have more than one field specified at a time";
            check.report(Diagnostic::error(path, format!("Invalid value: {detail}")).at_key());
        }
    }
    if let Some(selector) = &source.field_ref {
        field_ref(selector, FIELDS, &path.child("fieldRef"), check);
    }
    if let Some(from) = &source.config_map_key_ref {
        let to = Reference { kind: ObjectKind::ConfigMap, name: &from.name, optional: from.optional == Some(true) };
        config::key(&to, &from.key, &path.child("configMapKeyRef"), check);
    }
    if let Some(from) = &source.secret_key_ref {
        let to = Reference { kind: ObjectKind::Secret, name: &from.name, optional: from.optional == Some(true) };
        config::key(&to, &from.key, &path.child("secretKeyRef"), check);
    }
    if let Some(from) = &source.file_key_ref {
        file_key(from, pod, &path.child("fileKeyRef"), check);
    }
    if let Some(selector) = &source.resource_field_ref {
        resource_ref(selector, pod, &path.child("resourceFieldRef"), check);
    }
}

/// A key of a file that a container writes into an emptyDir (KEP-3721).
fn file_key(from: &v1::FileKeySelector, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("key");
    if from.key.is_empty() {
        check.report(Diagnostic::required(&field, ""));
    } else {
        check.invalid(&field, &from.key, &names::env_name(&from.key));
    }
    config::file_path(&from.path, &path.child("path"), check);
    let field = path.child("volumeName");
    if from.volume_name.is_empty() {
        check.report(Diagnostic::required(&field, ""));
        return;
    }
    if check.is_full() || check.is_uncertain(&pod.path.child("volumes")) {
        return;
    }
    match pod.spec.volumes.iter().flatten().find(|volume| volume.name == from.volume_name) {
        None => {
            let help = volume::volume_help(&from.volume_name, pod.spec);
            check.report(Diagnostic::not_found(&field, &from.volume_name).help(help));
        }
        Some(found) if !volume::is_empty_dir(found) => {
            check.report(Diagnostic::invalid(&field, &from.volume_name, "must be an emptyDir volume"));
        }
        Some(_) => {}
    }
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
