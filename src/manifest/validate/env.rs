//! Rules for environment variables: a container's `env` and `envFrom` (R10.3, R10.4).

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::objects::ObjectKind;
use super::super::path::FieldPath;
use super::check::{Check, each};
use super::references::{self, Reference};
use super::surroundings::Surroundings;
use super::{config_volumes, downward, names, volume};

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
        downward::field_of_variable(selector, &path.child("fieldRef"), check);
    }
    if let Some(from) = &source.config_map_key_ref {
        let to = Reference { kind: ObjectKind::ConfigMap, name: &from.name, optional: from.optional == Some(true) };
        references::key(&to, &from.key, &path.child("configMapKeyRef"), check);
    }
    if let Some(from) = &source.secret_key_ref {
        let to = Reference { kind: ObjectKind::Secret, name: &from.name, optional: from.optional == Some(true) };
        references::key(&to, &from.key, &path.child("secretKeyRef"), check);
    }
    if let Some(from) = &source.file_key_ref {
        file_key(from, pod, &path.child("fileKeyRef"), check);
    }
    if let Some(selector) = &source.resource_field_ref {
        downward::resource_ref(selector, pod, &path.child("resourceFieldRef"), check);
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
    config_volumes::file_path(&from.path, &path.child("path"), check);
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

/// A container's `envFrom`.
pub(super) fn env_from(container: &v1::Container, path: &FieldPath, check: &mut Check<'_>) {
    for (path, source) in each(container.env_from.as_ref(), path) {
        if let Some(prefix) = source.prefix.as_ref().filter(|prefix| !prefix.is_empty()) {
            check.invalid(&path.child("prefix"), prefix, &names::env_name(prefix));
        }
        let map = source.config_map_ref.as_ref().map(|from| (ObjectKind::ConfigMap, &from.name, from.optional));
        let secret = source.secret_ref.as_ref().map(|from| (ObjectKind::Secret, &from.name, from.optional));
        if map.is_none() && secret.is_none() && !check.is_uncertain(&path) {
            let detail = "Invalid value: must specify one of: `configMapRef` or `secretRef`";
            check.report(Diagnostic::error(&path, detail).at_key());
        }
        if map.is_some() && secret.is_some() {
            let detail = "Invalid value: may not have more than one field specified at a time";
            check.report(Diagnostic::error(&path, detail).at_key());
        }
        for (kind, name, optional) in map.into_iter().chain(secret) {
            let to = Reference { kind, name, optional: optional == Some(true) };
            let field = path.child(if kind == ObjectKind::ConfigMap { "configMapRef.name" } else { "secretRef.name" });
            let Some(found) = references::object(&to, &field, check) else { continue };
            if let Some((key, _)) = found.data.iter().find(|(_, content)| !references::is_text(content)) {
                let detail = format!("its key {key} holds no text, and can't be a variable");
                check.report(Diagnostic::invalid(&field, name, detail).help("name the keys that are wanted in env"));
            }
        }
    }
}
