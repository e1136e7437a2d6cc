//! What nothing enforces on a box without cgroups, or without those that limit huge pages.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::manifest::quantity::HUGE_PAGES;
use crate::plan::facts::{CgroupVersion, NodeFacts};
use crate::plan::identity;

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
    let containers = identity::containers(spec)
        .filter_map(|one| told(format!("container {:?}", one.name()), &one.manifest.resources));
    told("the pod".to_owned(), &spec.resources).into_iter().chain(containers).collect()
}
