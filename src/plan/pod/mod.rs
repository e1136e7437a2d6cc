//! What is made once for a pod.

use std::collections::BTreeMap;
use std::path::PathBuf;

use barepod_engine::spec::Backoff;
use k8s_openapi::api::core::v1;

use crate::manifest::Objects;
use crate::plan::error::PlanError;
use crate::plan::files::config::Sources;
use crate::plan::files::{image, mounts, volumes};
use crate::plan::lifecycle;
use crate::plan::resources::cpus::Exclusive;
use crate::plan::resources::memory_qos::MemoryQos;
use crate::plan::resources::{self, huge_pages};
use crate::plan::sandbox::{network, sysctls};
use crate::plan::security::seccomp::SeccompDefault;
use crate::plan::security::{self, apparmor, rootless, selinux};
use crate::plan::types::{CgroupLimits, CgroupPlan, CgroupVersion, NodeFacts, PodPlan, SandboxPlan, Scope};

/// What the command line adds to a manifest.
#[derive(Clone, Debug)]
pub struct PodOptions {
    /// What relative paths of images are relative to. Absolute.
    pub manifest_dir: PathBuf,
    /// Restart back-off (R4.6).
    pub backoff: Backoff,
    /// ConfigMaps and Secrets given beside the pod.
    pub objects: Objects,
    /// Where this box has what persistentVolumeClaims name. Absolute.
    pub claims: BTreeMap<String, PathBuf>,
    /// What a kubelet's operator would say.
    pub security: SecurityOptions,
    /// Likewise about memory.
    pub memory_qos: MemoryQos,
    /// What there is of a network for a pod that doesn't have the box's.
    pub network: PodNetwork,
    /// The name of the pod's cgroup, which no other pod has.
    pub cgroup_name: String,
}

/// The network of a pod that doesn't have the box's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PodNetwork {
    /// Its own loopback.
    #[default]
    Loopback,
    /// One that has been connected with the outside, and in which these, at least one, are the pod's.
    Connected {
        /// Of each family one.
        ips: Vec<String>,
    },
}

/// What the command line says about security.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityOptions {
    /// For containers that say nothing.
    pub seccomp_default: SeccompDefault,
    /// What `localhostProfile` is relative to. Absolute.
    pub seccomp_profile_root: PathBuf,
    /// Names of sysctls beyond the safe ones, dotted; a `*` at the end of one stands for any end.
    pub allowed_unsafe_sysctls: Vec<String>,
}

/// Size of /dev/shm, as containerd has it.
const SHM_SIZE: u64 = 64 << 20;

/// Plans a checked and defaulted pod. All errors at once; each is one that checking the manifest can't or didn't find.
pub fn pod(pod: &v1::Pod, node: &NodeFacts, options: &PodOptions) -> Result<PodPlan, Vec<PlanError>> {
    let Some(spec) = &pod.spec else {
        return Err(vec![PlanError::Required { field: "spec".to_owned(), advice: "a pod has containers" }]);
    };
    let mut errors = Vec::new();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    if !is_file_name(uid) {
        // It names a cgroup and folders.
        let cause = "must be letters, digits, '-', '_' and '.', and not begin with '.'".to_owned();
        errors.push(PlanError::Invalid { field: "metadata.uid".to_owned(), value: uid.to_owned(), cause });
    }
    let lifecycle = lifecycle::spec(pod, spec, options.backoff, &mut errors);
    let sandbox = sandbox(pod, spec, node, options, &mut errors);
    apparmor::check(spec, node, &mut errors);
    selinux::check(spec, node, &mut errors);
    rootless::check(spec, node, &mut errors);
    huge_pages::check(spec, node, &mut errors);
    let mut images = Vec::new();
    for (field, _, container) in lifecycle::containers(spec) {
        let name = container.image.as_deref().unwrap_or_default();
        match image::source(format!("{field}.image"), name, &options.manifest_dir) {
            Ok(source) => images.push(source),
            Err(error) => errors.push(error),
        }
    }
    let fs_group = spec.security_context.as_ref().and_then(|context| context.fs_group).and_then(|group| {
        let id = security::id(group);
        if id.is_none() {
            let cause = "must be between 0 and 2147483647".to_owned();
            let field = "spec.securityContext.fsGroup".to_owned();
            errors.push(PlanError::Invalid { field, value: group.to_string(), cause });
        }
        id
    });
    let mut planned = Vec::new();
    let from = Sources { pod, spec, node, objects: &options.objects };
    for (at, volume) in spec.volumes.iter().flatten().enumerate() {
        match volumes::volume(&format!("spec.volumes[{at}]"), volume, fs_group, &from, options) {
            Ok(volume) => planned.push(volume),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let path = match node.cgroups {
        // Nobody is to look for it: no path at all.
        CgroupVersion::None => PathBuf::new(),
        CgroupVersion::V1 | CgroupVersion::V2 => node.cgroup_parent.join("barepod").join(&options.cgroup_name),
    };
    Ok(PodPlan {
        lifecycle,
        sandbox,
        cgroup: CgroupPlan {
            path,
            limits: CgroupLimits { protection: options.memory_qos.of_pod(spec), ..resources::pod_limits(spec) },
            huge_pages: huge_pages::pod_limits(spec, node),
        },
        volumes: planned,
        objects: options.objects.clone(),
        images,
        cpus: Exclusive::new(),
        security: options.security.clone(),
        memory_qos: options.memory_qos,
    })
}

/// Whether a text may be one component of a path.
fn is_file_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn sandbox(
    pod: &v1::Pod,
    spec: &v1::PodSpec,
    node: &NodeFacts,
    options: &PodOptions,
    errors: &mut Vec<PlanError>,
) -> SandboxPlan {
    let scope = |host: Option<bool>| if host == Some(true) { Scope::Host } else { Scope::Pod };
    let (hostname, domain) = network::names(pod, spec, node, errors);
    let pod_ips = network::ips(spec, node, &options.network);
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
        shared_volumes: mounts::shared_volumes(spec),
        domainname: String::new(),
        sysctls: sysctls::sysctls(spec, node, &options.security, errors),
        hosts: network::hosts(spec, node, &pod_ips, &hostname, domain.as_deref()),
        resolv_conf: network::resolv_conf(spec, node, &options.network),
        pod_ips,
        shm_size: SHM_SIZE,
        hostname,
    }
}
