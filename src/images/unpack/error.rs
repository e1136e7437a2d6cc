//! Why a layer can't be unpacked.

use std::io;

use rustix::io::Errno;
use thiserror::Error;

use crate::images::archive::ArchiveError;
use crate::images::record::RecordError;

/// Why a layer can't be unpacked.
#[derive(Debug, Error)]
pub enum UnpackError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// About one entry of the archive.
    #[error("{name}: {cause}")]
    Entry {
        /// For people: escaped, and not all of a long one.
        name: String,
        cause: Fault,
    },
    /// About the folder that it is unpacked into.
    #[error("the folder of the layer: {0}")]
    Root(Fault),
    #[error("the layer has more than {limit} files and folders, which is the most that is allowed")]
    Entries { limit: u64 },
    #[error("the files of the layer have more than {limit} bytes, which is the most that is allowed")]
    Bytes { limit: u64 },
    #[error("the paths in the layer have more than {limit} bytes together, which is the most that is allowed")]
    Paths { limit: u64 },
    #[error("the folders of the layer can't be finished: {0}")]
    Folders(#[source] RecordError),
}

/// What is wrong with one entry.
#[derive(Debug, Error)]
pub enum Fault {
    #[error("can't {call}: {cause}")]
    System { call: &'static str, cause: io::Error },
    #[error("its owner and group can't be {uid}:{gid} here: {cause}{advice}")]
    Owner { uid: u32, gid: u32, cause: io::Error, advice: &'static str },
    #[error("its extended attribute {name:?} can't be set: {cause}")]
    Attribute { name: String, cause: io::Error },
    #[error("this file system doesn't have the extended attributes that overlays need ({name}): {cause}")]
    Notes { name: &'static str, cause: io::Error },
    #[error("it is to be in {above:?}, which isn't a folder")]
    NoFolder { above: String },
    #[error("the symbolic links in its path lead to each other, or are more than {most}")]
    Links { most: u32 },
    #[error("its path is longer than {longest} bytes")]
    Long { longest: usize },
    #[error("it is the root of the layer, and isn't a folder")]
    Root,
    #[error("it is a hard link to {target:?}, which isn't in this layer")]
    LinkTarget { target: String },
    #[error("it is a hard link to {target:?}, which is a folder")]
    LinkToFolder { target: String },
    #[error("names that begin with \".wh.\" hide files of other layers; this one {0}")]
    Whiteout(&'static str),
}

impl UnpackError {
    pub(super) fn entry(name: &[u8], cause: Fault) -> Self {
        Self::Entry { name: words(name), cause }
    }

    /// What the system said to a call that failed.
    #[must_use]
    pub fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Entry { cause: Fault::System { cause, .. } | Fault::Attribute { cause, .. }, .. }
            | Self::Root(Fault::System { cause, .. })
            | Self::Folders(RecordError::Tree { cause, .. }) => Some(cause),
            _ => None,
        }
    }
}

impl Fault {
    /// For `map_err`.
    pub(super) fn system(call: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::System { call, cause: errno.into() }
    }

    pub(super) fn owner(uid: u32, gid: u32, errno: Errno) -> Self {
        let advice = match errno {
            Errno::INVAL => {
                "; this user's range of ids is too small for it, or there is none: see /etc/subuid and /etc/subgid, and whether \
                 newuidmap is installed (docs/rootless.md)"
            }
            Errno::PERM => {
                "; who isn't root needs ranges of ids for that: see /etc/subuid and /etc/subgid (docs/rootless.md)"
            }
            _ => "",
        };
        Self::Owner { uid, gid, cause: errno.into(), advice }
    }
}

/// Bytes of an archive, for people.
pub(super) fn words(bytes: &[u8]) -> String {
    /// How much of a name is shown at its beginning and at its end.
    const SHOWN: usize = 100;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    if bytes.len() <= 2 * SHOWN + 3 {
        return text(bytes);
    }
    format!("{}...{}", text(&bytes[..SHOWN]), text(&bytes[bytes.len() - SHOWN..]))
}
