//! One mount of a container: what the OCI config says of it, and what that can't say.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, MountBuilder};
use serde::{Deserialize, Serialize};

/// A `subPath` to be resolved safely when the container is made (CVE-2017-1002101, CVE-2021-25741).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubPath {
    /// Index of the mount in `spec.mounts`, whose source is the volume's root.
    pub mount: usize,
    /// Relative, without `..`.
    pub path: PathBuf,
    /// What is done where it doesn't exist.
    pub missing: Missing,
}

/// A mount that is to be a peer of its source (mount_namespaces(7)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedMount {
    /// Index of the mount in `spec.mounts`.
    pub mount: usize,
    /// The mount namespace of which the source is.
    pub namespace: PathBuf,
}

/// A mount that shows an image of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMount {
    /// Index of the mount in `spec.mounts`, whose source the helper makes.
    pub mount: usize,
    /// Its layers, from the highest to the lowest.
    pub layers: Vec<PathBuf>,
}

/// A mount of what the container's own root file system has at its place: written to where the root can't be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataMount {
    /// Index of the mount in `spec.mounts`, whose source the helper makes.
    pub mount: usize,
    /// The place, from the root.
    pub path: PathBuf,
}

/// What is done about a `subPath` that isn't in its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// A directory is made, with the mode of the volume's root, as the kubelet does whether the mount is read-only or not.
    Make,
    /// It is an error: what the volume holds was made of something else.
    Refuse,
}

pub(super) struct Item {
    pub(super) mount: Mount,
    pub(super) sub_path: Option<PathBuf>,
    pub(super) shows: Shows,
    pub(super) missing: Missing,
    /// The mount namespace that it shares later mounts with.
    pub(super) shared: Option<PathBuf>,
    /// Whether it shows files that are made of ConfigMaps and the like.
    pub(super) is_config: bool,
    /// The layers of the image that it shows, where that is one of the store.
    pub(super) layers: Option<Vec<PathBuf>>,
    /// Whether it shows what the root file system has there.
    pub(super) is_data: bool,
}

/// Whose files a mount shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// What others have as well: their owners are the container's users of the same numbers, also in a user namespace
    /// (KEP-127), and their SELinux labels are left as they are.
    Hosts,
    /// What was made for this pod, and belongs to its users anyway.
    Pods,
    /// What is made up for the container, by the kernel or by us.
    Kernels,
}

/// Whether it shows files of the host; either its type or its options say so.
pub(crate) fn binds(mount: &Mount) -> bool {
    let of_options = mount.options().iter().flatten().any(|option| option == "bind" || option == "rbind");
    of_options || mount.typ().as_deref() == Some("bind")
}

pub(super) fn mount(typ: &str, source: &Path, destination: &Path, options: &[&str]) -> Mount {
    MountBuilder::default()
        .typ(typ)
        .source(source)
        .destination(destination)
        .options(options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
        .build()
        .expect("a mount without id mappings is valid")
}

pub(super) fn bind(source: &Path, destination: &Path, options: &[&str]) -> Mount {
    mount("bind", source, destination, options)
}
