//! What all containers of a pod share: names and name resolution, kernel parameters.

pub(crate) mod network;
pub(crate) mod reach;
pub(crate) mod sysctls;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use self::network::{HostsFile, ResolvConf, Uplink};
use crate::plan::error::PlanError;
use crate::plan::facts::{IdRange, NodeFacts, Scope};
use crate::plan::identity;

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
    /// What connects the pod's own network with the box's.
    pub uplink: Uplink,
    /// /etc/hosts, once the pod's addresses are known.
    pub hosts: HostsFile,
    /// /etc/resolv.conf, once the pod's network is.
    pub resolv_conf: ResolvConf,
    /// Size of the shared /dev/shm in bytes (64 MiB).
    pub shm_size: u64,
}

/// Size of /dev/shm, as containerd has it.
const SHM_SIZE: u64 = 64 << 20;

/// Plans what the containers of a pod share.
pub(crate) fn sandbox(
    pod: &v1::Pod,
    spec: &v1::PodSpec,
    node: &NodeFacts,
    uplink: Uplink,
    allowed_unsafe_sysctls: &[String],
    errors: &mut Vec<PlanError>,
) -> SandboxPlan {
    let scope = |host: Option<bool>| if host == Some(true) { Scope::Host } else { Scope::Pod };
    let (hostname, domain) = network::names(pod, spec, node, errors);
    SandboxPlan {
        network: scope(spec.host_network),
        ipc: scope(spec.host_ipc),
        pid: match (spec.host_pid, spec.share_process_namespace) {
            (Some(true), _) => Scope::Host,
            (_, Some(true)) => Scope::Pod,
            _ => Scope::Container,
        },
        // Where barepod itself is in a user namespace, so is the pod, and not in the box's.
        user: if spec.host_users == Some(false) && node.users.is_none() { Scope::Pod } else { Scope::Host },
        ids: None,
        shared_volumes: shared_volumes(spec),
        domainname: String::new(),
        sysctls: sysctls::sysctls(spec, node, allowed_unsafe_sysctls, errors),
        uplink: if spec.host_network == Some(true) { Uplink::None } else { uplink },
        hosts: HostsFile::of(spec, node, &hostname, domain.as_deref()),
        resolv_conf: ResolvConf::of(spec, node),
        shm_size: SHM_SIZE,
        hostname,
    }
}

/// Volumes in which what a container mounts is to be seen by others.
fn shared_volumes(spec: &v1::PodSpec) -> BTreeSet<String> {
    let mounts = identity::containers(spec).flat_map(|one| one.manifest.volume_mounts.iter().flatten());
    mounts.filter(|mount| is_shared(mount)).map(|mount| mount.name.clone()).collect()
}

/// Whether others see what the container mounts in it.
pub(crate) fn is_shared(mount: &v1::VolumeMount) -> bool {
    mount.mount_propagation.as_deref() == Some("Bidirectional")
}
