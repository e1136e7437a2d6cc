//! What a ledger names of a pod's network, in the words of `runtime::process`, which knows no ledger.

use crate::runtime::process::Recorded;
use crate::store::ledger::Network;

/// The process as a sweep looks for it; `pid_namespace` as in [`Recorded`].
pub(crate) fn recorded<'a>(network: &'a Network, pid_namespace: &'a str) -> Recorded<'a> {
    Recorded { pid: network.pid(), pid_namespace, is_it: Box::new(|pid| network.is_process(pid)) }
}
