//! `spec.volumes` to what is made on the host (R10.5): what a volume is, and how it comes from the manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use super::config::{self, FilePlan, Sources};
use super::image::{self, ImageSource};
use crate::manifest::quantity::Quantity;
use crate::plan::error::PlanError;
use crate::plan::facts::Bytes;
use crate::plan::resources::amounts::natural;
use crate::plan::resources::{cgroup, huge_pages};

/// The highest permission bits of an emptyDir: no set-user-id, no set-group-id.
const MODES: u32 = 0o1777;

/// A volume of the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumePlan {
    /// `name`.
    pub name: String,
    /// What it is.
    pub source: VolumeSource,
    /// fsGroup to apply to it, where the pod has one and the kind of volume takes it (emptyDir does, hostPath doesn't).
    pub fs_group: Option<u32>,
}

impl VolumePlan {
    /// The image that it shows, where that comes into the box's store first (R8.17).
    #[must_use]
    pub fn stored_image(&self) -> Option<&ImageSource> {
        match &self.source {
            VolumeSource::Image { image: image @ ImageSource::Stored(_) } => Some(image),
            _ => None,
        }
    }
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// `emptyDir` on the disk that holds the state.
    EmptyDir {
        /// Permission bits, before fsGroup's; `None`: 0777.
        mode: Option<u32>,
        /// Bytes.
        size_limit: Option<u64>,
    },
    /// `emptyDir` with `medium: Memory`: a tmpfs.
    Memory {
        /// Permission bits, before fsGroup's; `None`: 1777, as a tmpfs has it by itself.
        mode: Option<u32>,
        /// Bytes; `None`: half the memory, the kernel's default.
        size_limit: Option<u64>,
    },
    /// `emptyDir` with `medium: HugePages` or `HugePages-SIZE`: a hugetlbfs.
    HugePages {
        /// Permission bits, before fsGroup's; `None`: 0777.
        mode: Option<u32>,
        /// Of a page.
        page: Bytes,
        /// Bytes; `None`: what the cgroup's limits allow.
        size_limit: Option<u64>,
    },
    /// `configMap`, `secret`, `downwardAPI`, `projected` (R10.6): files in memory, laid out as the kubelet does.
    Files {
        /// Each path once, none below another.
        files: Vec<FilePlan>,
    },
    /// `image`: what it names shows read-only.
    Image {
        /// What its reference names.
        image: ImageSource,
    },
    /// `persistentVolumeClaim`: a folder of this box, which has to be there.
    Claim {
        /// On the host.
        path: PathBuf,
        /// When fsGroup is applied to all that is in it.
        change: GroupChange,
    },
    /// `hostPath` (R10.5). A relative path is relative to `/`.
    HostPath {
        /// On the host.
        path: PathBuf,
        /// What has to be there.
        kind: HostPathKind,
    },
}

/// `fsGroupChangePolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupChange {
    /// At each start of the pod.
    Always,
    /// Only where the volume's root doesn't have it.
    OnRootMismatch,
}

/// `hostPath.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum HostPathKind {
    Any,
    DirectoryOrCreate,
    Directory,
    FileOrCreate,
    File,
    Socket,
    CharDevice,
    BlockDevice,
}

/// One volume. `fs_group` is the pod's.
pub(crate) fn volume(
    field: &str,
    volume: &v1::Volume,
    fs_group: Option<u32>,
    from: &Sources<'_>,
    claims: &BTreeMap<String, PathBuf>,
    manifest_dir: &Path,
) -> Result<VolumePlan, PlanError> {
    let name = volume.name.clone();
    if let Some(empty) = &volume.empty_dir {
        return Ok(VolumePlan { name, source: empty_dir(field, empty, from)?, fs_group });
    }
    if let Some(files) = config::files(field, volume, from) {
        return Ok(VolumePlan { name, source: VolumeSource::Files { files: files? }, fs_group });
    }
    // fsGroup doesn't apply here: the files are the host's own.
    if let Some(host) = &volume.host_path {
        return Ok(VolumePlan { name, source: host_path(field, host)?, fs_group: None });
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let source = persistent(field, claim, claims, from)?;
        // As under the kubelet, nothing is changed in what is only to be read.
        let fs_group = fs_group.filter(|_| claim.read_only != Some(true));
        return Ok(VolumePlan { name, source, fs_group });
    }
    if let Some(made) = &volume.image {
        let reference = made.reference.as_deref().unwrap_or_default();
        let image = image::source(format!("{field}.image.reference"), reference, manifest_dir)?;
        return Ok(VolumePlan { name, source: VolumeSource::Image { image }, fs_group: None });
    }
    let advice = "emptyDir, hostPath, configMap, secret, downwardAPI, projected, image and persistentVolumeClaim are";
    Err(PlanError::Unsupported { field: field.to_owned(), value: name, advice })
}

