//! Entries that hide what the layers below have (OCI image spec, "Whiteouts").
//!
//! In a layer's tree a whiteout is a character device 0:0, and an opaque folder has an extended attribute (kernel,
//! filesystems/overlayfs). What a layer has itself its whiteouts don't hide.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, XattrFlags};
use rustix::io::Errno;

use super::error::Fault;
use super::state::{Folder, Notes, Parent, Stop, Unpacker};
use crate::images::archive::Entry;

/// What the name begins with of what hides a name.
pub(in crate::images) const WHITEOUT: &[u8] = b".wh.";
/// Of AUFS' own files, but for the one below.
const RESERVED: &[u8] = b".wh..wh.";
/// The name of what hides all that is in its folder.
pub(in crate::images) const OPAQUE_WHITEOUT: &[u8] = b".wh..wh..opq";

/// What an entry is by its name.
pub(super) enum What<'a> {
    /// It isn't about whiteouts.
    Nothing,
    /// It hides what has this name.
    Whiteout(&'a [u8]),
    /// It hides all that is in its folder.
    Opaque,
}

/// What an entry is by its name and those above it; `None`: AUFS had it for itself.
pub(super) fn of<'a>(name: &'a [u8], above: &[&[u8]]) -> Result<Option<What<'a>>, Fault> {
    if above.iter().any(|name| name.starts_with(RESERVED)) {
        return Ok(None);
    }
    if above.iter().any(|name| name.starts_with(WHITEOUT)) {
        return Err(Fault::Whiteout("is that of a folder with something in it"));
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(Some(What::Nothing)),
        Some(_) if name == OPAQUE_WHITEOUT => Ok(Some(What::Opaque)),
        Some(_) if name.starts_with(RESERVED) => Ok(None),
        Some(b"" | b"." | b"..") => Err(Fault::Whiteout("hides no file that there can be")),
        Some(hidden) => Ok(Some(What::Whiteout(hidden))),
    }
}

impl Notes {
    pub(super) fn opaque(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.opaque",
            Self::User => "user.overlay.opaque",
        }
    }
}

impl Unpacker<'_> {
    pub(super) fn whiteout(&mut self, parent: &Parent, name: &[u8], entry: &Entry) -> Result<(), Stop> {
        let system = Fault::system("make a whiteout");
        let made = rustix::fs::mknodat(&parent.folder, name, FileType::CharacterDevice, Mode::empty(), 0);
        match made {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let found = rustix::fs::statat(&parent.folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(&system)?;
                // Anything else hides what is below as it is.
                if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                    self.hide_below(&parent.folder, name)?;
                }
                return Ok(());
            }
            Err(errno) => return Err(system(errno).into()),
        }
        Ok(self.set_times(&parent.folder, name, entry.modified)?)
    }

    /// The folder `parent` has a marker in it.
    pub(super) fn opaque_marker(&mut self, parent: &Parent, is_root: bool) -> Result<(), Fault> {
        self.unpacked.hides_all_below |= is_root;
        let folder = self.open_folder(&parent.folder, b".")?;
        self.note_opaque(&folder)
    }

    /// A folder of this layer is in the place of what the layers below have.
    pub(super) fn hide_below(&mut self, parent: impl AsFd, name: &[u8]) -> Result<(), Fault> {
        let folder = self.open_folder(parent, name)?;
        let found = rustix::fs::fstat(&folder).map_err(Fault::system("look at the folder"))?;
        if let Some(known @ Folder::Implied) = self.folders.get_mut(&found.st_ino) {
            *known = Folder::ImpliedAlone;
        }
        self.note_opaque(&folder)
    }

    fn note_opaque(&self, folder: impl AsFd) -> Result<(), Fault> {
        let name = self.notes.opaque();
        let set = rustix::fs::fsetxattr(folder, name, b"y", XattrFlags::empty());
        set.map_err(|errno| Fault::Notes { name, cause: errno.into() })
    }
}
