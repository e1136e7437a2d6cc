//! References to ConfigMaps and Secrets, and to their keys (R10.3, R10.6). Where it is known what there is, a reference to
//! what there isn't is an error: a pod's config is given at its start, so that waiting for it as the kubelet does would
//! be for ever.

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::objects::{Content, LOGINS, Object, ObjectKind};
use super::super::path::FieldPath;
use super::super::words::{Shown, nearest};
use super::check::{Check, each};
use super::names;

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
        Some(content) if !is_text(content) => {
            let detail = "what it holds is no text, and can't be a variable";
            check.report(Diagnostic::invalid(&field, key, detail).help("mount it as a file instead"));
        }
        None if !to.optional => missing_key(found, key, &field, check),
        Some(_) | None => {}
    }
}

pub(super) fn missing_key(found: &Object, key: &str, field: &FieldPath, check: &mut Check<'_>) {
    let keys: Vec<&str> = found.files().map(|(key, _)| key).take(64).collect();
    let help = match nearest(key, &keys) {
        _ if found.binary.contains_key(key) => "it is in binaryData, which can only be files".to_owned(),
        Some(near) => format!("did you mean {near}?"),
        None if keys.is_empty() => "it has no keys".to_owned(),
        None => format!("its keys are {}", keys[..keys.len().min(16)].join(", ")),
    };
    check.report(Diagnostic::not_found(field, key).help(help));
}

/// Secrets with logins for registries. As with the kubelet the pod runs without one that isn't there: the image may need none.
pub(super) fn pull_secrets(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let Some(known) = check.known else { return };
    for (path, secret) in each(spec.image_pull_secrets.as_ref(), &path.child("imagePullSecrets")) {
        let (field, name) = (path.child("name"), secret.name.as_str());
        // The API server takes one without a name, and the kubelet leaves it out.
        if name.is_empty() {
            continue;
        }
        let warning = match known.objects.get(ObjectKind::Secret, check.namespace, name) {
            None => {
                let message = format!("there is no Secret {}: images are pulled without its login", name.shown());
                let help = "give the Secret by --config FILE or as a further document of the manifest";
                Diagnostic::warning(&field, message).help(help)
            }
            Some(secret) if secret.logins().is_none() => {
                let types: Vec<&str> = LOGINS.iter().map(|(name, _)| *name).collect();
                let message =
                    format!("Secret {} has no logins: it isn't of the type {}", name.shown(), types.join(" or "));
                Diagnostic::warning(&field, message)
            }
            Some(_) => continue,
        };
        check.report(warning);
    }
}

/// Whether a variable can hold it.
pub(super) fn is_text(content: &Content) -> bool {
    std::str::from_utf8(&content.0).is_ok() && !content.0.contains(&0)
}
