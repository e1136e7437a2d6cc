//! Layers that are being made, and the names of folders.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::{LayersError, failed};
use crate::images::digest::Digest;
use crate::runtime::{random, tree};

pub(super) const TREE: &str = "tree";
pub(super) const RECORD: &str = "record";
/// What the names of folders begin with that are no layers: of one that is being made, and of one that is being removed.
pub(super) const NEW: &str = ".new-";
pub(super) const OLD: &str = ".old-";
pub(super) const HALVES: [&str; 2] = [NEW, OLD];
/// And of one that was replaced: then the layer's name, and a random one.
pub(super) const ASIDE: &str = ".aside-";

/// A layer that is being made. It is gone with this value unless it is committed.
#[derive(Debug)]
pub struct Staged {
    /// The folder of all layers.
    pub(super) dir: PathBuf,
    pub(super) path: PathBuf,
    /// The folder. It is locked as long as this is open; and since it was opened before anything was written, the kernel tells
    /// by it of all that couldn't be (syncfs(2), since Linux 5.8).
    pub(super) folder: File,
    pub(super) is_committed: bool,
}

impl Staged {
    pub(super) fn new(dir: &Path) -> Result<Self, LayersError> {
        loop {
            let path = dir.join(named(NEW));
            fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed("make", &path))?;
            let folder = File::open(&path).map_err(failed("open", &path))?;
            folder.lock().map_err(failed("lock", &path))?;
            // A sweep may have taken it for a dead one's before it was locked.
            let identity = |found: fs::Metadata| (found.dev(), found.ino());
            let mine = folder.metadata().map(identity).map_err(failed("look at", &path))?;
            if !fs::symlink_metadata(&path).is_ok_and(|found| identity(found) == mine) {
                continue;
            }
            let staged = Self { dir: dir.to_owned(), path, folder, is_committed: false };
            let tree = staged.tree();
            fs::DirBuilder::new().mode(0o755).create(&tree).map_err(failed("make", &tree))?;
            // Whatever the umask.
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&tree, mode).map_err(failed("change the mode of", &tree))?;
            return Ok(staged);
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.path.join(TREE)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_committed {
            // What can't be removed is left to a sweep.
            let _ = tree::remove(&self.path);
        }
    }
}

/// Removes one that is being made by nobody, or being removed; false: somebody is at it.
pub(super) fn remove_if_dead(path: &Path) -> io::Result<bool> {
    let folder = match File::open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match folder.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(cause)) => return Err(cause),
    }
    tree::remove(path)?;
    Ok(true)
}

pub(super) fn named(prefix: &str) -> String {
    format!("{prefix}{}", random::uuid().simple())
}

/// A name for what is set aside of a layer.
pub(super) fn aside(key: &Digest) -> String {
    named(&format!("{ASIDE}{}-", key.hex()))
}

/// Of which layer something was set aside.
pub(super) fn key_of_aside(name: &str) -> Option<Digest> {
    key(name.strip_prefix(ASIDE)?.rsplit_once('-')?.0)
}

/// Which layer's name this is.
pub(super) fn key(name: &str) -> Option<Digest> {
    let algorithm = match name.len() {
        64 => "sha256",
        128 => "sha512",
        _ => return None,
    };
    format!("{algorithm}:{name}").parse().ok()
}

/// Puts the entries of a folder on disk.
pub(super) fn sync(dir: &Path) -> Result<(), LayersError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("put on disk", dir))
}
