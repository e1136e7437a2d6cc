//! What a resize makes of a pod's manifest and of its cgroups.

use barepod_engine::event::ResizePolicy;
use barepod_engine::spec::{ContainerIndex, Kind};
use k8s_openapi::api::core::v1;

use super::limits::{both, check_capacity, check_limits, check_pod_level};
use super::request::{ResizeError, ResizeRequest, amend};
use crate::plan::facts::{Bytes, NodeFacts};
use crate::plan::identity::{PodContainer, container_mut, containers};
use crate::plan::resources::cgroup::{CgroupLimits, container_limits};
use crate::plan::resources::cpus::Exclusive;
use crate::plan::resources::memory_qos::MemoryQos;
use crate::plan::resources::{amounts, qos};

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
    /// The memory limits that are lowered.
    pub(super) lowered: Lowered,
}

/// Memory limits that are lowered, with the new ones in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lowered {
    pub(super) pod: Option<i64>,
    pub(super) container: Option<i64>,
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
    let found = find(old_spec, request.container.as_deref())?;
    let (index, old, field) = (found.index, found.manifest, found.field().to_string());
    let mut manifest = pod.clone();
    let Some(spec) = &mut manifest.spec else { return Ok(None) };
    let Some(container) = container_mut(spec, index) else { return Ok(None) };
    amend(container, &field, request)?;
    if container.resources == old.resources {
        return Ok(None);
    }
    check_limits(container, &field)?;
    let container = container.clone();
    let (before, after) = (qos::qos(old_spec), qos::qos(spec));
    if before != after {
        return Err(ResizeError::QosClass { before: before.as_str(), after: after.as_str() });
    }
    check_pod_level(spec, &container, &field)?;
    check_capacity(old_spec, spec, node)?;
    let pod_limits = (memory_qos.pod_limits(old_spec), memory_qos.pod_limits(spec));
    let limits = memory_qos.container_limits(spec, &container, Bytes(node.memory));
    let lowered = |old: Option<i64>, new: Option<i64>| new.filter(|new| old.is_none_or(|old| *new < old));
    Ok(Some(Resize {
        index,
        name: container.name.clone(),
        policy: policy(old, &container),
        changes_cpu: amounts::requests(old).cpu != amounts::requests(&container).cpu
            || amounts::limits(old).cpu != amounts::limits(&container).cpu,
        pod: pod_limits,
        container: limits,
        summary: summary(&container),
        lowered: Lowered {
            pod: lowered(pod_limits.0.memory, pod_limits.1.memory),
            container: lowered(container_limits(old).memory, limits.memory),
        },
        manifest,
    }))
}

/// The container that is meant.
fn find<'a>(spec: &'a v1::PodSpec, name: Option<&str>) -> Result<PodContainer<'a>, ResizeError> {
    let resizable = || containers(spec).filter(|one| one.kind != Kind::Init);
    let known = || resizable().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        let mut resizable = resizable();
        return match (resizable.next(), resizable.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(ResizeError::WhichContainer { known: known() }),
        };
    };
    match containers(spec).find(|one| one.name() == name) {
        Some(one) if one.kind == Kind::Init => Err(ResizeError::Init { field: one.field().to_string() }),
        Some(one) => Ok(one),
        None => Err(ResizeError::NoContainer { container: name.to_owned(), known: known() }),
    }
}

/// A restart where one of the resources that change asks for it.
fn policy(old: &v1::Container, new: &v1::Container) -> ResizePolicy {
    let asks = |name: &str| {
        let policies = new.resize_policy.iter().flatten();
        policies.filter(|one| one.resource_name == name).any(|one| one.restart_policy == "RestartContainer")
    };
    let requests = both(amounts::requests(old), amounts::requests(new));
    let limits = both(amounts::limits(old), amounts::limits(new));
    let restarts = requests.iter().chain(&limits).any(|(name, before, after)| before != after && asks(name));
    if restarts { ResizePolicy::RestartContainer } else { ResizePolicy::NotRequired }
}

/// As the kubelet's events have it.
fn summary(container: &v1::Container) -> String {
    let resources = serde_json::to_value(&container.resources).unwrap_or_default();
    serde_json::json!({ "containers": [{ "name": container.name, "resources": resources }] }).to_string()
}
