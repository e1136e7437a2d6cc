//! Changed resources of a running pod (KEP-1287).

use barepod_engine::event::{ResizePolicy, ResizeWay};
use serde_json::{Value, json};

use super::node;
use crate::manifest;
use crate::plan::Bytes;
use crate::plan::memory_qos::MemoryQos;
use crate::plan::resize::*;
use crate::plan::{CgroupLimits, NodeFacts, pod_container};
use k8s_openapi::api::core::v1;

fn pod(containers: Value) -> v1::Pod {
    let spec = json!({ "containers": containers });
    with_spec(spec)
}

fn with_spec(spec: Value) -> v1::Pod {
    let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
    let mut pod: v1::Pod = serde_json::from_value(json).unwrap();
    manifest::apply_defaults(&mut pod);
    pod
}

fn amounts(text: &str) -> Amended {
    let pairs = text.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `cpu=1;;` : amounts; requests; limits.
fn request(container: Option<&str>, text: &str) -> ResizeRequest {
    let parts: Vec<&str> = text.split(';').collect();
    let part = |at: usize| amounts(parts.get(at).copied().unwrap_or_default());
    ResizeRequest { container: container.map(str::to_owned), amounts: part(0), requests: part(1), limits: part(2) }
}

fn two() -> v1::Pod {
    pod(json!([
        {"name": "web", "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}},
        {"name": "log", "resources": {"requests": {"cpu": "50m"}, "limits": {"cpu": "50m", "memory": "16Mi"}},
         "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"},
                          {"resourceName": "memory", "restartPolicy": "RestartContainer"}]}
    ]))
}

fn resized(pod: &v1::Pod, container: &str, text: &str) -> Resize {
    resize(pod, &request(Some(container), text), &node(), MemoryQos::default()).unwrap().unwrap()
}

fn refused(pod: &v1::Pod, container: Option<&str>, text: &str) -> String {
    let node = NodeFacts { cpus: 2, memory: 4 << 30, ..node() };
    resize(pod, &request(container, text), &node, MemoryQos::default()).unwrap_err().to_string()
}

fn limits(cpu_shares: Option<u64>, cpu_quota: Option<i64>, memory: Option<i64>) -> CgroupLimits {
    CgroupLimits { cpu_shares, cpu_quota, memory, ..CgroupLimits::default() }
}

const MI: i64 = 1 << 20;

/// R9.2, R9.3: the container's values and the pod's sums, and the pod's before the container's where they grow.
#[test]
fn growing() {
    let resize = resized(&two(), "web", ";cpu=300m,memory=48Mi;cpu=400m,memory=128Mi");
    assert_eq!(resize.policy, ResizePolicy::NotRequired);
    let own = limits(Some(307), Some(40_000), Some(128 * MI));
    let pod = limits(Some(358), Some(45_000), Some(144 * MI));
    let steps = resize_steps(&resize, ResizeWay::InPlace);
    assert_eq!(steps, [(Place::Pod, pod), (Place::Container, own)]);
    let spec = resize.manifest.spec.unwrap();
    let of = spec.containers[0].resources.clone().unwrap();
    assert_eq!(of.requests.unwrap()["cpu"].0, "300m");
    assert_eq!(of.limits.unwrap()["memory"].0, "128Mi");
    assert_eq!(spec.containers[1], two().spec.unwrap().containers[1]);
    assert_eq!(
        resize.summary,
        r#"{"containers":[{"name":"web","resources":{"limits":{"cpu":"400m","memory":"128Mi"},"requests":{"cpu":"300m","memory":"48Mi"}}}]}"#
    );
}

#[test]
fn shrinking_and_both_at_once() {
    let resize = resized(&two(), "web", ";cpu=50m;cpu=100m");
    let own = limits(Some(51), Some(10_000), Some(64 * MI));
    let pod = limits(Some(102), Some(15_000), None);
    assert_eq!(resize_steps(&resize, ResizeWay::InPlace), [(Place::Container, own), (Place::Pod, pod)]);
    assert_eq!(resize_steps(&resize, ResizeWay::NextInstance), [(Place::Pod, pod)]);
    assert_eq!(resize_steps(&resize, ResizeWay::Restart), []);

    let resize = resized(&two(), "web", ";;cpu=100m,memory=65Mi");
    let own = limits(Some(102), Some(10_000), Some(65 * MI));
    let steps = [
        (Place::Pod, limits(None, None, Some(81 * MI))),
        (Place::Container, own),
        (Place::Pod, limits(None, Some(15_000), None)),
    ];
    assert_eq!(resize_steps(&resize, ResizeWay::InPlace), steps);
    assert_eq!(resize_steps(&resize, ResizeWay::Restart), [steps[0]]);
}

