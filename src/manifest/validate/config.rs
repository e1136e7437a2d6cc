//! Rules for what takes its content from elsewhere: variables and files of ConfigMaps and Secrets, of the pod itself,
//! and claims (R10.3, R10.4, R10.6). Where it is known what there is, a reference to what there isn't is an error: a
//! pod's config is given at its start, so that waiting for it as the kubelet does would be for ever.

use k8s_openapi::api::core::v1;

use super::super::diagnostic::{Diagnostic, nearest};
use super::super::objects::{Object, ObjectKind};
use super::super::path::FieldPath;
use super::pod::Surroundings;
use super::{Check, each, env, names};

/// A reference to an object: kind, name, and whether it may lead nowhere.
pub(super) struct Reference<'a> {
    pub kind: ObjectKind,
    pub name: &'a str,
    pub optional: bool,
}

/// The object of a reference. An error at `field` where it has no name or is missed.
pub(super) fn object<'a>(to: &Reference<'_>, field: &FieldPath, check: &mut Check<'a>) -> Option<&'a Object> {
    if to.name.is_empty() {
        check.report(Diagnostic::required(field, ""));
        return None;
    }
    let known = check.known?;
    let found = known.objects.get(to.kind, check.namespace, to.name);
    if found.is_none() && !to.optional && !check.is_full() {
        let names: Vec<&str> = known.objects.names(to.kind, check.namespace).collect();
        let kind = to.kind.name();
        let help = match nearest(to.name, &names) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("give the {kind} by --config FILE or as a further document of the manifest"),
        };
        check.report(Diagnostic::not_found(field, to.name).help(help));
    }
    found
}

/// The key of a variable.
pub(super) fn key(to: &Reference<'_>, key: &str, path: &FieldPath, check: &mut Check<'_>) {
    let found = object(to, &path.child("name"), check);
    let field = path.child("key");
    if key.is_empty() {
        check.report(Diagnostic::required(&field, ""));
        return;
    }
    check.invalid(&field, key, &names::config_key(key));
    let Some(found) = found else { return };
    match found.data.get(key) {
        Some(content) if std::str::from_utf8(&content.0).is_err() || content.0.contains(&0) => {
            let detail = "what it holds is no text, and can't be a variable";
            check.report(Diagnostic::invalid(&field, key, detail).help("mount it as a file instead"));
        }
        None if !to.optional => missing_key(found, key, &field, check),
        Some(_) | None => {}
    }
}

fn missing_key(found: &Object, key: &str, field: &FieldPath, check: &mut Check<'_>) {
    let keys: Vec<&str> = found.files().map(|(key, _)| key).take(64).collect();
    let help = match nearest(key, &keys) {
        _ if found.binary.contains_key(key) => "it is in binaryData, which can only be files".to_owned(),
        Some(near) => format!("did you mean {near}?"),
        None if keys.is_empty() => "it has no keys".to_owned(),
        None => format!("its keys are {}", keys[..keys.len().min(16)].join(", ")),
    };
    check.report(Diagnostic::not_found(field, key).help(help));
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
            let Some(found) = object(&to, &field, check) else { continue };
            let no_text = |(key, content): (&String, &super::super::Content)| {
                (std::str::from_utf8(&content.0).is_err() || content.0.contains(&0)).then(|| key.clone())
            };
            if let Some(key) = found.data.iter().find_map(no_text) {
                let detail = format!("its key {key} holds no text, and can't be a variable");
                check.report(Diagnostic::invalid(&field, name, detail).help("name the keys that are wanted in env"));
            }
        }
    }
}

/// The volume sources that are files.
pub(super) fn volume(volume: &v1::Volume, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    if let Some(source) = &volume.config_map {
        let path = path.child("configMap");
        let to = Reference { kind: ObjectKind::ConfigMap, name: &source.name, optional: source.optional == Some(true) };
        mode(source.default_mode, &path.child("defaultMode"), check);
        user(source.default_user, &path.child("defaultUser"), check);
        keys(&to, source.items.as_ref(), &path, "name", check);
    }
    if let Some(source) = &volume.secret {
        let path = path.child("secret");
        let name = source.secret_name.as_deref().unwrap_or_default();
        let to = Reference { kind: ObjectKind::Secret, name, optional: source.optional == Some(true) };
        mode(source.default_mode, &path.child("defaultMode"), check);
        user(source.default_user, &path.child("defaultUser"), check);
        keys(&to, source.items.as_ref(), &path, "secretName", check);
    }
    if let Some(source) = &volume.downward_api {
        let path = path.child("downwardAPI");
        mode(source.default_mode, &path.child("defaultMode"), check);
        user(source.default_user, &path.child("defaultUser"), check);
        own_files(source.items.as_ref(), pod, &path, check);
    }
    if let Some(source) = &volume.projected {
        projected(source, pod, &path.child("projected"), check);
    }
    if let Some(source) = &volume.persistent_volume_claim {
        let field = path.child("persistentVolumeClaim.claimName");
        let name = &source.claim_name;
        if name.is_empty() {
            check.report(Diagnostic::required(&field, ""));
        } else if check.known.is_some_and(|known| !known.claims.contains(name)) {
            let help = format!("say where it is on this box: --volume {name}=PATH");
            check.report(Diagnostic::not_found(&field, name).help(help));
        }
    }
}

