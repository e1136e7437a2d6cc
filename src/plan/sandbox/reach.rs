//! What of a pod doesn't work where it has nothing but its loopback.

use k8s_openapi::api::core::v1;

use crate::plan::identity;

/// What of the pod nobody reaches, or what reaches nobody, where it has its loopback only, in words; `None`: its manifest
/// expects nobody outside of it, or it has the box's network.
#[must_use]
pub fn out_of_reach(pod: &v1::Pod) -> Option<String> {
    let spec = pod.spec.as_ref().filter(|spec| spec.host_network != Some(true))?;
    let containers = || identity::containers(spec).map(|one| one.manifest);
    let ports = containers().flat_map(|one| one.ports.iter().flatten()).map(|port| port.container_port.to_string());
    let ports: Vec<String> = ports.collect();
    match ports.as_slice() {
        [] => containers().any(asks_others).then(|| "its probes or hooks reach nothing outside of it".to_owned()),
        [one] => Some(format!("its port {one} can't be reached from outside")),
        _ => Some(format!("its ports {} can't be reached from outside", ports.join(", "))),
    }
}

/// Whether a probe or hook names a host that isn't the pod itself.
fn asks_others(container: &v1::Container) -> bool {
    let other = |host: &Option<String>| {
        host.as_deref().is_some_and(|host| !matches!(host, "" | "localhost" | "127.0.0.1" | "::1"))
    };
    let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
    let mut hosts = probes.into_iter().flatten().flat_map(|probe| {
        [probe.http_get.as_ref().map(|get| &get.host), probe.tcp_socket.as_ref().map(|tcp| &tcp.host)]
    });
    let lifecycle = container.lifecycle.as_ref();
    let hooks = lifecycle.into_iter().flat_map(|all| [&all.post_start, &all.pre_stop]).flatten();
    let mut of_hooks = hooks.map(|hook| hook.http_get.as_ref().map(|get| &get.host));
    hosts.any(|host| host.is_some_and(other)) || of_hooks.any(|host| host.is_some_and(other))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Said of a pod that is to be reached, or that reaches out; not of one that has the box's network.
    #[test]
    fn a_loopback_is_said_where_it_matters() {
        let note = |container: serde_json::Value, host_network: bool| {
            let mut container = container;
            container["name"] = "web".into();
            let pod = serde_json::json!({"spec": {"hostNetwork": host_network, "containers": [container]}});
            out_of_reach(&serde_json::from_value(pod).unwrap())
        };
        let ports = |ports: &[u16]| {
            let ports: Vec<_> = ports.iter().map(|port| serde_json::json!({"containerPort": port})).collect();
            serde_json::json!({"ports": ports})
        };
        assert!(note(ports(&[80]), false).unwrap().contains("its port 80 can't be reached"));
        assert!(note(ports(&[80, 443]), false).unwrap().contains("its ports 80, 443 can't be reached"));
        let probe = |host| serde_json::json!({"livenessProbe": {"httpGet": {"port": 80, "host": host}}});
        assert!(note(probe("db.example.com"), false).unwrap().contains("reach nothing outside"));
        for nothing in [note(ports(&[80]), true), note(ports(&[]), false), note(probe("localhost"), false)] {
            assert_eq!(nothing, None);
        }
    }
}
