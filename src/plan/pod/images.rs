//! All images that a pod names, and who has to bring them.

use std::path::Path;

use barepod_engine::spec::ContainerIndex;
use k8s_openapi::api::core::v1;

use super::plan::PodPlan;
use crate::manifest::FieldPath;
use crate::plan::files::image::ImageSource;
use crate::plan::files::path::normal;
use crate::plan::files::volumes::{VolumePlan, VolumeSource};
use crate::plan::identity;

/// An image that a pod names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedImage<'a> {
    /// Where the manifest names it.
    pub field: FieldPath,
    /// What it says there.
    pub value: &'a str,
    /// What that means.
    pub source: &'a ImageSource,
    /// Whose root file system it is; `None`: a volume's.
    pub container: Option<ContainerIndex>,
    /// Who has to bring it.
    pub origin: Origin,
}

/// Who has to bring an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody but the user: it has to be there before the pod starts.
    Given,
    /// barepod: from a registry or a file into the box's store.
    Fetched,
    /// Perhaps the pod itself: it is in a folder of the box that the pod mounts, where an init container may unpack what
    /// a later one is made of.
    Mounted,
}

/// The images of containers and volumes. The plan is to be this pod's.
///
/// Paths are compared as they are written: who gets to a pod's folder by a symbolic link elsewhere has to make it first.
pub fn images<'a>(pod: &'a v1::Pod, plan: &'a PodPlan) -> Vec<NamedImage<'a>> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let origin = |source: &ImageSource| match source {
        ImageSource::Bundle(path) | ImageSource::Rootfs(path) => origin(path, plan),
        ImageSource::Stored(_) => Origin::Fetched,
    };
    let containers = identity::containers(spec).map(|one| {
        let source = plan.image(one.index);
        NamedImage {
            field: one.field().child("image"),
            value: one.manifest.image.as_deref().unwrap_or_default(),
            source,
            container: Some(one.index),
            origin: origin(source),
        }
    });
    let volumes = FieldPath::root().child("spec.volumes");
    let volumes = spec.volumes.iter().flatten().enumerate().zip(&plan.volumes).filter_map(|((at, volume), planned)| {
        let VolumeSource::Image { image: source } = &planned.source else { return None };
        let value = volume.image.as_ref()?.reference.as_deref()?;
        let field = volumes.index(at).child("image.reference");
        Some(NamedImage { field, value, source, container: None, origin: origin(source) })
    });
    containers.chain(volumes).collect()
}

/// Who has to bring what is at this path.
pub fn origin(path: &Path, plan: &PodPlan) -> Origin {
    let path = normal(path);
    let holds = |volume: &VolumePlan| match &volume.source {
        VolumeSource::HostPath { path: folder, .. } | VolumeSource::Claim { path: folder, .. } => {
            path.starts_with(normal(folder))
        }
        VolumeSource::EmptyDir { .. }
        | VolumeSource::Memory { .. }
        | VolumeSource::HugePages { .. }
        | VolumeSource::Files { .. }
        | VolumeSource::Image { .. } => false,
    };
    if plan.volumes.iter().any(holds) { Origin::Mounted } else { Origin::Given }
}
