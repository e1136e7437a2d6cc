//! Huge pages: what a pod asks for of each page size (`hugepages-SIZE`) and what of it the kernel is told. As under the
//! kubelet what isn't asked for is limited to nothing, since huge pages can't be taken back.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use oci_spec::runtime::{LinuxHugepageLimit, LinuxHugepageLimitBuilder};

use super::amounts::{self, List};
use super::cgroup::HugePageLimit;
use super::effective::{peak, sums};
use crate::manifest::quantity::{HUGE_PAGES, huge_page_size};
use crate::plan::error::PlanError;
use crate::plan::facts::{Bytes, NodeFacts};
use crate::plan::identity::containers;
use crate::plan::inputs::Inputs;

/// Names of the resources of this kind in a list.
fn names(list: &List) -> impl Iterator<Item = &String> {
    list.iter().flat_map(BTreeMap::keys).filter(|name| name.starts_with(HUGE_PAGES))
}

/// What a list of its own says of one of them. Where there is a limit the request equals it.
#[must_use]
pub fn listed(resources: &v1::ResourceRequirements, name: &str) -> Option<Bytes> {
    let amount = amounts::amount(&resources.limits, name).or_else(|| amounts::amount(&resources.requests, name));
    amount.map(|amount| Bytes(amounts::natural(amount.units())))
}

/// What is set for the pod.
fn of_pod(spec: &v1::PodSpec, name: &str) -> Option<u64> {
    listed(spec.resources.as_ref()?, name).map(|amount| amount.0)
}

/// What a container asks for, `None` where it doesn't say.
pub(crate) fn of(container: &v1::Container, name: &str) -> Option<u64> {
    listed(container.resources.as_ref()?, name).map(|amount| amount.0)
}

/// All page sizes that a pod speaks of, as resources, and the fields in which it does so first.
fn fields(spec: &v1::PodSpec) -> BTreeMap<&String, String> {
    let of_pod = spec.resources.iter().map(|own| ("spec".to_owned(), own));
    let of_containers =
        containers(spec).filter_map(|one| Some((one.field().to_string(), one.manifest.resources.as_ref()?)));
    let mut all = BTreeMap::new();
    for (field, resources) in of_pod.chain(of_containers) {
        for name in names(&resources.limits).chain(names(&resources.requests)) {
            all.entry(name).or_insert_with(|| format!("{field}.resources.limits[{name}]"));
        }
    }
    for name in names(&spec.overhead) {
        all.entry(name).or_insert_with(|| format!("spec.overhead[{name}]"));
    }
    all
}

/// What the pod needs of each page size, by the name of the resource: R9.1's sums, of which pod-level ones are preferred,
/// and the overhead.
#[must_use]
pub fn effective(spec: &v1::PodSpec) -> BTreeMap<String, Bytes> {
    let of_name = |name: &String| {
        let peak = || peak(spec, |one| of(one, name));
        let pod = of_pod(spec, name).or_else(peak).unwrap_or(0);
        let more = amounts::amount(&spec.overhead, name).map_or(0, |more| amounts::natural(more.units()));
        (name.clone(), Bytes(pod.saturating_add(more)))
    };
    fields(spec).into_keys().map(of_name).collect()
}

/// What the containers need of one page size at each of [`effective::moments`].
#[must_use]
pub fn moments(spec: &v1::PodSpec, name: &str) -> Vec<Option<Bytes>> {
    let sums = sums(spec, |one| of(one, name));
    sums.into_iter().map(|sum| (sum.said > 0).then_some(Bytes(sum.value))).collect()
}

