//! Huge pages: sums, limits, volumes, and what this box can't give.

use barepod_engine::spec::{Attempt, ContainerIndex};
use serde_json::{Value, json};

use super::{node, options, plain, planned, sandbox, v1_pod};
use crate::plan::Bytes;
use crate::plan::huge_pages::{effective, kernels_name, moments};
use crate::plan::{HugePageLimit, NodeFacts, VolumeSource};

const MI: u64 = 1 << 20;

/// A container with such limits beside memory.
fn container(name: &str, limits: &[(&str, &str)]) -> Value {
    let mut all = json!({"memory": "16Mi"});
    for (resource, amount) in limits {
        all[*resource] = json!(amount);
    }
    json!({"name": name, "image": "rootfs:r", "command": ["a"], "resources": {"limits": all}})
}

fn sidecar(name: &str, limits: &[(&str, &str)]) -> Value {
    let mut one = container(name, limits);
    one["restartPolicy"] = json!("Always");
    one
}

fn refused(spec: Value, node: &NodeFacts) -> Vec<String> {
    super::super::pod(&v1_pod(spec), node, &options()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// R9.1: as for all other resources.
#[test]
fn sums() {
    let pod = v1_pod(json!({
        "initContainers": [sidecar("s", &[("hugepages-2Mi", "2Mi")]), container("i", &[("hugepages-2Mi", "8Mi")])],
        "containers": [container("a", &[("hugepages-2Mi", "4Mi"), ("hugepages-1Gi", "1Gi")]), container("b", &[])],
    }));
    let spec = pod.spec.unwrap();
    let name = |size: &str| format!("hugepages-{size}");
    assert_eq!(effective(&spec), [(name("1Gi"), Bytes(1 << 30)), (name("2Mi"), Bytes(10 * MI))].into());
    let at = [2, 10, 6].map(|number| Some(Bytes(number * MI)));
    assert_eq!(moments(&spec, "hugepages-2Mi"), at);
    assert_eq!(moments(&spec, "hugepages-1Gi"), [None, None, Some(Bytes(1 << 30))]);
}

/// Every size of the box has a limit in the pod's cgroup. A container has its own part, or what the pod has for all.
#[test]
fn limits_of_pod_and_containers() {
    let spec = json!({
        "resources": {"limits": {"hugepages-1Gi": "1Gi"}}, "overhead": {"hugepages-2Mi": "2Mi"},
        "containers": [container("a", &[("hugepages-2Mi", "4Mi")]), container("b", &[])],
    });
    let plan = planned(&v1_pod(spec.clone()));
    let limit = |page, limit| HugePageLimit { page: Bytes(page), limit: Bytes(limit) };
    assert_eq!(plan.cgroup.huge_pages, [limit(2 * MI, 6 * MI), limit(1 << 30, 1 << 30)]);
    let told = |index| {
        let (pod, index) = (v1_pod(spec.clone()), ContainerIndex(index));
        let made = super::super::container(&pod, &plan, &node(), index, Attempt(0), &plain(), &sandbox()).unwrap();
        let config = made.spec;
        let resources = config.linux().clone().unwrap().resources().clone().unwrap();
        let limits = resources.hugepage_limits().clone().unwrap_or_default();
        limits.iter().map(|one| format!("{}={}", one.page_size(), one.limit())).collect::<Vec<_>>()
    };
    assert_eq!(told(0), ["2MB=4194304", "1GB=1073741824"]);
    assert_eq!(told(1), ["2MB=0", "1GB=1073741824"]);
}

/// A pod that asks for none gets none, where that can be enforced.
#[test]
fn no_pages_for_who_asks_for_none() {
    let plan = planned(&v1_pod(json!({"containers": [container("a", &[])]})));
    assert_eq!(plan.cgroup.huge_pages.iter().map(|one| one.limit).max(), Some(Bytes(0)));
    let box_without = NodeFacts { limits_huge_pages: false, ..node() };
    let pod = v1_pod(json!({"containers": [container("a", &[("hugepages-2Mi", "4Mi")])]}));
    let plan = super::super::pod(&pod, &box_without, &options()).unwrap();
    assert!(plan.cgroup.huge_pages.is_empty());
    let told = super::super::unenforced(&pod, &box_without);
    assert_eq!(told, ["resources.limits.hugepages-2Mi of container \"a\""]);
    assert!(super::super::unenforced(&pod, &node()).is_empty());
}

#[test]
fn what_the_box_does_not_have() {
    let spec = json!({"containers": [
        container("a", &[("hugepages-64Ki", "64Ki"), ("hugepages-1Gi", "2Gi")]),
        container("b", &[("hugepages-1Gi", "1Gi")]),
    ]});
    insta::assert_snapshot!(refused(spec.clone(), &node()).join("\n"), @r#"
    spec.containers[0].resources.limits[hugepages-1Gi]: invalid value: "hugepages-1Gi": the pod needs 3Gi of them, the box has 2Gi; write at least 3 to /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages
    spec.containers[0].resources.limits[hugepages-64Ki]: invalid value: "hugepages-64Ki": this box has no pages of that size; it has: hugepages-2Mi, hugepages-1Gi
    "#);
    let bare = NodeFacts { huge_pages: [].into(), ..node() };
    insta::assert_snapshot!(refused(spec, &bare)[1], @r#"spec.containers[0].resources.limits[hugepages-64Ki]: invalid value: "hugepages-64Ki": this box has no pages of that size; it has: none"#);
}

#[test]
fn volumes() {
    let with = |medium: &str, limits: &[(&str, &str)]| {
        json!({"volumes": [{"name": "v", "emptyDir": {"medium": medium, "sizeLimit": "4Mi"}}],
               "containers": [container("a", limits)]})
    };
    let (small, both) = ([("hugepages-2Mi", "4Mi")], [("hugepages-2Mi", "4Mi"), ("hugepages-1Gi", "1Gi")]);
    for (medium, limits, page) in
        [("HugePages", &small[..], 2 * MI), ("HugePages-2Mi", &both, 2 * MI), ("HugePages-1Gi", &both, 1 << 30)]
    {
        let plan = planned(&v1_pod(with(medium, limits)));
        let wanted = VolumeSource::HugePages { mode: None, page: Bytes(page), size_limit: Some(4 * MI) };
        assert_eq!(plan.volumes[0].source, wanted, "{medium}");
    }
    let refusals: Vec<String> =
        [("HugePages", &[][..]), ("HugePages", &both), ("HugePages-1Gi", &small), ("HugePages-x", &small)]
            .into_iter()
            .flat_map(|(medium, limits)| refused(with(medium, limits), &node()))
            .collect();
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    spec.volumes[0].emptyDir.medium: invalid value: "HugePages": no container requests huge pages; give one hugepages-SIZE in its limits
    spec.volumes[0].emptyDir.medium: invalid value: "HugePages": it can't be used where several page sizes are requested; write HugePages-SIZE
    spec.volumes[0].emptyDir.medium: invalid value: "HugePages-1Gi": no container requests pages of that size; give one hugepages-1Gi in its limits
    spec.volumes[0].emptyDir.medium: invalid value: "HugePages-x": what follows HugePages- is no size of pages; write it as in HugePages-2Mi
    "#);
}

#[test]
fn names_of_files() {
    for (size, name) in [(64 << 10, "64KB"), (2 * MI, "2MB"), (1 << 30, "1GB"), (16 << 30, "16GB")] {
        assert_eq!(kernels_name(Bytes(size)), name);
    }
}
