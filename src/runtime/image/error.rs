//! Why an image can't be used.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::images::pull::PullError;
use crate::images::reference::NoReference;
use crate::images::store::StoreError;

/// What kind of failure an [`ImageError`] is (R8.4). The engine's types can't be named in `runtime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// It isn't in the box's store, and nobody was to bring it.
    NotThere,
    /// It is, and something of it has gone or can't be read: it has to be brought again.
    Damaged,
    /// What names it is no name of an image: `InvalidImageName`.
    InvalidName,
    /// There is nothing: like a pull that failed (`ErrImagePull`, later `ImagePullBackOff`).
    Absent,
    /// What says what may be used doesn't accept it: `SignatureValidationFailed`.
    Untrusted,
    /// There is something, but no container can be made of it: `CreateContainerError`.
    Unusable,
}

/// Why an image can't be used. The text names bundle and field, and is complete: no source has to be added.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The folder that `image:` names isn't there or can't be looked at.
    #[error("{image}: {path}: {cause}; image: must name a folder on this box", path = .path.display())]
    Missing {
        /// `bundle:/abs/path`
        image: String,
        /// The folder.
        path: PathBuf,
        /// What the kernel says.
        cause: io::Error,
    },
    /// Something is there but no folder.
    #[error("{image}: {path}: not a directory; image: must name a folder", path = .path.display())]
    NotADirectory {
        /// `bundle:/abs/path`
        image: String,
        /// The path.
        path: PathBuf,
    },
    /// A bundle without a config.json that can be read.
    #[error("{image}: config.json: {cause}; a bundle is a folder with a config.json and its root file system")]
    Config {
        /// `bundle:/abs/path`
        image: String,
        /// What the kernel says.
        cause: io::Error,
    },
    /// config.json is a FIFO, a device, a folder.
    #[error("{image}: config.json: not a regular file")]
    ConfigKind {
        /// `bundle:/abs/path`
        image: String,
    },
    /// config.json is too big to be one.
    #[error("{image}: config.json: larger than {limit} bytes")]
    ConfigSize {
        /// `bundle:/abs/path`
        image: String,
        /// Bytes.
        limit: u64,
    },
    /// config.json is not JSON, or a field has the wrong type.
    #[error("{image}: config.json: {cause}")]
    Json {
        /// `bundle:/abs/path`
        image: String,
        /// Names line and column.
        cause: serde_json::Error,
    },
    /// A field whose value can't be used.
    #[error("{image}: config.json: {field}: {cause}", cause = .cause.0)]
    Field {
        /// `bundle:/abs/path`
        image: String,
        /// `root.path`
        field: &'static str,
        /// What is wrong with it.
        cause: FieldCause,
    },
    /// The root file system isn't there.
    #[error("{image}: config.json: root.path: {path}: {cause}", path = .path.display())]
    Rootfs {
        /// `bundle:/abs/path`
        image: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What the kernel says.
        cause: io::Error,
    },
    /// The root file system is a file.
    #[error("{image}: config.json: root.path: {path}: not a directory", path = .path.display())]
    RootfsKind {
        /// `bundle:/abs/path`
        image: String,
        /// The path.
        path: PathBuf,
    },
    /// Somebody might have to be waited for, who was not to be.
    #[error("{image}: {path} isn't at hand", path = .path.display())]
    NotAtHand {
        /// `bundle:/abs/path`
        image: String,
        /// What was to be looked at.
        path: PathBuf,
    },
    /// A name that no registry has. Whoever says so names it.
    #[error("{cause}")]
    Name {
        /// As `image:` has it.
        image: String,
        /// What is wrong with it.
        cause: NoReference,
    },
    /// It has yet to be pulled.
    #[error("{image}: it is not in the store of this box; `barepod image pull` brings it")]
    NotThere {
        /// As `image:` has it.
        image: String,
    },
    /// It could not be pulled. Whoever says so names it.
    #[error("{cause}")]
    Pull {
        /// As `image:` has it.
        image: String,
        /// What its source or the store says.
        cause: Box<PullError>,
    },
    /// What the store says of it can't be read.
    #[error("{image}: {cause}")]
    Store {
        /// As `image:` has it.
        image: String,
        /// Which file, and why.
        cause: Box<StoreError>,
    },
    /// A layer of it has gone from the store, or what the store says of it.
    #[error("{image}: it is damaged in the store of this box: {what}")]
    Damaged {
        /// As `image:` has it.
        image: String,
        /// What has gone.
        what: String,
    },
    /// An image's config asks for a signal that there is not.
    #[error("{image}: its config says StopSignal {name:?}: there is no such signal")]
    StopSignal {
        /// As `image:` has it.
        image: String,
        /// What it says.
        name: String,
    },
    /// A file of the root file system that is there but can't be read.
    #[error("{image}: {path} in its root file system: {cause}", path = .path.display())]
    Inside {
        /// `bundle:/abs/path`
        image: String,
        /// `etc/passwd`
        path: PathBuf,
        /// What the kernel says.
        cause: io::Error,
    },
}

