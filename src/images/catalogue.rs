//! Which images the store has: names, and the documents behind them, as an OCI image layout (OCI image spec, "Image Layout") that
//! other tools can look at. Layers are elsewhere (`layers`), unpacked.
//!
//! An image is there from the moment on that `index.json` names it: all that it needs was synced before. Whoever changes that
//! file has the catalogue's lock; readers need none.

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod changed;
mod error;
mod index;
mod leases;
mod mend;
mod naming;
mod summary;
mod sweep;
mod uses;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::document::{Config, Descriptor, REF_NAME};
use super::trust::Proof;
use crate::store;
pub use error::CatalogueError;
use index::{Index, failed, index_of, read};
pub use leases::Lease;
pub use mend::Mended;
pub use naming::{Naming, Stay};
pub use summary::Summary;

const BLOBS: &str = "blobs";
/// What is known of images beside their documents; not a part of the layout.
const SUMMARIES: &str = "summaries";
/// Of each image a file that pods which use it have locked (`leases`).
const LEASES: &str = "leases";
/// The index that the image was chosen from.
const CHOSEN_FROM: &str = "dev.barepod.image.index";
/// What was proven of its signatures when it was pulled, as JSON.
const PROOFS: &str = "dev.barepod.image.signatures";
/// Somebody has asked for it by hand: it doesn't go by itself. Any text says so.
const KEPT: &str = "dev.barepod.image.kept";

/// The catalogue of a store.
#[derive(Clone, Debug)]
pub struct Catalogue {
    dir: PathBuf,
    /// Those of stores that lie below, which nobody changes. What the first has counts.
    below: Vec<PathBuf>,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// By which it was asked for.
    pub name: String,
    /// Its manifest; the name of its summary too.
    pub manifest: Digest,
    /// What the name stands for at its source: the manifest, or the index that this was chosen from.
    pub source: Digest,
    /// What was proven of its signatures when it was pulled.
    pub proofs: Vec<Proof>,
    /// Whether somebody has brought it by hand: nothing but an order removes it then.
    pub is_kept: bool,
    /// The store below that has it.
    pub read_only: Option<PathBuf>,
    /// What describes its manifest, with all of this.
    pub(super) descriptor: Descriptor,
}

/// Keeps others from changing the catalogue for as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holds the lock")] File);

impl Catalogue {
    /// Below the store's folder. Nothing is made until something is written.
    #[must_use]
    pub fn at(store: &Path) -> Self {
        Self::over(store, &[])
    }

    /// Likewise, over stores that nobody changes.
    #[must_use]
    pub fn over(store: &Path, below: &[PathBuf]) -> Self {
        let dir = |store: &Path| store.join("layout");
        Self { dir: dir(store), below: below.iter().map(|store| dir(store)).collect() }
    }

    /// The image of this name; `None`: it isn't there.
    ///
    /// # Errors
    /// Where that can't be read.
    pub fn find(&self, name: &str) -> Result<Option<Entry>, CatalogueError> {
        for (dir, store) in self.dirs() {
            let mut all = named(index_of(dir, store)?, store).into_iter();
            if let Some(found) = all.find(|entry| entry.name == name) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// All images, by their names. One of a store below only where the stores over it have none of its name.
    ///
    /// # Errors
    /// Where they can't be read.
    pub fn list(&self) -> Result<Vec<Entry>, CatalogueError> {
        let mut entries = BTreeMap::new();
        for (dir, store) in self.dirs() {
            for entry in named(index_of(dir, store)?, store) {
                entries.entry(entry.name.clone()).or_insert(entry);
            }
        }
        Ok(entries.into_values().collect())
    }

    /// What is known of an image.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn summary(&self, manifest: &Digest) -> Result<Summary, CatalogueError> {
        let (path, bytes) = self.first(&Path::new(SUMMARIES).join(manifest.hex()))?;
        Summary::read(&path, &bytes)
    }

    /// Whether what is known of an image is in this store, not in one below.
    #[must_use]
    pub fn is_own(&self, manifest: &Digest) -> bool {
        self.summary_path(manifest).exists()
    }

    /// An image's config.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn config(&self, digest: &Digest) -> Result<Config, CatalogueError> {
        let (path, bytes) = self.first(&blob(digest))?;
        Config::read(&bytes).map_err(|cause| CatalogueError::Document { path, cause })
    }

