//! Why a record can't be written, read, or held against a tree.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a record can't be written, read, or held against a tree.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("the layer's record can't be read: {0}")]
    Read(#[source] io::Error),
    #[error("the layer's record can't be written: {0}")]
    Write(#[source] io::Error),
    #[error(
        "the layer's record has no header that this version of barepod understands; it is damaged, or a newer barepod wrote it"
    )]
    Header,
    #[error("the layer's record is damaged: line {line} {why}")]
    Line { line: u64, why: &'static str },
    #[error("the layer's record is damaged: its lines aren't those that its header tells of")]
    Sums,
    #[error("{path}: {cause}", path = .path.display())]
    Tree { path: PathBuf, cause: io::Error },
}

impl RecordError {
    /// Whether the record itself is damaged, so that what it says can't be trusted.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Header | Self::Line { .. } | Self::Sums)
    }
}
