//! Rules for an ephemeral container that is added to a pod (R1.11).

use k8s_openapi::api::core::v1;

use super::super::diagnostic::Diagnostic;
use super::super::ephemeral::as_container;
use super::super::path::FieldPath;
use super::check::{Check, each};
use super::container;
use super::restart::List;
use super::surroundings::Surroundings;

/// Checks one that comes behind those that the pod has.
pub(super) fn check(new: &v1::EphemeralContainer, spec: &v1::PodSpec, check: &mut Check<'_>) {
    let of_pod = FieldPath::root().child("spec");
    let before = spec.ephemeral_containers.iter().flatten();
    let path = of_pod.child("ephemeralContainers").index(before.clone().count());
    let pod = Surroundings { spec, path: &of_pod };
    container::check(&as_container(new), List::Main, &pod, &path, check);
    for (field, is_set) in [
        ("lifecycle", new.lifecycle.is_some()),
        ("livenessProbe", new.liveness_probe.is_some()),
        ("ports", new.ports.is_some()),
        ("readinessProbe", new.readiness_probe.is_some()),
        ("resizePolicy", new.resize_policy.is_some()),
        ("resources", new.resources.is_some()),
        ("restartPolicy", new.restart_policy.is_some()),
        ("restartPolicyRules", new.restart_policy_rules.is_some()),
        ("startupProbe", new.startup_probe.is_some()),
        ("volumeDevices", new.volume_devices.is_some()),
    ] {
        if is_set {
            check.report(Diagnostic::forbidden(&path.child(field), FORBIDDEN));
        }
    }
    for (path, mount) in each(new.volume_mounts.as_ref(), &path.child("volumeMounts")) {
        for (field, value) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
            if value.as_ref().is_some_and(|value| !value.is_empty()) {
                check.report(Diagnostic::forbidden(&path.child(field), FORBIDDEN));
            }
        }
    }
    if before.clone().any(|one| one.name == new.name) || pod.containers().any(|one| one.name == new.name) {
        check.report(Diagnostic::duplicate(&path.child("name"), &*new.name));
    }
    if let Some(target) = new.target_container_name.as_deref().filter(|name| !name.is_empty())
        && !pod.containers().any(|one| one.name == target)
    {
        check.report(Diagnostic::not_found(&path.child("targetContainerName"), target));
    }
}

/// The API server's words.
const FORBIDDEN: &str = "cannot be set for an Ephemeral Container";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use crate::manifest::check_ephemeral;

    fn faults(more: Value) -> Vec<String> {
        let pod = json!({"spec": {
            "initContainers": [{"name": "init", "image": "rootfs:x"}],
            "containers": [{"name": "main", "image": "rootfs:x"}],
            "ephemeralContainers": [{"name": "first", "image": "rootfs:x"}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        }});
        let mut new = json!({"name": "eye", "image": "rootfs:x"});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let new = serde_json::from_value(new).unwrap();
        check_ephemeral(&new, &serde_json::from_value(pod).unwrap()).err().unwrap_or_default()
    }

    /// R1.11, R1.1: as the API server has it.
    #[test]
    fn what_an_ephemeral_container_may_be() {
        for good in [
            json!({}),
            json!({"targetContainerName": "init", "tty": true, "stdin": true}),
            json!({"targetContainerName": "", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
            json!({"securityContext": {"privileged": true}, "command": ["sh"], "env": [{"name": "A", "value": "b"}]}),
        ] {
            assert_eq!(faults(good.clone()), [""; 0], "{good}");
        }
        const FORBIDDEN: &str = "Forbidden: cannot be set for an Ephemeral Container";
        let mount = |more: Value| {
            let mut mount = json!({"name": "v", "mountPath": "/v"});
            mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"volumeMounts": [mount]})
        };
        for (bad, field, fault) in [
            (json!({"name": "main"}), "name", "Duplicate value: \"main\""),
            (json!({"name": "init"}), "name", "Duplicate value: \"init\""),
            (json!({"name": "first"}), "name", "Duplicate value: \"first\""),
            (json!({"name": "Eye"}), "name", "Invalid value: \"Eye\""),
            (json!({"image": ""}), "image", "Required value"),
            (json!({"targetContainerName": "first"}), "targetContainerName", "Not found: \"first\""),
            (json!({"lifecycle": {}}), "lifecycle", FORBIDDEN),
            (json!({"ports": [{"containerPort": 80}]}), "ports", FORBIDDEN),
            (json!({"livenessProbe": {"tcpSocket": {"port": 1}}}), "livenessProbe", FORBIDDEN),
            (json!({"readinessProbe": {"tcpSocket": {"port": 1}}}), "readinessProbe", FORBIDDEN),
            (json!({"startupProbe": {"tcpSocket": {"port": 1}}}), "startupProbe", FORBIDDEN),
            (json!({"resources": {"limits": {"cpu": "1"}}}), "resources", FORBIDDEN),
            (json!({"restartPolicy": "Always"}), "restartPolicy", FORBIDDEN),
            (mount(json!({"subPath": "x"})), "volumeMounts[0].subPath", FORBIDDEN),
            (mount(json!({"subPathExpr": "x"})), "volumeMounts[0].subPathExpr", FORBIDDEN),
        ] {
            let found = faults(bad.clone());
            let expected = format!("spec.ephemeralContainers[1].{field}: {fault}");
            assert!(found.iter().any(|one| one.starts_with(&expected)), "{bad}: {found:?}");
        }
    }
}
