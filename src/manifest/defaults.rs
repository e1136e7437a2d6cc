//! The API server's defaults for a Pod (pkg/apis/core/v1/defaults.go), as a step of its own: decoding leaves a
//! manifest as it is written. What is generated rather than defaulted (uid, creation time) is not done here.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use super::apparmor;
use super::image::ImageName;
use super::quantity::{HUGE_PAGES, Quantity};

/// Of files of ConfigMaps and their like.
const FILE_MODE: i32 = 0o644;

/// Sets what the API server would set before it stores the Pod. Doing it twice changes nothing more.
pub fn apply_defaults(pod: &mut v1::Pod) {
    fill(&mut pod.metadata.namespace, "default");
    apparmor::apply(pod);
    let Some(spec) = &mut pod.spec else {
        return;
    };
    fill(&mut spec.restart_policy, "Always");
    fill(&mut spec.dns_policy, "ClusterFirst");
    fill(&mut spec.scheduler_name, "default-scheduler");
    spec.termination_grace_period_seconds.get_or_insert(30);
    spec.enable_service_links.get_or_insert(true);
    spec.security_context.get_or_insert_default();
    for volume in spec.volumes.iter_mut().flatten() {
        self::volume(volume);
    }
    let host_network = spec.host_network == Some(true);
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        self::container(container, host_network);
    }
    if let Some(resources) = &mut spec.resources {
        pod_requests(resources, &spec.containers, spec.init_containers.as_deref().unwrap_or_default());
    }
}

/// Sets a text that is absent or empty.
/// Fills in what an ephemeral container leaves out.
pub fn apply_ephemeral_defaults(container: &mut v1::EphemeralContainer) {
    fill(&mut container.termination_message_path, "/dev/termination-log");
    fill(&mut container.termination_message_policy, "File");
    let policy = if is_latest(container.image.as_deref().unwrap_or_default()) { "Always" } else { "IfNotPresent" };
    fill(&mut container.image_pull_policy, policy);
}

fn fill(field: &mut Option<String>, default: &str) {
    if field.as_ref().is_none_or(String::is_empty) {
        *field = Some(default.to_owned());
    }
}

