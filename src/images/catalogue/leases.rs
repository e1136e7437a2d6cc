//! Leases: what pods have on images, locks of the images' summaries.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Catalogue, CatalogueError, Lock, SUMMARIES};
use crate::images::digest::Digest;

impl Catalogue {
    /// Keeps an image from being removed for as long as what this gives lives; `None`: it is gone, or about to be. Waits for nobody.
    ///
    /// # Errors
    /// Where that can't be had.
    pub fn lease(summary: &Path) -> io::Result<Option<Lock>> {
        let file = match File::open(summary) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(cause)) => return Err(cause),
        }
        // It may have been removed before it was locked.
        Ok((rustix::fs::fstat(&file)?.st_nlink > 0).then_some(Lock(file)))
    }

    /// What a lease is on.
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
        let file = File::open(self.summary_path(manifest)).ok()?;
        file.try_lock().ok()?;
        Some(Lock(file))
    }

    /// Layers of images that pods have leases on; `None`: of one of them nobody can tell.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn leased(&self) -> Result<Option<BTreeSet<Digest>>, CatalogueError> {
        let mut layers = BTreeSet::new();
        for manifest in self.summaries()?.into_iter().filter(|manifest| self.is_leased(manifest)) {
            let Ok(summary) = self.summary(&manifest) else { return Ok(None) };
            layers.extend(summary.layers);
        }
        Ok(Some(layers))
    }
}
