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

/// What a plan has to know of it.
pub(super) fn planned(connection: Option<&Connection>) -> PodNetwork {
    match connection {
        Some(connection) => PodNetwork::Connected { ips: connection.ips().to_vec() },
        None => PodNetwork::Loopback,
    }
}
