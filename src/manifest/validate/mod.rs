//! The API server's rules for a Pod (R1 in docs/lifecycle.md), with its phrases and field paths, and what of a Pod's
//! values barepod doesn't support (`supported`). Rules never change the Pod and look at nothing else.
//!
//! Unlike the API server these rules see a Pod without its defaults: where they speak of a field that has one, an
//! absent field counts as that default.

pub(super) fn pod_name(name: &str) -> Vec<String> {
    names::dns_subdomain(name)
}

/// What is wrong with a key of a ConfigMap or a Secret.
pub(super) fn config_key(key: &str) -> Vec<String> {
    names::config_key(key)
}

mod config;
mod container;
mod env;
mod meta;
mod names;
mod network;
mod pod;
mod probe;
mod resources;
mod restart;
mod security;
mod supported;
mod volume;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::objects::Objects;

use super::diagnostic::{Diagnostic, MOST_DIAGNOSTICS};
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

/// What a pod can refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// ConfigMaps and Secrets.
    pub objects: &'a Objects,
    /// PersistentVolumeClaims with a place on this box.
    pub claims: &'a BTreeSet<String>,
}

/// What the rules found so far.
struct Check<'a> {
    found: Vec<Diagnostic>,
    broken: &'a [FieldPath],
    /// The pod's, or its default.
    namespace: &'a str,
    /// `None`: references are not followed.
    known: Option<Known<'a>>,
}

impl Check<'_> {
    /// Notes a finding, unless it is about a field that couldn't be read.
    fn report(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() && !self.is_broken(&diagnostic.field) {
            self.found.push(diagnostic);
        }
    }

    /// Whether enough was found: what costs time to say needn't be worked out any more.
    fn is_full(&self) -> bool {
        self.found.len() > MOST_DIAGNOSTICS
    }

    /// Notes findings about one value.
    fn invalid(&mut self, field: &FieldPath, value: &str, details: &[String]) {
        for detail in details {
            self.report(Diagnostic::invalid(field, value, detail));
        }
    }

    /// Whether the field, or what it is in, isn't what was meant.
    fn is_broken(&self, field: &FieldPath) -> bool {
        self.broken.iter().any(|broken| broken.holds(field))
    }

    /// Whether something in the field isn't what was meant, so that what is missing in it may be there.
    fn is_uncertain(&self, field: &FieldPath) -> bool {
        self.broken.iter().any(|broken| broken.holds(field) || field.holds(broken))
    }

    /// `Unsupported value`, where a text is none of a list; an absent or empty text is fine.
    fn one_of(&mut self, field: &FieldPath, value: Option<&String>, supported: &[&str]) {
        if let Some(value) = value
            && !supported.contains(&value.as_str())
        {
            self.report(Diagnostic::unsupported(field, value, supported));
        }
    }

    /// `Invalid value: -1: must be greater than or equal to 0`.
    fn not_negative(&mut self, field: &FieldPath, value: Option<i64>) {
        if let Some(value) = value.filter(|value| *value < 0) {
            self.report(Diagnostic::invalid(field, value, "must be greater than or equal to 0"));
        }
    }
}

/// The items of a list that may be absent, each with its path.
fn each<'a, T>(list: Option<&'a Vec<T>>, path: &'a FieldPath) -> impl Iterator<Item = (FieldPath, &'a T)> {
    list.into_iter().flatten().enumerate().map(|(index, item)| (path.index(index), item))
}
