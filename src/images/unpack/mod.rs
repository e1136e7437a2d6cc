//! Unpacks layers: each into an empty folder, as the lower layer of an overlay.
//!
//! A layer is hostile. Nothing outside of the folder is reached, whatever names, links and earlier entries of it say: each step
//! goes from one folder's descriptor to the next, links are read and resolved here and never by the kernel (`place.rs`). Limits bound
//! what it may use. What it can't be trusted with, it doesn't get: overlays keep notes of their own in extended attributes, and
//! labels of the box (SELinux, IMA) are the box's.
//!
//! As in containerd and podman: a later entry replaces an earlier one of its name, but a folder stays one with what is in it; names
//! with `..` end at the root; folders that only the names of other entries tell of are made (they are *implied*, and
//! reported, since an overlay is to show them as the layers below have them); devices that can't be made here, as in a user
//! namespace, and extended attributes that this file system doesn't have are left out and reported. Whiteouts count
//! for the layers below alone, wherever they are in the archive. A layer doesn't see those below: a name through a symbolic link
//! of a layer below makes a folder in its place, as with Docker and podman.
//!
//! Files are hashed while they are written. Start reading at [`unpack`].

mod attributes;
mod error;
mod files;
mod folders;
mod place;
mod state;
mod whiteouts;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::os::fd::BorrowedFd;

pub(super) use attributes::is_of_an_image;
pub use error::{Fault, UnpackError};
pub use state::{LeftOut, Limits, Notes, Unpacked};
pub(super) use whiteouts::{OPAQUE_WHITEOUT, WHITEOUT};

use crate::images::archive::{Archive, Entry, Kind};
use state::{Parent, Stop, Unpacker};

/// Unpacks a layer into an empty folder (`root`, open for reading), and reads its archive to the end of the stream. The mode and
/// owner of the folder itself are those of the archive's entry for it.
///
/// # Errors
/// The archive can't be read; something in it can't be made, or mustn't be; a limit is exceeded. What has been made so far stays.
pub fn unpack(reader: impl Read, root: BorrowedFd<'_>, limits: &Limits, notes: Notes) -> Result<Unpacked, UnpackError> {
    let mut archive = Archive::new(reader, limits.bytes);
    let mut unpacker = Unpacker::new(root, *limits, notes)?;
    while let Some(entry) = archive.advance()? {
        unpacker.entry(&entry, &mut archive).map_err(|cause| match cause {
            Stop::Archive(cause) => UnpackError::Archive(cause),
            Stop::Limit(cause) => cause,
            Stop::Fault(cause) => UnpackError::entry(&entry.name, cause),
        })?;
    }
    archive.finish()?;
    unpacker.finish()
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, entry: &Entry, archive: &mut Archive<R>) -> Result<(), Stop> {
        let names = place::names(&entry.name);
        let Some((name, above)) = names.split_last() else {
            return Ok(self.root_entry(entry)?);
        };
        let Some(what) = whiteouts::of(name, above)? else { return Ok(()) };
        let parent = match self.parent.take().filter(|last| last.is(above)) {
            Some(parent) => parent,
            None => self.find_or_make(above)?,
        };
        self.count(parent.length + name.len() + 1)?;
        let made = match what {
            whiteouts::What::Nothing => self.make(&parent, name, entry, archive),
            whiteouts::What::Whiteout(hidden) => self.whiteout(&parent, hidden, entry),
            whiteouts::What::Opaque => self.opaque_marker(&parent, above.is_empty()).map_err(Stop::from),
        };
        self.parent = Some(parent);
        made
    }

    fn make<R: Read>(
        &mut self,
        parent: &Parent,
        name: &[u8],
        entry: &Entry,
        archive: &mut Archive<R>,
    ) -> Result<(), Stop> {
        match entry.kind {
            Kind::File => {
                self.unpacked.bytes = self.unpacked.bytes.saturating_add(entry.size);
                if self.unpacked.bytes > self.limits.bytes {
                    return Err(Stop::Limit(UnpackError::Bytes { limit: self.limits.bytes }));
                }
                self.file(parent, name, entry, archive)
            }
            Kind::Folder => Ok(self.folder(parent, name, entry)?),
            Kind::HardLink => self.hard_link(parent, name, entry),
            Kind::Symlink => Ok(self.symlink(parent, name, entry)?),
            Kind::Character | Kind::Block | Kind::Fifo => Ok(self.node(parent, name, entry)?),
        }
    }
}