fn projected(source: &v1::ProjectedVolumeSource, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    mode(source.default_mode, &path.child("defaultMode"), check);
    user(source.default_user, &path.child("defaultUser"), check);
    for (path, one) in each(source.sources.as_ref(), &path.child("sources")) {
        let given = [
            one.config_map.is_some(),
            one.secret.is_some(),
            one.downward_api.is_some(),
            one.service_account_token.is_some(),
            one.cluster_trust_bundle.is_some(),
            one.pod_certificate.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            check.report(Diagnostic::forbidden(&path, "may not specify more than 1 volume type"));
        }
        if let Some(from) = &one.config_map {
            let to = Reference { kind: ObjectKind::ConfigMap, name: &from.name, optional: from.optional == Some(true) };
            keys(&to, from.items.as_ref(), &path.child("configMap"), "name", check);
        }
        if let Some(from) = &one.secret {
            let to = Reference { kind: ObjectKind::Secret, name: &from.name, optional: from.optional == Some(true) };
            keys(&to, from.items.as_ref(), &path.child("secret"), "name", check);
        }
        if let Some(from) = &one.downward_api {
            own_files(from.items.as_ref(), pod, &path.child("downwardAPI"), check);
        }
    }
}

fn mode(mode: Option<i32>, field: &FieldPath, check: &mut Check<'_>) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        check.report(Diagnostic::invalid(field, mode, detail));
    }
}

/// A file's owner.
fn user(user: Option<i64>, field: &FieldPath, check: &mut Check<'_>) {
    if let Some(user) = user.filter(|user| !(0..=i64::from(i32::MAX)).contains(user)) {
        check.report(Diagnostic::invalid(field, user, "must be between 0 and 2147483647, inclusive"));
    }
}

/// A file's path in its volume.
pub(super) fn file_path(text: &str, field: &FieldPath, check: &mut Check<'_>) {
    if text.is_empty() {
        check.report(Diagnostic::required(field, ""));
        return;
    }
    check.invalid(field, text, &names::local_path(text));
    if text.starts_with("..") && text.split('/').all(|part| part != "..") {
        check.report(Diagnostic::invalid(field, text, "must not start with '..'"));
    }
}

fn keys(to: &Reference<'_>, items: Option<&Vec<v1::KeyToPath>>, path: &FieldPath, name: &str, check: &mut Check<'_>) {
    let found = object(to, &path.child(name), check);
    for (path, item) in each(items, &path.child("items")) {
        let field = path.child("key");
        if item.key.is_empty() {
            check.report(Diagnostic::required(&field, ""));
        } else if let Some(found) = found
            && !to.optional
            && found.get(&item.key).is_none()
        {
            missing_key(found, &item.key, &field, check);
        }
        file_path(&item.path, &path.child("path"), check);
        mode(item.mode, &path.child("mode"), check);
        user(item.user, &path.child("user"), check);
    }
}

/// Files of the downward API.
fn own_files(
    items: Option<&Vec<v1::DownwardAPIVolumeFile>>,
    pod: &Surroundings<'_>,
    path: &FieldPath,
    check: &mut Check<'_>,
) {
    for (path, item) in each(items, &path.child("items")) {
        file_path(&item.path, &path.child("path"), check);
        mode(item.mode, &path.child("mode"), check);
        user(item.user, &path.child("user"), check);
        match (&item.field_ref, &item.resource_field_ref) {
            (Some(_), Some(_)) => {
                let detail = "Invalid value: fieldRef and resourceFieldRef can not be specified simultaneously";
                check.report(Diagnostic::error(&path, detail).at_key());
            }
            (None, None) if !check.is_uncertain(&path) => {
                check.report(Diagnostic::required(&path, "one of fieldRef and resourceFieldRef is required"));
            }
            _ => {}
        }
        if let Some(selector) = &item.field_ref {
            env::field_of_file(selector, &path.child("fieldRef"), check);
        }
        if let Some(selector) = &item.resource_field_ref {
            let path = path.child("resourceFieldRef");
            if selector.container_name.as_ref().is_none_or(String::is_empty) {
                check.report(Diagnostic::required(&path.child("containerName"), "a file belongs to no container"));
            }
            env::resource_ref(selector, pod, &path, check);
        }
    }
}