/// A volume without a source is an emptyDir.
fn volume(volume: &mut v1::Volume) {
    let bare = v1::Volume { name: volume.name.clone(), ..v1::Volume::default() };
    if *volume == bare {
        volume.empty_dir = Some(v1::EmptyDirVolumeSource::default());
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(source) = &mut volume.image {
        let is_latest = is_latest(source.reference.as_deref().unwrap_or_default());
        fill(&mut source.pull_policy, if is_latest { "Always" } else { "IfNotPresent" });
    }
    if let Some(source) = &mut volume.config_map {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.secret {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        own_files(source.items.as_mut());
    }
    if let Some(source) = &mut volume.projected {
        source.default_mode.get_or_insert(FILE_MODE);
        for one in source.sources.iter_mut().flatten().filter_map(|one| one.downward_api.as_mut()) {
            own_files(one.items.as_mut());
        }
    }
}

fn own_files(items: Option<&mut Vec<v1::DownwardAPIVolumeFile>>) {
    for field in items.into_iter().flatten().filter_map(|item| item.field_ref.as_mut()) {
        fill(&mut field.api_version, "v1");
    }
}

fn container(container: &mut v1::Container, host_network: bool) {
    fill(&mut container.termination_message_path, "/dev/termination-log");
    fill(&mut container.termination_message_policy, "File");
    let policy = if is_latest(container.image.as_deref().unwrap_or_default()) { "Always" } else { "IfNotPresent" };
    fill(&mut container.image_pull_policy, policy);
    for port in container.ports.iter_mut().flatten() {
        fill(&mut port.protocol, "TCP");
        if host_network && port.host_port.is_none_or(|number| number == 0) {
            port.host_port = Some(port.container_port);
        }
    }
    for source in container.env.iter_mut().flatten().filter_map(|variable| variable.value_from.as_mut()) {
        if let Some(field) = &mut source.field_ref {
            fill(&mut field.api_version, "v1");
        }
    }
    // Never left out by the API server, even where it is empty.
    requests_from_limits(container.resources.get_or_insert_default());
    let probes = [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe];
    for probe in probes.into_iter().flatten() {
        self::probe(probe);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        for hook in [&mut lifecycle.post_start, &mut lifecycle.pre_stop].into_iter().flatten() {
            if let Some(get) = &mut hook.http_get {
                http(get);
            }
        }
    }
    if let Some(context) = &mut container.security_context {
        fill(&mut context.proc_mount, "Default");
    }
}

/// Whether a reference has the tag `latest` or none, and so is pulled each time. A path is never pulled.
fn is_latest(image: &str) -> bool {
    let name = match ImageName::read(image) {
        Ok(ImageName::Bundle(_) | ImageName::Rootfs(_)) => return false,
        // A file may be another one tomorrow, and looking costs little.
        Ok(ImageName::File { .. }) => return true,
        Ok(ImageName::Registry(name)) => name,
        // Which is told of elsewhere.
        Err(_) => return false,
    };
    if name.contains('@') {
        return false;
    }
    match name.rsplit('/').next().and_then(|name| name.split_once(':')) {
        Some((_, tag)) => tag == "latest",
        None => true,
    }
}

/// R6.1.
fn probe(probe: &mut v1::Probe) {
    let positive = |field: &mut Option<i32>, default| {
        if field.is_none_or(|value| value == 0) {
            *field = Some(default);
        }
    };
    positive(&mut probe.timeout_seconds, 1);
    positive(&mut probe.period_seconds, 10);
    positive(&mut probe.success_threshold, 1);
    positive(&mut probe.failure_threshold, 3);
    if let Some(get) = &mut probe.http_get {
        http(get);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn http(get: &mut v1::HTTPGetAction) {
    fill(&mut get.path, "/");
    fill(&mut get.scheme, "HTTP");
}

/// A limit without a request sets the request (R1.9).
fn requests_from_limits(resources: &mut v1::ResourceRequirements) {
    for (name, limit) in resources.limits.clone().into_iter().flatten() {
        resources.requests.get_or_insert_default().entry(name).or_insert(limit);
    }
}

/// Pod-level requests that are missing where pod-level resources are given: what the containers request together
/// (R9.1), else the pod-level limit. Of huge pages, whose requests are their limits, such limits too.
fn pod_requests(resources: &mut v1::ResourceRequirements, mains: &[v1::Container], inits: &[v1::Container]) {
    let all = mains.iter().chain(inits).filter_map(|one| one.resources.as_ref()).chain([&*resources]);
    let limited = all.filter_map(|one| one.limits.as_ref()).flat_map(BTreeMap::keys);
    let huge_pages: BTreeSet<String> = limited.filter(|name| name.starts_with(HUGE_PAGES)).cloned().collect();
    for name in &huge_pages {
        if let Some(sum) = aggregate(name, mains, inits).filter(|sum| *sum > Quantity::default()) {
            let limits = resources.limits.get_or_insert_default();
            limits.entry(name.clone()).or_insert_with(|| Text(sum.to_string()));
        }
    }
    let mut requests: BTreeMap<String, Text> = resources.requests.clone().unwrap_or_default();
    for name in ["cpu", "memory"].into_iter().chain(huge_pages.iter().map(String::as_str)) {
        if requests.contains_key(name) {
            continue;
        }
        let limit = resources.limits.as_ref().and_then(|limits| limits.get(name)).cloned();
        match (aggregate(name, mains, inits), limit) {
            (Some(sum), _) if sum > Quantity::default() && !name.starts_with(HUGE_PAGES) => {
                requests.insert(name.to_owned(), Text(sum.to_string()));
            }
            (_, Some(limit)) => {
                requests.insert(name.to_owned(), limit);
            }
            (_, None) => {}
        }
    }
    if !requests.is_empty() {
        resources.requests = Some(requests);
    }
}

/// The containers' requests of one resource together (R9.1), limits counting where there is no request; `None` beyond
/// what a quantity can hold.
pub(super) fn aggregate(name: &str, mains: &[v1::Container], inits: &[v1::Container]) -> Option<Quantity> {
    let mut sidecars = Quantity::default();
    let mut most = Quantity::default();
    for init in inits {
        let own = request(init, name);
        if init.restart_policy.as_deref() == Some("Always") {
            sidecars = sidecars.plus(own)?;
            most = most.max(sidecars);
        } else {
            most = most.max(sidecars.plus(own)?);
        }
    }
    let together = mains.iter().try_fold(sidecars, |sum, container| sum.plus(request(container, name)))?;
    Some(most.max(together))
}

/// A container's request, which is its limit where there is only that.
fn request(container: &v1::Container, name: &str) -> Quantity {
    let resources = container.resources.as_ref();
    let of = |list: Option<&BTreeMap<String, Text>>| {
        list.and_then(|list| list.get(name)).and_then(|text| Quantity::try_from(text).ok())
    };
    of(resources.and_then(|resources| resources.requests.as_ref()))
        .or_else(|| of(resources.and_then(|resources| resources.limits.as_ref())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::decode;
    use super::*;

    fn defaulted(spec: &str) -> v1::PodSpec {
        let text = format!("{{apiVersion: v1, kind: Pod, metadata: {{name: x}}, spec: {spec}}}");
        let mut pod = decode("pod.yaml", text.as_bytes()).map_err(|report| report.to_string()).unwrap().pod;
        apply_defaults(&mut pod);
        let mut again = pod.clone();
        apply_defaults(&mut again);
        assert_eq!(pod, again);
        assert_eq!(pod.metadata.namespace.as_deref(), Some("default"));
        pod.spec.unwrap()
    }

    #[test]
    fn a_bare_pod_gets_the_api_servers_defaults() {
        let spec = defaulted(
            "{volumes: [{name: v}], containers: [{name: a, image: 'bundle:a', ports: [{containerPort: 1}]}]}",
        );
        insta::assert_yaml_snapshot!(spec);
    }

    #[test]
    fn limits_become_requests() {
        // R1.9
        let spec = defaulted(
            "{containers: [{name: a, image: 'bundle:a', resources: {limits: {cpu: 2, memory: 1Gi}, requests: {cpu: 1}}}]}",
        );
        let requests = spec.containers[0].resources.clone().unwrap().requests.unwrap();
        assert_eq!(requests["cpu"].0, "1");
        assert_eq!(requests["memory"].0, "1Gi");
    }

    #[test]
    fn pod_level_requests_come_from_the_containers_else_from_the_limit() {
        let spec = defaulted(
            "{resources: {limits: {cpu: 4, memory: 1Gi}}, containers: [{name: a, image: 'bundle:a', \
             resources: {requests: {cpu: 1500m}}}]}",
        );
        let requests = spec.resources.unwrap().requests.unwrap();
        assert_eq!(requests["cpu"].0, "1.5");
        assert_eq!(requests["memory"].0, "1Gi");
    }

    #[test]
    fn pod_level_huge_pages_are_requested_as_they_are_limited() {
        let spec = defaulted(
            "{resources: {requests: {cpu: 1}, limits: {hugepages-1Gi: 2Gi}}, containers: [\
             {name: a, image: 'bundle:a', resources: {limits: {memory: 1Mi, hugepages-2Mi: 4Mi}}}, \
             {name: b, image: 'bundle:b', resources: {limits: {memory: 1Mi, hugepages-2Mi: 2Mi, hugepages-1Gi: 1Gi}}}]}",
        );
        let v1::ResourceRequirements { requests, limits, .. } = spec.resources.unwrap();
        let (requests, limits) = (requests.unwrap(), limits.unwrap());
        assert_eq!((requests["hugepages-2Mi"].0.as_str(), limits["hugepages-2Mi"].0.as_str()), ("6291456", "6291456"));
        assert_eq!(limits["hugepages-1Gi"].0, "2Gi");
        assert_eq!(requests["hugepages-1Gi"].0, "2Gi");
    }

    #[test]
    fn probes_and_hooks_get_theirs() {
        // R6.1; probes are refused by decoding as long as they don't run, so the pod is made by hand.
        let mut container = v1::Container {
            readiness_probe: Some(v1::Probe {
                http_get: Some(v1::HTTPGetAction::default()),
                period_seconds: Some(0),
                ..v1::Probe::default()
            }),
            ..v1::Container::default()
        };
        self::container(&mut container, false);
        let probe = container.readiness_probe.unwrap();
        assert_eq!((probe.timeout_seconds, probe.period_seconds), (Some(1), Some(10)));
        assert_eq!((probe.success_threshold, probe.failure_threshold), (Some(1), Some(3)));
        assert_eq!(probe.http_get.unwrap().path.as_deref(), Some("/"));
    }

    #[test]
    fn only_references_without_a_fixed_tag_are_always_pulled() {
        for (image, latest) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("a:5000/nginx", true),
            ("nginx:1", false),
            ("a@sha256:0", false),
            ("docker://nginx", true),
            ("oci:a", true),
            ("bundle:a", false),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