/// The most bytes of a message.
const LONGEST: usize = 4096;

impl ImageError {
    /// What people are told. It may quote an image's documents, and becomes a part of the pod's status: it is cut where it is too long.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = self.to_string();
        if text.len() > LONGEST {
            text.truncate((0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default());
            text += " (...)";
        }
        text
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            ImageError::Pull { cause, .. } if cause.is_of_trust() => Trouble::Untrusted,
            ImageError::Missing { .. } | ImageError::Pull { .. } => Trouble::Absent,
            ImageError::NotThere { .. } => Trouble::NotThere,
            ImageError::Damaged { .. } => Trouble::Damaged,
            ImageError::Name { .. } => Trouble::InvalidName,
            ImageError::Store { .. } | ImageError::StopSignal { .. } => Trouble::Unusable,
            ImageError::NotADirectory { .. }
            | ImageError::Config { .. }
            | ImageError::ConfigKind { .. }
            | ImageError::ConfigSize { .. }
            | ImageError::Json { .. }
            | ImageError::Field { .. }
            | ImageError::Rootfs { .. }
            | ImageError::RootfsKind { .. }
            | ImageError::NotAtHand { .. }
            | ImageError::Inside { .. } => Trouble::Unusable,
        }
    }

    /// What is to be there and isn't, or is no good as it is: trying again finds the same until somebody mends it. `None`:
    /// it couldn't be looked at, which may pass.
    #[must_use]
    pub fn defect(&self) -> Option<Defect<'_>> {
        let nothing =
            |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        match self {
            ImageError::Missing { path, cause, .. } => nothing(cause).then_some(Defect::Absent(path)),
            ImageError::Config { cause, .. } => nothing(cause).then_some(Defect::Unusable),
            ImageError::Rootfs { path, cause, .. } => nothing(cause).then_some(Defect::Root(path)),
            ImageError::RootfsKind { path, .. } => Some(Defect::Root(path)),
            ImageError::NotADirectory { .. }
            | ImageError::ConfigKind { .. }
            | ImageError::ConfigSize { .. }
            | ImageError::Json { .. }
            | ImageError::Field { .. }
            | ImageError::Name { .. } => Some(Defect::Unusable),
            ImageError::NotAtHand { .. }
            | ImageError::Inside { .. }
            | ImageError::NotThere { .. }
            | ImageError::Pull { .. }
            | ImageError::Store { .. }
            | ImageError::Damaged { .. }
            | ImageError::StopSignal { .. } => None,
        }
    }
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect<'a> {
    /// There is nothing where it should be.
    Absent(&'a Path),
    /// The root file system that a bundle names is none, or isn't there.
    Root(&'a Path),
    /// No container can be made of it.
    Unusable,
}

/// What is wrong with a field, for people.
#[derive(Debug)]
pub struct FieldCause(pub(crate) String);
