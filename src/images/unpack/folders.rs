//! Folders: made, and finished when all is in them.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::error::{Fault, UnpackError};
use super::place::is_whiteout;
use super::state::{Folder, Parent, Unpacked, Unpacker};
use crate::images::archive::{Entry, Kind};
use crate::images::record::{Found, See, see_all};

impl Unpacker<'_> {
    /// The entry of the root itself.
    pub(super) fn root_entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.kind != Kind::Folder {
            return Err(Fault::Root);
        }
        self.folder_is(self.root, entry)
    }

    pub(super) fn folder(&mut self, parent: &Parent, name: &[u8], entry: &Entry) -> Result<(), Fault> {
        let system = Fault::system("make the folder");
        let make = || rustix::fs::mkdirat(&parent.folder, name, Mode::RWXU);
        let mut was_hidden = false;
        match make() {
            Err(Errno::EXIST) => {
                let found = rustix::fs::statat(&parent.folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(&system)?;
                if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
                    was_hidden = is_whiteout(&found);
                    self.remove(parent, name)?;
                    make().map_err(&system)?;
                }
            }
            made => made.map_err(&system)?,
        }
        let folder = self.open_folder(&parent.folder, name)?;
        self.folder_is(folder.as_fd(), entry)?;
        if was_hidden { self.hide_below(&parent.folder, name) } else { Ok(()) }
    }

    fn folder_is(&mut self, folder: BorrowedFd<'_>, entry: &Entry) -> Result<(), Fault> {
        let found = rustix::fs::fstat(folder).map_err(Fault::system("look at the folder"))?;
        self.give(folder, &found, entry)?;
        self.folders.insert(found.st_ino, Folder::Named(entry.modified));
        Ok(())
    }

    /// Sets the times of folders, now that nothing more comes into them, and lists those without an entry.
    pub(super) fn finish(mut self) -> Result<Unpacked, UnpackError> {
        let folders = std::mem::take(&mut self.folders);
        let mut finish = Finish { unpacker: &mut self, folders, fault: None };
        let seen = see_all(finish.unpacker.root, &mut finish);
        if let Some(fault) = finish.fault {
            return Err(fault);
        }
        seen.map_err(UnpackError::Folders)?;
        self.unpacked.implied.sort();
        Ok(self.unpacked)
    }
}

struct Finish<'a, 'b> {
    unpacker: &'a mut Unpacker<'b>,
    folders: HashMap<u64, Folder>,
    fault: Option<UnpackError>,
}

impl See for Finish<'_, '_> {
    fn see(&mut self, found: &Found<'_>) -> bool {
        if FileType::from_raw_mode(found.stat.st_mode) != FileType::Directory {
            return true;
        }
        match self.folders.get(&found.stat.st_ino) {
            Some(Folder::Named(modified)) => {
                let set = self.unpacker.set_times(found.place.parent, found.place.name.to_bytes(), *modified);
                self.fault = set.err().map(|cause| UnpackError::entry(found.path, cause));
            }
            Some(Folder::Implied) => self.unpacker.unpacked.implied.push(found.path.to_owned()),
            Some(Folder::ImpliedAlone) | None => {}
        }
        self.fault.is_none()
    }
}
