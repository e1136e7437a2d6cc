//! Values that the API knows and barepod doesn't support (the `Partly` rows of `fields`), and values that have no
//! effect here. What is about a field as a whole stands in `fields` instead.

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::image::{ImageName, NoImageName, TRANSPORTS};
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
                Some(reference) => image(reference, &field, check),
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

/// Which forms of image names there are, and which work.
fn image(image: &str, field: &FieldPath, check: &mut Check<'_>) {
    const WORKS: &str = "what works: NAME[:TAG] or docker://NAME (an image in a registry), oci:DIR, oci-archive:FILE, docker-archive:FILE, \
                         bundle:PATH (an OCI bundle) and rootfs:PATH (a directory)";
    let Err(wrong) = ImageName::read(image) else { return };
    let invalid = |detail: String| Diagnostic::invalid(field, image, detail);
    check.report(match wrong {
        NoImageName::NoPath(_) | NoImageName::NoName => invalid(wrong.to_string()),
        NoImageName::BarePath => invalid(wrong.to_string()).help(WORKS),
        NoImageName::Unsupported(_) => {
            let help = format!("copy it by skopeo copy {image} oci-archive:FILE; {WORKS}");
            return forbid(field, &wrong.to_string(), &help, check);
        }
        NoImageName::Unknown(transport) => {
            let diagnostic = invalid(format!("no transport of images is named {}:", transport.shown()));
            match nearest(transport, &TRANSPORTS) {
                Some(near) => diagnostic.help(format!("did you mean {near}:? {WORKS}")),
                None => diagnostic.help(WORKS),
            }
        }
    });
}

fn forbid(field: &FieldPath, why: &str, help: &str, check: &mut Check<'_>) {
    check.report(Diagnostic::error(field, format!("Forbidden: {why}")).help(help));
}
