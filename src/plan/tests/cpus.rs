//! Cpus for containers of their own.

use k8s_openapi::api::core::v1;
use serde_json::{Value, json};

use crate::manifest;
use crate::plan::cpus::*;
use crate::plan::{Cpu, CpuSet};

fn set(text: &str) -> CpuSet {
    CpuSet::parse(text).unwrap()
}

fn one(name: &str, cpu: &str) -> Value {
    let list = json!({"cpu": cpu, "memory": "64Mi"});
    json!({"name": name, "resources": {"requests": list, "limits": list}})
}

fn sidecar(name: &str, cpu: &str) -> Value {
    let mut container = one(name, cpu);
    container["restartPolicy"] = json!("Always");
    container
}

fn spec(inits: &[Value], mains: &[Value]) -> v1::PodSpec {
    let json = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"initContainers": inits, "containers": mains}});
    let mut pod: v1::Pod = serde_json::from_value(json).unwrap();
    manifest::apply_defaults(&mut pod);
    pod.spec.unwrap()
}

/// Eight cpus, thread siblings four apart.
fn threads() -> Vec<Cpu> {
    (0..8).map(|number| Cpu { number, core: (0, number % 4) }).collect()
}

/// Each a core.
fn cores() -> Vec<Cpu> {
    (0..8).map(|number| Cpu { number, core: (0, number) }).collect()
}

fn allotted(spec: &v1::PodSpec, free: &str, box_has: &[Cpu]) -> String {
    match allot(spec, &set(free), box_has) {
        Ok(all) => all.iter().map(|(name, cpus)| format!("{name}={cpus}")).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn lists_of_cpus() {
    for (text, shown) in [("0-2,5", "0-2,5"), ("5,0,1,2\n", "0-2,5"), ("", ""), ("7", "7"), ("1-1", "1")] {
        assert_eq!(set(text).to_string(), shown);
    }
    for text in ["-", "3-1", "a", "1,,2", "0-9999999", "1-2-3"] {
        assert!(CpuSet::parse(text).is_err(), "{text}");
    }
}

#[test]
fn whole_cpus_of_guaranteed_pods_only() {
    assert_eq!(allotted(&spec(&[], &[one("a", "2"), one("b", "1500m")]), "1-7", &cores()), "a=1-2");
    assert!(!wants_exclusive(&spec(&[], &[one("a", "500m")])));
    let burstable = json!({"name": "a", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}});
    assert_eq!(allotted(&spec(&[], &[burstable]), "1-7", &cores()), "");
}

/// In the OCI config: its cpus and no quota; another one of the pod is on the shared cpus, with its quota.
#[test]
fn the_config_says_them() {
    let mut pod: v1::Pod = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [
            {"name": "a", "image": "rootfs:/r", "command": ["true"], "resources": one("a", "2")["resources"]},
            {"name": "b", "image": "rootfs:/r", "command": ["true"], "resources": one("b", "500m")["resources"]}]}
    }))
    .unwrap();
    manifest::apply_defaults(&mut pod);
    let mut plan = crate::plan::pod(&pod, &super::node(), &super::options()).unwrap();
    assert_eq!(plan.cgroup.limits.cpu_quota, Some(250_000));
    plan.pin(Exclusive::from([("a".to_owned(), set("1-2"))]));
    assert_eq!(plan.cgroup.limits.cpu_quota, None);
    let sandbox = crate::plan::SandboxFacts { shared_cpus: Some(set("0,3")), ..super::sandbox() };
    let cpu = |index: u16| {
        let index = barepod_engine::spec::ContainerIndex(index);
        let attempt = barepod_engine::spec::Attempt(0);
        let made = crate::plan::container(&pod, &plan, &super::node(), index, attempt, &super::plain(), &sandbox);
        let linux = made.unwrap().spec.linux().clone().unwrap();
        let cpu = linux.resources().clone().unwrap().cpu().clone().unwrap();
        (cpu.cpus().clone(), cpu.quota(), cpu.shares())
    };
    assert_eq!(cpu(0), (Some("1-2".to_owned()), None, Some(2048)));
    assert_eq!(cpu(1), (Some("0,3".to_owned()), Some(50_000), Some(512)));
}

/// An init's cpus go to those behind it; a sidecar's don't, though it may have got them from an init before it.
#[test]
fn inits_hand_on_and_sidecars_keep() {
    let pod = spec(&[one("i1", "2"), one("i2", "1")], &[one("m1", "1"), one("m2", "1")]);
    assert_eq!(allotted(&pod, "1-7", &cores()), "i1=1-2 i2=1 m1=1 m2=2");
    let pod = spec(&[one("i1", "2"), sidecar("s1", "1"), one("i2", "2")], &[one("m1", "3")]);
    assert_eq!(allotted(&pod, "1-7", &cores()), "i1=1-2 i2=2-3 m1=2-4 s1=1");
    assert_eq!(allotted(&pod, "1-4", &cores()), "i1=1-2 i2=2-3 m1=2-4 s1=1", "R9.1's peak is enough");
    let why = "not enough cpus available to satisfy request: requested=3, available=2";
    assert_eq!(allotted(&pod, "1-3", &cores()), why);
}

#[test]
fn whole_cores_first_then_the_most_broken_up() {
    let two = spec(&[], &[one("a", "2")]);
    assert_eq!(allotted(&two, "1-3,5-7", &threads()), "a=1,5");
    assert_eq!(allotted(&two, "1-3,6-7", &threads()), "a=2,6");
    let single = spec(&[], &[one("a", "1")]);
    assert_eq!(allotted(&single, "1-3,6-7", &threads()), "a=1");
    assert_eq!(allotted(&spec(&[], &[one("a", "3")]), "1-3,5-7", &threads()), "a=1-2,5");
}
