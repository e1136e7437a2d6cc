//! Which network a pod gets that doesn't have the box's: `--network` (docs/rootless.md).

use k8s_openapi::api::core::v1;

use super::args::Network;
use super::error::CliError;
use crate::plan::{NodeFacts, Uplink};
use crate::runtime::network::{self, NetworkError};
use crate::supervisor::NotConnected;

/// What is to connect the pod with the outside when its sandbox is made.
///
/// # Errors
/// Where what was asked for can't be had on this box. What wasn't asked for is done without.
pub(super) fn uplink(asked: Option<Network>, pod: &v1::Pod, node: &NodeFacts) -> Result<Uplink, CliError> {
    let of_host = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    match asked {
        Some(_) if of_host => Err(CliError::Usage(
            "--network is for pods with a network of their own, and this one has hostNetwork: true",
        )),
        Some(Network::Pasta) if node.users.is_none() => Err(CliError::Usage(
            "--network pasta is for pods of ordinary users; root's have their loopback, or with hostNetwork: true the \
             network of the box",
        )),
        Some(Network::Pasta) if network::is_installed() => Ok(Uplink::Required),
        Some(Network::Pasta) => Err(CliError::Network(NotConnected::Network(NetworkError::Missing))),
        None if !of_host && node.users.is_some() && network::is_installed() => Ok(Uplink::IfPossible),
        Some(Network::None) | None => Ok(Uplink::None),
    }
}
