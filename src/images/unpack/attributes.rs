//! Owners, modes, times and extended attributes.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use super::error::{Fault, words};
use super::state::Unpacker;
use crate::images::archive::Entry;
use crate::images::record::{Time, is_label_of_the_box};

/// What overlays keep for themselves; with it a layer could show files of the box that it isn't to reach, or hide others.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// Whether an extended attribute is an image's to say: neither a note of overlays nor a label that the box gives.
pub(in crate::images) fn is_of_an_image(name: &[u8]) -> bool {
    !is_label_of_the_box(name) && !OVERLAY.iter().any(|prefix| name.starts_with(prefix))
}

/// Only the time of the last change: a layer's files are read at any moment.
fn times(modified: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: modified.seconds, tv_nsec: i64::from(modified.nanoseconds) },
    }
}

impl Unpacker<'_> {
    /// All but the time, to a file or folder that is open.
    pub(super) fn give(&mut self, to: BorrowedFd<'_>, found: &Stat, entry: &Entry) -> Result<(), Fault> {
        let Entry { uid, gid, mode, .. } = *entry;
        let changes_owner = (found.st_uid, found.st_gid) != (uid, gid);
        if changes_owner {
            // Takes set-user-id and capabilities away, which so come after it.
            let given = rustix::fs::fchown(to, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            given.map_err(|errno| Fault::owner(uid, gid, errno))?;
        }
        self.set_xattrs(entry, |name, value| rustix::fs::fsetxattr(to, name, value, XattrFlags::empty()))?;
        // An access list that was set changes it.
        if changes_owner || found.st_mode & 0o7777 != mode || !entry.xattrs.is_empty() {
            rustix::fs::fchmod(to, Mode::from_raw_mode(mode)).map_err(Fault::system("change its mode"))?;
        }
        Ok(())
    }

    /// Owner and extended attributes, to something that was just made and can't be opened.
    pub(super) fn give_at(&mut self, parent: impl AsFd, name: &[u8], entry: &Entry) -> Result<(), Fault> {
        let Entry { uid, gid, .. } = *entry;
        let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let given = rustix::fs::chownat(&parent, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW);
        given.map_err(|errno| Fault::owner(uid, gid, errno))?;
        if entry.xattrs.is_empty() {
            return Ok(());
        }
        let path = by_descriptor(parent.as_fd(), name);
        self.set_xattrs(entry, |name, value| rustix::fs::lsetxattr(&path, name, value, XattrFlags::empty()))
    }

    pub(super) fn set_times(&self, parent: impl AsFd, name: &[u8], modified: Time) -> Result<(), Fault> {
        let set = rustix::fs::utimensat(parent, name, &times(modified), AtFlags::SYMLINK_NOFOLLOW);
        set.map_err(Fault::system("set its time"))
    }

    pub(super) fn set_times_of(&self, of: BorrowedFd<'_>, modified: Time) -> Result<(), Fault> {
        rustix::fs::futimens(of, &times(modified)).map_err(Fault::system("set its time"))
    }

    fn set_xattrs(&mut self, entry: &Entry, set: impl Fn(&[u8], &[u8]) -> Result<(), Errno>) -> Result<(), Fault> {
        for (name, value) in &entry.xattrs {
            if !is_of_an_image(name) {
                continue;
            }
            match set(name, value) {
                Ok(()) => {}
                // This file system has none of these, or not for such a thing, or they aren't for this user to set.
                Err(errno @ (Errno::NOTSUP | Errno::PERM)) => {
                    let cause = std::io::Error::from(errno);
                    let why = || format!("{}: the extended attribute {}: {cause}", words(&entry.name), words(name));
                    self.unpacked.left_out.put(why);
                }
                Err(errno) => return Err(Fault::Attribute { name: words(name), cause: errno.into() }),
            }
        }
        Ok(())
    }
}

/// A path that leads to a name in an open folder, for calls that take no descriptor.
pub(super) fn by_descriptor(parent: BorrowedFd<'_>, name: &[u8]) -> PathBuf {
    Path::new("/proc/self/fd").join(parent.as_raw_fd().to_string()).join(std::ffi::OsStr::from_bytes(name))
}
