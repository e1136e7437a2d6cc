//! Ephemeral containers, which are added to a pod while it runs.

use std::path::Path;

use barepod_engine::spec::ContainerSpec;
use k8s_openapi::api::core::v1;

use super::plan::{Ephemeral, PodPlan};
use crate::manifest::{apply_ephemeral_defaults, as_container, check_ephemeral};
use crate::plan::files::image::{self, ImageSource};
use crate::plan::lifecycle;

/// One that may be added.
#[derive(Clone, Debug)]
pub struct NewEphemeral {
    manifest: v1::EphemeralContainer,
    planned: Ephemeral,
    image: ImageSource,
}

/// Plans one for a pod that runs. A relative path of its image is relative to `folder`; `place`: what the image's name stands for on
/// this box, where somebody has looked.
///
/// # Errors
/// What the API server would refuse, and what keeps its image from being looked for.
pub fn ephemeral(
    pod: &v1::Pod,
    mut manifest: v1::EphemeralContainer,
    folder: &Path,
    place: Option<&str>,
) -> Result<NewEphemeral, String> {
    apply_ephemeral_defaults(&mut manifest);
    check_ephemeral(&manifest, pod).map_err(|faults| faults.join("; "))?;
    let there = pod.spec.iter().flat_map(|spec| &spec.ephemeral_containers).flatten().count();
    let field = format!("spec.ephemeralContainers[{there}].image");
    let name = manifest.image.as_deref().unwrap_or_default();
    let mut image = image::source(field.clone(), name, folder).map_err(|error| error.to_string())?;
    if let Some(place) = place {
        image = image::source(field, place, Path::new("/")).map_err(|error| error.to_string())?;
    }
    let target = manifest.target_container_name.clone().filter(|name| !name.is_empty());
    Ok(NewEphemeral { planned: Ephemeral { container: as_container(&manifest), target }, manifest, image })
}

impl PodPlan {
    /// The pod has it from now on, behind all others.
    pub fn add(&mut self, pod: &mut v1::Pod, new: NewEphemeral) {
        let NewEphemeral { manifest, planned, image } = new;
        let spec = ContainerSpec::ephemeral(manifest.name.clone(), lifecycle::image(&planned.container));
        self.lifecycle.containers.push(spec);
        self.images.push(image);
        self.ephemeral.push(planned);
        if let Some(spec) = &mut pod.spec {
            spec.ephemeral_containers.get_or_insert_default().push(manifest);
        }
    }
}
