//! What is kept of an image beside its documents.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::CatalogueError;
use crate::images::digest::Digest;

/// The version of a summary.
const VERSION: u32 = 1;

/// What a container needs to know of an image beside its config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    version: u32,
    /// Its config.
    pub config: Digest,
    /// Under which its layers are in the store, from the lowest to the highest.
    pub layers: Vec<Digest>,
    /// Bytes that a registry sends for it.
    pub size: u64,
    /// When it was brought, in seconds since 1970.
    pub pulled: u64,
    /// Text of /etc/passwd in it; empty where there is none.
    pub passwd: String,
    /// Text of /etc/group in it; empty where there is none.
    pub group: String,
}

impl Summary {
    /// One that was written down at this path.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, CatalogueError> {
        let summary: Self =
            serde_json::from_slice(bytes).map_err(|cause| CatalogueError::Json { path: path.to_owned(), cause })?;
        match summary.version {
            VERSION => Ok(summary),
            found => Err(CatalogueError::Version { path: path.to_owned(), found }),
        }
    }

    /// Of an image that is brought now.
    #[must_use]
    pub fn new(config: Digest, layers: Vec<Digest>, size: u64, [passwd, group]: [String; 2]) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let pulled = now.map_or(0, |since| since.as_secs());
        Self { version: VERSION, config, layers, size, pulled, passwd, group }
    }
    /// When it was brought.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.pulled)).unwrap_or(UNIX_EPOCH)
    }
}
