//! Changed resources of a running pod's container (KEP-1287): what may change and what that makes of its manifest and
//! of the cgroups. Whether the container is there, and whether it restarts for it, is the engine's to say.

use std::collections::BTreeMap;

use barepod_engine::event::{ResizePolicy, ResizeWay};
use barepod_engine::spec::{ContainerIndex, Kind};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use super::cpus::Exclusive;
use super::memory_qos::MemoryQos;
use super::{Amounts, Bytes, MilliCpu};
use crate::manifest::quantity::{Quantity, QuantityError};
use crate::plan::lifecycle::containers;
use crate::plan::resources;
use crate::plan::types::{CgroupLimits, MemoryProtection, NodeFacts};

/// Amounts by resource, as text.
pub type Amended = BTreeMap<String, String>;

/// What somebody wants to be changed. Resources that aren't named stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResizeRequest {
    /// Name of the container; may be left out where there is only one.
    pub container: Option<String>,
    /// New requests and limits: of the two, those that the container has.
    pub amounts: Amended,
    /// New requests.
    pub requests: Amended,
    /// New limits.
    pub limits: Amended,
}

/// What a resize makes of a pod.
#[derive(Clone, Debug)]
pub struct Resize {
    /// Which container.
    pub index: ContainerIndex,
    /// Its name.
    pub name: String,
    /// The pod with the new resources.
    pub manifest: v1::Pod,
    /// What `resizePolicy` says about what is changed.
    pub policy: ResizePolicy,
    /// Of the pod's cgroup until now, and new.
    pub pod: (CgroupLimits, CgroupLimits),
    /// Of the container's cgroup, new; what the manifest says nothing about isn't in it.
    pub container: CgroupLimits,
    /// What is changed, as JSON.
    pub summary: String,
    /// Whether cpu is among it.
    changes_cpu: bool,
    /// The memory limits that become less.
    less: Less,
}

/// Memory limits that become less, with the new ones in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Less {
    pod: Option<i64>,
    container: Option<i64>,
}

/// Memory in use, where there is a cgroup to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryUsage {
    /// Of the whole pod.
    pub pod: Option<Bytes>,
    /// Of the container.
    pub container: Option<Bytes>,
}

/// Which cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The pod's.
    Pod,
    /// The container's.
    Container,
}

