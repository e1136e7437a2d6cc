//! Leases: what pods have on images. Each image has a file for them, which is locked and never replaced: its summary and documents
//! may be written anew while pods run.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Catalogue, CatalogueError, LEASES, Lock, SUMMARIES};
use crate::images::digest::Digest;

impl Catalogue {
    /// Keeps an image from being removed for as long as what this gives lives, by the path of its summary; `None`: it is gone, or
    /// about to be. Waits for nobody.
    ///
    /// # Errors
    /// Where that can't be had.
    pub fn lease(summary: &Path) -> io::Result<Option<Lock>> {
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
        Ok(is_there.then_some(Lock(file)))
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
        Some(Lock(file))
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

/// The file of an image's leases; made where it isn't there.
fn lease_file(summary: &Path) -> io::Result<File> {
    let layout = summary.parent().and_then(Path::parent);
    let (Some(layout), Some(name)) = (layout, summary.file_name()) else { return Err(ErrorKind::InvalidInput.into()) };
    let folder = layout.join(LEASES);
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(name));
    match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            open()
        }
        file => file,
    }
}
