//! A stored layer as a tar archive.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::error::ExportError;
use crate::images::archive::{Entry, Kind, Writer};
use crate::images::digest::{Algorithm, Digest, Hashed};
use crate::images::layers::Layers;
use crate::images::record::{self, Kind as Recorded, Time};
use crate::images::unpack::{OPAQUE_WHITEOUT, WHITEOUT, is_of_an_image};

/// What makes a folder hide what lower layers have in it (overlayfs).
const OPAQUE: [&[u8]; 2] = [b"trusted.overlay.opaque", b"user.overlay.opaque"];

/// Writes it, in the order of its paths; what isn't as it was recorded is an error.
pub(super) fn write(layers: &Layers, key: &Digest, to: &mut dyn Write) -> Result<(), ExportError> {
    let (tree, mut entries) = layers.contents(key)?;
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let mut writer = Writer::new(to);
    // Files with several names, by inode: the first one has the content.
    let mut names: HashMap<u64, Vec<u8>> = HashMap::new();
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let failed = |path: &[u8], cause| ExportError::Layer { layer: key.clone(), path: text(path), cause };
    let damaged =
        |path: &[u8], why: &str| ExportError::Damaged { layer: key.clone(), path: text(path), why: why.to_owned() };
    for one in &entries {
        let fault = |cause: io::Error| failed(&one.path, cause);
        let Some(mut entry) = entry(one) else { continue };
        let Recorded::File { size, sha256 } = &one.kind else {
            writer.put(&entry, &mut io::empty()).map_err(fault)?;
            if one.xattrs.iter().any(|(name, value)| OPAQUE.contains(&&name[..]) && value == b"y") {
                writer.put(&mark(within(&one.path, OPAQUE_WHITEOUT)), &mut io::empty()).map_err(fault)?;
            }
            continue;
        };
        let file = open(tree.as_fd(), &one.path).map_err(fault)?;
        let found = file.metadata().map_err(fault)?;
        if !found.is_file() || found.len() != *size {
            return Err(damaged(&one.path, "it has another size, or is no file"));
        }
        if found.nlink() > 1 {
            if let Some(first) = names.get(&found.ino()) {
                (entry.kind, entry.size, entry.link) = (Kind::HardLink, 0, first.clone());
                writer.put(&entry, &mut io::empty()).map_err(fault)?;
                continue;
            }
            names.insert(found.ino(), one.path.clone());
        }
        let mut content = Hashed::new(file, Algorithm::Sha256);
        writer.put(&entry, &mut (&mut content).take(*size)).map_err(fault)?;
        let recorded: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        if content.finish().0.hex() != recorded {
            return Err(damaged(&one.path, "its content is another one"));
        }
    }
    writer.finish().map(drop).map_err(|cause| failed(b"its end", cause))
}

/// As an archive has it; `None`: it can't.
fn entry(one: &record::Entry) -> Option<Entry> {
    let (mut kind, mut size, mut link, mut device) = (Kind::File, 0, Vec::new(), (0, 0));
    match &one.kind {
        Recorded::File { size: found, .. } => size = *found,
        Recorded::Folder => kind = Kind::Folder,
        Recorded::Link { target } => (kind, link) = (Kind::Symlink, target.clone()),
        Recorded::Character { major: 0, minor: 0 } => {
            let (folder, name) = one
                .path
                .iter()
                .rposition(|byte| *byte == b'/')
                .map_or((&b"."[..], &one.path[..]), |at| (&one.path[..at], &one.path[at + 1..]));
            return Some(mark(within(folder, &[WHITEOUT, name].concat())));
        }
        Recorded::Character { major, minor } => (kind, device) = (Kind::Character, (*major, *minor)),
        Recorded::Block { major, minor } => (kind, device) = (Kind::Block, (*major, *minor)),
        Recorded::Fifo => kind = Kind::Fifo,
        Recorded::Socket => return None,
    }
    let mut name = one.path.clone();
    if kind == Kind::Folder {
        name.push(b'/');
    }
    // A record of an extended header ends its key with that character.
    let is_its = |name: &[u8]| is_of_an_image(name) && !name.contains(&b'=');
    let xattrs = one.xattrs.iter().filter(|(name, _)| is_its(name)).cloned().collect();
    let record::Entry { mode, uid, gid, modified, .. } = *one;
    Some(Entry { name, kind, mode, uid, gid, modified, size, pieces: None, link, device, xattrs })
}

/// A file that says that something is hidden.
fn mark(name: Vec<u8>) -> Entry {
    let modified = Time::default();
    let (kind, link, xattrs) = (Kind::File, Vec::new(), Vec::new());
    Entry { name, kind, mode: 0o644, uid: 0, gid: 0, modified, size: 0, pieces: None, link, device: (0, 0), xattrs }
}

fn within(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder == b"." { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn open(tree: BorrowedFd<'_>, path: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(openat2(tree, Path::new(OsStr::from_bytes(path)), flags, Mode::empty(), resolve)?.into())
}
