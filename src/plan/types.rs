//! What plan takes and gives: facts about this box and its images come in, what to make goes out. All plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use oci_spec::runtime::{LinuxDevice, Spec};
use serde::{Deserialize, Serialize};

use barepod_engine::spec::{Attempt, ContainerIndex, PodSpec};

pub use crate::manifest::Content;
use crate::manifest::Objects;
pub use crate::plan::facts::node::*;
use crate::plan::files::volumes::VolumePlan;
use crate::plan::pod::SecurityOptions;
use crate::plan::process::env_file::EnvFile;
use crate::plan::resources::Bytes;
use crate::plan::resources::cpus::{CpuSet, Exclusive};
use crate::plan::resources::memory_qos::MemoryQos;

/// What to make once for the pod.
#[derive(Clone, Debug)]
pub struct PodPlan {
    /// For the engine.
    pub lifecycle: PodSpec,
    /// Namespaces and files all containers share.
    pub sandbox: SandboxPlan,
    /// The pod's cgroup.
    pub cgroup: CgroupPlan,
    /// The pod's volumes in the order of the manifest.
    pub volumes: Vec<VolumePlan>,
    /// ConfigMaps and Secrets that variables are taken of.
    pub objects: Objects,
    /// What `image:` names, per container index.
    pub images: Vec<ImageSource>,
    /// Cpus that containers have for themselves. Allotted under a lock once it is known that the pod is run.
    pub cpus: Exclusive,
    /// What the command line says about security.
    pub security: SecurityOptions,
    /// What it says about memory.
    pub memory_qos: MemoryQos,
}

/// Ids of the host that a pod's user namespace has as its own 0 and up (user_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The host's id of the namespace's 0.
    pub first: u32,
    /// How many there are.
    pub length: u32,
}

impl IdRange {
    /// As many as the kubelet gives a pod.
    pub const LENGTH: u32 = 65536;

    /// Whether an id is one of them.
    #[must_use]
    pub fn has(self, id: u32) -> bool {
        id.checked_sub(self.first).is_some_and(|offset| offset < self.length)
    }

    /// What an id of the namespace is on the host; `None`: the namespace doesn't have it.
    #[must_use]
    pub fn host(self, id: u32) -> Option<u32> {
        (id < self.length).then(|| self.first.checked_add(id)).flatten()
    }
}

impl PodPlan {
    /// Gives containers cpus for themselves. A pod that has some is not held back on them as a whole either.
    pub fn pin(&mut self, cpus: Exclusive) {
        if !cpus.is_empty() {
            self.cgroup.limits.cpu_quota = None;
        }
        self.cpus = cpus;
    }
}

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

/// Namespaces and files that all containers of a pod share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// Host name in the UTS namespace and in /etc/hostname.
    pub hostname: String,
    /// NIS domain name of the UTS namespace; empty: left alone.
    pub domainname: String,
    /// `Pod`, or `Host` under hostNetwork (then the UTS namespace is the host's too, as containerd has it).
    pub network: Scope,
    /// `Pod`, or `Host` under hostIPC.
    pub ipc: Scope,
    /// `Container`, `Pod` under shareProcessNamespace, `Host` under hostPID.
    pub pid: Scope,
    /// `Pod` under `hostUsers: false`, else `Host`.
    pub user: Scope,
    /// The ids of the pod's own user namespace: set by whoever reserves them, which a plan can't.
    pub ids: Option<IdRange>,
    /// Names of the volumes that a container mounts with `mountPropagation: Bidirectional`.
    pub shared_volumes: BTreeSet<String>,
    /// `/proc/sys` names (dotted) and values, set in the sandbox's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Text of /etc/hosts.
    pub hosts: String,
    /// Text of /etc/resolv.conf.
    pub resolv_conf: String,
    /// The pod's addresses, at least one.
    pub pod_ips: Vec<String>,
    /// Size of the shared /dev/shm in bytes (64 MiB).
    pub shm_size: u64,
}

/// The pod's cgroup, on every hierarchy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CgroupPlan {
    /// Relative to the hierarchies' roots, absolute: `<parent>/barepod/<the pod's own>`.
    pub path: PathBuf,
    /// Limits of the whole pod (R9.2).
    pub limits: CgroupLimits,
    /// Limits of its huge pages, of each page size once; none where they can't be limited. They never change.
    pub huge_pages: Vec<HugePageLimit>,
}

/// A limit of the hugetlb controller, of reserved pages and of used ones alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HugePageLimit {
    /// Size of a page.
    pub page: Bytes,
    /// How much of them in all.
    pub limit: Bytes,
}

