//! Rules for volumes whose content comes from elsewhere: files of ConfigMaps and Secrets and of the pod itself, and claims
//! (R10.4, R10.6).

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::objects::ObjectKind;
use super::super::path::FieldPath;
use super::check::{Check, each};
use super::references::{Reference, missing_key, object};
use super::surroundings::Surroundings;
use super::{downward, names};

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
            downward::field_of_file(selector, &path.child("fieldRef"), check);
        }
        if let Some(selector) = &item.resource_field_ref {
            let path = path.child("resourceFieldRef");
            if selector.container_name.as_ref().is_none_or(String::is_empty) {
                check.report(Diagnostic::required(&path.child("containerName"), "a file belongs to no container"));
            }
            downward::resource_ref(selector, pod, &path, check);
        }
    }
}
