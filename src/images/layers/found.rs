//! Layers that are there, by name.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{LayersError, failed};
use super::stage::{self, OLD, RECORD, TREE};
use crate::images::digest::Digest;
use crate::images::record::{Header, RecordError};
use crate::runtime::tree;

/// The folder of all layers.
#[derive(Clone, Debug)]
pub struct Layers {
    pub(super) dir: PathBuf,
    /// Those of stores that lie below, which nobody changes. What the first has counts.
    pub(super) below: Vec<PathBuf>,
}

/// A layer that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub key: Digest,
    /// Its files: the lower layer of an overlay. Nobody may change them.
    pub tree: PathBuf,
    /// What it had when it was made.
    pub header: Header,
}

impl Layers {
    /// In this folder, which need not be there yet.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self::over(dir, &[])
    }

    /// Likewise, over folders of layers that nobody changes.
    #[must_use]
    pub fn over(dir: &Path, below: &[PathBuf]) -> Self {
        Self { dir: dir.to_owned(), below: below.to_vec() }
    }

    /// The layer of this name: its diffID, or another one where it depends on the layers below. Looks at its record's first line
    /// alone. One whose record isn't there or isn't one counts as not there, and so does one whose folder is empty though the
    /// record has more than that.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn find(&self, key: &Digest) -> Result<Option<Layer>, LayersError> {
        for dir in self.dirs() {
            if let Some(layer) = find_in(dir, key)? {
                return Ok(Some(layer));
            }
        }
        Ok(None)
    }

    /// Likewise, only where it may be changed.
    pub(super) fn find_own(&self, key: &Digest) -> Result<Option<Layer>, LayersError> {
        find_in(&self.dir, key)
    }

    /// The folder of a layer, whatever is in there: of the one that is used, or else the own one.
    pub(super) fn present(&self, key: &Digest) -> Result<PathBuf, LayersError> {
        let used = self.find(key)?.and_then(|layer| layer.tree.parent().map(Path::to_owned));
        let first = || self.dirs().map(|dir| dir.join(key.hex())).find(|folder| folder.exists());
        Ok(used.or_else(first).unwrap_or_else(|| self.folder(key)))
    }

    /// Removes a layer. Containers that run on it lose their files: whoever calls this knows that there are none. Whether
    /// there was one.
    ///
    /// # Errors
    /// It can't be removed. Once it has lost its name, a sweep removes what is left of it.
    pub fn remove(&self, key: &Digest) -> Result<bool, LayersError> {
        let folder = self.folder(key);
        let old = self.dir.join(stage::named(OLD));
        match fs::rename(&folder, &old) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
            renamed => renamed.map_err(failed("rename", &folder))?,
        }
        // After a power cut it has its name again, whole, or not.
        stage::sync(&self.dir)?;
        tree::remove(&old).map_err(failed("remove", &old))?;
        Ok(true)
    }

    /// Takes a layer's name away; its files stay for those who use them, until [`Self::sweep`] is told that nobody does. Whether
    /// there was anything of that name.
    ///
    /// # Errors
    /// It can't be renamed.
    pub(super) fn set_aside(&self, key: &Digest) -> Result<bool, LayersError> {
        let folder = self.folder(key);
        match fs::rename(&folder, self.dir.join(stage::aside(key))) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
            renamed => renamed.map(|()| true).map_err(failed("rename", &folder)),
        }
    }

    /// The own folder, and those below, as far as each counts.
    fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.dir].into_iter().chain(&self.below)
    }

    pub(super) fn folder(&self, key: &Digest) -> PathBuf {
        self.dir.join(key.hex())
    }
}

fn find_in(dir: &Path, key: &Digest) -> Result<Option<Layer>, LayersError> {
    let folder = dir.join(key.hex());
    let path = folder.join(RECORD);
    let header = match File::open(&path).map(|mut file| Header::read(&mut file)) {
        Ok(Ok(header)) => header,
        Ok(Err(RecordError::Read(cause))) => return Err(failed("read", &path)(cause)),
        Ok(Err(_)) => return Ok(None),
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed("open", &path)(cause)),
    };
    let tree = folder.join(TREE);
    match fs::symlink_metadata(&tree) {
        Ok(found) if found.is_dir() => {
            let mut entries = fs::read_dir(&tree).map_err(failed("read", &tree))?;
            let is_lost = header.entries > 1 && entries.next().is_none();
            Ok((!is_lost).then_some(Layer { key: key.clone(), tree, header }))
        }
        Ok(_) => Ok(None),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed("look at", &tree)(cause)),
    }
}
