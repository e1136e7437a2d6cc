//! Containers that are added while the pod runs.

use std::path::Path;

use barepod_engine::spec::Kind;
use oci_spec::runtime::LinuxNamespaceType;

use super::*;

/// R2.9: behind all others, with what the pod's have, and nothing of the pod is planned differently for it.
#[test]
fn one_that_is_added() {
    let container = |name: &str| json!({"name": name, "image": "bundle:b"});
    let limits = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}});
    let mut main = container("main");
    main["resources"] = limits;
    let mut pod = v1_pod(json!({"initContainers": [container("init")], "containers": [main]}));
    let mut plan = planned(&pod);
    let before = (plan.cgroup.limits, resources::qos_class(&pod).to_owned());
    let asked = json!({
        "name": "eye", "image": "rootfs:tools", "command": ["sh"], "targetContainerName": "main",
        "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}},
    });
    let new = super::super::ephemeral(&pod, serde_json::from_value(asked.clone()).unwrap(), Path::new("/here"), None)
        .unwrap();
    plan.add(&mut pod, new);
    let again = super::super::ephemeral(&pod, serde_json::from_value(asked).unwrap(), Path::new("/here"), None);
    assert!(again.unwrap_err().contains("spec.ephemeralContainers[1].name: Duplicate value"));
    let index = ContainerIndex(2);
    let ear = json!({"name": "ear", "image": "tools"});
    let ear =
        |place| super::super::ephemeral(&pod, serde_json::from_value(ear.clone()).unwrap(), Path::new("/here"), place);
    for (place, names) in
        [(None, "tools"), (Some("reg.example/a:1"), "reg.example/a:1"), (Some("rootfs:/x"), "rootfs:/x")]
    {
        let (mut pod, mut plan) = (pod.clone(), plan.clone());
        plan.add(&mut pod, ear(place).unwrap());
        assert_eq!(plan.image(ContainerIndex(3)).id(), names);
        assert_eq!(pod.spec.unwrap().ephemeral_containers.unwrap()[1].image.as_deref(), Some("tools"));
    }
    assert_eq!(plan.image(index), &ImageSource::Rootfs(PathBuf::from("/here/tools")));
    assert_eq!((plan.target(index), plan.target(ContainerIndex(1))), (Some("main"), None));
    let one = plan.container(&pod, index);
    assert_eq!((one.index, one.kind, one.name()), (index, Kind::Ephemeral, "eye"));
    assert_eq!(one.field().to_string(), "spec.ephemeralContainers[0]");
    assert_eq!(plan.container(&pod, ContainerIndex(1)).name(), "main");
    assert_eq!((plan.cgroup.limits, resources::qos_class(&pod).to_owned()), before);
    // R10.8
    let facts = SandboxFacts { pid_namespace: Some(PathBuf::from("/proc/1/fd/9")), ..sandbox() };
    let made = super::super::container(&pod, &plan, &node(), index, Attempt(0), &plain(), &facts).unwrap();
    let namespaces = made.spec.linux().as_ref().unwrap().namespaces().clone().unwrap();
    let pid = namespaces.iter().find(|one| one.typ() == LinuxNamespaceType::Pid).unwrap();
    assert_eq!(pid.path(), &facts.pid_namespace);
    assert_eq!((made.name.as_str(), args(&made)), ("eye", vec!["sh".to_owned()]));
    let score = made.spec.process().as_ref().unwrap().oom_score_adj();
    assert_eq!(score, Some(999), "as the kubelet has it in a Burstable pod");
}
