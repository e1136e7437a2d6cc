//! What is on disk, as entries.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::entry::Entry;
use super::error::RecordError;
use crate::runtime::tree::{Enter, Place, Visitor, Walk};

/// Whether an extended attribute is a label that the box gives to files, and no part of an image: each box has its own.
pub(in crate::images) fn is_label_of_the_box(name: &[u8]) -> bool {
    name.starts_with(b"security.") && name != b"security.capability"
}

/// Something in a tree.
pub(in crate::images) struct Found<'a> {
    pub(in crate::images) path: &'a [u8],
    pub(in crate::images) place: Place<'a>,
    pub(in crate::images) stat: Stat,
}

/// Who is shown everything in a tree; whether it goes on.
pub(in crate::images) trait See {
    fn see(&mut self, found: &Found<'_>) -> bool;
}

/// Shows everything in a tree: what is below a folder, and the folder itself. The error is what couldn't be looked at, once
/// all else was; where the one who sees has ended it, it is of no use.
pub(in crate::images) fn see_all(folder: BorrowedFd<'_>, by: &mut impl See) -> Result<(), RecordError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fault = |path: &Path, cause: io::Error| RecordError::Tree { path: path.to_owned(), cause };
    let top = |cause: Errno| fault(Path::new("."), cause.into());
    let reader = rustix::fs::openat(folder, c".", flags, Mode::empty()).map_err(top)?;
    let stat = rustix::fs::fstat(folder).map_err(top)?;
    let mut seer = Seer { by, path: Vec::new(), next: CString::default() };
    if !seer.by.see(&Found { path: b".", place: Place { parent: folder, name: c"." }, stat }) {
        return Ok(());
    }
    let mut walk = Walk::below(reader).map_err(|cause| fault(Path::new("."), cause))?;
    match walk.advance(&mut seer, &mut usize::MAX.clone()) {
        Err(ended) => Err(fault(&ended.path, ended.cause.into())),
        Ok(_) => walk.faults().map_or(Ok(()), |(first, _)| Err(fault(&first.path, first.cause.into()))),
    }
}

/// The end of a walk that was asked for.
const ENDED: Errno = Errno::CANCELED;

struct Seer<'a, S> {
    by: &'a mut S,
    /// Of the folder that the walk is in; with a slash at its end unless it is empty.
    path: Vec<u8>,
    /// The folder that it is about to enter.
    next: CString,
}

impl<S: See> Seer<'_, S> {
    fn one(&mut self, at: &Place<'_>, stat: Stat) -> Result<bool, Errno> {
        let length = self.path.len();
        self.path.extend(at.name.to_bytes());
        let goes_on = self.by.see(&Found { path: &self.path, place: Place { ..*at }, stat });
        self.path.truncate(length);
        if goes_on { Ok(false) } else { Err(ENDED) }
    }
}

impl<S: See> Visitor for Seer<'_, S> {
    fn ends(&self, failure: Errno) -> bool {
        failure == ENDED
    }

    fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno> {
        let stat = rustix::fs::statat(at.parent, at.name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)?;
        self.one(at, stat)
    }

    fn before(&mut self, at: &Place<'_>) -> Result<Enter, Errno> {
        at.name.clone_into(&mut self.next);
        Ok(Enter::Yes)
    }

    fn entered(&mut self, _: &Stat) {
        self.path.extend(self.next.to_bytes());
        self.path.push(b'/');
    }

    fn after(&mut self, at: &Place<'_>, folder: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.path.truncate(self.path.len().saturating_sub(at.name.to_bytes().len() + 1));
        let stat = rustix::fs::fstat(folder)?;
        self.one(at, stat)
    }

    fn restarted(&mut self) {
        self.path.clear();
    }
}

impl Found<'_> {
    /// All of it; of a file whose content isn't `known` that is read.
    pub(super) fn entry(&self, known: Option<[u8; 32]>) -> io::Result<Entry> {
        let xattrs = self.xattrs()?;
        let content = || known.map_or_else(|| self.hash(), Ok);
        let target = || Ok(rustix::fs::readlinkat(self.place.parent, self.place.name, Vec::new())?.into_bytes());
        Entry::of(self.path, &self.stat, xattrs, content, target)
    }

    pub(super) fn fault(&self, cause: io::Error) -> RecordError {
        RecordError::Tree { path: Path::new(OsStr::from_bytes(self.path)).to_owned(), cause }
    }

    fn hash(&self) -> io::Result<[u8; 32]> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(self.place.parent, self.place.name, flags, Mode::empty())?);
        if FileType::from_raw_mode(rustix::fs::fstat(file.as_fd())?.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it was a file, and is none any more"));
        }
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let mut buffer = vec![0; (self.stat.st_size as usize).clamp(1, 256 << 10)];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => context.update(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(context.finish().as_ref());
        Ok(sha256)
    }

    /// Its extended attributes by name, those apart that are none of an image's.
    fn xattrs(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        // The calls that take a folder and a name came with Linux 6.13; a descriptor can't be had of everything.
        let name = OsStr::from_bytes(self.place.name.to_bytes());
        let path = Path::new("/proc/self/fd").join(self.place.parent.as_raw_fd().to_string()).join(name);
        match rustix::fs::llistxattr_query(&path) {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        // XATTR_LIST_MAX and XATTR_SIZE_MAX.
        let mut buffer = vec![0; 64 << 10];
        let length = rustix::fs::llistxattr(&path, &mut buffer[..])?;
        let names: Vec<CString> = buffer[..length]
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|name| Some(CStr::from_bytes_with_nul(name).ok()?.to_owned()))
            .filter(|name| !is_label_of_the_box(name.to_bytes()))
            .collect();
        let mut xattrs = Vec::with_capacity(names.len());
        for name in names {
            match rustix::fs::lgetxattr(&path, &name, &mut buffer[..]) {
                Ok(length) => xattrs.push((name.into_bytes(), buffer[..length].to_owned())),
                // Not for this user to see: then it was no part of the layer for this user either.
                Err(Errno::PERM | Errno::NODATA | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        xattrs.sort();
        Ok(xattrs)
    }
}
