//! Why a layer can't be made, found or removed.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::images::archive::ArchiveError;
use crate::images::disk::Disk;
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
    #[error("{cause}; where images are {left} free; `barepod image prune` removes what nobody uses", left = .disk.left())]
    Full { cause: Box<LayersError>, disk: Disk },
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

    /// The same; where the disk is full, with how full it is. For as long as what fills it is there.
    pub(super) fn on(self, dir: &Path) -> Self {
        if self.is_of_room()
            && let Ok(disk) = Disk::of(dir)
        {
            return Self::Full { cause: Box::new(self), disk };
        }
        self
    }

    fn is_of_room(&self) -> bool {
        match self {
            Self::Unpack(cause) => cause.system(),
            Self::Io { cause, .. } | Self::Record { cause: RecordError::Write(cause), .. } => Some(cause),
            Self::Record { .. } | Self::Full { .. } => None,
        }
        .is_some_and(|cause| matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }
}

/// For `map_err`.
pub(super) fn failed(call: &'static str, path: &Path) -> impl Fn(io::Error) -> LayersError {
    move |cause| LayersError::Io { call, path: path.to_owned(), cause }
}
