//! `image:` to where the root file system comes from (docs/images.md).

use std::path::{Path, PathBuf};

use barepod_engine::spec::ContainerIndex;
use k8s_openapi::api::core::v1;

use super::mounts::normal;
use super::volumes::{VolumePlan, VolumeSource};
use crate::manifest::FieldPath;
use crate::plan::error::PlanError;
use crate::plan::lifecycle;
use crate::plan::types::{ImageSource, PodPlan};

const ADVICE: &str = "images come later; unpack it and use bundle:PATH or rootfs:PATH";

/// `bundle:PATH` and `rootfs:PATH`, a relative PATH being relative to the manifest's folder.
pub(crate) fn source(field: String, image: &str, manifest_dir: &Path) -> Result<ImageSource, PlanError> {
    let (path, make): (&str, fn(PathBuf) -> ImageSource) = if let Some(path) = image.strip_prefix("bundle:") {
        (path, ImageSource::Bundle)
    } else if let Some(path) = image.strip_prefix("rootfs:") {
        (path, ImageSource::Rootfs)
    } else if image.is_empty() {
        return Err(PlanError::Required { field, advice: "write bundle:PATH or rootfs:PATH" });
    } else {
        // A bare reference (`nginx:1.27`) and the transports alike.
        return Err(PlanError::Unsupported { field, value: image.to_owned(), advice: ADVICE });
    };
    if path.is_empty() || path.contains('\0') {
        let cause = "a path must follow the colon".to_owned();
        return Err(PlanError::Invalid { field, value: image.to_owned(), cause });
    }
    // Components are tidied by name (`./web` and `web` are the same), `..` is left to the kernel: it may follow a link.
    let path = manifest_dir.join(path).components().collect();
    Ok(make(path))
}

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
    /// Perhaps the pod itself: it is in a folder of the box that the pod mounts, where an init container may unpack what
    /// a later one is made of.
    Mounted,
}

/// The images of containers and volumes. The plan is to be this pod's.
///
/// Paths are compared as they are written: who gets to a pod's folder by a symbolic link elsewhere has to make it first.
pub fn images<'a>(pod: &'a v1::Pod, plan: &'a PodPlan) -> Vec<NamedImage<'a>> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let origin = |source: &ImageSource| {
        let (ImageSource::Bundle(path) | ImageSource::Rootfs(path)) = source;
        origin(path, plan)
    };
    let containers = lifecycle::containers_at(spec).zip(&plan.images).zip(0..);
    let containers = containers.map(|(((field, container), source), at)| NamedImage {
        field: field.child("image"),
        value: container.image.as_deref().unwrap_or_default(),
        source,
        container: Some(ContainerIndex(at)),
        origin: origin(source),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied_by_name() {
        for (path, tidy) in [("/a/./b/", "/a/b"), ("a/b", "/a/b"), ("/m/../x", "/x"), ("/../..", "/")] {
            assert_eq!(normal(Path::new(path)), Path::new(tidy), "{path}");
        }
    }

    #[test]
    fn images_are_found_beside_the_manifest() {
        let read = |image| source("f".to_owned(), image, Path::new("/m"));
        assert_eq!(read("bundle:./web").unwrap(), ImageSource::Bundle(PathBuf::from("/m/web")));
        assert_eq!(read("rootfs:/srv/x").unwrap(), ImageSource::Rootfs(PathBuf::from("/srv/x")));
        assert_eq!(read("bundle:../x").unwrap(), ImageSource::Bundle(PathBuf::from("/m/../x")));
        for image in ["nginx:1.27", "docker://nginx", "oci:dir:tag"] {
            assert!(matches!(read(image), Err(PlanError::Unsupported { .. })), "{image}");
        }
        assert!(matches!(read("bundle:"), Err(PlanError::Invalid { .. })));
        assert!(matches!(read(""), Err(PlanError::Required { .. })));
    }
}
