//! The kubelet's MemoryQoS (KEP-2570).

use barepod_engine::event::ResizeWay;
use barepod_engine::spec::{Attempt, ContainerIndex};
use serde_json::{Value, json};

use super::{node, options, plain, sandbox, v1_pod};
use crate::plan::memory_qos::{MemoryQos, MemoryReservation};
use crate::plan::resize::{Place, ResizeRequest, resize, resize_steps};
use crate::plan::{ContainerPlan, ImageFacts, MemoryProtection, PodOptions, PodPlan};

const BOTH: MemoryQos = MemoryQos { throttling_factor: Some(0.9), reservation: MemoryReservation::Tiered };

fn container(name: &str, request: &str, limit: &str) -> Value {
    let list = |amount: &str| if amount.is_empty() { json!({}) } else { json!({"memory": amount}) };
    json!({"name": name, "image": "rootfs:r", "command": ["a"],
           "resources": {"requests": list(request), "limits": list(limit)}})
}

fn made(spec: Value, memory_qos: MemoryQos, image: &ImageFacts) -> (PodPlan, ContainerPlan) {
    let pod = v1_pod(spec);
    let plan = super::super::pod(&pod, &node(), &PodOptions { memory_qos, ..options() }).unwrap();
    let index = ContainerIndex(0);
    let container = super::super::container(&pod, &plan, &node(), index, Attempt(0), image, &sandbox()).unwrap();
    (plan, container)
}

/// What the first container's cgroup is told of memory: `high=...,low=...`.
fn told(plan: &ContainerPlan) -> String {
    let resources = plan.spec.linux().clone().unwrap().resources().clone().unwrap();
    let mut all: Vec<String> = resources
        .unified()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| {
            Some(format!("{}={value}", name.strip_prefix("memory.").filter(|name| *name != "oom.group")?))
        })
        .collect();
    all.sort();
    all.join(",")
}

fn first(request: &str, limit: &str, qos: MemoryQos) -> String {
    told(&made(json!({"containers": [container("a", request, limit)]}), qos, &plain()).1)
}

/// The numbers of the KEP's table, and its cases by class: those of the box where there is no limit.
#[test]
fn containers_are_throttled_before_their_limit() {
    let high = |factor| MemoryQos { throttling_factor: Some(factor), ..MemoryQos::default() };
    let page = |bytes: f64| (bytes / 4096.0).floor() as u64 * 4096;
    let whole = node().memory as f64;
    for (request, limit, factor, wanted) in [
        ("0", "1000Mi", 0.9, format!("high={}", 900 << 20)),
        ("500Mi", "1000Mi", 0.6, format!("high={}", 800 << 20)),
        ("850Mi", "1000Mi", 0.8, format!("high={}", 970 << 20)),
        ("1000Mi", "1000Mi", 0.8, "high=max".to_owned()),
        ("100Mi", "", 0.9, format!("high={}", page(104_857_600.0 + (whole - 104_857_600.0) * 0.9))),
        ("", "", 0.9, format!("high={}", page(whole * 0.9))),
        // Less than a page between them.
        ("4096", "4097", 0.9, "high=max".to_owned()),
    ] {
        assert_eq!(first(request, limit, high(factor)), wanted, "{request} {limit} {factor}");
    }
    assert_eq!(first("1Mi", "2Mi", MemoryQos::default()), "");
}

#[test]
fn requests_are_kept_by_class() {
    let keep = MemoryQos { throttling_factor: None, ..BOTH };
    let full = json!({"name": "a", "image": "rootfs:r", "command": ["a"],
                      "resources": {"limits": {"cpu": "1", "memory": "8Mi"}}});
    let (plan, container) = made(json!({"containers": [full], "overhead": {"memory": "1Mi"}}), keep, &plain());
    assert_eq!(told(&container), "min=8388608");
    assert_eq!(plan.cgroup.limits.protection, MemoryProtection { min: Some(9 << 20), ..MemoryProtection::default() });
    let spec = json!({"containers": [container_of("8Mi"), {"name": "b", "image": "rootfs:r", "command": ["b"]}]});
    let (plan, container) = made(spec, keep, &plain());
    assert_eq!(told(&container), "low=8388608");
    assert_eq!(plan.cgroup.limits.protection, MemoryProtection { low: Some(8 << 20), ..MemoryProtection::default() });
    assert_eq!(first("", "", keep), "");
}

fn container_of(request: &str) -> Value {
    container("a", request, "")
}

/// Only a pod that has memory of its own is throttled as a whole; its containers without limits share that.
#[test]
fn pods_with_memory_of_their_own() {
    let resources = json!({"requests": {"memory": "100Mi"}, "limits": {"memory": "200Mi"}});
    let (plan, container) = made(json!({"resources": resources, "containers": [container_of("")]}), BOTH, &plain());
    assert_eq!(plan.cgroup.limits.protection.high, Some(190 << 20));
    assert_eq!(told(&container), format!("high={}", 180 << 20));
    for resources in [json!(null), json!({"limits": {"cpu": "2"}})] {
        let spec = json!({"resources": resources, "containers": [self::container("a", "1Mi", "2Mi")]});
        assert_eq!(made(spec, BOTH, &plain()).0.cgroup.limits.protection.high, None);
    }
}

/// A bundle's own numbers stay.
#[test]
fn bundles_have_the_last_word() {
    let unified = json!({"memory.high": "7340032", "memory.low": "4096"});
    let base = json!({"ociVersion": "1.0.2", "process": {"cwd": "/", "user": {}, "args": ["a"]},
                      "linux": {"resources": {"unified": unified}}});
    let (_, container) = made(json!({"containers": [container("a", "8Mi", "16Mi")]}), BOTH, &super::image(base));
    assert_eq!(told(&container), "high=7340032,low=4096");
}

/// R9.1: what is resized is protected and throttled by the new numbers.
#[test]
fn resizes() {
    let pod = v1_pod(json!({"containers": [container("a", "8Mi", "16Mi")]}));
    let request =
        ResizeRequest { requests: [("memory".to_owned(), "16Mi".to_owned())].into(), ..ResizeRequest::default() };
    let resize = resize(&pod, &request, &node(), BOTH).unwrap().unwrap();
    let steps = resize_steps(&resize, ResizeWay::InPlace);
    let of = |place| steps.iter().find(|(one, _)| *one == place).unwrap().1.protection;
    let low = Some(16 << 20);
    assert_eq!(of(Place::Container), MemoryProtection { low, high: Some(i64::MAX), min: None });
    assert_eq!(of(Place::Pod), MemoryProtection { low, ..MemoryProtection::default() });
}
