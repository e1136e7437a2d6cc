//! One thing done with everything in a tree.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::{Place, Visitor, Walk};

/// What is to be done with one thing of a tree: its descriptor (of a folder one that can be read, else O_PATH), and what
/// it is.
pub(crate) type Visit<'a> = dyn FnMut(BorrowedFd<'_>, &Stat) -> io::Result<()> + 'a;

/// Visits everything below a folder, and a folder after what is in it. Ends with the first failure, which comes with
/// where it was.
pub(crate) fn visit_below(
    folder: BorrowedFd<'_>,
    path: &Path,
    visit: &mut Visit<'_>,
) -> Result<(), (PathBuf, io::Error)> {
    let at = |cause: io::Error| (path.to_owned(), cause);
    let read = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let reader = rustix::fs::openat(folder, c".", read, Mode::empty()).map_err(|errno| at(errno.into()))?;
    let mut walk = Walk::below(reader).map_err(at)?;
    match walk.advance(&mut Each(visit), &mut usize::MAX.clone()) {
        Ok(_) => Ok(()),
        Err(fault) => Err((path.join(fault.path), fault.cause.into())),
    }
}

struct Each<'a, 'b>(&'a mut Visit<'b>);

impl Each<'_, '_> {
    fn one(&mut self, thing: BorrowedFd<'_>) -> Result<bool, Errno> {
        let found = rustix::fs::fstat(thing)?;
        match (self.0)(thing, &found) {
            Ok(()) => Ok(false),
            Err(cause) => Err(Errno::from_io_error(&cause).unwrap_or(Errno::IO)),
        }
    }
}

impl Visitor for Each<'_, '_> {
    fn ends(&self, _: Errno) -> bool {
        true
    }

    fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV;
        let thing: OwnedFd = match rustix::fs::openat2(at.parent, at.name, flags, Mode::empty(), inside) {
            // A mount: another file system's files are not the tree's.
            Err(Errno::XDEV) => return Ok(false),
            opened => opened?,
        };
        self.one(thing.as_fd())
    }

    fn after(&mut self, _: &Place<'_>, folder: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.one(folder)
    }
}
