//! The images of a box: names and documents, layers, and what becomes of those that nobody needs.
//!
//! A pod that uses an image has a lease on it, a lock that ends with its supervisor: nothing of what is leased is removed, named
//! or not.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::catalogue::{Catalogue, CatalogueError, Entry, Summary};
use super::digest::Digest;
use super::disk::Marks;
use super::layers::{Layers, LayersError};
use super::turns::Turns;

/// Why the store can't be read or changed.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Layers(#[from] LayersError),
    #[error("{call} {}: {cause}", .path.display())]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("{}: it can't be removed: {cause}", .path.display())]
    Left { path: PathBuf, cause: io::Error },
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What is brought comes into this folder, which need not be there.
    pub dir: PathBuf,
    /// Stores that lie below: what they have isn't brought, and nothing in there is ever changed. The first that has something counts.
    pub read_only: Vec<PathBuf>,
    /// How full the disk may be after a pull; `None`: as full as it gets.
    #[serde(default)]
    pub marks: Option<Marks>,
}

impl Place {
    /// Without any below.
    #[must_use]
    pub fn alone(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), read_only: Vec::new(), marks: None }
    }
}

/// The box's images.
#[derive(Debug)]
pub struct Store {
    /// All of it is below this folder.
    pub dir: PathBuf,
    /// Names and documents.
    pub catalogue: Catalogue,
    /// Unpacked layers.
    pub layers: Layers,
    /// Who may do what at the same time.
    pub turns: Turns,
    /// As [`Place::marks`].
    pub marks: Option<Marks>,
}

impl Store {
    /// Below this folder, which need not be there.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self::of(&Place::alone(dir))
    }

    /// At this place.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        let Place { dir, read_only, marks } = place;
        let layers = |store: &Path| store.join("layers");
        let below: Vec<PathBuf> = read_only.iter().map(|store| layers(store)).collect();
        let (catalogue, layers) = (Catalogue::over(dir, read_only), Layers::over(&layers(dir), &below));
        Self { dir: dir.clone(), catalogue, layers, turns: Turns::at(dir), marks: *marks }
    }

    /// The folder of an image without layers.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn empty(&self) -> Result<PathBuf, StoreError> {
        let path = self.dir.join("empty");
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&path);
        made.map_err(|cause| StoreError::Io { call: "mkdir", path: path.clone(), cause })?;
        Ok(path)
    }

    /// Whether all that a container needs of an image is there.
    #[must_use]
    pub fn is_whole(&self, entry: &Entry) -> bool {
        self.whole_summary(&entry.manifest).is_some()
    }

    /// What is kept of the image of this manifest, where all that a container needs of it is there.
    pub(super) fn whole_summary(&self, manifest: &Digest) -> Option<Summary> {
        let summary = self.catalogue.summary(manifest).ok()?;
        let is_there = |layer: &Digest| matches!(self.layers.find(layer), Ok(Some(_)));
        let is_whole = self.catalogue.config(&summary.config).is_ok() && summary.layers.iter().all(is_there);
        is_whole.then_some(summary)
    }

    /// Takes a name away; what no other name and no pod needs stays until [`Self::sweep`].
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn forget(&self, name: &str) -> Result<(), StoreError> {
        let lock = self.catalogue.lock()?;
        self.catalogue.forget(&lock, name)?;
        Ok(())
    }

    /// Keeps the image of this name from going by itself.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn keep_for_good(&self, name: &str) -> Result<(), StoreError> {
        let lock = self.catalogue.lock()?;
        Ok(self.catalogue.keep_for_good(&lock, name)?)
    }

    /// Takes away all names that no pod uses; [`Self::sweep`] removes what they stood for. Gives these names.
    ///
    /// # Errors
    /// Where something can't be read or removed.
    pub fn prune(&self) -> Result<Vec<String>, StoreError> {
        let mut gone = Vec::new();
        let lock = self.catalogue.lock()?;
        for entry in self.catalogue.list()?.into_iter().filter(|entry| entry.read_only.is_none()) {
            if !self.catalogue.is_leased(&entry.manifest) && self.catalogue.forget(&lock, &entry.name)? {
                gone.push(entry.name);
            }
        }
        Ok(gone)
    }

    /// Removes what no name and no pod needs, and halves of pulls that are no more; false: an image is being pulled, whose layers
    /// nobody could tell from these.
    ///
    /// # Errors
    /// Where something can't be read or removed.
    pub fn sweep(&self) -> Result<bool, StoreError> {
        self.sweep_but(&[])
    }

    /// Likewise; these layers stay, which somebody is about to need.
    pub(super) fn sweep_but(&self, layers: &[Digest]) -> Result<bool, StoreError> {
        // Whoever pulls has it from before the first look at layers to the name.
        let turn = self.turns.sweeping();
        let turn = turn.map_err(|cause| StoreError::Io { call: "flock", path: self.dir.clone(), cause })?;
        let Some(_turn) = turn else { return Ok(false) };
        let lock = self.catalogue.lock()?;
        // Of what is replaced, by its layer's name: a lease doesn't say since when it is there. Only where it matters: a pod that
        // takes a lease in the moment in which it is looked for takes its image for gone.
        let found = self.layers.survey()?;
        let leased = if found.asks() { self.catalogue.leased()? } else { None };
        let (needed, _locks) = self.catalogue.sweep(&lock)?;
        let needed: BTreeSet<Digest> = needed.into_iter().chain(layers.iter().cloned()).collect();
        for layer in found.whole.iter().filter(|layer| !needed.contains(*layer)) {
            self.layers.remove(layer)?;
        }
        let is_used = |layer: &Digest| leased.as_ref().is_none_or(|leased| leased.contains(layer));
        match self.layers.sweep_found(&found, &is_used)?.left.into_iter().next() {
            Some((path, cause)) => Err(StoreError::Left { path, cause }),
            None => Ok(true),
        }
    }
}
