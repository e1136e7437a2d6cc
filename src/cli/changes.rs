//! Changes in folders, as the kernel tells of them (inotify(7)).

use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify;
pub use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::error::CliError;

/// Readable as soon as something has changed in a folder.
pub struct Changes(OwnedFd);

/// What is watched of one folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(i32);

impl Changes {
    /// Those of the given kinds, from now on.
    ///
    /// # Errors
    /// Where the folder isn't there, or can't be watched.
    pub fn of(folder: &Path, kinds: WatchFlags) -> Result<Self, CliError> {
        let changes = Self::of_none()?;
        match changes.add(folder, kinds)? {
            Some(_) => Ok(changes),
            None => Err(CliError::Read { path: folder.to_owned(), source: Errno::NOENT.into() }),
        }
    }

    /// Of no folder yet.
    ///
    /// # Errors
    /// Where the user watches too much already.
    pub fn of_none() -> Result<Self, CliError> {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
        watch.map(Self).map_err(|errno| CliError::Watch(errno.into()))
    }

    /// From now on also those of this folder; one that is watched already stays so. `None`: there is no such folder.
    ///
    /// # Errors
    /// Where it can't be watched.
    pub fn add(&self, folder: &Path, kinds: WatchFlags) -> Result<Option<WatchId>, CliError> {
        match inotify::add_watch(&self.0, folder, kinds) {
            Ok(watch) => Ok(Some(WatchId(watch))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            // The limit of watches (inotify(7)), no disk's.
            Err(errno @ Errno::NOSPC) => Err(CliError::Watch(errno.into())),
            Err(errno) => Err(CliError::Read { path: folder.to_owned(), source: errno.into() }),
        }
    }

    /// Not those of this folder any more, which may be gone.
    pub fn remove(&self, watch: WatchId) {
        let _ = inotify::remove_watch(&self.0, watch.0);
    }

    /// Those that were told, one by one: in which folder what happened to what; the folder itself has no name there.
    pub fn hear(&self, mut each: impl FnMut(WatchId, ReadFlags, &OsStr)) {
        let mut part = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.0, &mut part);
        while let Ok(event) = events.next() {
            let name = event.file_name().map(CStr::to_bytes).unwrap_or_default();
            each(WatchId(event.wd()), event.events(), OsStr::from_bytes(name));
        }
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