/// A pod's cgroup gets a limit with the last container's: then it may be above what the container used so far.
#[test]
fn a_first_limit_is_set_after_the_containers() {
    let bare = pod(json!([{"name": "web", "resources": {"requests": {"cpu": "100m"}}}]));
    let resize = resized(&bare, "web", ";;memory=64Mi");
    let own = limits(Some(102), None, Some(64 * MI));
    let steps = [(Place::Container, own), (Place::Pod, limits(None, None, Some(64 * MI)))];
    assert_eq!(resize_steps(&resize, ResizeWay::InPlace), steps);
    let resources = resize.manifest.spec.unwrap().containers[0].resources.clone().unwrap();
    assert_eq!(resources.requests.unwrap()["memory"].0, "64Mi", "R1.9");
}

/// `--cpu` and `--memory`: request and limit where both are there, else the one that is; the other stays away.
#[test]
fn amounts_go_where_there_are_some() {
    let resources = |pod: &v1::Pod, container: &str, text: &str| {
        let spec = resized(pod, container, text).manifest.spec.unwrap();
        let one = spec.containers.into_iter().find(|one| one.name == container).unwrap();
        serde_json::to_value(one.resources).unwrap()
    };
    assert_eq!(
        resources(&two(), "web", "cpu=150m"),
        json!({"requests": {"cpu": "150m", "memory": "32Mi"}, "limits": {"cpu": "150m", "memory": "64Mi"}})
    );
    let burst = pod(json!([{"name": "a", "resources": {"requests": {"cpu": "1"}}}]));
    assert_eq!(resources(&burst, "a", "cpu=2"), json!({"requests": {"cpu": "2"}}));
    assert_eq!(resources(&burst, "a", "memory=1Gi"), json!({"requests": {"cpu": "1", "memory": "1Gi"}}));
}

#[test]
fn resize_policy_counts_for_what_changes() {
    assert_eq!(resized(&two(), "log", "cpu=60m").policy, ResizePolicy::NotRequired);
    assert_eq!(resized(&two(), "log", "memory=32Mi").policy, ResizePolicy::RestartContainer);
    assert_eq!(resized(&two(), "log", "cpu=60m,memory=16Mi").policy, ResizePolicy::NotRequired, "memory stays");
}

#[test]
fn no_change_is_none() {
    let resize = resize(&two(), &request(Some("web"), ";cpu=100m;memory=64Mi"), &node(), MemoryQos::default()).unwrap();
    assert!(resize.is_none());
}

/// KEP-753: a sidecar counts in every bracket of R9.1.
#[test]
fn a_sidecar_can_be_resized_an_init_not() {
    let resources = json!({"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}});
    let pod = with_spec(json!({
        "initContainers": [{"name": "side", "restartPolicy": "Always", "resources": resources},
                           {"name": "once", "resources": {"requests": {"cpu": "300m", "memory": "32Mi"}, "limits": {"cpu": "300m", "memory": "32Mi"}}}],
        "containers": [{"name": "web", "resources": resources}],
    }));
    let resize = resized(&pod, "side", "cpu=200m");
    assert_eq!(resize.pod.0, limits(Some(409), Some(40_000), Some(64 * MI)));
    assert_eq!(resize.pod.1, limits(Some(512), Some(50_000), Some(64 * MI)));
    assert_eq!(
        refused(&pod, Some("once"), "cpu=1"),
        "spec.initContainers[1]: resources for non-sidecar init containers are immutable"
    );
    assert_eq!(refused(&pod, None, "cpu=1"), "the pod has several containers: say which with -c; it has: side, web");
}

#[test]
fn what_is_refused_and_why() {
    let at = "spec.containers[0].resources";
    for (text, why) in [
        (
            "cpu=fast",
            format!(
                "{at}.limits[cpu]: Invalid value: \"fast\": quantities must be a number with an optional suffix; write a number and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei, such as 500m or 64Mi"
            ),
        ),
        (";cpu=-1", format!("{at}.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0")),
        (
            ";;memory=0",
            format!(
                "{at}.limits[memory]: Invalid value: \"0\": resource limits cannot be removed, and zero is no limit"
            ),
        ),
        (
            ";memory=100m",
            format!(
                "{at}.requests[memory]: Invalid value: \"100m\": fractional byte value is invalid, must be an integer"
            ),
        ),
        (
            ";cpu=300m",
            format!("{at}.requests[cpu]: Invalid value: \"300m\": must be less than or equal to cpu limit of 200m"),
        ),
        (
            ";;ephemeral-storage=1Gi",
            format!("{at}.limits[ephemeral-storage]: Forbidden: only cpu and memory resources are mutable"),
        ),
        ("cpu=3", "Node didn't have enough capacity: cpu, requested: 3050, capacity: 2000".to_owned()),
        (
            "memory=8Gi",
            format!(
                "Node didn't have enough capacity: memory, requested: {}, capacity: {}",
                (8_u64 << 30) + (16 << 20),
                4_u64 << 30
            ),
        ),
    ] {
        assert_eq!(refused(&two(), Some("web"), text), why);
    }
    assert_eq!(refused(&two(), Some("wep"), "cpu=1"), "container \"wep\" is not in the pod; it has: web, log");
}

/// R8.10: the class decides about scores and order of eviction, and was decided at the start.
#[test]
fn the_qos_class_stays() {
    let full = json!({"cpu": "1", "memory": "64Mi"});
    let guaranteed = pod(json!([{"name": "a", "resources": {"requests": full, "limits": full}}]));
    let why = "Pod QOS Class may not change as a result of resizing; it would from Guaranteed to Burstable";
    assert_eq!(refused(&guaranteed, None, ";cpu=500m"), why);
    assert!(
        resize(&guaranteed, &request(None, "cpu=2,memory=128Mi"), &node(), MemoryQos::default()).unwrap().is_some()
    );
    let nothing = pod(json!([{"name": "a"}]));
    let why = "Pod QOS Class may not change as a result of resizing; it would from BestEffort to Burstable";
    assert_eq!(refused(&nothing, None, "cpu=100m"), why);
}

/// KEP-2837: the pod's own resources are not resized, and hold.
#[test]
fn pod_level_resources_hold() {
    let pod = with_spec(json!({
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}},
        "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}}],
    }));
    assert_eq!(
        refused(&pod, None, ";cpu=600m"),
        "spec.containers[0].resources.requests[cpu]: Invalid value: \"600m\": the pod's own request of cpu is 500m, and can't be resized"
    );
    assert_eq!(
        refused(&pod, None, ";;cpu=1100m"),
        "spec.containers[0].resources.limits[cpu]: Invalid value: \"1100m\": the pod's own limit of cpu is 1000m, and can't be resized"
    );
    let resize = resize(&pod, &request(None, ";cpu=400m"), &node(), MemoryQos::default()).unwrap().unwrap();
    assert_eq!(resize.pod.0, resize.pod.1);
    assert_eq!(resize_steps(&resize, ResizeWay::InPlace), [(Place::Container, resize.container)]);
}