    /// The bytes of a document; `None`: it isn't there.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError> {
        match self.first(&blob(digest)) {
            Ok((_, bytes)) => Ok(Some(bytes)),
            Err(CatalogueError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until nobody else changes the catalogue.
    ///
    /// # Errors
    /// Where the folder can't be made or locked.
    pub fn lock(&self) -> Result<Lock, CatalogueError> {
        for folder in [self.dir.clone(), self.dir.join(BLOBS).join("sha256"), self.dir.join(SUMMARIES)] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(failed("mkdir", &folder))?;
        }
        let folder = File::open(&self.dir).map_err(failed("open", &self.dir))?;
        folder.lock().map_err(failed("flock", &self.dir))?;
        Ok(Lock(folder))
    }

    /// Writes a document down, on disk once this returns.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn keep(&self, _: &Lock, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), CatalogueError> {
        let path = self.dir.join(blob(&descriptor.digest));
        let folder = path.parent().unwrap_or(&self.dir).to_owned();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("mkdir", &folder))?;
        if read(&path).is_ok_and(|there| descriptor.verify("document", &there).is_ok()) {
            return Ok(());
        }
        store::atomic::replace_bytes_synced(&folder, descriptor.digest.hex(), bytes)?;
        Ok(())
    }

    /// Writes down what is known of an image.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn know(&self, _: &Lock, manifest: &Digest, summary: &Summary) -> Result<(), CatalogueError> {
        let path = self.summary_path(manifest);
        // While there is an inode for it: what can't be locked later can't be removed.
        self.make_lease_file(manifest)?;
        let own = read(&path).and_then(|bytes| Summary::read(&path, &bytes)).ok();
        if own.as_ref() != Some(summary) {
            store::atomic::replace_synced(&self.dir.join(SUMMARIES), manifest.hex(), summary)?;
        }
        Ok(())
    }

    /// The folder of this catalogue, and those of the ones below with the stores that they are of, as far as each counts.
    fn dirs(&self) -> impl Iterator<Item = (&Path, Option<&Path>)> {
        let below = self.below.iter().map(|dir| (dir.as_path(), Some(dir.parent().unwrap_or(dir))));
        [(self.dir.as_path(), None)].into_iter().chain(below)
    }

    /// Something that is in this store, or else in the first one below that has it; and where.
    fn first(&self, path: &Path) -> Result<(PathBuf, Vec<u8>), CatalogueError> {
        let own = self.dir.join(path);
        let missing = match read(&own) {
            Err(CatalogueError::Io { cause, call, path }) if cause.kind() == ErrorKind::NotFound => {
                CatalogueError::Io { call, path, cause }
            }
            read => return read.map(|bytes| (own, bytes)),
        };
        let below = self.below.iter().map(|dir| dir.join(path)).find(|path| path.exists());
        below.map_or(Err(missing), |path| Ok((path.clone(), read(&path)?)))
    }
}

/// Where a document is below the folder of a layout.
fn blob(digest: &Digest) -> PathBuf {
    Path::new(BLOBS).join(digest.algorithm().name()).join(digest.hex())
}

fn named(index: Index, store: Option<&Path>) -> Vec<Entry> {
    let entry = |descriptor: Descriptor| {
        let name = descriptor.annotations.get(REF_NAME)?.clone();
        let chosen = descriptor.annotations.get(CHOSEN_FROM).and_then(|text| text.parse().ok());
        let source = chosen.unwrap_or_else(|| descriptor.digest.clone());
        let proofs = descriptor.annotations.get(PROOFS).and_then(|text| serde_json::from_str(text).ok());
        let (manifest, proofs) = (descriptor.digest.clone(), proofs.unwrap_or_default());
        let is_kept = descriptor.annotations.contains_key(KEPT);
        Some(Entry { name, manifest, source, proofs, is_kept, read_only: store.map(Path::to_owned), descriptor })
    };
    index.manifests.into_iter().filter_map(entry).collect()
}
