//! Why an image can't be brought, in words.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::images::catalogue::CatalogueError;
use crate::images::digest::Digest;
use crate::images::disk::{Disk, Room};
use crate::images::document::DocumentError;
use crate::images::layers::LayersError;
use crate::images::origin::OriginError;
use crate::images::trust::TrustError;

/// Why an image couldn't be brought.
#[derive(Debug, Error)]
pub enum PullError {
    #[error("{0}")]
    Origin(OriginError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error("layer {number} of {count} ({digest}): {cause}")]
    Layer { number: usize, count: usize, digest: Digest, cause: LayerFault },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("its name has the digest {wanted}, and what is there has {found}: it is another image")]
    Pinned { wanted: Digest, found: Digest },
    #[error("it leads from index to index, without an image")]
    Circle,
    #[error("its name was taken away meanwhile")]
    Gone,
    #[error(
        "the index that it was chosen from ({0}) is damaged, and is not where it came from any more; `barepod image pull` brings \
         what its name stands for now"
    )]
    Index(Digest),
    #[error(transparent)]
    Layers(#[from] LayersError),
    #[error("{call} {}: {cause}", .path.display())]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error(
        "there is no room for it: its layers have {needed} bytes, packed, and {free} are free where images are ({}); \
         `barepod image prune` removes what nobody uses", .path.display()
    )]
    Room { needed: u64, free: u64, path: PathBuf },
    #[error(
        "there is no room for it: its layers need {needed} inodes at the very least, and {free} are free where images are ({}); \
         `barepod image prune` removes what nobody uses", .path.display()
    )]
    Inodes { needed: u64, free: u64, path: PathBuf },
    #[error("there may be no room for it")]
    Tight { wanted: Room, least: Room, layers: Vec<Digest> },
    #[error("{cause}")]
    Full { cause: Box<PullError>, wanted: Room, layers: Vec<Digest> },
    #[error("{cause} (to make room, images were removed that no pod has used for a day: {})", .removed.join(", "))]
    InVain { cause: Box<PullError>, removed: Vec<String> },
}

impl PullError {
    /// What is to be free, and at the very least, where that is what was wrong; and what of layers is needed: it may be there.
    pub(super) fn wanted(&self) -> Option<(Room, Room, &[Digest])> {
        match self {
            Self::Tight { wanted, least, layers } => Some((*wanted, *least, layers)),
            Self::Full { wanted, layers, .. } => Some((*wanted, *wanted, layers)),
            _ => None,
        }
    }

    /// The same; where the disk got full in the middle, with what was free at the beginning: that wasn't enough; `layers`: all
    /// that it needs.
    pub(super) fn in_the_middle(self, at_first: Disk, layers: Vec<Digest>) -> Self {
        match &self {
            Self::Layer { cause: LayerFault::Store(LayersError::Full { .. }), .. } => {
                let wanted = Room { bytes: at_first.bytes.free + 1, inodes: at_first.inodes.free + 1 };
                Self::Full { cause: Box::new(self), wanted, layers }
            }
            _ => self,
        }
    }

    /// Whether it was not brought because it isn't trusted.
    #[must_use]
    pub fn is_of_trust(&self) -> bool {
        match self {
            Self::InVain { cause, .. } => cause.is_of_trust(),
            _ => matches!(self, Self::Trust(cause) if !matches!(cause, TrustError::Origin(_))),
        }
    }
}

/// What is wrong with one layer.
#[derive(Debug, Error)]
pub enum LayerFault {
    #[error("{0}")]
    Origin(OriginError),
    #[error(transparent)]
    Store(#[from] LayersError),
    #[error("what came has the digest {found}; it was damaged on the way, or its source lies")]
    Digest { found: Digest },
    #[error(
        "unpacked it has the digest {found}, and the image's config says {wanted}: the image is damaged where it comes from"
    )]
    DiffId { found: Digest, wanted: Digest },
    #[error("folders that it has only for what is in them: {0}")]
    Folders(io::Error),
    #[error("wait for others who bring it: {0}")]
    Turn(io::Error),
    #[error("read /proc/self/uid_map: {0}")]
    UidMap(io::Error),
}