#[test]
fn memory_in_use_is_not_taken_away() {
    let usage = |pod: u64, container: u64| MemoryUsage { pod: Some(Bytes(pod)), container: Some(Bytes(container)) };
    let less = resized(&two(), "web", ";;memory=40Mi");
    let own = 40 << 20;
    let said = |way, usage| check_usage(&less, way, usage).map_err(|error| error.to_string());
    assert_eq!(said(ResizeWay::InPlace, usage(own, own)), Ok(()));
    assert_eq!(
        said(ResizeWay::InPlace, usage(own, own + 1)),
        Err("attempting to set container \"web\" memory limit (41943040) below current usage (41943041)".to_owned())
    );
    assert_eq!(
        said(ResizeWay::NextInstance, usage(60 << 20, own + 1)),
        Err("attempting to set pod memory limit (58720256) below current usage (62914560)".to_owned())
    );
    assert_eq!(said(ResizeWay::Restart, usage(60 << 20, own + 1)), Ok(()));
    assert_eq!(said(ResizeWay::InPlace, MemoryUsage::default()), Ok(()));
    let more = resized(&two(), "web", ";;memory=80Mi");
    assert!(check_usage(&more, ResizeWay::InPlace, usage(1 << 40, 1 << 40)).is_ok());
}

/// Whoever has cpus for itself has no quota, and no other cpus while it runs; its memory can be resized.
#[test]
fn exclusive_cpus_stay() {
    let exclusive = std::collections::BTreeMap::from([("web".to_owned(), crate::plan::CpuSet::parse("2").unwrap())]);
    let full =
        |cpu: &str| json!({"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": cpu, "memory": "64Mi"}});
    let pod = pod(json!([{"name": "web", "resources": full("1")}, {"name": "log", "resources": full("500m")}]));
    let spared = |container: &str, text: &str| {
        let mut resize = resized(&pod, container, text);
        resize.spare(&exclusive).map(|()| resize_steps(&resize, ResizeWay::InPlace)).map_err(|error| error.to_string())
    };
    let refused = spared("web", "cpu=2").unwrap_err();
    assert!(refused.starts_with("Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy"));
    let steps = spared("web", "memory=128Mi").unwrap();
    let own = (Place::Container, limits(Some(1024), None, Some(128 * MI)));
    assert_eq!(steps, [(Place::Pod, limits(None, None, Some(192 * MI))), own]);
    let steps = spared("log", "cpu=600m").unwrap();
    let own = (Place::Container, limits(Some(614), Some(60_000), Some(64 * MI)));
    assert_eq!(steps, [(Place::Pod, limits(Some(1638), None, None)), own]);
    assert_eq!(
        limits_of(
            &pod_container(&pod, barepod_engine::spec::ContainerIndex(0)),
            &exclusive,
            MemoryQos::default(),
            &node()
        )
        .cpu_quota,
        None
    );
}
