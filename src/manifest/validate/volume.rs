//! Rules for volumes and their mounts (R1.8, R10.5).

use std::collections::HashSet;

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::quantity::Quantity;
use super::super::words::nearest;
use super::check::{Check, each};
use super::surroundings::Surroundings;
use super::{config_volumes, names};

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const PROPAGATIONS: &[&str] = &["Bidirectional", "HostToContainer", "None"];
const RECURSIVE: &[&str] = &["Disabled", "Enabled", "IfPossible"];
const BIND_OPTIONS: &[&str] = &["noexec", "nodev", "nosuid"];

/// Checks the pod's volumes.
pub(super) fn volumes(pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let mut seen: HashSet<&str> = HashSet::new();
    for (path, volume) in each(pod.spec.volumes.as_ref(), path) {
        let field = path.child("name");
        let name = volume.name.as_str();
        if name.is_empty() {
            check.report(Diagnostic::required(&field, ""));
        } else {
            check.invalid(&field, name, &names::dns_label(name));
            if seen.contains(name) {
                check.report(Diagnostic::duplicate(&field, name));
            }
        }
        seen.insert(name);
        // The first source given counts, in the API's order; no source at all is an emptyDir.
        for source in sources(volume).iter().skip(1) {
            check.report(Diagnostic::forbidden(&path.child(source), "may not specify more than 1 volume type"));
        }
        if let Some(source) = &volume.empty_dir {
            empty_dir(source, &path.child("emptyDir"), check);
        }
        if let Some(source) = &volume.host_path {
            host_path(source, &path.child("hostPath"), check);
        }
        config_volumes::volume(volume, pod, &path, check);
    }
}

/// Whether it is one, by its source or for want of any.
pub(super) fn is_empty_dir(volume: &v1::Volume) -> bool {
    volume.empty_dir.is_some() || sources(volume).is_empty()
}

/// The names of the sources that a volume has.
fn sources(volume: &v1::Volume) -> Vec<String> {
    match serde_json::to_value(volume) {
        Ok(serde_json::Value::Object(fields)) => fields.keys().filter(|key| *key != "name").cloned().collect(),
        _ => Vec::new(),
    }
}

