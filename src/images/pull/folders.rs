//! Folders that a layer has only because something is in them: an overlay shows the highest layer's, and so these get the owner,
//! mode, times and extended attributes that the layers below give them.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens,
};
use rustix::io::Errno;

use crate::images::layers::Filled;
use crate::images::merged::Merged;
use crate::images::unpack::is_of_an_image;

/// Bytes of an extended attribute, and of their names (xattr(7)).
const LARGEST: usize = 64 << 10;

/// Gives them what those have below; `trees` from the highest to the lowest.
///
/// # Errors
/// Where one can't be looked at or changed.
pub(super) fn adopt(filled: &Filled, trees: &[PathBuf]) -> io::Result<()> {
    let merged = Merged::open(trees.iter().map(PathBuf::as_path))?;
    let tree = filled.tree();
    let own = Merged::open([tree.as_path()].into_iter())?;
    for path in &filled.unpacked.implied {
        let path = Path::new(OsStr::from_bytes(path));
        let (Some(below), Some(folder)) = (merged.folder(path)?, own.folder(path)?) else { continue };
        copy(below.as_fd(), folder.as_fd())?;
    }
    Ok(())
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let found = fstat(from)?;
    let attributes = attributes(from)?;
    fchown(to, Some(Uid::from_raw(found.st_uid)), Some(Gid::from_raw(found.st_gid)))?;
    for (name, value) in &attributes {
        fsetxattr(to, name.as_slice(), value, XattrFlags::empty())?;
    }
    fchmod(to, Mode::from_raw_mode(found.st_mode & 0o7777))?;
    let time = |tv_sec, nanoseconds: u64| Timespec { tv_sec, tv_nsec: nanoseconds.try_into().unwrap_or_default() };
    #[allow(clippy::useless_conversion, reason = "the types differ between architectures")]
    let last_modification = time(found.st_mtime, found.st_mtime_nsec.into());
    futimens(to, &Timestamps { last_access: last_modification, last_modification })?;
    Ok(())
}

/// Extended attributes that are the image's.
fn attributes(folder: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = vec![0; LARGEST];
    let length = match flistxattr(folder, names.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        length => length?,
    };
    let is_own = |name: &&[u8]| !name.is_empty() && is_of_an_image(name);
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(is_own) {
        let mut value = vec![0; LARGEST];
        let length = fgetxattr(folder, name, value.as_mut_slice())?;
        value.truncate(length);
        found.push((name.to_vec(), value));
    }
    Ok(found)
}
