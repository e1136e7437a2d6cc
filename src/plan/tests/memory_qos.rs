//! The kubelet's MemoryQoS (KEP-2570).

use barepod_engine::event::ResizeWay;
use barepod_engine::spec::{Attempt, ContainerIndex};
use serde_json::{Value, json};

use super::{node, options, plain, sandbox, v1_pod};
use crate::plan::Bytes;
use crate::plan::memory_qos::{MemoryQos, MemoryReservation, MemorySwap};
use crate::plan::resize::{Place, ResizeRequest, resize, resize_steps};
use crate::plan::{CgroupVersion, ContainerPlan, ImageFacts, MemoryProtection, PodOptions, PodPlan};

const BOTH: MemoryQos =
    MemoryQos { throttling_factor: Some(0.9), reservation: MemoryReservation::Tiered, swap: MemorySwap::Unaccounted };

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
    assert_eq!(of(Place::Container), MemoryProtection { low, high: Some(i64::MAX), min: None, swap: None });
    assert_eq!(of(Place::Pod), MemoryProtection { low, ..MemoryProtection::default() });
}

/// KEP-2400: nobody swaps unless asked; then Burstable containers that request less than their limit do, by their share of
/// the box's memory (8 GiB here, and 4 GiB of swap).
#[test]
fn who_may_swap() {
    let with = |swap| MemoryQos { swap, ..MemoryQos::default() };
    let limited = with(MemorySwap::Limited(Bytes(4 << 30)));
    for (request, limit, qos, wanted) in [
        ("", "", with(MemorySwap::None), "swap.max=0"),
        ("1Gi", "2Gi", with(MemorySwap::None), "swap.max=0"),
        ("1Gi", "2Gi", with(MemorySwap::Unlimited), "swap.max=max"),
        ("1Gi", "2Gi", with(MemorySwap::Unaccounted), ""),
        ("1Gi", "2Gi", limited, "swap.max=536870912"),
        ("1Gi", "", limited, "swap.max=536870912"),
        ("1Gi", "1Gi", limited, "swap.max=0"),
        ("", "", limited, "swap.max=0"),
    ] {
        assert_eq!(first(request, limit, qos), wanted, "{request} {limit} {qos:?}");
    }
    let pod = |qos| made(json!({"containers": [container("a", "1Gi", "2Gi")]}), qos, &plain()).0.cgroup.limits;
    assert_eq!(pod(with(MemorySwap::None)).protection.swap, Some(0));
    assert_eq!(pod(limited).protection.swap, Some(i64::MAX));
}

/// On v1 memory and swap have a limit together; what a bundle says of its own stays.
#[test]
fn swap_on_v1_and_of_bundles() {
    let node = crate::plan::NodeFacts { cgroups: CgroupVersion::V1, ..node() };
    let qos = MemoryQos { swap: MemorySwap::None, ..MemoryQos::default() };
    let bundle = |memory: Value| {
        super::image(json!({"ociVersion": "1.0.2", "process": {"cwd": "/", "args": ["x"], "user": {}},
            "linux": {"resources": {"memory": memory}}}))
    };
    for (limit, image, wanted) in [
        ("2Mi", plain(), (Some(2 << 20), Some(2 << 20))),
        ("", plain(), (None, None)),
        ("", bundle(json!({"limit": 4096})), (Some(4096), Some(4096))),
        ("", bundle(json!({"limit": 4096, "swap": 8192})), (Some(4096), Some(8192))),
        ("2Mi", bundle(json!({"limit": 4096, "swap": 8192})), (Some(2 << 20), Some(2 << 20))),
    ] {
        let pod = v1_pod(json!({"containers": [container("a", "", limit)]}));
        let plan = super::super::pod(&pod, &node, &PodOptions { memory_qos: qos, ..options() }).unwrap();
        let index = ContainerIndex(0);
        let one = super::super::container(&pod, &plan, &node, index, Attempt(0), &image, &sandbox()).unwrap();
        let memory = one.spec.linux().clone().unwrap().resources().clone().unwrap().memory().unwrap_or_default();
        assert_eq!((memory.limit(), memory.swap()), wanted, "{limit}");
    }
    let image = bundle(json!({"limit": 4096, "swap": 8192}));
    assert_eq!(told(&made(json!({"containers": [container("a", "", "")]}), qos, &image).1), "");
}
