//! Why a volume can't be had.

use std::io;
use std::path::PathBuf;

use crate::runtime::image;

/// Why a volume can't be had. The words behind `hostPath type check failed` are the kubelet's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VolumeError {
    #[error("volume {volume:?}: {call} {path}: {cause}")]
    Io { volume: String, call: &'static str, path: PathBuf, cause: io::Error },
    #[error("volume {volume:?}: {cause}")]
    Image { volume: String, cause: Box<image::ImageError> },
    #[error("volume {volume:?}: hostPath type check failed: {path} is not {wanted}")]
    WrongKind { volume: String, path: PathBuf, wanted: &'static str },
    /// One of the others, as a helper has told it.
    #[error("{message}")]
    Elsewhere { message: String },
}
