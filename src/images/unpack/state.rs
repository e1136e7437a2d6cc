//! What an unpacking has in hand, and what comes of it.

use std::collections::HashMap;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::error::{Fault, UnpackError};
use crate::images::archive::ArchiveError;
use crate::images::record::{Contents, Time};

/// What a layer may have at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Files, folders and all else, those included that are only implied.
    pub entries: u64,
    /// The length of the archive, and the sum of the sizes of its files.
    pub bytes: u64,
    /// The sum of the lengths of all paths: memory that records need.
    pub paths: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4_000_000, bytes: 256 << 30, paths: 512 << 20 }
    }
}

/// Where overlays keep their notes: which extended attribute says that a folder hides what the layers below have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// `trusted.overlay.*`, for overlays that root mounts.
    Trusted,
    /// `user.overlay.*`, for those of user namespaces (mount option `userxattr`).
    User,
}

/// What was unpacked.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// The SHA-256 of all files.
    pub contents: Contents,
    /// Folders that have the default owner and mode as the archive has no entry for them (`.` for the root), by path.
    pub implied: Vec<Vec<u8>>,
    /// The root folder is opaque: none of the layers below is to be seen. Overlays don't heed such a note on a layer's root.
    pub hides_all_below: bool,
    pub entries: u64,
    /// The sum of the sizes of files.
    pub bytes: u64,
    pub left_out: LeftOut,
}

/// What can't be here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub count: u64,
    /// In words, the first few.
    pub examples: Vec<String>,
}

impl LeftOut {
    pub(super) fn put(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < 5 {
            self.examples.push(what());
        }
    }
}

/// What is known of a folder that was made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Folder {
    /// It has an entry, which says when it was changed.
    Named(Time),
    Implied,
    /// It has no entry, and the layers below don't show through.
    ImpliedAlone,
}

/// What ends it.
pub(super) enum Stop {
    Archive(ArchiveError),
    Limit(UnpackError),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The folder that entries go into.
pub(super) struct Parent {
    /// As the archive has it.
    pub(super) path: Vec<u8>,
    /// Of its path without links.
    pub(super) length: usize,
    /// As a mere place (O_PATH).
    pub(super) folder: OwnedFd,
}

impl Parent {
    /// Whether it is at this path.
    pub(super) fn is(&self, above: &[&[u8]]) -> bool {
        let mut rest = &self.path[..];
        for name in above {
            let Some(after) = rest.strip_prefix(*name).and_then(|rest| rest.strip_prefix(b"/")) else { return false };
            rest = after;
        }
        rest.is_empty()
    }
}

pub(super) struct Unpacker<'a> {
    pub(super) root: BorrowedFd<'a>,
    pub(super) limits: Limits,
    pub(super) notes: Notes,
    /// Where the last entry was.
    pub(super) parent: Option<Parent>,
    /// By inode. The number of a folder that was replaced may be that of another one later, which is noted then.
    pub(super) folders: HashMap<u64, Folder>,
    pub(super) unpacked: Unpacked,
    /// The sum of the lengths of paths.
    pub(super) paths: u64,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(root: BorrowedFd<'a>, limits: Limits, notes: Notes) -> Result<Self, UnpackError> {
        let look = |errno| UnpackError::Root(Fault::system("look at it")(errno));
        let found = rustix::fs::fstat(root).map_err(look)?;
        // It would be handed on to all that is in it.
        match rustix::fs::fremovexattr(root, "system.posix_acl_default") {
            Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(errno) => return Err(UnpackError::Root(Fault::system("remove its default access list")(errno))),
        }
        let mut unpacker = Self {
            root,
            limits,
            notes,
            parent: None,
            folders: HashMap::from([(found.st_ino, Folder::Implied)]),
            unpacked: Unpacked::default(),
            paths: 0,
        };
        unpacker.unpacked.entries = 1;
        Ok(unpacker)
    }

    /// One more thing, with a path of this length.
    pub(super) fn count(&mut self, path: usize) -> Result<(), Stop> {
        self.unpacked.entries += 1;
        self.paths += path as u64;
        let Limits { entries, paths, .. } = self.limits;
        if self.unpacked.entries > entries {
            return Err(Stop::Limit(UnpackError::Entries { limit: entries }));
        }
        if self.paths > paths {
            return Err(Stop::Limit(UnpackError::Paths { limit: paths }));
        }
        Ok(())
    }
}