fn empty_dir(source: &v1::EmptyDirVolumeSource, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("sizeLimit");
    if let Some(text) = &source.size_limit
        && Quantity::try_from(text).is_ok_and(Quantity::is_negative)
    {
        check.report(Diagnostic::invalid(&field, &text.0, "must be greater than or equal to 0"));
    }
    if let Some(mode) = source.mode.filter(|mode| !(0..=0o1777).contains(mode)) {
        let detail = "must be a number between 0 and 01777 (octal), both inclusive";
        check.report(Diagnostic::invalid(&path.child("mode"), mode, detail));
    }
    if let Some(medium) = source.medium.as_deref()
        && !matches!(medium, "" | "Memory" | "HugePages")
        && !medium.starts_with("HugePages-")
    {
        let known = ["", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"];
        check.report(Diagnostic::unsupported(&path.child("medium"), medium, &known));
    }
}

fn host_path(source: &v1::HostPathVolumeSource, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("path");
    if source.path.is_empty() {
        check.report(Diagnostic::required(&field, ""));
    } else {
        check.invalid(&field, &source.path, &names::no_backsteps(&source.path));
    }
    check.one_of(&path.child("type"), source.type_.as_ref(), HOST_PATH_TYPES);
}

/// What to do about the name of a volume that there isn't.
pub(super) fn volume_help(name: &str, spec: &v1::PodSpec) -> String {
    let known: Vec<&str> = spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    match (nearest(name, &known), known.as_slice()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => "the pod has no volumes: add it to spec.volumes".to_owned(),
        (None, known) if known.len() <= 16 => format!("the pod's volumes are {}", known.join(", ")),
        (None, _) => "the pod's volumes have other names".to_owned(),
    }
}

/// Checks a container's mounts (R1.8).
pub(super) fn mounts(container: &v1::Container, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let known: HashSet<&str> = pod.spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    let uncertain = check.is_uncertain(&pod.path.child("volumes"));
    let mut seen: HashSet<&str> = HashSet::new();
    for (path, mount) in each(container.volume_mounts.as_ref(), &path.child("volumeMounts")) {
        let field = path.child("name");
        if mount.name.is_empty() {
            check.report(Diagnostic::required(&field, ""));
        } else if !known.contains(mount.name.as_str()) && !uncertain && !check.is_full() {
            let help = volume_help(&mount.name, pod.spec);
            check.report(Diagnostic::not_found(&field, &mount.name).help(help));
        }
        mount_path(&mount.mount_path, &mut seen, &path.child("mountPath"), check);
        sub_path(mount, &path, check);
        propagation(mount, container, &path.child("mountPropagation"), check);
        recursive_read_only(mount, &path.child("recursiveReadOnly"), check);
        bind_options(mount, pod.spec, &path.child("bindMountOptions"), check);
    }
}

/// Those of Kubernetes' alpha VolumeBindMountOptions (1.37).
fn bind_options(mount: &v1::VolumeMount, spec: &v1::PodSpec, field: &FieldPath, check: &mut Check<'_>) {
    let mut seen = HashSet::new();
    for (path, option) in each(mount.bind_mount_options.as_ref(), field) {
        check.one_of(&path, Some(option), BIND_OPTIONS);
        if !seen.insert(option) {
            check.report(Diagnostic::duplicate(&path, option));
        }
    }
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
    if !seen.is_empty() && volume.is_some_and(|volume| volume.image.is_some()) {
        check.report(Diagnostic::forbidden(field, "may not be used with image volumes"));
    }
}

fn mount_path<'a>(text: &'a str, seen: &mut HashSet<&'a str>, field: &FieldPath, check: &mut Check<'_>) {
    if text.is_empty() {
        check.report(Diagnostic::required(field, ""));
    } else if text.contains(':') {
        check.report(Diagnostic::invalid(field, text, "must not contain ':'"));
    } else if text.trim_matches('/').is_empty() {
        check.report(Diagnostic::invalid(field, text, "must not be the root directory"));
    }
    if seen.contains(text) && !text.is_empty() {
        check.report(Diagnostic::invalid(field, text, "must be unique"));
    }
    seen.insert(text);
}

fn sub_path(mount: &v1::VolumeMount, path: &FieldPath, check: &mut Check<'_>) {
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let (plain, expression) = (given(&mount.sub_path), given(&mount.sub_path_expr));
    if let Some(text) = &plain {
        check.invalid(&path.child("subPath"), text, &names::local_path(text));
    }
    if let Some(text) = &expression {
        let field = path.child("subPathExpr");
        if plain.is_some() {
            check.report(Diagnostic::invalid(&field, text, "subPathExpr and subPath are mutually exclusive"));
        }
        check.invalid(&field, text, &names::local_path(text));
    }
}

fn propagation(mount: &v1::VolumeMount, container: &v1::Container, field: &FieldPath, check: &mut Check<'_>) {
    check.one_of(field, mount.mount_propagation.as_ref(), PROPAGATIONS);
    let privileged = container.security_context.as_ref().and_then(|context| context.privileged) == Some(true);
    if mount.mount_propagation.as_deref() == Some("Bidirectional") && !privileged {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        check.report(Diagnostic::forbidden(field, detail));
    }
}

fn recursive_read_only(mount: &v1::VolumeMount, field: &FieldPath, check: &mut Check<'_>) {
    check.one_of(field, mount.recursive_read_only.as_ref(), RECURSIVE);
    if !matches!(mount.recursive_read_only.as_deref(), Some("Enabled" | "IfPossible")) {
        return;
    }
    if mount.read_only != Some(true) {
        check.report(Diagnostic::forbidden(field, "may only be specified when readOnly is true"));
    }
    if matches!(mount.mount_propagation.as_deref(), Some("Bidirectional" | "HostToContainer")) {
        let detail = "may only be specified when mountPropagation is None or not specified";
        check.report(Diagnostic::forbidden(field, detail));
    }
}
