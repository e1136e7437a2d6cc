//! Rules for the metadata (apimachinery's api/validation/objectmeta.go).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::check::Check;
use super::names;

/// All annotations together may have this many bytes.
const MOST_ANNOTATION_BYTES: usize = 256 * 1024;
/// The longest uid: it becomes part of file names.
const MOST_UID: usize = 253;

/// Checks name, namespace, uid, labels and annotations.
pub(super) fn check(meta: &ObjectMeta, path: &FieldPath, check: &mut Check<'_>) {
    match meta.name.as_deref() {
        None | Some("") if let Some(base) = meta.generate_name.as_deref().filter(|base| !base.is_empty()) => {
            // As the API server: what follows makes a dash at the end one within.
            let masked = base.strip_suffix('-').filter(|base| !base.is_empty()).map(|base| format!("{base}a"));
            let broken = names::dns_subdomain(masked.as_deref().unwrap_or(base));
            check.invalid(&path.child("generateName"), base, &broken);
        }
        None | Some("") => {
            check.report(Diagnostic::required(&path.child("name"), "").help("give the pod a name: metadata.name"));
        }
        Some(name) => check.invalid(&path.child("name"), name, &names::dns_subdomain(name)),
    }
    if let Some(namespace) = meta.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        check.invalid(&path.child("namespace"), namespace, &names::dns_label(namespace));
    }
    uid(meta.uid.as_deref(), &path.child("uid"), check);
    for (key, value) in meta.labels.iter().flatten() {
        let field = path.child("labels").key(key);
        for detail in names::qualified(key) {
            check.report(Diagnostic::invalid(&field, key, detail).at_key());
        }
        check.invalid(&field, value, &names::label_value(value));
    }
    annotations(meta, &path.child("annotations"), check);
}

/// A uid names a folder and a cgroup: it is any text without what would lead out of them.
fn uid(uid: Option<&str>, path: &FieldPath, check: &mut Check<'_>) {
    let Some(uid) = uid.filter(|uid| !uid.is_empty()) else {
        return;
    };
    let letters = uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !letters || uid.len() > MOST_UID {
        let detail = "must consist of at most 253 letters, digits, '-' and '_'";
        let help = "leave it out and barepod generates one, or write one such as 123e4567-e89b-12d3-a456-426614174000";
        check.report(Diagnostic::invalid(path, uid, detail).help(help));
    }
}

fn annotations(meta: &ObjectMeta, path: &FieldPath, check: &mut Check<'_>) {
    let mut size = 0;
    for (key, value) in meta.annotations.iter().flatten() {
        size += key.len() + value.len();
        for detail in names::qualified(&key.to_lowercase()) {
            check.report(Diagnostic::invalid(&path.key(key), key, detail).at_key());
        }
        own_annotation(key, value, &path.key(key), check);
    }
    if size > MOST_ANNOTATION_BYTES {
        let message = format!("Too long: may not be more than {MOST_ANNOTATION_BYTES} bytes");
        check.report(Diagnostic::error(path, message).at_key());
    }
}

/// barepod's own annotations (R5.17). How the seconds go with the grace period is seen where the pod is planned.
fn own_annotation(key: &str, value: &str, path: &FieldPath, check: &mut Check<'_>) {
    const KNOWN: &[&str] = &["barepod.dev/sidecar-grace-seconds", "barepod.dev/sidecar-prestop"];
    match key {
        "barepod.dev/sidecar-grace-seconds" if value.parse::<u32>().is_err() => {
            let help = "the last seconds of the grace period that are the sidecars' alone, such as \"5\"";
            check.report(Diagnostic::invalid(path, value, "must be whole seconds").help(help));
        }
        "barepod.dev/sidecar-prestop" if value != "at-turn" => {
            let help = "leave it out for Kubernetes' way: all preStop hooks at the very beginning";
            check.report(Diagnostic::unsupported(path, value, &["at-turn"]).help(help));
        }
        // What `barepod get -o json` shows of an earlier pod (R5.18) can be run again; it is not kept.
        "barepod.dev/grace-used" => {}
        key if key.starts_with("barepod.dev/") && !KNOWN.contains(&key) => {
            let help = format!("there are {}", KNOWN.join(" and "));
            check.report(Diagnostic::forbidden(path, format!("barepod knows no annotation {key}")).help(help));
        }
        _ => {}
    }
}
