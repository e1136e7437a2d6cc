//! Which network a pod gets that doesn't have the box's: `--network` (docs/rootless.md).

use k8s_openapi::api::core::v1;

use super::args::Network;
use super::error::CliError;
use super::rootless::warn;
use crate::plan::{NodeFacts, PodNetwork};
use crate::runtime::network::{self, Connection, NetworkError};

/// Connects the pod with the outside, where it is to be. `None`: its network needs nothing beforehand.
///
/// # Errors
/// Where what was asked for can't be had. What wasn't asked for is done without, which is said unless nobody has
/// installed what it needs.
pub(super) fn connect(asked: Option<Network>, pod: &v1::Pod, node: &NodeFacts) -> Result<Option<Connection>, CliError> {
    let of_host = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    match asked {
        Some(_) if of_host => Err(CliError::Usage(
            "--network is for pods with a network of their own, and this one has hostNetwork: true",
        )),
        Some(Network::Pasta) if node.users.is_none() => Err(CliError::Usage(
            "--network pasta is for pods of ordinary users; root's have their loopback, or with hostNetwork: true the \
             network of the box",
        )),
        Some(Network::Pasta) => network::connect().map(Some).map_err(CliError::Network),
        None if !of_host && node.users.is_some() => Ok(match network::connect() {
            Ok(connection) => Some(connection),
            Err(NetworkError::Missing) => None,
            Err(error) => {
                warn(&format!("the pod has no network but its loopback: {error} (--network none to have it so)"));
                None
            }
        }),
        Some(Network::None) | None => Ok(None),
    }
}

/// What to say of a pod that has its loopback only, though its manifest expects somebody outside; `None`: nothing.
pub(super) fn loopback_note(pod: &v1::Pod, connection: Option<&Connection>) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    if connection.is_some() || spec.host_network == Some(true) {
        return None;
    }
    let containers = || spec.init_containers.iter().flatten().chain(&spec.containers);
    let ports = containers().flat_map(|one| one.ports.iter().flatten()).map(|port| port.container_port.to_string());
    let ports: Vec<String> = ports.collect();
    let what = match ports.as_slice() {
        [] if containers().any(asks_others) => "its probes or hooks reach nothing outside of it".to_owned(),
        [] => return None,
        [one] => format!("its port {one} can't be reached from outside"),
        _ => format!("its ports {} can't be reached from outside", ports.join(", ")),
    };
    Some(format!("the pod has a loopback only: {what}; hostNetwork: true gives it the network of the box"))
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

/// What a plan has to know of it.
pub(super) fn planned(connection: Option<&Connection>) -> PodNetwork {
    match connection {
        Some(connection) => PodNetwork::Connected { ips: connection.ips().to_vec() },
        None => PodNetwork::Loopback,
    }
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
            loopback_note(&serde_json::from_value(pod).unwrap(), None)
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
