//! Why a pod has no way to the outside.

use std::io;

/// Why a pod can't have a way to the outside.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NetworkError {
    #[error("pasta is not installed; install the package passt (Debian: apt-get install passt)")]
    Missing,
    #[error("{call}: {cause}")]
    Io { call: &'static str, cause: io::Error },
    #[error("pasta: {said}")]
    Refused { said: String },
    /// What keeps the pod from the box's own loopback.
    #[error("can't keep the pod from the box's loopback: {call}: {cause}")]
    Filter { call: &'static str, cause: io::Error },
}

pub(super) fn failed(call: &'static str) -> impl Fn(io::Error) -> NetworkError {
    move |cause| NetworkError::Io { call, cause }
}
