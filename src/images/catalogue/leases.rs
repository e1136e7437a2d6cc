//! Leases: what pods have on images. Each image has a file for them, which is locked and never replaced: its summary and documents
//! may be written anew while pods run.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::uses::{self, Place};
use super::{Catalogue, CatalogueError, LEASES, Lock, SUMMARIES, failed};
use crate::images::digest::Digest;

/// Keeps an image from being removed for as long as it lives.
#[derive(Debug)]
pub struct Lease {
    file: File,
    place: Option<Place>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        uses::end(&self.file, self.place);
    }
}

impl Catalogue {
    /// Keeps an image from being removed for as long as what this gives lives, by the path of its summary; `None`: it is gone, or
    /// about to be. Waits for nobody.
    ///
    /// # Errors
    /// Where that can't be had.
    pub fn lease(summary: &Path) -> io::Result<Option<Lease>> {
        if !summary.try_exists()? {
            return Ok(None);
        }
        let file = lease_file(summary)?;
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(cause)) => return Err(cause),
        }
        // It may have been removed before it was locked.
        let is_there = rustix::fs::fstat(&file)?.st_nlink > 0 && summary.try_exists()?;
        Ok(is_there.then(|| Lease { place: uses::begin(&file), file }))
    }

    /// Waits while somebody keeps others from taking a lease on an image: whoever removes it, or looks whether that may be done.
    ///
    /// # Errors
    /// As open(2), flock(2).
    pub fn wait_for_lease(summary: &Path) -> io::Result<()> {
        match summary.try_exists()? {
            true => lease_file(summary)?.lock_shared(),
            false => Ok(()),
        }
    }

    /// What a lease is asked for by.
    #[must_use]
    pub fn summary_path(&self, manifest: &Digest) -> PathBuf {
        self.dir.join(SUMMARIES).join(manifest.hex())
    }

    /// Whether a pod has a lease on an image. What can't be looked at may have one.
    #[must_use]
    pub fn is_leased(&self, manifest: &Digest) -> bool {
        self.unleased(manifest).is_none()
    }

    /// Keeps others from taking a lease; `None`: somebody has one, or may have.
    pub(super) fn unleased(&self, manifest: &Digest) -> Option<Lock> {
        let file = lease_file(&self.summary_path(manifest)).ok()?;
        file.try_lock().ok()?;
        uses::settle(&file);
        Some(Lock(file))
    }

    /// When an image was last used: asked for, or needed by a pod. One that a pod uses now was when that began.
    #[must_use]
    pub fn last_use(&self, manifest: &Digest) -> SystemTime {
        let noted = uses::noted(&self.lease_path(manifest));
        noted.max(self.summary(manifest).map_or(SystemTime::UNIX_EPOCH, |summary| summary.time()))
    }

    /// Notes that somebody has asked for an image. It lives on where that can't be noted, on a full disk.
    pub fn note_use(&self, manifest: &Digest) {
        if self.is_own(manifest)
            && let Ok(file) = lease_file(&self.summary_path(manifest))
        {
            uses::touch(&file);
        }
    }

    /// Whether a pod uses an image now, as far as that can be seen without being in anybody's way.
    #[must_use]
    pub fn seems_used(&self, manifest: &Digest) -> bool {
        File::open(self.lease_path(manifest)).is_ok_and(|file| uses::is_any(&file))
    }

    pub(super) fn make_lease_file(&self, manifest: &Digest) -> Result<(), CatalogueError> {
        let made = lease_file(&self.summary_path(manifest)).map(drop);
        made.map_err(failed("make", &self.lease_path(manifest)))
    }

    /// Gives the inode of an image's leases away, where nobody has one; whether it did. Whoever has the file open sees that it is
    /// gone, and looks again.
    pub(super) fn give_inode(&self, manifest: &Digest) -> bool {
        let path = self.lease_path(manifest);
        path.exists() && self.unleased(manifest).is_some_and(|_lock| fs::remove_file(&path).is_ok())
    }

    fn lease_path(&self, manifest: &Digest) -> PathBuf {
        self.dir.join(LEASES).join(manifest.hex())
    }

    /// Layers of images that pods have leases on; `None`: of one of them nobody can tell.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn leased(&self) -> Result<Option<BTreeSet<Digest>>, CatalogueError> {
        let mut layers = BTreeSet::new();
        for manifest in self.known()?.into_iter().filter(|manifest| self.is_leased(manifest)) {
            let Ok(summary) = self.summary(&manifest) else { return Ok(None) };
            layers.extend(summary.layers);
        }
        Ok(Some(layers))
    }
}

/// The file of an image's leases; made where it isn't there: then nobody has used the image yet, or nobody knows.
fn lease_file(summary: &Path) -> io::Result<File> {
    let layout = summary.parent().and_then(Path::parent);
    let (Some(layout), Some(name)) = (layout, summary.file_name()) else { return Err(ErrorKind::InvalidInput.into()) };
    let folder = layout.join(LEASES);
    let path = folder.join(name);
    loop {
        let mut how = OpenOptions::new();
        how.read(true).write(true).mode(0o600);
        match how.open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => return file,
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        match how.create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => return file.inspect(uses::never),
        }
    }
}
