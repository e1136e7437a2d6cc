//! References to ConfigMaps and Secrets, and to their keys (R10.3, R10.6). Where it is known what there is, a reference to
//! what there isn't is an error: a pod's config is given at its start, so that waiting for it as the kubelet does would
//! be for ever.

use super::super::diagnostic::Diagnostic;
use super::super::objects::{Content, Object, ObjectKind};
use super::super::path::FieldPath;
use super::super::words::nearest;
use super::check::Check;
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

/// Whether a variable can hold it.
pub(super) fn is_text(content: &Content) -> bool {
    std::str::from_utf8(&content.0).is_ok() && !content.0.contains(&0)
}
