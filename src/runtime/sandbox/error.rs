//! What can go wrong with a sandbox, and what kind of failure that is for the pod.

use std::io;

use crate::runtime::cgroup::CgroupError;
use crate::runtime::network::NetworkError;
use crate::runtime::volume::VolumeError;

/// What went wrong with a sandbox.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SandboxError {
    #[error("sandbox: {0}")]
    Cgroup(#[from] CgroupError),
    #[error("sandbox: {call} {object}: {cause}")]
    Io { call: &'static str, object: String, cause: io::Error },
    /// A user namespace that the kernel or the box doesn't allow.
    #[error("sandbox: user namespace (hostUsers: false): {step}: {cause}{}", advice(.cause))]
    Users { step: &'static str, cause: io::Error },
    #[error("sandbox: sysctl {name}={value}: {cause}")]
    Sysctl { name: String, value: String, cause: io::Error },
    /// The supervisor is stuck in the pod's namespaces and must not go on.
    #[error("sandbox: can't go back to the {namespace} namespace this process came from: {cause}")]
    Lost { namespace: &'static str, cause: io::Error },
    /// `--network`.
    #[error("sandbox: network: {0}")]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
}

/// What helps against a refusal.
fn advice(cause: &io::Error) -> &'static str {
    match cause.raw_os_error() {
        Some(libc::ENOSPC) => "; are user namespaces allowed here (/proc/sys/user/max_user_namespaces)?",
        Some(libc::EPERM) => "; may this process make user namespaces, and give them these ids?",
        Some(libc::EINVAL) => "; does this kernel have user namespaces (CONFIG_USER_NS)?",
        _ => "",
    }
}

/// What kind of failure a [`SandboxError`] is for the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// FailedCreatePodSandBox.
    Sandbox,
    /// FailedMount.
    Mount,
    /// The supervisor itself has to end.
    Fatal,
}

impl SandboxError {
    /// What kind of failure this is.
    pub fn which(&self) -> Which {
        match self {
            Self::Volume(_) => Which::Mount,
            Self::Lost { .. } => Which::Fatal,
            Self::Cgroup(_) | Self::Io { .. } | Self::Users { .. } | Self::Sysctl { .. } | Self::Network(_) => {
                Which::Sandbox
            }
        }
    }
}

pub(super) fn error(call: &'static str, object: impl std::fmt::Display) -> impl FnOnce(io::Error) -> SandboxError {
    let object = object.to_string();
    move |cause| SandboxError::Io { call, object, cause }
}
