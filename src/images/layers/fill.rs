//! The content of a layer that is being made, and the moment when it is one.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::ahead;
use super::error::{LayersError, failed};
use super::found::{Layer, Layers};
use super::stage::{RECORD, Staged, aside, sync};
use crate::images::digest::Digest;
use crate::images::record;
use crate::images::unpack::{Limits, Notes, Unpacked, unpack};

/// A layer whose files are there. Folders of it may still be changed (mode, owner, times, extended attributes), files not.
#[derive(Debug)]
pub struct Filled {
    staged: Staged,
    /// The digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Digest and size of what was read.
    pub compressed: Digest,
    pub compressed_size: u64,
    pub unpacked: Unpacked,
}

impl Staged {
    /// Unpacks a layer, compressed or not, while it is read to its end. A thread decompresses ahead.
    ///
    /// # Errors
    /// It can't be read or unpacked.
    pub fn fill(self, reader: impl Read + Send, limits: &Limits, notes: Notes) -> Result<Filled, LayersError> {
        let path = self.tree();
        let tree = File::open(&path).map_err(failed("open", &path))?;
        let unpacked = ahead::decompress(reader, |archive| unpack(archive, tree.as_fd(), limits, notes));
        let (unpacked, all) = unpacked.map_err(|cause| LayersError::from(cause).on(&self.dir))?;
        let ahead::All { archive: diff_id, compressed, compressed_size } = all;
        Ok(Filled { staged: self, diff_id, compressed, compressed_size, unpacked })
    }
}

impl Filled {
    /// Where its files are.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.staged.tree()
    }

    /// Whether its folders depend on no layer below. The root alone doesn't: nearly no layer has an entry for it.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.unpacked.implied.iter().all(|path| path == b".")
    }

    /// Makes it the layer of this name; when this returns, it is on disk. Where somebody else has made it meanwhile, theirs stays.
    ///
    /// # Errors
    /// It can't be recorded, or put on disk, or renamed. Nothing of it stays then.
    pub fn commit(mut self, key: &Digest) -> Result<Layer, LayersError> {
        self.record()?;
        let layers = Layers::at(&self.staged.dir);
        loop {
            match fs::rename(&self.staged.path, layers.folder(key)) {
                Ok(()) => {
                    self.staged.is_committed = true;
                    break;
                }
                Err(cause) if matches!(cause.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                    if layers.find(key)?.is_some() {
                        break;
                    }
                    // Something that isn't a layer; but somebody may use it.
                    layers.set_aside(key)?;
                }
                Err(cause) => return Err(failed("rename", &self.staged.path)(cause)),
            }
        }
        self.named(&layers, key)
    }

    /// As [`Self::commit`], in the place of what has that name. That is set aside, for those who use it.
    ///
    /// # Errors
    /// As [`Self::commit`]; what was there stays then.
    pub fn replace(mut self, key: &Digest) -> Result<Layer, LayersError> {
        self.record()?;
        let layers = Layers::at(&self.staged.dir);
        let (aside, name) = (layers.dir.join(aside(key)), layers.folder(key));
        // First, as an exchange leaves the old one under the new one's name: what is set aside isn't swept while it is used. Until
        // then it is the new one's, which nobody sweeps while it is locked.
        fs::rename(&self.staged.path, &aside).map_err(failed("rename", &self.staged.path))?;
        self.staged.path.clone_from(&aside);
        match renameat_with(CWD, &aside, CWD, &name, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::NOENT) => fs::rename(&aside, &name).map_err(failed("rename", &aside))?,
            // Not every file system has that: for a moment there is none.
            Err(Errno::INVAL | Errno::NOSYS) => {
                layers.set_aside(key)?;
                fs::rename(&aside, &name).map_err(failed("rename", &aside))?;
            }
            Err(errno) => return Err(failed("exchange", &name)(errno.into())),
        }
        self.staged.is_committed = true;
        self.named(&layers, key)
    }

    /// Writes its record down, and puts all of it on disk.
    fn record(&self) -> Result<(), LayersError> {
        let staged = &self.staged;
        let (tree, record) = (staged.tree(), staged.path.join(RECORD));
        let open = File::open(&tree).map_err(failed("open", &tree))?;
        let file = File::create_new(&record).map_err(|cause| failed("make", &record)(cause).on(&staged.dir))?;
        record::write(open.as_fd(), &self.unpacked.contents, &file)
            .map_err(|cause| LayersError::Record { path: record.clone(), cause }.on(&staged.dir))?;
        // One call for all of it: a layer has tens of thousands of files, and each fsync waits for the disk.
        rustix::fs::syncfs(&staged.folder)
            .map_err(|errno| failed("put on disk", &staged.path)(errno.into()).on(&staged.dir))
    }

    fn named(&self, layers: &Layers, key: &Digest) -> Result<Layer, LayersError> {
        sync(&layers.dir)?;
        let missing = || failed("find", &layers.folder(key))(ErrorKind::NotFound.into());
        layers.find(key)?.ok_or_else(missing)
    }
}
