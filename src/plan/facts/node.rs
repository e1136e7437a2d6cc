//! What is known of the box, and of what this process may do on it, before anything is planned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::runtime::PosixRlimitType;
use serde::{Deserialize, Serialize};

use super::amounts::Bytes;
use super::ids::NamespaceIds;
use super::sandbox::Scope;

/// Facts about this box, gathered once per pod by `runtime::node`.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The host's name: `spec.nodeName`, and the hostname of a pod on the host's network.
    pub hostname: String,
    /// Which cgroup world this is.
    pub cgroups: CgroupVersion,
    /// The cgroup below which pods go, relative to the hierarchies' roots: `/` or a delegated one. Absolute, no trailing slash but for `/`.
    pub cgroup_parent: PathBuf,
    /// Why [`cgroups`](Self::cgroups) is `None`, where it is; else why `cgroup_parent` isn't the cgroup that was delegated
    /// to this process, where one was.
    pub cgroup_obstacle: Option<CgroupObstacle>,
    /// Memory of the box in bytes.
    pub memory: u64,
    /// Its swap in bytes; `None`: cgroups can't limit it here.
    pub swap: Option<u64>,
    /// Size in bytes of the filesystem that holds what pods write: the box's ephemeral storage.
    pub storage: u64,
    /// Page sizes besides the ordinary one that the kernel knows, and how many pages of each there are or can be made.
    pub huge_pages: BTreeMap<Bytes, u64>,
    /// Whether cgroups below `cgroup_parent` can limit them.
    pub limits_huge_pages: bool,
    /// Online CPUs.
    pub cpus: u32,
    /// Capabilities this process may hand on (its bounding set), as `CAP_...` names.
    pub capabilities: Vec<String>,
    /// The most that this process may give of each resource limit (setrlimit(2)); those that aren't here have no bound.
    pub hard_limits: Vec<(PosixRlimitType, u64)>,
    /// Whether processes may lower their oom_score_adj (CAP_SYS_RESOURCE), in the initial user namespace.
    pub can_lower_oom_score: bool,
    /// Text of the host's /etc/resolv.conf; empty where there is none.
    pub resolv_conf: String,
    /// Text of the host's /etc/hosts, for pods on the host's network.
    pub hosts: String,
    /// The host's addresses, the main one first (`status.hostIP`).
    pub host_ips: Vec<String>,
    /// Of the kernel that runs.
    pub kernel: KernelVersion,
    /// Whether the kernel has AppArmor.
    pub apparmor: AppArmor,
    /// Whether the kernel has SELinux and a policy.
    pub selinux: SeLinux,
    /// What this process' user namespace has; `None`: it is the box's.
    pub users: Option<NamespaceIds>,
    /// Whether the supervisor has a pid namespace for itself and the pod (`Pod`), or sees the box's processes (`Host`).
    pub processes: Scope,
}

impl NodeFacts {
    /// What this process may do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        if self.users.is_some() { Rights::UserNamespace } else { Rights::Box }
    }
}

/// What the making of a container may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rights {
    /// What the box's root may.
    Box,
    /// What the root of a user namespace may: devices are bound, not made; overlays keep their notes in `user.*`.
    UserNamespace,
}

/// AppArmor on this box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AppArmor {
    /// Not in the kernel, or not enabled.
    #[default]
    Off,
    /// Enabled.
    On {
        /// Names of the profiles that are loaded; `None`: can't be told (securityfs isn't mounted).
        loaded: Option<Vec<String>>,
    },
}

/// SELinux on this box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SeLinux {
    /// Not in the kernel, not enabled, or without a policy.
    #[default]
    Off,
    /// Labels count.
    On {
        /// How the policy wants containers labelled; `None`: it doesn't say.
        containers: Option<ContainerContexts>,
    },
}

/// What a policy's `lxc_contexts` says: two security contexts (selinux(8)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerContexts {
    /// Of a container's processes.
    pub process: String,
    /// Of its files.
    pub files: String,
}

/// Major and minor number: `(6, 1)`.
pub type KernelVersion = (u32, u32);

/// Which hierarchies the controllers are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupVersion {
    /// All on v1, or hybrid: the controllers on v1 and a v2 without controllers.
    V1,
    /// Pure v2.
    V2,
    /// Nowhere that this process may use: nothing is limited.
    None,
}

/// Why this process can make no cgroups, or none below the cgroup that was delegated to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CgroupObstacle {
    /// None is mounted, delegated to it or writable.
    NotWritable,
    /// Other processes are in the cgroup that it may use (v2): it can't hand down its controllers as long as they are
    /// (cgroups(7), the "no internal processes" rule).
    Occupied {
        /// Relative to the hierarchy's root.
        cgroup: PathBuf,
    },
    /// The cgroup that it may use has not all that a pod needs (v2).
    Controllers {
        /// Relative to the hierarchy's root.
        cgroup: PathBuf,
        /// What it lacks.
        missing: Vec<String>,
    },
}
