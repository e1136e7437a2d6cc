//! `volumeMounts`: which volumes a container sees, where and how.

use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::mount::{Item, Missing, Shows, bind};
use super::path::normal;
use super::volumes::{VolumePlan, VolumeSource};
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::Scope;
use crate::plan::inputs::Inputs;
use crate::plan::process::env::Environment;
use crate::plan::process::expansion;
use crate::plan::sandbox::is_shared;

/// One entry of `volumeMounts`.
pub(super) fn volume(
    inputs: &Inputs,
    at: usize,
    mount: &v1::VolumeMount,
    volumes: &[VolumePlan],
    env: &Environment,
) -> Result<Item, ConfigError> {
    let field = |rest: &str| format!("volumeMounts[{at}].{rest}");
    let layers = inputs.sandbox.images.get(&mount.name);
    // The helper makes one of all layers.
    let Some(source) = layers.map_or(inputs.sandbox.volumes.get(&mount.name), |layers| layers.first()) else {
        return Err(inputs.config_error(field("name"), ConfigCause::NoSuchVolume { name: mount.name.clone() }));
    };
    let propagation = match mount.mount_propagation.as_deref() {
        None | Some("None") => "rprivate",
        Some("HostToContainer") => "rslave",
        Some("Bidirectional") => {
            let refuse = |value: &str, advice| {
                let cause = ConfigCause::Unsupported { value: value.to_owned(), advice };
                Err(inputs.config_error(field("mountPropagation"), cause))
            };
            if inputs.node.users.is_some() {
                let advice = "what is mounted in a user namespace can't be seen outside; run barepod as root";
                return refuse("Bidirectional without root", advice);
            }
            if inputs.sandbox_plan.user == Scope::Pod {
                let advice = "what is mounted in a user namespace can't be seen outside; use hostUsers: true";
                return refuse("Bidirectional with hostUsers: false", advice);
            }
            if layers.is_some() {
                return refuse("Bidirectional of an image", "leave it out: nothing can be mounted in an image");
            }
            if mount.sub_path.is_some() || mount.sub_path_expr.is_some() {
                return refuse("Bidirectional with a subPath", "mount the whole volume");
            }
            "rshared"
        }
        Some(other) => {
            let advice = "the container runtime can't mount it so; None, HostToContainer and Bidirectional are";
            let cause = ConfigCause::Unsupported { value: other.to_owned(), advice };
            return Err(inputs.config_error(field("mountPropagation"), cause));
        }
    };
    let recursive = matches!(mount.recursive_read_only.as_deref(), Some("IfPossible" | "Enabled"));
    let planned = volumes.iter().find(|volume| volume.name == mount.name);
    // Nobody writes to files that are made of something else, as the kubelet has it.
    let made =
        planned.is_some_and(|volume| matches!(volume.source, VolumeSource::Files { .. } | VolumeSource::Image { .. }));
    // KEP-4639: what is in an image volume is to be read, not run.
    let image = planned.is_some_and(|volume| matches!(volume.source, VolumeSource::Image { .. }));
    // A claim may be read-only for all.
    let claims = inputs.spec().volumes.iter().flatten().find(|volume| volume.name == mount.name);
    let claimed = claims.and_then(|volume| volume.persistent_volume_claim.as_ref()?.read_only) == Some(true);
    let access = match (mount.read_only == Some(true) || made || claimed, recursive) {
        (false, _) => "rw",
        (true, false) => "ro",
        (true, true) => "rro",
    };
    let sub_path = sub_path(mount, env).map_err(|(name, cause)| inputs.config_error(field(name), cause))?;
    // Relative to the root, as Kubernetes' docker heritage has it.
    let destination = Path::new("/").join(&mount.mount_path);
    if normal(&destination) == Path::new("/dev") {
        // libcontainer makes its device nodes there and replaces ptmx: in a volume, on the host.
        let (value, advice) = ("a volume at /dev".to_owned(), "mount what is needed of it, such as /dev/fuse");
        return Err(inputs.config_error(field("mountPath"), ConfigCause::Unsupported { value, advice }));
    }
    let mut options = vec!["rbind", propagation, access];
    if image {
        options.push("noexec");
    }
    options.extend(mount.bind_mount_options.iter().flatten().map(String::as_str));
    let shows = planned.map_or(Shows::Pods, |volume| match volume.source {
        VolumeSource::Image { .. } if layers.is_some() => Shows::Kernels,
        VolumeSource::HostPath { .. } | VolumeSource::Claim { .. } | VolumeSource::Image { .. } => Shows::Hosts,
        VolumeSource::EmptyDir { .. }
        | VolumeSource::Memory { .. }
        | VolumeSource::HugePages { .. }
        | VolumeSource::Files { .. } => Shows::Pods,
    });
    let missing = if made { Missing::Refuse } else { Missing::Make };
    let shared = is_shared(mount).then(|| {
        let of = &inputs.sandbox.mounts;
        if shows == Shows::Hosts { of.host.clone() } else { of.pod.clone() }
    });
    let is_config = planned.is_some_and(|volume| matches!(volume.source, VolumeSource::Files { .. }));
    let (mount, layers) = (bind(source, &destination, &options), layers.cloned());
    Ok(Item { mount, sub_path, shows, missing, shared, is_config, layers, is_data: false })
}

/// `subPath` or the expanded `subPathExpr`; `None`: the volume's root.
fn sub_path(mount: &v1::VolumeMount, env: &Environment) -> Result<Option<PathBuf>, (&'static str, ConfigCause)> {
    let (field, path) = match (mount.sub_path.as_deref(), mount.sub_path_expr.as_deref()) {
        (_, Some(expression)) if !expression.is_empty() => {
            let mut missing = false;
            let path = expansion::expand(expression, expansion::PATH, |name| {
                let value = env.own(name);
                missing |= value.is_none();
                value
            })
            .map_err(|_| ("subPathExpr", ConfigCause::PathTooLong))?;
            if missing {
                let cause = ConfigCause::SubPathVariable { expression: expression.to_owned() };
                return Err(("subPathExpr", cause));
            }
            ("subPathExpr", path)
        }
        (Some(path), _) if !path.is_empty() => ("subPath", path.to_owned()),
        _ => return Ok(None),
    };
    if path.starts_with('/') {
        return Err((field, ConfigCause::SubPathAbsolute { path }));
    }
    if Path::new(&path).components().any(|component| component == Component::ParentDir) {
        return Err((field, ConfigCause::SubPathClimbs { path }));
    }
    Ok(Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()))
}