/// Why resources can't be changed so. In the API server's and the kubelet's words, where they have some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ResizeError {
    #[error("container {container:?} is not in the pod; it has: {known}")]
    NoContainer { container: String, known: String },
    #[error("the pod has several containers: say which with -c; it has: {known}")]
    WhichContainer { known: String },
    #[error("{field}: resources for non-sidecar init containers are immutable")]
    Init { field: String },
    #[error("the pod has ended, or is about to")]
    PodEnds,
    #[error("{field}: Invalid value: {value:?}: {cause}; write {}", .cause.help())]
    Quantity { field: String, value: String, cause: QuantityError },
    #[error("{field}: Invalid value: {value:?}: {rule}")]
    Invalid { field: String, value: String, rule: &'static str },
    #[error("{field}: Forbidden: only cpu and memory resources are mutable")]
    Immutable { field: String },
    #[error("{field}: Invalid value: {value:?}: must be less than or equal to {resource} limit of {limit}")]
    AboveLimit { field: String, value: String, resource: String, limit: String },
    #[error("{field}: Invalid value: {value:?}: the pod's own {which} of {resource} is {whole}, and can't be resized")]
    AbovePod { field: String, value: String, which: &'static str, resource: &'static str, whole: String },
    #[error("Pod QOS Class may not change as a result of resizing; it would from {before} to {after}")]
    QosClass { before: &'static str, after: &'static str },
    #[error("Node didn't have enough capacity: {resource}, requested: {requested}, capacity: {capacity}")]
    Capacity { resource: &'static str, requested: u64, capacity: u64 },
    #[error("Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy: its cpus are its own")]
    ExclusiveCpus,
    #[error("attempting to set {whose} memory limit ({limit}) below current usage ({usage})")]
    Usage { whose: String, limit: u64, usage: u64 },
}

impl Resize {
    /// Leaves quotas away where there are none because of cpus that containers have for themselves.
    ///
    /// # Errors
    /// Where the container's own cpus would change.
    pub fn spare(&mut self, exclusive: &Exclusive) -> Result<(), ResizeError> {
        if exclusive.is_empty() {
            return Ok(());
        }
        (self.pod.0.cpu_quota, self.pod.1.cpu_quota) = (None, None);
        match (exclusive.contains_key(&self.name), self.changes_cpu) {
            (true, true) => return Err(ResizeError::ExclusiveCpus),
            (true, false) => self.container.cpu_quota = None,
            (false, _) => {}
        }
        Ok(())
    }
}

/// Works out a resize; `None`: it changes nothing.
///
/// # Errors
/// What the API server would refuse.
pub fn resize(
    pod: &v1::Pod,
    request: &ResizeRequest,
    node: &NodeFacts,
    memory_qos: MemoryQos,
) -> Result<Option<Resize>, ResizeError> {
    let Some(old_spec) = &pod.spec else { return Err(ResizeError::WhichContainer { known: String::new() }) };
    let (at, field) = find(old_spec, request.container.as_deref())?;
    let mut manifest = pod.clone();
    let Some(spec) = &mut manifest.spec else { return Ok(None) };
    let Some(container) = container_mut(spec, at) else { return Ok(None) };
    let old = container.clone();
    amend(container, &field, request)?;
    if container.resources == old.resources {
        return Ok(None);
    }
    check_limits(container, &field)?;
    let container = container.clone();
    let (before, after) = (resources::qos(old_spec), resources::qos(spec));
    if before != after {
        return Err(ResizeError::QosClass { before: before.as_str(), after: after.as_str() });
    }
    check_pod_level(spec, &container, &field)?;
    check_capacity(old_spec, spec, node)?;
    let of_pod = |spec| CgroupLimits { protection: memory_qos.of_pod(spec), ..resources::pod_limits(spec) };
    let pod_limits = (of_pod(old_spec), of_pod(spec));
    let protection = memory_qos.of_container(spec, &container, Bytes(node.memory));
    let limits = CgroupLimits { protection, ..container_limits(&container) };
    let less = |old: Option<i64>, new: Option<i64>| new.filter(|new| old.is_none_or(|old| *new < old));
    Ok(Some(Resize {
        index: ContainerIndex(u16::try_from(at).unwrap_or(u16::MAX)),
        name: container.name.clone(),
        policy: policy(&old, &container),
        changes_cpu: resources::requests(&old).cpu != resources::requests(&container).cpu
            || resources::limits(&old).cpu != resources::limits(&container).cpu,
        pod: pod_limits,
        container: limits,
        summary: summary(&container),
        less: Less {
            pod: less(pod_limits.0.memory, pod_limits.1.memory),
            container: less(container_limits(&old).memory, limits.memory),
        },
        manifest,
    }))
}

/// Refuses a memory limit below what is used: the kernel would have to kill for it.
///
/// # Errors
/// [`ResizeError::Usage`], in the kubelet's words.
pub fn check_usage(resize: &Resize, way: ResizeWay, usage: MemoryUsage) -> Result<(), ResizeError> {
    // What restarts frees its memory first.
    if way == ResizeWay::Restart {
        return Ok(());
    }
    let container = format!("container {:?}", resize.name);
    let pairs = [
        ("pod".to_owned(), resize.less.pod, usage.pod),
        (container, resize.less.container, usage.container.filter(|_| way == ResizeWay::InPlace)),
    ];
    for (whose, limit, usage) in pairs {
        if let (Some(limit), Some(Bytes(usage))) = (limit.and_then(|limit| u64::try_from(limit).ok()), usage)
            && limit < usage
        {
            return Err(ResizeError::Usage { whose, limit, usage });
        }
    }
    Ok(())
}

/// What to write now, in order: a container's limit never is above its pod's, so the pod grows before it and shrinks
/// after it. Where the container restarts, its old instance lives on as it is: then the pod only grows, and shrinks
/// when the new instance is made.
#[must_use]
pub fn resize_steps(resize: &Resize, way: ResizeWay) -> Vec<(Place, CgroupLimits)> {
    let (old, new) = resize.pod;
    let grows = CgroupLimits {
        cpu_shares: new.cpu_shares.filter(|_| new.cpu_shares > old.cpu_shares),
        // No limit until now is the most there can be.
        cpu_quota: new.cpu_quota.filter(|new| old.cpu_quota.is_some_and(|old| *new > old)),
        memory: new.memory.filter(|new| old.memory.is_some_and(|old| *new > old)),
        protection: if new.protection == old.protection { MemoryProtection::default() } else { new.protection },
        pids: None,
    };
    // On v1 the limit of memory and swap together follows that of memory.
    let with_swap = |limits: CgroupLimits| {
        let swap = limits.protection.swap.or(new.protection.swap.filter(|_| limits.memory.is_some()));
        CgroupLimits { protection: MemoryProtection { swap, ..limits.protection }, ..limits }
    };
    let shrinks = CgroupLimits {
        cpu_shares: new.cpu_shares.filter(|_| new.cpu_shares < old.cpu_shares),
        cpu_quota: new.cpu_quota.filter(|new| old.cpu_quota.is_none_or(|old| *new < old)),
        memory: new.memory.filter(|new| old.memory.is_none_or(|old| *new < old)),
        ..CgroupLimits::default()
    };
    let (grows, shrinks) = (with_swap(grows), with_swap(shrinks));
    let mut steps = vec![(Place::Pod, grows)];
    match way {
        ResizeWay::InPlace => steps.extend([(Place::Container, resize.container), (Place::Pod, shrinks)]),
        ResizeWay::NextInstance => steps.push((Place::Pod, shrinks)),
        ResizeWay::Restart => {}
    }
    steps.retain(|(_, limits)| *limits != CgroupLimits::default());
    steps
}

/// What a container's cgroup is to have now.
#[must_use]
pub fn limits_of(
    pod: &v1::Pod,
    index: ContainerIndex,
    exclusive: &Exclusive,
    memory_qos: MemoryQos,
    node: &NodeFacts,
) -> CgroupLimits {
    let all = pod.spec.iter().flat_map(|spec| containers(spec).map(move |(.., one)| (spec, one)));
    let limits = |(spec, one): (&v1::PodSpec, &v1::Container)| {
        let protection = memory_qos.of_container(spec, one, Bytes(node.memory));
        CgroupLimits { protection, ..container_limits(one) }
    };
    let mut limits = all.map(|both| (limits(both), &both.1.name));
    match limits.nth(index.0.into()) {
        Some((limits, name)) if exclusive.contains_key(name) => CgroupLimits { cpu_quota: None, ..limits },
        Some((limits, _)) => limits,
        None => CgroupLimits::default(),
    }
}

/// Where the container is among all, and its field.
fn find(spec: &v1::PodSpec, name: Option<&str>) -> Result<(usize, String), ResizeError> {
    let known = || {
        let names = containers(spec).filter(|(_, kind, _)| *kind != Kind::Init).map(|(.., one)| one.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let mut resizable = containers(spec).enumerate().filter(|(_, (_, kind, _))| *kind != Kind::Init);
    let Some(name) = name else {
        return match (resizable.next(), resizable.next()) {
            (Some((at, (field, ..))), None) => Ok((at, field)),
            _ => Err(ResizeError::WhichContainer { known: known() }),
        };
    };
    match containers(spec).enumerate().find(|(_, (.., one))| one.name == name) {
        Some((_, (field, Kind::Init, _))) => Err(ResizeError::Init { field }),
        Some((at, (field, ..))) => Ok((at, field)),
        None => Err(ResizeError::NoContainer { container: name.to_owned(), known: known() }),
    }
}

fn container_mut(spec: &mut v1::PodSpec, at: usize) -> Option<&mut v1::Container> {
    spec.init_containers.iter_mut().flatten().chain(&mut spec.containers).nth(at)
}

/// Writes the new amounts into the container.
fn amend(container: &mut v1::Container, field: &str, request: &ResizeRequest) -> Result<(), ResizeError> {
    let resources = container.resources.get_or_insert_default();
    let has = |list: &Option<BTreeMap<String, Text>>, name: &str| list.as_ref().is_some_and(|it| it.contains_key(name));
    let mut wanted: Vec<(&str, &str, &str)> = Vec::new();
    for (name, value) in &request.amounts {
        let (requested, limited) = (has(&resources.requests, name), has(&resources.limits, name));
        if limited {
            wanted.push(("limits", name, value));
        }
        if requested || !limited {
            wanted.push(("requests", name, value));
        }
    }
    wanted.extend(request.requests.iter().map(|(name, value)| ("requests", name.as_str(), value.as_str())));
    wanted.extend(request.limits.iter().map(|(name, value)| ("limits", name.as_str(), value.as_str())));
    for (list, name, value) in wanted {
        let field = format!("{field}.resources.{list}[{name}]");
        check_amount(&field, list, name, value)?;
        let into = if list == "limits" { &mut resources.limits } else { &mut resources.requests };
        into.get_or_insert_default().insert(name.to_owned(), Text(value.to_owned()));
    }
    // R1.9, as the API server's defaults for a limit that is new.
    for (name, limit) in resources.limits.iter().flatten().filter(|(name, _)| request.limits.contains_key(*name)) {
        resources.requests.get_or_insert_default().entry(name.clone()).or_insert_with(|| limit.clone());
    }
    Ok(())
}

fn check_amount(field: &str, list: &str, name: &str, value: &str) -> Result<(), ResizeError> {
    if !matches!(name, "cpu" | "memory") {
        return Err(ResizeError::Immutable { field: field.to_owned() });
    }
    let quantity = Quantity::parse(value).map_err(|cause| ResizeError::Quantity {
        field: field.to_owned(),
        value: value.to_owned(),
        cause,
    })?;
    let rule = match (quantity.is_negative(), quantity == Quantity::default(), name) {
        (true, ..) => "must be greater than or equal to 0",
        (_, true, _) if list == "limits" => "resource limits cannot be removed, and zero is no limit",
        (.., "memory") if !quantity.is_whole() => "fractional byte value is invalid, must be an integer",
        _ => return Ok(()),
    };
    Err(ResizeError::Invalid { field: field.to_owned(), value: value.to_owned(), rule })
}

/// R1.9: no request above its limit.
fn check_limits(container: &v1::Container, field: &str) -> Result<(), ResizeError> {
    let Some(resources) = &container.resources else { return Ok(()) };
    for (name, request) in resources.requests.iter().flatten() {
        let Some(limit) = resources.limits.as_ref().and_then(|limits| limits.get(name)) else { continue };
        if let (Ok(amount), Ok(most)) = (Quantity::parse(&request.0), Quantity::parse(&limit.0))
            && amount > most
        {
            return Err(ResizeError::AboveLimit {
                field: format!("{field}.resources.requests[{name}]"),
                value: request.0.clone(),
                resource: name.clone(),
                limit: limit.0.clone(),
            });
        }
    }
    Ok(())
}

/// The rules between pod-level resources and those of containers (KEP-2837).
fn check_pod_level(spec: &v1::PodSpec, container: &v1::Container, field: &str) -> Result<(), ResizeError> {
    if spec.resources.is_none() {
        return Ok(());
    }
    let bare = v1::PodSpec { resources: None, overhead: None, ..spec.clone() };
    let whole = resources::effective(&v1::PodSpec { overhead: None, ..spec.clone() });
    let sum = resources::effective(&bare).requests;
    let own = resources::limits(container);
    for (which, part, whole) in [("request", sum, whole.requests), ("limit", own, whole.limits)] {
        for (resource, part, whole) in both(part, whole) {
            if let (Some(part), Some(whole)) = (part, whole)
                && part > whole
            {
                return Err(ResizeError::AbovePod {
                    field: format!("{field}.resources.{which}s[{resource}]"),
                    value: amount_text(resource, part),
                    which,
                    resource,
                    whole: amount_text(resource, whole),
                });
            }
        }
    }
    Ok(())
}

fn both(one: Amounts, other: Amounts) -> [(&'static str, Option<u64>, Option<u64>); 2] {
    let (cpu, memory) = (|all: Amounts| all.cpu.map(|cpu| cpu.0), |all: Amounts| all.memory.map(|memory| memory.0));
    [("cpu", cpu(one), cpu(other)), ("memory", memory(one), memory(other))]
}

fn amount_text(resource: &str, amount: u64) -> String {
    if resource == "cpu" { format!("{amount}m") } else { amount.to_string() }
}

/// The kubelet's `Infeasible`: a request that grows beyond the box. Cpu in thousandths, memory in bytes.
fn check_capacity(old: &v1::PodSpec, new: &v1::PodSpec, node: &NodeFacts) -> Result<(), ResizeError> {
    let (old, new) = (resources::effective(old).requests, resources::effective(new).requests);
    let box_has = Amounts { cpu: Some(MilliCpu(u64::from(node.cpus) * 1000)), memory: Some(Bytes(node.memory)) };
    for ((resource, requested, before), (_, capacity, _)) in both(new, old).into_iter().zip(both(box_has, box_has)) {
        if let (Some(requested), Some(capacity)) = (requested, capacity)
            && requested > capacity
            && before.is_none_or(|before| requested > before)
        {
            return Err(ResizeError::Capacity { resource, requested, capacity });
        }
    }
    Ok(())
}

fn container_limits(container: &v1::Container) -> CgroupLimits {
    let (requests, limits) = (resources::requests(container), resources::limits(container));
    CgroupLimits {
        cpu_shares: requests.cpu.map(resources::shares),
        cpu_quota: limits.cpu.map(resources::quota),
        memory: limits.memory.map(resources::signed),
        ..CgroupLimits::default()
    }
}

/// A restart where one of the resources that change asks for it.
fn policy(old: &v1::Container, new: &v1::Container) -> ResizePolicy {
    let asks = |name: &str| {
        let policies = new.resize_policy.iter().flatten();
        policies.filter(|one| one.resource_name == name).any(|one| one.restart_policy == "RestartContainer")
    };
    let requests = both(resources::requests(old), resources::requests(new));
    let limits = both(resources::limits(old), resources::limits(new));
    let restarts = requests.iter().chain(&limits).any(|(name, before, after)| before != after && asks(name));
    if restarts { ResizePolicy::RestartContainer } else { ResizePolicy::NotRequired }
}

/// As the kubelet's events have it.
fn summary(container: &v1::Container) -> String {
    let resources = serde_json::to_value(&container.resources).unwrap_or_default();
    serde_json::json!({ "containers": [{ "name": container.name, "resources": resources }] }).to_string()
}
