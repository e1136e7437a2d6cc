//! What is made once for a pod.

pub(crate) mod ephemeral;
pub(crate) mod images;
pub(crate) mod plan;

use std::collections::BTreeMap;
use std::path::PathBuf;

use barepod_engine::spec::Backoff;
use k8s_openapi::api::core::v1;

use self::plan::PodPlan;
use crate::manifest::Objects;
use crate::plan::error::PlanError;
use crate::plan::facts::{CgroupVersion, NodeFacts};
use crate::plan::files::config::Sources;
use crate::plan::files::image;
use crate::plan::files::volumes::{self, VolumePlan};
use crate::plan::resources::cgroup::CgroupPlan;
use crate::plan::resources::cpus::Exclusive;
use crate::plan::resources::huge_pages;
use crate::plan::resources::memory_qos::MemoryQos;
use crate::plan::sandbox::network::Uplink;
use crate::plan::security::{SecurityOptions, apparmor, rootless, selinux, users};
use crate::plan::{identity, lifecycle, sandbox};

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
    /// What is to connect the network of a pod that doesn't have the box's.
    pub uplink: Uplink,
    /// The name of the pod's cgroup, which no other pod has.
    pub cgroup_name: String,
}

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
    let allowed_unsafe_sysctls = &options.security.allowed_unsafe_sysctls;
    let sandbox = sandbox::sandbox(pod, spec, node, options.uplink, allowed_unsafe_sysctls, &mut errors);
    apparmor::check(spec, node, &mut errors);
    selinux::check(spec, node, &mut errors);
    rootless::check(spec, node, &mut errors);
    huge_pages::check(spec, node, &mut errors);
    let mut images = Vec::new();
    for one in identity::containers(spec) {
        let name = one.manifest.image.as_deref().unwrap_or_default();
        match image::source(format!("{}.image", one.field()), name, &options.manifest_dir) {
            Ok(source) => images.push(source),
            Err(error) => errors.push(error),
        }
    }
    let fs_group = spec.security_context.as_ref().and_then(|context| context.fs_group).and_then(|group| {
        let id = users::id(group);
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
        match volumes::volume(
            &format!("spec.volumes[{at}]"),
            volume,
            fs_group,
            &from,
            &options.claims,
            &options.manifest_dir,
        ) {
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
            limits: options.memory_qos.pod_limits(spec),
            huge_pages: huge_pages::pod_limits(spec, node),
        },
        volumes: planned,
        objects: options.objects.clone(),
        images,
        ephemeral: Vec::new(),
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

/// Whether a pod can have these ConfigMaps and Secrets in its volumes.
///
/// # Errors
/// What one lacks.
pub fn check_objects(pod: &v1::Pod, node: &NodeFacts, objects: &Objects) -> Result<(), PlanError> {
    let Some(spec) = &pod.spec else { return Ok(()) };
    volumes::check_files(&Sources { pod, spec, node, objects })
}

/// Volumes of files where those are now others than what they were made with: what the pod's manifest says of itself (R10.4:
/// resources, after a resize), ConfigMaps and Secrets.
pub fn outdated_volumes(pod: &v1::Pod, node: &NodeFacts, plan: &PodPlan) -> Vec<VolumePlan> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    volumes::outdated(&Sources { pod, spec, node, objects: &plan.objects }, &plan.volumes)
}
