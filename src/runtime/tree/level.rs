//! A folder on the way down of a walk, open or closed, and how it is found again.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::handle::Handle;
use super::names::Names;

/// A folder on the way down.
pub(super) struct Level {
    pub(super) name: CString,
    pub(super) identity: (u64, u64),
    pub(super) place: Folder,
    /// As long as it is read: only the last level can be.
    pub(super) reader: Option<Dir>,
    /// Folders in it that are still to be walked.
    pub(super) waiting: Names,
    /// Whether something of it has gone since it was read, and whether something in it or below has failed.
    pub(super) changed: bool,
    pub(super) failed: bool,
}

pub(super) enum Folder {
    Open(OwnedFd),
    Closed(Option<Handle>),
}

impl Level {
    pub(super) fn of(folder: OwnedFd, name: CString) -> Result<Self, Errno> {
        let identity = identity(&rustix::fs::fstat(&folder)?);
        let waiting = Names::default();
        Ok(Self { name, identity, place: Folder::Open(folder), reader: None, waiting, changed: false, failed: false })
    }

    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        match &self.place {
            Folder::Open(folder) => rustix::fs::fstat(folder),
            Folder::Closed(_) => Err(Errno::BADF),
        }
    }

    pub(super) fn read_again(&mut self) -> Result<(), Errno> {
        if let Folder::Open(folder) = &self.place {
            self.reader = Some(Dir::read_from(folder)?);
            self.changed = false;
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        if let Folder::Open(folder) = &self.place {
            self.place = Folder::Closed(Handle::of(folder));
        }
    }

    /// From the folder below it, which is open.
    pub(super) fn open_again(&mut self, below: &OwnedFd) -> Result<(), Errno> {
        let Folder::Closed(handle) = &self.place else { return Ok(()) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let is_it = |folder: &OwnedFd| rustix::fs::fstat(folder).is_ok_and(|found| identity(&found) == self.identity);
        let folder = match rustix::fs::openat(below, c"..", flags, Mode::empty()) {
            Ok(folder) if is_it(&folder) => folder,
            opened => {
                let moved = opened.err().unwrap_or(Errno::STALE);
                let folder = handle.as_ref().ok_or(moved)?.open(below.as_fd())?;
                if !is_it(&folder) {
                    return Err(Errno::STALE);
                }
                folder
            }
        };
        self.place = Folder::Open(folder);
        Ok(())
    }
}

pub(super) fn open(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Neither a mount nor what was put there instead meanwhile.
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(parent, name, flags, Mode::empty(), inside)
}

pub(super) fn kind_of(parent: BorrowedFd<'_>, name: &CStr) -> Result<FileType, Errno> {
    let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)?;
    Ok(FileType::from_raw_mode(found.st_mode))
}

/// What a file is, whatever it is called.
pub(crate) fn identity(found: &Stat) -> (u64, u64) {
    (found.st_dev, found.st_ino)
}
