//! Why a supervisor could not go on.

use super::not_connected::NotConnected;
use crate::control::ControlError;
use crate::runtime::exec::ExecError;
use crate::runtime::sandbox::SandboxError;

/// Why a supervisor could not go on. What goes wrong with a container is never one of these.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The loop's own descriptors.
    #[error("the supervisor's event loop: {call}: {source}")]
    Loop {
        /// Which system call.
        call: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The mount namespace.
    #[error("can't isolate the supervisor's mounts: {0}")]
    Mounts(#[source] SandboxError),
    /// A copy of this binary for helpers to run.
    #[error("can't keep this binary from containers: {0}")]
    Exe(#[source] ExecError),
    /// The sandbox's making left this process in a state it can't go on in.
    #[error("{0}")]
    Sandbox(SandboxError),
    /// The network that the pod must have; nothing is left of the pod.
    #[error("network: {0}")]
    Network(#[source] NotConnected),
    /// The control socket.
    #[error("can't open the control socket: {0}")]
    Control(#[source] ControlError),
}

impl SupervisorError {
    pub(super) fn of(call: &'static str, source: std::io::Error) -> Self {
        Self::Loop { call, source }
    }
}
