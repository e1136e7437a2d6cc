//! Without root: ids of a user namespace, and no cgroups.

use std::path::Path;

use serde_json::json;

use super::*;

fn range(first: u32, length: u32) -> IdRange {
    IdRange { first, length }
}

/// An ordinary user's, with these ids beside its own.
fn user(others: u32, keeps_groups: bool) -> NodeFacts {
    let ids = vec![range(0, 1), range(1, others)];
    let users = Some(NamespaceIds { users: ids.clone(), groups: ids, keeps_groups });
    NodeFacts { users, cgroups: CgroupVersion::None, cgroup_parent: PathBuf::new(), processes: Scope::Pod, ..node() }
}

fn many() -> NodeFacts {
    user(65536, false)
}

fn alone() -> NodeFacts {
    user(0, true)
}

fn errors(spec: Value, node: &NodeFacts) -> Vec<String> {
    let errors = super::super::pod(&v1_pod(spec), node, &options()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

fn container(node: &NodeFacts, spec: Value) -> Result<ContainerPlan, ConfigError> {
    let pod = v1_pod(spec);
    let plan = super::super::pod(&pod, node, &options()).unwrap();
    super::super::container(&pod, &plan, node, ContainerIndex(0), Attempt(0), &plain(), &sandbox())
}

const IMAGE: &str = "bundle:b";

#[test]
fn ids_that_there_are_not_are_refused_by_field() {
    let spec = json!({
        "securityContext": {"runAsUser": 70000, "fsGroup": 1, "supplementalGroups": [2, 70001]},
        "containers": [{"name": "c", "image": IMAGE, "securityContext": {"runAsGroup": 65537}}]
    });
    let fields = |node: NodeFacts| -> Vec<String> {
        errors(spec.clone(), &node).iter().map(|text| text.split(':').next().unwrap().to_owned()).collect()
    };
    let found = fields(many());
    assert_eq!(
        found,
        [
            "spec.securityContext.runAsUser",
            "spec.securityContext.supplementalGroups[1]",
            "spec.containers[0].securityContext.runAsGroup"
        ]
    );
    let found = fields(alone());
    assert_eq!(found.len(), 5);
    assert!(errors(spec, &node()).is_empty());
}

#[test]
fn the_hosts_processes_are_refused() {
    let spec = json!({"hostPID": true, "containers": [{"name": "c", "image": IMAGE}]});
    assert!(errors(spec.clone(), &many())[0].starts_with("spec.hostPID: invalid value"));
    assert!(errors(spec, &node()).is_empty());
}

#[test]
fn a_container_gets_what_a_user_namespace_can_give() {
    let spec = json!({"hostUsers": false, "containers": [{"name": "c", "image": IMAGE}]});
    let plan = container(&many(), spec).unwrap();
    assert_eq!(plan.rights, Rights::UserNamespace);
    let linux = plan.spec.linux().clone().unwrap();
    assert!(linux.cgroups_path().is_none() && linux.resources().is_none());
    let mount =
        |typ: &str| plan.spec.mounts().iter().flatten().find(|mount| mount.typ().as_deref() == Some(typ)).cloned();
    assert!(mount("cgroup").is_none() && mount("sysfs").is_some() && mount("mqueue").is_some());
    assert!(mount("devpts").unwrap().options().iter().flatten().any(|option| option == "gid=5"));
    assert_eq!(plan.spec.process().as_ref().unwrap().user().additional_gids().clone().unwrap(), [0]);
}

/// Groups can't be set there, and the terminals' group isn't there.
#[test]
fn who_is_alone_gets_less() {
    let plan = container(&alone(), json!({"containers": [{"name": "c", "image": IMAGE}]})).unwrap();
    let groups = plan.spec.process().as_ref().unwrap().user().additional_gids().clone().unwrap_or_default();
    assert!(groups.is_empty());
    let options = plan.spec.mounts().iter().flatten().flat_map(|mount| mount.options().iter().flatten());
    assert!(!options.clone().any(|option| option == "gid=5"));
}

#[test]
fn namespaces_of_the_host_are_shown_instead() {
    let spec = json!({"hostNetwork": true, "hostIPC": true, "containers": [{"name": "c", "image": IMAGE}]});
    let plan = container(&many(), spec).unwrap();
    let of =
        |path: &str| plan.spec.mounts().iter().flatten().find(|mount| mount.destination() == Path::new(path)).cloned();
    assert_eq!(of("/sys").unwrap().typ().as_deref(), Some("bind"));
    assert!(of("/dev/mqueue").is_none());
}

#[test]
fn mounts_for_others_are_refused() {
    let spec = json!({
        "volumes": [{"name": "v", "hostPath": {"path": "/v"}}],
        "containers": [{"name": "c", "image": IMAGE, "securityContext": {"privileged": true},
            "volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]}]
    });
    let pod = v1_pod(spec);
    let plan = super::super::pod(&pod, &many(), &options()).unwrap();
    let mut sandbox = sandbox();
    sandbox.volumes.insert("v".to_owned(), PathBuf::from("/v"));
    let error =
        super::super::container(&pod, &plan, &many(), ContainerIndex(0), Attempt(0), &plain(), &sandbox).unwrap_err();
    assert!(error.to_string().contains("Bidirectional without root"), "{error}");
}

#[test]
fn ping_is_for_the_groups_that_there_are() {
    let last = |node: &NodeFacts| {
        let pod = v1_pod(json!({"containers": [{"name": "c", "image": IMAGE}]}));
        let plan = super::super::pod(&pod, node, &options()).unwrap();
        plan.sandbox.sysctls["net.ipv4.ping_group_range"].clone()
    };
    assert_eq!((last(&many()), last(&alone()), last(&node())), ("0 65536".into(), "0 0".into(), "0 2147483647".into()));
}

#[test]
fn what_nobody_enforces_is_named() {
    let pod = v1_pod(json!({"containers": [
        {"name": "a", "image": IMAGE, "resources": {"limits": {"cpu": "1", "memory": "1Mi"}, "requests": {"cpu": "1"}}},
        {"name": "b", "image": IMAGE, "resources": {"requests": {"cpu": "1", "memory": "1Mi"}}},
        {"name": "c", "image": IMAGE}
    ]}));
    assert_eq!(
        unenforced(&pod, &many()),
        [
            "resources.limits.cpu, resources.limits.memory of container \"a\"",
            "resources.requests.cpu of container \"b\""
        ]
    );
    assert!(unenforced(&pod, &node()).is_empty());
}
