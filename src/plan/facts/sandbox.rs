//! What is known of a pod's sandbox when a container is planned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use oci_spec::runtime::LinuxDevice;
use serde::{Deserialize, Serialize};

use super::cpus::CpuSet;
use super::ids::UserFacts;

/// Where a namespace comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Made for the pod, shared by its containers.
    Pod,
    /// The host's.
    Host,
    /// Each container has its own.
    Container,
}

/// The network that a made sandbox has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PodNetwork {
    /// The box's own.
    Host {
        /// The box's addresses, which are the pod's then.
        ips: Vec<String>,
    },
    /// A namespace with nothing but its loopback.
    #[default]
    Loopback,
    /// A namespace that is connected with others, in which these, at least one, are the pod's.
    Connected {
        /// Of each family one.
        ips: Vec<String>,
    },
}

/// What a pod without any other address can be reached at: the loopback of its namespace.
const LOOPBACK: &str = "127.0.0.1";

impl PodNetwork {
    /// The pod's addresses, at least one.
    #[must_use]
    pub fn ips(&self) -> Vec<String> {
        match self {
            Self::Host { ips } | Self::Connected { ips } if !ips.is_empty() => ips.clone(),
            Self::Host { .. } | Self::Connected { .. } | Self::Loopback => vec![LOOPBACK.to_owned()],
        }
    }
}

/// Facts about the made sandbox that a container's config needs.
#[derive(Clone, Debug, Default)]
pub struct SandboxFacts {
    /// Cpus for containers that have none for themselves, in a pod where others do.
    pub shared_cpus: Option<CpuSet>,
    /// Path of the shared network namespace; `None`: the host's.
    pub network_namespace: Option<PathBuf>,
    /// Path of the shared IPC namespace; `None`: the host's.
    pub ipc_namespace: Option<PathBuf>,
    /// Path of the shared UTS namespace; `None`: the host's.
    pub uts_namespace: Option<PathBuf>,
    /// Path of the PID namespace that is shared with others; `None`: by `SandboxPlan::pid`, a new one or the host's.
    pub pid_namespace: Option<PathBuf>,
    /// The pod's own user namespace; `None`: the host's.
    pub users: Option<UserFacts>,
    /// The shared /dev/shm on the host's side.
    pub shm: PathBuf,
    /// The files to mount at /etc/hosts, /etc/hostname, /etc/resolv.conf.
    pub hosts: PathBuf,
    /// See `hosts`.
    pub hostname: PathBuf,
    /// See `hosts`.
    pub resolv_conf: PathBuf,
    /// Where each volume is on the host, by name.
    pub volumes: BTreeMap<String, PathBuf>,
    /// Layers of the volumes that show an image of the store, from the highest to the lowest, by the volumes' names.
    pub images: BTreeMap<String, Vec<PathBuf>>,
    /// `status.podIPs`, as [`PodNetwork::ips`] has them.
    pub pod_ips: Vec<String>,
    /// Text of the file with the container's `Localhost` profile, or why it can't be read; `None`: there is none.
    pub seccomp_profile: Option<Result<String, String>>,
    /// What is in the files that the container's variables come from (see [`crate::plan::env_files`]): bytes, `None` where
    /// there is no such file, or why it can't be read.
    pub env_files: BTreeMap<EnvFile, Result<Option<Vec<u8>>, String>>,
    /// The mount namespace that barepod was started in, and the supervisor's own, in which the pod's volumes are.
    pub mounts: MountNamespaces,
    /// The box's device nodes; none where the container isn't privileged.
    pub devices: Vec<LinuxDevice>,
    /// Folder of this attempt on a disk, for what is made anew at each start and its container may write to (the
    /// termination log): it counts as the container's use of the disk.
    pub attempt_dir: PathBuf,
}

/// Where mounts can be shared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountNamespaces {
    /// The host's.
    pub host: PathBuf,
    /// The supervisor's.
    pub pod: PathBuf,
}

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvFile {
    /// Name of the volume.
    pub volume: String,
    /// Below it.
    pub path: PathBuf,
}

impl EnvFile {
    pub(crate) fn of(from: &v1::FileKeySelector) -> Self {
        Self { volume: from.volume_name.clone(), path: PathBuf::from(&from.path) }
    }
}
