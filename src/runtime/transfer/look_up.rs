//! Paths that somebody gives, on either side.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// How often a look-up is tried that a rename somewhere has disturbed.
const TRIES: usize = 32;

/// It is neither a file nor a folder.
pub(super) const NEITHER: Errno = Errno::NODEV;

/// Where paths begin.
pub(super) enum Root<'a> {
    /// Where this process is. Links are followed as everywhere.
    Box,
    /// In this folder, which no link and no `..` leads out of.
    Container(BorrowedFd<'a>),
}

impl Root<'_> {
    /// What is there, as a mere place.
    pub(super) fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match self {
            Self::Box => rustix::fs::openat(CWD, path, flags, Mode::empty()),
            Self::Container(root) => {
                // "" would be nothing at all.
                let path = if path.as_os_str().is_empty() { Path::new("/") } else { path };
                let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
                let mut tries = 0;
                loop {
                    match openat2(root, path, flags, Mode::empty(), inside) {
                        Err(Errno::AGAIN) if tries < TRIES => tries += 1,
                        opened => return opened,
                    }
                }
            }
        }
    }

    /// Where a copy goes: the folder, and its name there; `None`: into the folder itself, which is there. `is_folder`: what is
    /// copied, `base` its name where the target is a folder.
    pub(super) fn place(
        &self,
        to: &Path,
        is_folder: bool,
        base: Option<&OsStr>,
    ) -> Result<(OwnedFd, Option<CString>), Errno> {
        match self.open(to) {
            Ok(found) if kind(&found)? == FileType::Directory => match base {
                Some(base) => Ok((readable(&found)?, Some(name(base)?))),
                None if is_folder => Ok((readable(&found)?, None)),
                None => Err(Errno::ISDIR),
            },
            Ok(_) if is_folder => Err(Errno::NOTDIR),
            // A device, a FIFO, /dev/stdout: a file in its place would be none of them any more.
            Ok(found) if kind(&found)? != FileType::RegularFile => Err(NEITHER),
            // /dev/stdout where that is a file: the link is everybody's, and stays.
            Ok(_) if matches!(self, Self::Box) && leads_through_proc(to) => Err(NEITHER),
            // A file that is replaced, a link to one, or a link that leads nowhere.
            Ok(_) | Err(Errno::NOENT) => {
                let is_to_be_folder = to.as_os_str().as_bytes().ends_with(b"/");
                let last = to.file_name().filter(|_| is_folder || !is_to_be_folder).ok_or(Errno::NOENT)?;
                let above = to.parent().filter(|above| !above.as_os_str().is_empty());
                let above = above.unwrap_or(match self {
                    Self::Box => Path::new("."),
                    Self::Container(_) => Path::new("/"),
                });
                Ok((readable(&self.open(above)?)?, Some(name(last)?)))
            }
            Err(errno) => Err(errno),
        }
    }
}

/// By a link of proc(5) that names an open file.
fn leads_through_proc(path: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    matches!(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS), Err(Errno::LOOP))
}

fn name(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::INVAL)
}

pub(super) fn kind(place: &OwnedFd) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(place)?.st_mode))
}

/// A folder that can be read, of one that is a mere place.
pub(super) fn readable(folder: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(folder, c".", flags, Mode::empty())
}
