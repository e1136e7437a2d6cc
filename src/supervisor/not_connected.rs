//! Why a pod has no network that it was to have.

use std::io;

use crate::runtime::network::NetworkError;
use crate::store;

/// Why a pod isn't connected.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NotConnected {
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What isn't written down isn't made.
    #[error(transparent)]
    Ledger(#[from] store::Error),
    #[error("wait for pasta: {0}")]
    Watch(#[from] io::Error),
}