/// A claim is bound by whoever starts the pod.
fn persistent(
    field: &str,
    claim: &v1::PersistentVolumeClaimVolumeSource,
    claims: &BTreeMap<String, PathBuf>,
    from: &Sources<'_>,
) -> Result<VolumeSource, PlanError> {
    let context = from.spec.security_context.as_ref();
    let change = match context.and_then(|context| context.fs_group_change_policy.as_deref()) {
        Some("OnRootMismatch") => GroupChange::OnRootMismatch,
        _ => GroupChange::Always,
    };
    match claims.get(&claim.claim_name) {
        Some(path) => Ok(VolumeSource::Claim { path: path.clone(), change }),
        None => Err(PlanError::Invalid {
            field: format!("{field}.persistentVolumeClaim.claimName"),
            value: claim.claim_name.clone(),
            cause: format!("not found; say where it is on this box: --volume {}=PATH", claim.claim_name),
        }),
    }
}

fn empty_dir(field: &str, empty: &v1::EmptyDirVolumeSource, from: &Sources<'_>) -> Result<VolumeSource, PlanError> {
    let mode = match empty.mode.map(u32::try_from) {
        None => None,
        Some(Ok(mode)) if mode <= MODES => Some(mode),
        Some(_) => {
            return Err(PlanError::Invalid {
                field: format!("{field}.emptyDir.mode"),
                value: empty.mode.unwrap_or_default().to_string(),
                cause: "must be a number between 0 and 01777 (octal), both inclusive".to_owned(),
            });
        }
    };
    let size_limit = match &empty.size_limit {
        None => None,
        Some(text) => {
            Some(Quantity::parse(&text.0).map(|limit| natural(limit.units())).map_err(|error| PlanError::Invalid {
                field: format!("{field}.emptyDir.sizeLimit"),
                value: text.0.clone(),
                cause: error.to_string(),
            })?)
        }
    };
    // A limit of zero is none, as in the kubelet.
    let size_limit = size_limit.filter(|bytes| *bytes > 0);
    match empty.medium.as_deref() {
        None | Some("") => Ok(VolumeSource::EmptyDir { mode, size_limit }),
        Some("Memory") => {
            // The least of the three, as the kubelet has it (calculateEmptyDirMemorySize).
            let pod = cgroup::pod_limits(from.spec).memory.and_then(|limit| u64::try_from(limit).ok());
            let sizes = [Some(from.node.memory), pod, size_limit].into_iter().flatten();
            Ok(VolumeSource::Memory { mode, size_limit: sizes.filter(|bytes| *bytes > 0).min() })
        }
        Some(medium) if from.node.users.is_some() => Err(PlanError::Unsupported {
            field: format!("{field}.emptyDir.medium"),
            value: medium.to_owned(),
            advice: "only the box's root may mount a hugetlbfs; leave it out, or run barepod as root",
        }),
        Some(medium) => {
            let page = huge_pages::of_medium(medium, from.spec).map_err(|cause| PlanError::Invalid {
                field: format!("{field}.emptyDir.medium"),
                value: medium.to_owned(),
                cause,
            })?;
            Ok(VolumeSource::HugePages { mode, page, size_limit })
        }
    }
}

fn host_path(field: &str, host: &v1::HostPathVolumeSource) -> Result<VolumeSource, PlanError> {
    let kind = match host.type_.as_deref() {
        None | Some("") => HostPathKind::Any,
        Some("DirectoryOrCreate") => HostPathKind::DirectoryOrCreate,
        Some("Directory") => HostPathKind::Directory,
        Some("FileOrCreate") => HostPathKind::FileOrCreate,
        Some("File") => HostPathKind::File,
        Some("Socket") => HostPathKind::Socket,
        Some("CharDevice") => HostPathKind::CharDevice,
        Some("BlockDevice") => HostPathKind::BlockDevice,
        Some(other) => {
            return Err(PlanError::Invalid {
                field: format!("{field}.hostPath.type"),
                value: other.to_owned(),
                cause: "no such type".to_owned(),
            });
        }
    };
    Ok(VolumeSource::HostPath { path: PathBuf::from("/").join(&host.path), kind })
}

/// Whether all volumes of files can be made of these sources.
///
/// # Errors
/// The first that can't.
pub(crate) fn check_files(from: &Sources<'_>) -> Result<(), PlanError> {
    let volumes = from.spec.volumes.iter().flatten().enumerate();
    volumes
        .filter_map(|(at, volume)| config::files(&format!("spec.volumes[{at}]"), volume, from))
        .try_for_each(|files| files.map(drop))
}

/// Volumes of files where those are now others than what they were made with: what the pod's manifest says of itself (R10.4:
/// resources, after a resize), ConfigMaps and Secrets.
pub(crate) fn outdated(from: &Sources<'_>, volumes: &[VolumePlan]) -> Vec<VolumePlan> {
    let volumes = from.spec.volumes.iter().flatten().zip(volumes).enumerate();
    volumes
        .filter_map(|(at, (volume, made))| {
            let files = config::files(&format!("spec.volumes[{at}]"), volume, from)?.ok()?;
            let source = VolumeSource::Files { files };
            (source != made.source).then(|| VolumePlan { source, ..made.clone() })
        })
        .collect()
}