/// Finds pages that this box can't have: of an unknown size, or more than there are (the kubelet's OutOfhugepages-SIZE).
pub(crate) fn check(spec: &v1::PodSpec, node: &NodeFacts, errors: &mut Vec<PlanError>) {
    let needed = effective(spec);
    for (name, field) in fields(spec) {
        let size = node.huge_pages.iter().find(|(size, _)| name_of(**size) == *name);
        let Some((size, count)) = size else {
            let known: Vec<String> = node.huge_pages.keys().map(|size| name_of(*size)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let cause = format!("this box has no pages of that size; it has: {known}");
            errors.push(PlanError::Invalid { field, value: name.clone(), cause });
            continue;
        };
        let (needed, has) = (needed.get(name).copied().unwrap_or_default(), Bytes(size.0.saturating_mul(*count)));
        if needed > has {
            let folder = format!("/sys/kernel/mm/hugepages/hugepages-{}kB", size.0 >> 10);
            let pages = needed.0.div_ceil(size.0.max(1));
            let cause = format!(
                "the pod needs {needed} of them, the box has {has}; write at least {pages} to {folder}/nr_hugepages"
            );
            errors.push(PlanError::Invalid { field, value: name.clone(), cause });
        }
    }
}

/// `hugepages-2Mi`
fn name_of(size: Bytes) -> String {
    format!("{HUGE_PAGES}{size}")
}

/// What the pod's cgroup is told of each page size of the box; nothing where no hierarchy limits them.
pub(crate) fn pod_limits(spec: &v1::PodSpec, node: &NodeFacts) -> Vec<HugePageLimit> {
    if !node.limits_huge_pages {
        return Vec::new();
    }
    let needed = effective(spec);
    let limit = |page: Bytes| needed.get(&name_of(page)).copied().unwrap_or_default();
    node.huge_pages.keys().map(|page| HugePageLimit { page: *page, limit: limit(*page) }).collect()
}

/// What a container's cgroup is told of the sizes that its pod has: its own part, else what is set for the pod (KEP-2837),
/// else the bundle's limit, else nothing. No other sizes: those its pod's cgroup rules out.
pub(crate) fn container_limits(
    inputs: &Inputs,
    of_pod_cgroup: &[HugePageLimit],
    bundle: Option<Vec<LinuxHugepageLimit>>,
) -> Option<Vec<LinuxHugepageLimit>> {
    if !inputs.node.limits_huge_pages {
        return bundle;
    }
    let mut all = bundle.unwrap_or_default();
    for HugePageLimit { page, .. } in of_pod_cgroup.iter().filter(|one| one.limit > Bytes(0)) {
        let (name, file) = (name_of(*page), kernels_name(*page));
        let wanted = of(inputs.container.manifest, &name).or_else(|| of_pod(inputs.spec(), &name));
        let position = all.iter().position(|one| *one.page_size() == file);
        if position.is_some() && wanted.is_none() {
            continue;
        }
        if let Some(at) = position {
            all.remove(at);
        }
        let made = LinuxHugepageLimitBuilder::default().page_size(file).limit(wanted.unwrap_or(0) as i64).build();
        all.push(made.expect("a size and a limit make one"));
    }
    (!all.is_empty()).then_some(all)
}

/// A page size as the kernel has it in names of files (mm/hugetlb_cgroup.c) and the OCI in `pageSize`: `2MB`.
#[must_use]
pub fn kernels_name(size: Bytes) -> String {
    match size.0 {
        size if size >= 1 << 30 => format!("{}GB", size >> 30),
        size if size >= 1 << 20 => format!("{}MB", size >> 20),
        size => format!("{}KB", size >> 10),
    }
}

/// The size of the pages of an emptyDir with the medium `HugePages` or `HugePages-SIZE`, in the kubelet's words where there
/// is none.
pub(crate) fn of_medium(medium: &str, spec: &v1::PodSpec) -> Result<Bytes, String> {
    let all = fields(spec);
    let sizes: BTreeSet<u64> = all.keys().filter_map(|name| bytes(name)).collect();
    let Some(size) = medium.strip_prefix("HugePages-") else {
        let mut sizes = sizes.into_iter();
        return match (sizes.next(), sizes.next()) {
            (Some(size), None) => Ok(Bytes(size)),
            (None, _) => Err("no container requests huge pages; give one hugepages-SIZE in its limits".to_owned()),
            (Some(_), Some(_)) => {
                Err("it can't be used where several page sizes are requested; write HugePages-SIZE".to_owned())
            }
        };
    };
    match bytes(&format!("{HUGE_PAGES}{size}")) {
        Some(size) if sizes.contains(&size) => Ok(Bytes(size)),
        Some(_) => Err(format!("no container requests pages of that size; give one hugepages-{size} in its limits")),
        None => Err("what follows HugePages- is no size of pages; write it as in HugePages-2Mi".to_owned()),
    }
}

fn bytes(name: &str) -> Option<u64> {
    huge_page_size(name).map(|size| amounts::natural(size.units()))
}
