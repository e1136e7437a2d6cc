//! Unpacked layers on disk: `HEX/tree`, the layer's files, and `HEX/record`, what is in there. Each is there once, for all images
//! and pods.
//!
//! A layer that has its name is whole, whatever happened: it is made in a folder `.new-RANDOM`, put on disk with its record,
//! and renamed then, which is put on disk as well. Whoever makes one holds a lock on the folder, which the kernel drops with its
//! process: what has no such lock is half made by somebody who is dead, and [`Layers::sweep`] removes it. What is to go is
//! renamed to `.old-RANDOM` first. What is replaced while somebody may use it is at `.aside-HEX-RANDOM`. Two that make the same layer at once don't wait for each other: the first one counts.
//!
//! Start reading at [`Layers::stage`], [`Staged::fill`] and [`Filled::commit`].

mod ahead;
mod error;
mod fill;
mod found;
mod stage;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

pub use error::LayersError;
pub use fill::Filled;
pub use found::{Layer, Layers};
pub use stage::Staged;

use crate::images::digest::Digest;
use crate::images::record::{self, Difference, RecordError, What};
use crate::runtime::files;
use error::failed;
use stage::{HALVES, RECORD, TREE};

/// What a sweep has done.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many layers and halves of layers are gone.
    pub removed: usize,
    /// What couldn't be removed, and stays for the next sweep.
    pub left: Vec<(PathBuf, io::Error)>,
}

/// What there is of layers that may be changed.
#[derive(Debug, Default)]
pub struct Survey {
    /// Layers.
    pub whole: Vec<Digest>,
    /// What folders are called that have a layer's name and are none.
    broken: Vec<Digest>,
    has_aside: bool,
}

impl Survey {
    /// Whether [`Layers::sweep_found`] asks who uses a layer.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.has_aside || !self.broken.is_empty()
    }
}

impl Swept {
    fn put(&mut self, path: PathBuf, removed: io::Result<bool>) {
        match removed {
            Ok(is_gone) => self.removed += usize::from(is_gone),
            Err(cause) => self.left.push((path, cause)),
        }
    }
}

impl Layers {
    /// Begins a layer.
    ///
    /// # Errors
    /// Its folder can't be made.
    pub fn stage(&self) -> Result<Staged, LayersError> {
        files::make_private(&self.dir).map_err(failed("make", &self.dir))?;
        Staged::new(&self.dir).map_err(|cause| cause.on(&self.dir))
    }

    /// Reads all of a layer, and tells in what it isn't as it was made. That it isn't there at all is a difference as well.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn verify(&self, key: &Digest) -> Result<Vec<Difference>, LayersError> {
        let folder = self.present(key)?;
        let (path, tree) = (folder.join(RECORD), folder.join(TREE));
        let about_record = |why: String| vec![Difference { path: Vec::new(), what: What::Record(why) }];
        let gone = |what: &Path| about_record(format!("{}: it is missing", what.display()));
        let record = match File::open(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(gone(&path)),
            opened => opened.map_err(failed("open", &path))?,
        };
        let tree = match File::open(&tree) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(gone(&tree)),
            opened => opened.map_err(failed("open", &tree))?,
        };
        match record::verify(tree.as_fd(), BufReader::with_capacity(64 << 10, record)) {
            // A disk that can't give it back any more has lost it.
            Err(cause) if cause.is_damage() || matches!(cause, RecordError::Read(_)) => {
                Ok(about_record(format!("{}: {cause}", path.display())))
            }
            verified => verified.map_err(|cause| LayersError::Record { path, cause }),
        }
    }

    /// Removes what others have left behind who died: layers that were being made or removed; and folders with a layer's name
    /// that are none, and layers that were replaced, as far as `is_used` doesn't know of somebody who uses the layer. Goes on
    /// after failures.
    ///
    /// # Errors
    /// The folder can't be read, or something in it renamed.
    pub fn sweep(&self, is_used: &dyn Fn(&Digest) -> bool) -> Result<Swept, LayersError> {
        self.sweep_found(&self.survey()?, is_used)
    }

    /// Likewise, after a look at what there is.
    ///
    /// # Errors
    /// The folder can't be read, or something in it renamed.
    pub fn sweep_found(&self, found: &Survey, is_used: &dyn Fn(&Digest) -> bool) -> Result<Swept, LayersError> {
        let mut swept = self.sweep_halves()?;
        for key in &found.broken {
            self.set_aside(key)?;
        }
        self.sweep_aside(is_used, &mut swept)?;
        Ok(swept)
    }

    /// What there is, by one look at each record: for who keeps others from making layers until all of it is swept.
    ///
    /// # Errors
    /// The folder, or a layer, can't be looked at.
    pub fn survey(&self) -> Result<Survey, LayersError> {
        let mut found = Survey { has_aside: self.has_aside()?, ..Survey::default() };
        let mut names = self.names()?;
        names.sort();
        for key in names.iter().filter_map(|name| stage::key(name)) {
            match self.find_own(&key) {
                Ok(Some(layer)) => found.whole.push(layer.key),
                Ok(None) => found.broken.push(key),
                Err(cause) => return Err(cause),
            }
        }
        Ok(found)
    }

    /// Whether [`Self::sweep_aside`] does: there is something that was replaced.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn has_aside(&self) -> Result<bool, LayersError> {
        Ok(self.names()?.iter().any(|name| stage::key_of_aside(name).is_some()))
    }

    /// As [`Self::sweep`], only of what was replaced: beside those who replace layers, whose new one has such a name for a moment
    /// and their lock.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn sweep_aside(&self, is_used: &dyn Fn(&Digest) -> bool, swept: &mut Swept) -> Result<(), LayersError> {
        for name in self.names()? {
            if stage::key_of_aside(&name).is_some_and(|key| !is_used(&key)) {
                let path = self.dir.join(name);
                let removed = stage::remove_if_dead(&path);
                swept.put(path, removed);
            }
        }
        Ok(())
    }

    /// As [`Self::sweep`], only of what was being made or removed: beside those who make layers.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn sweep_halves(&self) -> Result<Swept, LayersError> {
        let mut swept = Swept::default();
        for name in self.names()?.into_iter().filter(|name| HALVES.iter().any(|prefix| name.starts_with(prefix))) {
            let path = self.dir.join(name);
            let removed = stage::remove_if_dead(&path);
            swept.put(path, removed);
        }
        Ok(swept)
    }

    /// A layer's tree, and what was recorded of all that is in it, in no order.
    ///
    /// # Errors
    /// It isn't there, or its record is damaged.
    pub fn contents(&self, key: &Digest) -> Result<(File, Vec<record::Entry>), LayersError> {
        let folder = self.present(key)?;
        let (path, tree) = (folder.join(RECORD), folder.join(TREE));
        let file = File::open(&path).map_err(failed("open", &path))?;
        let damaged = |cause| LayersError::Record { path: path.clone(), cause };
        let mut reader = record::Reader::new(BufReader::with_capacity(64 << 10, file)).map_err(damaged)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.advance().map_err(damaged)? {
            entries.push(entry);
        }
        Ok((File::open(&tree).map_err(failed("open", &tree))?, entries))
    }

    fn names(&self) -> Result<Vec<String>, LayersError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("read", &self.dir))?,
        };
        let name =
            |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok()).transpose();
        entries.filter_map(name).collect::<io::Result<_>>().map_err(failed("read", &self.dir))
    }
}
