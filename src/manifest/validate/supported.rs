//! Values that the API knows and barepod doesn't support (the `Partly` rows of `fields`), and values that have no
//! effect here. What is about a field as a whole stands in `fields` instead.

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::words::{Shown, nearest};
use super::check::{Check, each};

/// Values of the pod.
pub(super) fn of_pod(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    if let Some(policy @ ("ClusterFirst" | "ClusterFirstWithHostNet")) = spec.dns_policy.as_deref() {
        let message = format!("{policy} means Default here: there is no cluster DNS");
        check.report(Diagnostic::no_effect(&path.child("dnsPolicy"), message));
    }
    for (path, volume) in each(spec.volumes.as_ref(), &path.child("volumes")) {
        if let Some(source) = &volume.image {
            let field = path.child("image.reference");
            match source.reference.as_deref().map(str::trim) {
                None | Some("") => check.report(Diagnostic::required(&field, "")),
                Some(reference) => self::image(reference, &field, check),
            }
            check.one_of(
                &path.child("image.pullPolicy"),
                source.pull_policy.as_ref(),
                &["Always", "IfNotPresent", "Never"],
            );
        }
    }
}

/// Values of a container.
pub(super) fn of_container(container: &v1::Container, spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    if let Some(image) = container.image.as_deref() {
        self::image(image.trim(), &path.child("image"), check);
    }
    // The API server takes any; no runtime starts a program there.
    if let Some(folder) = container.working_dir.as_deref().filter(|path| !path.is_empty() && !path.starts_with('/')) {
        let help = format!("a container starts at /: write /{folder}");
        check.report(Diagnostic::invalid(&path.child("workingDir"), folder, "must be an absolute path").help(help));
    }
    if spec.host_network != Some(true) {
        for (path, _) in
            each(container.ports.as_ref(), &path.child("ports")).filter(|(_, p)| p.host_port.is_some_and(|n| n != 0))
        {
            let help = "leave it out, or use hostNetwork: true";
            forbid(&path.child("hostPort"), "forwarding ports of the host is not supported yet", help, check);
        }
    }
}

/// Which forms of image names there are (containers-transports(5)), and which work.
fn image(image: &str, field: &FieldPath, check: &mut Check<'_>) {
    const WORKS: &str = "what works today: bundle:PATH (an OCI bundle) and rootfs:PATH (a directory)";
    let (scheme, rest) = image.split_once(':').unwrap_or(("", image));
    match scheme {
        _ if image.is_empty() => {}
        "bundle" | "rootfs" if rest.is_empty() => {
            let detail = format!("must name a path after {scheme}:");
            check.report(Diagnostic::invalid(field, image, detail));
        }
        "bundle" | "rootfs" => {}
        "oci" | "oci-archive" | "docker-archive" | "docker" | "docker-daemon" | "dir" | "containers-storage" => {
            forbid(field, &format!("images named by {scheme}: are not supported yet"), WORKS, check);
        }
        _ if image.starts_with(['.', '/', '~']) => {
            let detail = "a path needs bundle: or rootfs: before it";
            check.report(Diagnostic::invalid(field, image, detail).help(WORKS));
        }
        _ => {
            let why = format!("Forbidden: images from registries, such as {}, are not supported yet", image.shown());
            let diagnostic = Diagnostic::error(field, why);
            let near = nearest(scheme, &["bundle", "rootfs"]);
            check.report(match near {
                Some(near) => diagnostic.help(format!("did you mean {near}:? {WORKS}")),
                None => diagnostic.help(WORKS),
            });
        }
    }
}

fn forbid(field: &FieldPath, why: &str, help: &str, check: &mut Check<'_>) {
    check.report(Diagnostic::error(field, format!("Forbidden: {why}")).help(help));
}
