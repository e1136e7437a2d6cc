//! A container's mounts: what the sandbox provides, its volumes, the bundle's own, and what every container has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use super::mount::{DataMount, ImageMount, Item, Missing, SharedMount, Shows, SubPath, bind, binds};
use super::own_mounts::{bundle, contained, data, possible, sandbox, standard, writable};
use super::path::normal;
use super::volume_mounts::volume;
use super::volumes::VolumePlan;
use crate::plan::error::ConfigError;
use crate::plan::inputs::Inputs;
use crate::plan::process::env::Environment;

/// R8.7: the container's own user must be able to write it.
const TERMINATION_LOG_MODE: u32 = 0o666;

/// What was planned.
pub(crate) struct Planned {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) sub_paths: Vec<SubPath>,
    pub(crate) images: Vec<ImageMount>,
    pub(crate) data: Vec<DataMount>,
    pub(crate) shared: Vec<SharedMount>,
    pub(crate) files: Vec<(PathBuf, u32)>,
    /// Mounts of what was made for this pod alone: they get the container's SELinux label.
    pub(crate) private: Vec<usize>,
    /// Mounts of volumes of files.
    pub(crate) config_volumes: Vec<usize>,
}

/// All mounts, outer ones before inner ones. Where several want the same place the manifest wins, then the sandbox,
/// then the bundle.
pub(crate) fn mounts(inputs: &Inputs, volumes: &[VolumePlan], env: &Environment) -> Result<Planned, ConfigError> {
    let mut items = Vec::new();
    for (at, mount) in inputs.container.manifest.volume_mounts.iter().flatten().enumerate() {
        items.push(volume(inputs, at, mount, volumes, env)?);
    }
    let mut files = Vec::new();
    if let Some(path) = inputs.container.manifest.termination_message_path.as_deref().filter(|path| !path.is_empty()) {
        let file = termination_log(inputs);
        items.push(plain(bind(&file, Path::new(path), &["rbind", "rprivate", "rw"]), Shows::Pods));
        files.push((file, TERMINATION_LOG_MODE));
    }
    items.extend(sandbox(inputs).into_iter().map(|mount| plain(mount, Shows::Pods)));
    items.extend(bundle(inputs)?.into_iter().filter_map(|mount| possible(inputs, mount)).map(of_bundle));
    items.extend(
        standard().into_iter().filter_map(|mount| possible(inputs, mount)).map(|mount| plain(mount, Shows::Kernels)),
    );
    // Last: whatever else is there counts, as with containerd.
    items.extend(data(inputs).map(|mount| Item { is_data: true, ..plain(mount, Shows::Kernels) }));
    let mut taken = BTreeSet::new();
    items.retain(|item| taken.insert(normal(item.mount.destination())));
    // Stable, by depth: a mount over the parent of another must come first (containerd's orderedMounts).
    items.sort_by_key(|item| normal(item.mount.destination()).components().count());
    let privileged = inputs.privileged();
    let mut planned = Planned {
        mounts: Vec::new(),
        sub_paths: Vec::new(),
        images: Vec::new(),
        data: Vec::new(),
        shared: Vec::new(),
        files,
        private: Vec::new(),
        config_volumes: Vec::new(),
    };
    for (at, mut item) in items.into_iter().enumerate() {
        if let Some(path) = item.sub_path {
            planned.sub_paths.push(SubPath { mount: at, path, missing: item.missing });
        }
        if let Some(layers) = item.layers.take() {
            planned.images.push(ImageMount { mount: at, layers });
        }
        if item.is_data {
            planned.data.push(DataMount { mount: at, path: item.mount.destination().clone() });
        }
        if let Some(namespace) = item.shared.take() {
            planned.shared.push(SharedMount { mount: at, namespace });
        }
        if item.is_config {
            planned.config_volumes.push(at);
        }
        match item.shows {
            Shows::Hosts => {
                let mappings = inputs.id_mappings();
                item.mount.set_uid_mappings(mappings.clone()).set_gid_mappings(mappings);
            }
            Shows::Pods => planned.private.push(at),
            Shows::Kernels => {}
        }
        planned.mounts.push(if privileged { writable(item.mount) } else { contained(inputs, item.mount) });
    }
    Ok(planned)
}

/// The file of this attempt that becomes the container's `terminationMessagePath`.
pub(crate) fn termination_log(inputs: &Inputs) -> PathBuf {
    inputs.sandbox.attempt_dir.join("termination-log")
}

fn plain(mount: Mount, shows: Shows) -> Item {
    Item {
        mount,
        sub_path: None,
        shows,
        missing: Missing::Refuse,
        shared: None,
        is_config: false,
        layers: None,
        is_data: false,
    }
}

/// A bundle's.
fn of_bundle(mount: Mount) -> Item {
    let shows = if binds(&mount) { Shows::Hosts } else { Shows::Kernels };
    plain(mount, shows)
}
