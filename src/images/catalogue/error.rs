//! Why the catalogue can't be read or changed, in words.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::images::document::DocumentError;
use crate::store;

/// Why the catalogue can't be read or changed.
#[derive(Debug, Error)]
pub enum CatalogueError {
    #[error("{call} {}: {cause}", .path.display())]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("{}: the list of this store's images is damaged: {cause}; {help}", .path.display())]
    Index { path: PathBuf, cause: String, help: &'static str },
    #[error("{}: {cause}; `barepod image repair` brings it again", .path.display())]
    Json { path: PathBuf, cause: serde_json::Error },
    #[error("{}: {cause}; `barepod image repair` brings it again", .path.display())]
    Document { path: PathBuf, cause: DocumentError },
    #[error("{}: version {found} is not understood: it is of another barepod", .path.display())]
    Version { path: PathBuf, found: u32 },
    #[error(transparent)]
    Store(#[from] store::Error),
}
