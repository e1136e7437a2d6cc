//! What a pod can't have where barepod isn't the box's root, or has no cgroups: found before anything is made, and said
//! field by field (docs/rootless.md).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::manifest::quantity::HUGE_PAGES;
use crate::plan::error::PlanError;
use crate::plan::types::{CgroupVersion, NamespaceIds, NodeFacts, Scope, Supplementary};
use crate::plan::{lifecycle, security};

/// What to do about ids that there aren't.
pub(crate) const MORE_IDS: &str = "barepod runs in a user namespace that doesn't have it; give this user ids of its own in \
                                   /etc/subuid and /etc/subgid (usermod --add-subuids and --add-subgids)";

/// Finds what the manifest asks for and nobody here can give.
pub(crate) fn check(spec: &v1::PodSpec, node: &NodeFacts, errors: &mut Vec<PlanError>) {
    if spec.host_pid == Some(true) && node.processes == Scope::Pod {
        let cause =
            "without root and without cgroups a pod's processes are held together by a pid namespace, from which \
                     the host's can't be seen; leave it out, or run barepod as root"
                .to_owned();
        errors.push(PlanError::Invalid { field: "spec.hostPID".to_owned(), value: "true".to_owned(), cause });
    }
    if let Some(ids) = &node.users {
        check_ids(spec, ids, errors);
    }
}

fn check_ids(spec: &v1::PodSpec, ids: &NamespaceIds, errors: &mut Vec<PlanError>) {
    let mut require = |field: String, value: Option<i64>, has: &dyn Fn(u32) -> bool| {
        // What is no id at all others say.
        if let Some(id) = value.and_then(security::id)
            && !has(id)
        {
            errors.push(PlanError::Invalid { field, value: id.to_string(), cause: MORE_IDS.to_owned() });
        }
    };
    let (user, group) = (|id| ids.has_user(id), |id| ids.has_group(id));
    // Where groups can't be set all have the one that there is, and no others.
    if let Some(pod) = &spec.security_context {
        let of = |name: &str| format!("spec.securityContext.{name}");
        require(of("runAsUser"), pod.run_as_user, &user);
        require(of("runAsGroup"), pod.run_as_group, &group);
        require(of("fsGroup"), pod.fs_group, &group);
        for (at, value) in pod.supplemental_groups.iter().flatten().enumerate() {
            require(of(&format!("supplementalGroups[{at}]")), Some(*value), &group);
        }
    }
    for (field, _, container) in lifecycle::containers(spec) {
        let Some(own) = &container.security_context else { continue };
        require(format!("{field}.securityContext.runAsUser"), own.run_as_user, &user);
        require(format!("{field}.securityContext.runAsGroup"), own.run_as_group, &group);
    }
}

/// A container's groups as they can be set here.
pub(crate) fn groups(node: &NodeFacts, groups: Vec<u32>) -> Vec<u32> {
    match &node.users {
        // There is one, and the manifest asks for no other: what remains are the image's.
        Some(ids) if ids.supplementary == Supplementary::Kept => Vec::new(),
        _ => groups,
    }
}

/// Requests and limits that nothing enforces on this box, by container: `resources.limits.memory of container "web"`.
#[must_use]
pub fn unenforced(pod: &v1::Pod, node: &NodeFacts) -> Vec<String> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let nothing = node.cgroups == CgroupVersion::None;
    let fields = |resources: &v1::ResourceRequirements| {
        // What is used of a disk is looked at by the supervisor, cgroups or not.
        let limited = resources.limits.iter().flatten().filter(|(name, _)| {
            let huge = name.starts_with(HUGE_PAGES) && !node.limits_huge_pages;
            huge || (nothing && *name != "ephemeral-storage")
        });
        let limits = limited.map(|(name, _)| format!("resources.limits.{name}"));
        // A memory request only counts for the OOM score, which needs no cgroup; a limit brings a request with it.
        let has_cpu = |amounts: &Option<BTreeMap<String, Quantity>>| {
            amounts.as_ref().is_some_and(|amounts| amounts.contains_key("cpu"))
        };
        let request = nothing && has_cpu(&resources.requests) && !has_cpu(&resources.limits);
        limits.chain(request.then(|| "resources.requests.cpu".to_owned())).collect::<Vec<_>>().join(", ")
    };
    let told = |of: String, resources: &Option<v1::ResourceRequirements>| {
        let found = resources.as_ref().map(fields).filter(|fields| !fields.is_empty())?;
        Some(format!("{found} of {of}"))
    };
    let containers = lifecycle::containers(spec)
        .filter_map(|(_, _, container)| told(format!("container {:?}", container.name), &container.resources));
    told("the pod".to_owned(), &spec.resources).into_iter().chain(containers).collect()
}
