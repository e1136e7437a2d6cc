//! Files, links and devices.

use std::io::{Read, Write};
use std::os::fd::AsFd;

use ring::digest::{Context, SHA256};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::attributes::by_descriptor;
use super::error::{Fault, words};
use super::place::{self, is_whiteout};
use super::state::{Parent, Stop, Unpacker};
use crate::images::archive::{Archive, ArchiveError, Entry, Kind};
use crate::runtime::tree;

/// What a hole of a sparse file has, piece by piece: it is in the binary as it is.
static ZEROS: [u8; 4 << 10] = [0; 4 << 10];

impl Unpacker<'_> {
    pub(super) fn file<R: Read>(
        &mut self,
        parent: &Parent,
        name: &[u8],
        entry: &Entry,
        archive: &mut Archive<R>,
    ) -> Result<(), Stop> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let make = || rustix::fs::openat(&parent.folder, name, flags, mode);
        let file = self.in_place_of(parent, name, make, "make the file")?;
        let found = rustix::fs::fstat(&file).map_err(Fault::system("look at the file"))?;
        let mut file = std::fs::File::from(file);
        let sha256 = content(&mut file, entry, archive)?;
        self.give(file.as_fd(), &found, entry)?;
        self.set_times_of(file.as_fd(), entry.modified)?;
        self.unpacked.contents.put(found.st_ino, sha256);
        Ok(())
    }

    pub(super) fn symlink(&mut self, parent: &Parent, name: &[u8], entry: &Entry) -> Result<(), Fault> {
        let make = || rustix::fs::symlinkat(&entry.link[..], &parent.folder, name);
        self.in_place_of(parent, name, make, "make the symbolic link")?;
        self.give_at(&parent.folder, name, entry)?;
        self.set_times(&parent.folder, name, entry.modified)
    }

    /// The other name has all that the file has; what the entry says besides doesn't count.
    pub(super) fn hard_link(&mut self, parent: &Parent, name: &[u8], entry: &Entry) -> Result<(), Stop> {
        let missing = || Fault::LinkTarget { target: words(&entry.link) };
        let names = place::names(&entry.link);
        let (last, above) = names.split_last().ok_or_else(|| Fault::LinkToFolder { target: words(&entry.link) })?;
        let above = self.find(above).map_err(|cause| match cause {
            Stop::Fault(Fault::System { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                missing().into()
            }
            Stop::Fault(Fault::NoFolder { .. }) => missing().into(),
            other => other,
        })?;
        let target = match rustix::fs::statat(&above.folder, *last, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if is_whiteout(&found) => return Err(missing().into()),
            Err(Errno::NOENT) => return Err(missing().into()),
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
                return Err(Fault::LinkToFolder { target: words(&entry.link) }.into());
            }
            found => found.map_err(Fault::system("look at what it is a hard link to"))?,
        };
        let is_it = |found: Stat| tree::identity(&found) == tree::identity(&target);
        if rustix::fs::statat(&parent.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_it) {
            return Ok(());
        }
        let make = || rustix::fs::linkat(&above.folder, *last, &parent.folder, name, AtFlags::empty());
        Ok(self.in_place_of(parent, name, make, "make the hard link")?)
    }

    /// A device or a FIFO.
    pub(super) fn node(&mut self, parent: &Parent, name: &[u8], entry: &Entry) -> Result<(), Fault> {
        let (kind, noun) = match entry.kind {
            Kind::Character => (FileType::CharacterDevice, "character device"),
            Kind::Block => (FileType::BlockDevice, "block device"),
            _ => (FileType::Fifo, "FIFO"),
        };
        let mode = Mode::from_raw_mode(entry.mode);
        let device = rustix::fs::makedev(entry.device.0, entry.device.1);
        let make = || rustix::fs::mknodat(&parent.folder, name, kind, mode, device);
        match self.in_place_of(parent, name, make, "make the device") {
            // As in a user namespace. Podman without root leaves them out as well: containers get a /dev of their own.
            Err(Fault::System { cause, .. }) if cause.kind() == std::io::ErrorKind::PermissionDenied => {
                self.unpacked.left_out.put(|| format!("{}: a {noun} can't be made here: {cause}", words(&entry.name)));
                return Ok(());
            }
            made => made?,
        }
        self.give_at(&parent.folder, name, entry)?;
        // What was just made here is no link.
        let changed = rustix::fs::chmodat(&parent.folder, name, mode, AtFlags::empty());
        changed.map_err(Fault::system("change its mode"))?;
        self.set_times(&parent.folder, name, entry.modified)
    }

    /// Makes something that takes the place of what an earlier entry made.
    fn in_place_of<T>(
        &self,
        parent: &Parent,
        name: &[u8],
        make: impl Fn() -> Result<T, Errno>,
        call: &'static str,
    ) -> Result<T, Fault> {
        match make() {
            Err(Errno::EXIST) => {
                self.remove(parent, name)?;
                make().map_err(Fault::system(call))
            }
            made => made.map_err(Fault::system(call)),
        }
    }

    /// Removes what an earlier entry made, with all that is in it.
    pub(super) fn remove(&self, parent: &Parent, name: &[u8]) -> Result<(), Fault> {
        const CALL: &str = "remove what an earlier entry of this name has made";
        match rustix::fs::unlinkat(&parent.folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                let removed = tree::remove(&by_descriptor(parent.folder.as_fd(), name));
                removed.map_err(|cause| Fault::System { call: CALL, cause })
            }
            removed => removed.map_err(Fault::system(CALL)),
        }
    }
}

