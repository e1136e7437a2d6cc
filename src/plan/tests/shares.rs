//! R8.10 and R9: what cgroups and the OOM killer are told.

use barepod_engine::spec::Kind;
use serde_json::json;

use super::super::resources::cgroup::{pod_limits, quota, shares};
use super::super::resources::qos::{oom_score_adj, qos};
use super::super::resources::{Amounts, Effective, Moment, QosClass, effective, moments, qos_class};
use super::super::{Bytes, MilliCpu};
use super::*;

fn wants(name: &str, requests: Value, limits: Value) -> Value {
    json!({"name": name, "image": "bundle:b", "resources": {"requests": requests, "limits": limits}})
}

fn cpu(name: &str, cpu: &str) -> Value {
    wants(name, json!({"cpu": cpu}), json!({}))
}

fn sidecar(mut container: Value) -> Value {
    container["restartPolicy"] = json!("Always");
    container
}

fn spec(fields: Value) -> v1::PodSpec {
    v1_pod(fields).spec.unwrap()
}

/// R9.1
#[test]
fn effective_requests_follow_the_sidecar_formula() {
    for (fields, milli) in [
        (json!({"containers": [cpu("a", "1"), cpu("b", "500m")]}), 1500),
        (json!({"initContainers": [cpu("i", "3")], "containers": [cpu("a", "1")]}), 3000),
        // An init needs the sidecars before it, not those after.
        (
            json!({"initContainers": [sidecar(cpu("s", "1")), cpu("i", "2"), sidecar(cpu("t", "1"))], "containers": [cpu("a", "500m")]}),
            3000,
        ),
        (json!({"initContainers": [cpu("i", "2"), sidecar(cpu("s", "1"))], "containers": [cpu("a", "500m")]}), 2000),
        (json!({"initContainers": [sidecar(cpu("s", "1"))], "containers": [cpu("a", "500m")]}), 1500),
        (json!({"overhead": {"cpu": "100m"}, "containers": [cpu("a", "1")]}), 1100),
        (json!({"resources": {"requests": {"cpu": "5"}}, "containers": [cpu("a", "1")]}), 5000),
    ] {
        assert_eq!(effective(&spec(fields.clone())).requests.cpu, Some(MilliCpu(milli)), "{fields}");
    }
    assert_eq!(effective(&spec(json!({"containers": [{"name": "a"}]}))).requests, Amounts::default());
}

/// R9.1: each index of the init phase, and the mains; the highest is what the pod's cgroup gets.
#[test]
fn the_moments_of_a_pod_sum_up_what_is_there_at_once() {
    let spec = spec(json!({
        "initContainers": [
            wants("i", json!({"cpu": "100m"}), json!({"cpu": "1", "memory": "64Mi"})),
            sidecar(wants("s", json!({"cpu": "200m"}), json!({"memory": "32Mi"}))),
            wants("j", json!({"cpu": "1500m"}), json!({"cpu": "2", "memory": "1Gi"})),
            sidecar(cpu("t", "300m"))
        ],
        "containers": [cpu("a", "400m"), wants("b", json!({}), json!({"cpu": "1"}))]
    }));
    let shown: Vec<_> = moments(&spec)
        .into_iter()
        .map(|Moment { init, sum: Effective { requests, limits } }| {
            let text = |amounts: Amounts| {
                let cpu = amounts.cpu.map_or("-".to_owned(), |cpu| cpu.to_string());
                format!("{cpu} {}", amounts.memory.map_or("-".to_owned(), |memory| memory.to_string()))
            };
            format!("{} {} {}", init.map_or("mains", |one| one.name.as_str()), text(requests), text(limits))
        })
        .collect();
    let want = [
        "i 100m 64Mi 1 64Mi",
        "s 200m 32Mi - 32Mi",
        "j 1700m 1056Mi - 1056Mi",
        "t 500m 32Mi - -",
        "mains 1900m 32Mi - -",
    ];
    assert_eq!(shown, want);
    let all = effective(&spec);
    assert_eq!(all.requests, Amounts { cpu: Some(MilliCpu(1900)), memory: Some(Bytes(1056 << 20)) });
    assert_eq!(all.limits, Amounts::default());
}

#[test]
fn amounts_are_written_as_people_do() {
    for (milli, text) in [(0, "0"), (1, "1m"), (1000, "1"), (1500, "1500m"), (64_000, "64")] {
        assert_eq!(MilliCpu(milli).to_string(), text);
    }
    for (bytes, text) in [
        (0, "0"),
        (1000, "1000"),
        (1024, "1Ki"),
        (1536 << 20, "1536Mi"),
        (2 << 30, "2Gi"),
        (u64::MAX, "18446744073709551615"),
    ] {
        assert_eq!(Bytes(bytes).to_string(), text);
    }
}

