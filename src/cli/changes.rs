//! Changes in a folder, as the kernel tells of them (inotify(7)).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify;
pub use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;

use super::error::CliError;

/// Readable as soon as something has changed in a folder.
pub struct Changes(OwnedFd);

impl Changes {
    /// Those of the given kinds, from now on.
    ///
    /// # Errors
    /// Where the folder isn't there, or can't be watched.
    pub fn of(folder: &Path, kinds: WatchFlags) -> Result<Self, CliError> {
        let fail = |errno: Errno| CliError::Read { path: folder.to_owned(), source: errno.into() };
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).map_err(fail)?;
        inotify::add_watch(&watch, folder, kinds).map_err(fail)?;
        Ok(Self(watch))
    }

    /// Forgets those that were told: it is readable again when there is another.
    pub fn drain(&self) {
        let mut part = [0; 4096];
        while let Ok(1..) = rustix::io::read(&self.0, &mut part) {}
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