/// Settings of a cgroup in v1's units; the v2 conversion is the OCI's (R9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// cpu.shares, 2..=262144.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU per period of 100 ms.
    pub cpu_quota: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
    /// v2 only.
    pub protection: MemoryProtection,
    /// Number of processes.
    pub pids: Option<i64>,
}

/// What cgroup v2 does about memory beside its limit; bytes, the greatest number being `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryProtection {
    /// `memory.min`: never reclaimed.
    pub min: Option<i64>,
    /// `memory.low`: reclaimed when nothing else can be.
    pub low: Option<i64>,
    /// `memory.high`: above it processes are slowed down and their memory reclaimed.
    pub high: Option<i64>,
    /// `memory.swap.max`: how much of it may be swapped out. On v1 a part of the limit of both, where there is a limit.
    pub swap: Option<i64>,
}

impl MemoryProtection {
    /// Names of the files and what is to be in them.
    pub(crate) fn files(self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [
            ("memory.min", self.min),
            ("memory.low", self.low),
            ("memory.high", self.high),
            ("memory.swap.max", self.swap),
        ];
        let text = |bytes: i64| if bytes == i64::MAX { "max".to_owned() } else { bytes.to_string() };
        all.into_iter().filter_map(move |(file, value)| Some((file, text(value?))))
    }
}

/// What `image:` names, with absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageSource {
    /// `bundle:PATH`: config.json and its rootfs.
    Bundle(PathBuf),
    /// `rootfs:PATH`: a plain directory with the default config.
    Rootfs(PathBuf),
}

impl ImageSource {
    /// `imageID`: what `image:` says, with an absolute path.
    pub fn id(&self) -> String {
        match self {
            Self::Bundle(path) => format!("bundle:{}", path.display()),
            Self::Rootfs(path) => format!("rootfs:{}", path.display()),
        }
    }
}

/// What `runtime::image` found behind an [`ImageSource`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageFacts {
    /// `imageID`: what the manifest's `image:` says, with an absolute path.
    pub id: String,
    /// The directory that becomes the root file system's lower layer. Absolute.
    pub rootfs: PathBuf,
    /// The bundle's config.json, or the default config for a plain rootfs.
    pub base: Spec,
    /// Text of /etc/passwd in it, resolved inside it; empty where there is none.
    pub passwd: String,
    /// Text of /etc/group in it, resolved inside it; empty where there is none.
    pub group: String,
    /// Number of the stop signal that the bundle asks for (annotation `org.opencontainers.image.stopSignal`), if any.
    pub stop_signal: Option<i32>,
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
    /// Path of the shared PID namespace; `None`: by `SandboxPlan::pid`, a new one or the host's.
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
    /// `status.podIP`s; 127.0.0.1 where the pod has only its loopback.
    pub pod_ips: Vec<String>,
    /// Text of the file with the container's `Localhost` profile, or why it can't be read; `None`: there is none.
    pub seccomp_profile: Option<Result<String, String>>,
    /// What is in the files that the container's variables come from (see [`crate::plan::env_files`]): bytes, `None` where
    /// there is no such file, or why it can't be read.
    pub env_files: BTreeMap<EnvFile, Result<Option<Vec<u8>>, String>>,
    /// The mount namespace that barepod was started in, and the supervisor's own, in which the pod's volumes are.
    pub mounts: MountNamespaces,
    /// The box's device nodes; none where the container doesn't get them (see [`crate::plan::wants_devices`]).
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

/// A user namespace that was made for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFacts {
    /// Its path.
    pub namespace: PathBuf,
    /// Its ids.
    pub ids: IdRange,
}

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
    /// The folder that `image:` names: what the bundle's hooks are told.
    pub bundle: PathBuf,
    /// The lower layer of the root file system. Absolute.
    pub rootfs: PathBuf,
    /// Whether the root file system gets an upper layer.
    pub root: RootAccess,
    /// The whole OCI config, but for `root.path`, which the helper sets to where it mounts the root file system.
    pub spec: Spec,
    /// Sources of mounts in `spec` that must be resolved below a volume first.
    pub sub_paths: Vec<SubPath>,
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
}

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

/// What is done about a `subPath` that isn't in its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// A directory is made, with the mode of the volume's root, as the kubelet does whether the mount is read-only or not.
    Make,
    /// It is an error: what the volume holds was made of something else.
    Refuse,
}

/// Whether a container may write to its root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootAccess {
    /// Through an overlay whose upper layer lives as long as the attempt.
    Writable,
    /// Not at all: no upper layer.
    ReadOnly,
}
