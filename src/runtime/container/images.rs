//! Volumes that show images of the store (KEP-4639): an overlay of their layers, without an upper one. Runs in the helper, in
//! its own mount namespace: nobody has to take these away.

use std::path::PathBuf;

use oci_spec::runtime::Spec;

use super::attempt::AttemptDirs;
use super::failure::{Failure, Stage};
use super::overlay::Overlay;
use super::rootfs::{open, open_layers, overlay_options};
use super::users::Users;
use crate::plan::{ContainerPlan, ImageMount};
use crate::runtime::files;

/// Mounts each, and makes it the source of its mount.
pub(super) fn mount(
    plan: &ContainerPlan,
    spec: &mut Spec,
    dirs: &AttemptDirs,
    users: Option<&Users>,
) -> Result<(), Failure> {
    let Some(mounts) = spec.mounts_mut().as_mut() else { return Ok(()) };
    for one in &plan.images {
        let Some(mount) = mounts.get_mut(one.mount) else { continue };
        mount.set_source(Some(show(one, plan, dirs, users)?));
    }
    Ok(())
}

fn show(one: &ImageMount, plan: &ContainerPlan, dirs: &AttemptDirs, users: Option<&Users>) -> Result<PathBuf, Failure> {
    let folder = dirs.mounts().join("images").join(one.mount.to_string());
    let (target, empty) = (folder.join("tree"), folder.join("empty"));
    for folder in [&target, &empty] {
        files::make_all(folder).map_err(|cause| Failure::io(Stage::Binds, folder.display(), cause))?;
    }
    let mut layers = open_layers(one.layers.iter(), &folder, users)?;
    // Without an upper layer the kernel wants two at least; and of a layer alone its whiteouts would be seen.
    layers.push(open(&empty)?);
    let overlay = Overlay { layers: &layers, upper: None };
    let mounted = overlay.mount(&overlay_options(plan), &target);
    mounted.map_err(|errno| {
        let first = one.layers.first().map(|layer| layer.display().to_string()).unwrap_or_default();
        let mut failure = Failure::io(Stage::Binds, format!("mount overlay of the image at {first}"), errno);
        if errno == nix::Error::EOPNOTSUPP {
            failure.cause = format!("{} layers: so many need Linux 6.8", one.layers.len());
        }
        failure
    })?;
    Ok(target)
}
