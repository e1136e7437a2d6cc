//! `--require-digest`: each image of a manifest has a name that says exactly what it stands for.

use std::path::Path;

use k8s_openapi::api::core::v1;

use crate::manifest::{FieldPath, Finding, Wrong};
use crate::plan;
use crate::runtime::image::{Place, Unpinned, unpinned};

/// The images that have no digest; `store`: where images are. What is no name is told of elsewhere.
pub(super) fn findings(pod: &v1::Pod, store: &Place) -> Vec<Finding> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let root = FieldPath::root().child("spec");
    let of_containers = |list: &str, all: &[v1::Container]| -> Vec<(FieldPath, String)> {
        let list = root.child(list);
        let one = |(at, one): (usize, &v1::Container)| Some((list.index(at).child("image"), one.image.clone()?));
        all.iter().enumerate().filter_map(one).collect()
    };
    let volumes = root.child("volumes");
    let of_volume = |(at, one): (usize, &v1::Volume)| {
        Some((volumes.index(at).child("image.reference"), one.image.as_ref()?.reference.clone()?))
    };
    let inits = of_containers("initContainers", spec.init_containers.as_deref().unwrap_or_default());
    let images = inits.into_iter().chain(of_containers("containers", &spec.containers));
    let images = images.chain(spec.volumes.iter().flatten().enumerate().filter_map(of_volume));
    let one = |(field, value): (FieldPath, String)| {
        let source = plan::image_source(field.to_string(), &value, Path::new("/")).ok()?;
        let help = unpinned(&source, store).ok()??.help();
        Some(Finding { field, wrong: Wrong::Unusable { value, why: Unpinned::WHY.to_owned() }, help: Some(help) })
    };
    images.filter_map(one).collect()
}
