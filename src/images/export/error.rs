//! Why an image can't be written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::images::catalogue::CatalogueError;
use crate::images::digest::Digest;
use crate::images::layers::LayersError;

/// Why an image can't be written.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Layers(#[from] LayersError),
    #[error("{call} {}: {cause}", .path.display())]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("layer {layer}: {path}: {cause}")]
    Layer { layer: Digest, path: String, cause: io::Error },
    #[error("layer {layer}: {path}: {why}; `barepod image repair` brings again what is damaged")]
    Damaged { layer: Digest, path: String, why: String },
    #[error("its {what} can't be read; `barepod image repair` brings it again")]
    Document { what: &'static str },
    #[error("its {what} has another digest than {digest}: it is damaged; `barepod image repair` brings it again")]
    Changed { what: &'static str, digest: Digest },
    #[error("{}: it is {what}; an archive is written into a file, whose headers are filled in afterwards", .path.display())]
    NoFile { path: PathBuf, what: &'static str },
    #[error("{}: it is no OCI image layout: {why}", .path.display())]
    NoLayout { path: PathBuf, why: String },
}

/// For `map_err`.
pub(super) fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |cause| ExportError::Io { call, path, cause }
}
