//! Why a layer can't be made, found or removed.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::images::archive::ArchiveError;
use crate::images::record::RecordError;
use crate::images::unpack::UnpackError;

/// Why a layer can't be made, found or removed.
#[derive(Debug, Error)]
pub enum LayersError {
    #[error("can't {call} {path}: {cause}", path = .path.display())]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("{path}: {cause}", path = .path.display())]
    Record { path: PathBuf, cause: RecordError },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl LayersError {
    /// The failure of the reader that the layer came from: the registry's, the file's; or that its compression is damaged.
    #[must_use]
    pub fn stream(&self) -> Option<&io::Error> {
        match self {
            Self::Unpack(UnpackError::Archive(ArchiveError::Read(cause))) => Some(cause),
            _ => None,
        }
    }
}

/// For `map_err`.
pub(super) fn failed(call: &'static str, path: &Path) -> impl Fn(io::Error) -> LayersError {
    move |cause| LayersError::Io { call, path: path.to_owned(), cause }
}
