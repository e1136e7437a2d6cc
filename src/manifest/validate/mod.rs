//! The API server's rules for a Pod (R1 in docs/lifecycle.md), with its phrases and field paths, and what of a Pod's
//! values barepod doesn't support (`supported`). Rules never change the Pod and look at nothing else.
//!
//! Unlike the API server these rules see a Pod without its defaults: where they speak of a field that has one, an
//! absent field counts as that default.

pub(super) fn pod_name(name: &str) -> Vec<String> {
    names::dns_subdomain(name)
}

/// What is wrong with the name of a label.
pub(super) fn label_key(key: &str) -> Vec<String> {
    names::qualified(key)
}

/// What is wrong with the value of a label.
pub(super) fn label_value(value: &str) -> Vec<String> {
    names::label_value(value)
}

/// What is wrong with a key of a ConfigMap or a Secret.
pub(super) fn config_key(key: &str) -> Vec<String> {
    names::config_key(key)
}

mod check;
mod config_volumes;
mod container;
mod downward;
mod env;
mod ephemeral;
mod job;
mod meta;
mod names;
mod network;
mod pod;
mod probe;
mod references;
mod resources;
mod restart;
mod security;
mod supported;
mod surroundings;
mod volume;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use self::check::Check;
pub(super) use self::check::Known;
pub(super) use self::job::job;
use super::diagnostic::Diagnostic;
use super::path::FieldPath;

/// Everything that is wrong with a Pod by the rules, but for what is said about fields that are `broken` (what they
/// should have been isn't known).
pub(super) fn validate(pod: &v1::Pod, broken: &[FieldPath], known: Option<Known<'_>>) -> Vec<Diagnostic> {
    let namespace = pod.metadata.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or("default");
    let mut check = Check { found: Vec::new(), broken, namespace, known };
    let root = FieldPath::root();
    meta::check(&pod.metadata, &root.child("metadata"), &mut check);
    match &pod.spec {
        Some(spec) => {
            security::apparmor_annotations(
                &pod.metadata,
                spec,
                &root.child("metadata").child("annotations"),
                &mut check,
            );
            pod::check(spec, &root.child("spec"), &mut check);
        }
        None => check.report(Diagnostic::required(&root.child("spec"), "").help("spec.containers says what to run")),
    }
    check.found
}

/// Everything that is wrong with an ephemeral container that is added to a pod.
pub(super) fn of_ephemeral(new: &v1::EphemeralContainer, pod: &v1::Pod) -> Vec<Diagnostic> {
    let namespace = pod.metadata.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or("default");
    let mut check = Check { found: Vec::new(), broken: &[], namespace, known: None };
    if let Some(spec) = &pod.spec {
        ephemeral::check(new, spec, &mut check);
    }
    check.found
}

/// What is wrong with name and namespace of an object beside the pod.
pub(super) fn object_names(meta: &ObjectMeta, path: &FieldPath, broken: &[FieldPath]) -> Vec<Diagnostic> {
    let mut check = Check { found: Vec::new(), broken, namespace: "", known: None };
    match meta.name.as_deref() {
        None | Some("") => check.report(Diagnostic::required(&path.child("name"), "")),
        Some(name) => check.invalid(&path.child("name"), name, &names::dns_subdomain(name)),
    }
    if let Some(namespace) = meta.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        check.invalid(&path.child("namespace"), namespace, &names::dns_label(namespace));
    }
    check.found
}
