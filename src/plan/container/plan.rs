//! What is made for one attempt of one container, as a value.

use std::path::PathBuf;

use barepod_engine::spec::{Attempt, ContainerIndex};
use k8s_openapi::api::core::v1;
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

use crate::plan::facts::Rights;
use crate::plan::files::mount::{DataMount, ImageMount, SharedMount, SubPath};

/// What one attempt of one container is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name in the manifest.
    pub name: String,
    /// Unique on this box: the part of containerID behind `barepod://`.
    pub id: String,
    /// Its cgroup, relative to the hierarchies' roots.
    pub cgroup: PathBuf,
}

/// What to make for one attempt of one container. Travels to the helper as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// Which container this is.
    pub container: ContainerIndex,
    /// Its name in the manifest.
    pub name: String,
    /// Which attempt.
    pub attempt: Attempt,
    /// Unique on this box: the part of containerID behind `barepod://`.
    pub id: String,
    /// The bundle's folder: what its hooks are told.
    pub bundle: PathBuf,
    /// The lower layer of the root file system, of several the highest. Absolute.
    pub rootfs: PathBuf,
    /// Further layers below that, from the highest to the lowest. Absolute.
    pub below: Vec<PathBuf>,
    /// The whole OCI config, but for `root.path`, which the helper sets to where it mounts the root file system.
    pub spec: Spec,
    /// Sources of mounts in `spec` that must be resolved below a volume first.
    pub sub_paths: Vec<SubPath>,
    /// Mounts of `spec` that show images of the store.
    #[serde(default)]
    pub images: Vec<ImageMount>,
    /// Mounts of `spec` that show what the root file system has at their places.
    #[serde(default)]
    pub data: Vec<DataMount>,
    /// Mounts of `spec` that share what is mounted in them with another mount namespace (Bidirectional).
    pub shared: Vec<SharedMount>,
    /// Indices of the mounts of `spec` that show what was made for this pod alone: they get its SELinux label
    /// (`linux.mountLabel`), as the kubelet asks of a container runtime.
    pub private: Vec<usize>,
    /// Indices of the mounts of `spec` that show volumes of files (R10.6), which have places for mounts all the same.
    pub config_volumes: Vec<usize>,
    /// Files to make in the attempt's folder before the mounts: (path, mode).
    pub files: Vec<(PathBuf, u32)>,
    /// The one of `files` that the container sees at `terminationMessagePath` (R8.7).
    pub termination_log: PathBuf,
    /// What its making may do.
    pub rights: Rights,
    /// What its program reads from and writes to. A terminal is one in `spec` too.
    pub streams: Streams,
}

/// What a container's program reads from and writes to (R10.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Streams {
    /// There is nothing to read; what it writes is read from pipes.
    Output,
    /// What it reads is a pipe as well, which stays open.
    All,
    /// A terminal is all three.
    Terminal,
}

impl Streams {
    /// As the manifest has them.
    pub(crate) fn of(container: &v1::Container) -> Self {
        match (container.tty, container.stdin) {
            (Some(true), _) => Self::Terminal,
            (_, Some(true)) => Self::All,
            _ => Self::Output,
        }
    }
}