/// Writes a file's content; its SHA-256.
fn content<R: Read>(to: &mut std::fs::File, entry: &Entry, archive: &mut Archive<R>) -> Result<[u8; 32], Stop> {
    let written = |cause| Fault::System { call: "write the file", cause };
    let mut context = Context::new(&SHA256);
    if let Some(pieces) = &entry.pieces {
        let mut sparse = Sparse { pieces, at: 0, left: 0 };
        while let Some(mut bytes) = archive.content().map_err(Stop::Archive)? {
            while !bytes.is_empty() {
                let length = sparse.piece(bytes.len(), to, &mut context).map_err(written)?;
                to.write_all(&bytes[..length]).map_err(written)?;
                context.update(&bytes[..length]);
                bytes = &bytes[length..];
            }
        }
        sparse.hole(entry.size, &mut context);
        to.set_len(entry.size).map_err(written)?;
    } else {
        let mut length = 0;
        while let Some(bytes) = archive.content().map_err(Stop::Archive)? {
            to.write_all(bytes).map_err(written)?;
            context.update(bytes);
            length += bytes.len() as u64;
        }
        // The archive's reader has seen to it.
        debug_assert_eq!(length, entry.size);
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(sha256)
}

/// The way through a sparse file.
struct Sparse<'a> {
    pieces: &'a [(u64, u64)],
    /// How far it has come, and how much of the present piece is left.
    at: u64,
    left: u64,
}

impl Sparse<'_> {
    /// How many of the next bytes go where the file is now, at least one.
    fn piece(&mut self, most: usize, file: &mut std::fs::File, context: &mut Context) -> std::io::Result<usize> {
        use std::io::Seek;
        while self.left == 0 {
            let Some(((offset, length), rest)) = self.pieces.split_first() else {
                return Err(std::io::Error::other(ArchiveError::Ends { at: self.at }));
            };
            self.pieces = rest;
            self.hole(*offset, context);
            file.seek(std::io::SeekFrom::Start(*offset))?;
            self.left = *length;
        }
        let length = self.left.min(most as u64);
        self.left -= length;
        self.at += length;
        Ok(length as usize)
    }

    /// Up to there nothing is stored.
    fn hole(&mut self, end: u64, context: &mut Context) {
        while self.at < end {
            let length = (end - self.at).min(ZEROS.len() as u64);
            context.update(&ZEROS[..length as usize]);
            self.at += length;
        }
    }
}