/// R9.2
#[test]
fn a_pod_is_limited_only_if_every_container_is() {
    let limited = |name| wants(name, json!({}), json!({"cpu": "1", "memory": "1Mi"}));
    let all = pod_limits(&spec(json!({"containers": [limited("a"), limited("b")]})));
    assert_eq!((all.cpu_shares, all.cpu_quota, all.memory), (Some(2048), Some(200_000), Some(2 << 20)));
    let some =
        pod_limits(&spec(json!({"initContainers": [limited("i")], "containers": [limited("a"), cpu("b", "1")]})));
    assert_eq!((some.cpu_shares, some.cpu_quota, some.memory), (Some(2048), None, None));
    let level = pod_limits(&spec(json!({"resources": {"limits": {"memory": "3Mi"}}, "containers": [cpu("b", "1")]})));
    assert_eq!((level.cpu_quota, level.memory), (None, Some(3 << 20)));
    let none = pod_limits(&spec(json!({"containers": [{"name": "a"}]})));
    assert_eq!((none.cpu_shares, none.cpu_quota, none.memory), (Some(2), None, None));
}

/// R9.3
#[test]
fn shares_and_quotas_have_bounds() {
    for (milli, weight, micros) in [
        (0, 2, 1000),
        (1, 2, 1000),
        (250, 256, 25_000),
        (1000, 1024, 100_000),
        (1_000_000, 262_144, 100_000_000),
        (u64::MAX, 262_144, i64::try_from(u64::MAX / 1000).unwrap()),
    ] {
        assert_eq!((shares(MilliCpu(milli)), quota(MilliCpu(milli))), (weight, micros), "{milli}");
    }
}

/// R8.10
#[test]
fn qos_classes_are_kubernetes() {
    let full = json!({"cpu": "1", "memory": "1Mi"});
    let guaranteed = |name| wants(name, full.clone(), full.clone());
    for (fields, class) in [
        (json!({"containers": [{"name": "a"}]}), QosClass::BestEffort),
        (json!({"containers": [wants("a", json!({"cpu": "0"}), json!({}))]}), QosClass::BestEffort),
        (json!({"containers": [guaranteed("a"), guaranteed("b")]}), QosClass::Guaranteed),
        (json!({"containers": [wants("a", json!({}), full.clone())]}), QosClass::Guaranteed),
        (json!({"containers": [guaranteed("a"), {"name": "b"}]}), QosClass::Burstable),
        (json!({"initContainers": [cpu("i", "1")], "containers": [guaranteed("a")]}), QosClass::Burstable),
        (
            json!({"initContainers": [{"name": "s", "restartPolicy": "Always"}], "containers": [guaranteed("a")]}),
            QosClass::Burstable,
        ),
        (json!({"containers": [wants("a", json!({"cpu": "1", "memory": "1Ki"}), full.clone())]}), QosClass::Burstable),
        (json!({"resources": {"limits": full.clone()}, "containers": [{"name": "a"}]}), QosClass::Guaranteed),
    ] {
        assert_eq!(qos(&spec(fields.clone())), class, "{fields}");
        let pod = v1::Pod { spec: Some(spec(fields.clone())), ..v1::Pod::default() };
        assert_eq!(qos_class(&pod), class.as_str(), "{fields}");
    }
}

/// R9.4
#[test]
fn oom_scores_are_kubernetes() {
    let node = NodeFacts { memory: 1000 << 20, ..super::node() };
    let memory = |name: &str, memory: &str| wants(name, json!({"memory": memory}), json!({}));
    let score = |fields: Value, kind| {
        let spec = spec(fields);
        let container = match kind {
            Kind::Main | Kind::Ephemeral => spec.containers[0].clone(),
            Kind::Init | Kind::Sidecar => spec.init_containers.as_ref().unwrap()[0].clone(),
        };
        oom_score_adj(&spec, kind, &container, &node)
    };
    let full = json!({"cpu": "1", "memory": "1Mi"});
    assert_eq!(score(json!({"containers": [wants("a", full.clone(), full)]}), Kind::Main), -997);
    assert_eq!(score(json!({"containers": [{"name": "a"}]}), Kind::Main), 1000);
    assert_eq!(score(json!({"containers": [memory("a", "250Mi")]}), Kind::Main), 750);
    assert_eq!(score(json!({"containers": [memory("a", "1Ki")]}), Kind::Main), 999);
    assert_eq!(score(json!({"containers": [memory("a", "2Gi")]}), Kind::Main), 3);
    let pair = json!({"initContainers": [sidecar(memory("s", "10Mi"))],
        "containers": [memory("a", "250Mi"), memory("b", "500Mi")]});
    assert_eq!(score(pair, Kind::Sidecar), 750);
    let small = json!({"initContainers": [sidecar(memory("s", "500Mi"))], "containers": [memory("a", "10Mi")]});
    assert_eq!(score(small, Kind::Sidecar), 500);
    let full = json!({"cpu": "1", "memory": "1Mi"});
    let guaranteed = spec(json!({"containers": [wants("a", full.clone(), full)]}));
    let bound = NodeFacts { can_lower_oom_score: false, ..node.clone() };
    assert_eq!(oom_score_adj(&guaranteed, Kind::Main, &guaranteed.containers[0], &bound), 0);
    assert_eq!(effective(&spec(json!({"containers": [memory("a", "1Ki")]}))).requests.memory, Some(Bytes(1024)));
}
