//! Names of images: given, kept and taken away, each by one write of the index.

use super::index::{Index, has_name, index, write};
use super::{CHOSEN_FROM, Catalogue, CatalogueError, Entry, KEPT, Lock, PROOFS, REF_NAME, Summary};
use crate::images::digest::Digest;
use crate::images::document::Descriptor;
use crate::images::trust::Proof;

/// How long what has a name stays in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// As long as what had the name until now: without that until nobody has used it for long.
    AsBefore,
    /// Until somebody removes it.
    ForGood,
}

/// A name for an image.
#[derive(Debug)]
pub struct Naming<'a> {
    pub name: &'a str,
    pub manifest: &'a Descriptor,
    /// What the name stands for at its source: the manifest, or the index that this was chosen from.
    pub source: &'a Digest,
    /// What was proven of its signatures.
    pub proofs: &'a [Proof],
    pub stay: Stay,
}

impl Catalogue {
    /// Gives an image its name, once all of it is there. What had that name before keeps its documents until [`Self::sweep`]. In one
    /// write: nobody ever sees the name without how long it stays.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn name(&self, lock: &Lock, naming: &Naming<'_>, summary: &Summary) -> Result<Entry, CatalogueError> {
        let Naming { name, manifest, source, proofs, stay } = *naming;
        self.know(lock, &manifest.digest, summary)?;
        let mut index = index(&self.dir)?;
        let is_kept = match stay {
            Stay::ForGood => true,
            Stay::AsBefore => index.manifests.iter().any(|one| has_name(one, name) && is_kept(one)),
        };
        index.manifests.retain(|one| !has_name(one, name));
        let mut named = manifest.clone();
        named.annotations.insert(REF_NAME.to_owned(), name.to_owned());
        if is_kept {
            named.annotations.insert(KEPT.to_owned(), String::new());
        }
        if *source != manifest.digest {
            named.annotations.insert(CHOSEN_FROM.to_owned(), source.to_string());
        }
        if !proofs.is_empty() {
            let text = serde_json::to_string(proofs).expect("digests and names are text");
            named.annotations.insert(PROOFS.to_owned(), text);
        }
        index.manifests.push(named.clone());
        write(&self.dir, &index)?;
        let (name, manifest, source) = (name.to_owned(), manifest.digest.clone(), source.clone());
        Ok(Entry { name, manifest, source, proofs: proofs.to_vec(), is_kept, read_only: None, descriptor: named })
    }

    /// Keeps an image from going by itself, for as long as it has this name.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn keep_for_good(&self, _: &Lock, name: &str) -> Result<(), CatalogueError> {
        let mut index = index(&self.dir)?;
        let found = index.manifests.iter_mut().find(|one| has_name(one, name));
        let known = found.map(|one| one.annotations.insert(KEPT.to_owned(), String::new()));
        if known == Some(None) { write(&self.dir, &index) } else { Ok(()) }
    }

    /// Takes a name away; `false`: there is none.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn forget(&self, _: &Lock, name: &str) -> Result<bool, CatalogueError> {
        let mut index: Index = index(&self.dir)?;
        let (gone, stays): (Vec<_>, Vec<_>) = index.manifests.into_iter().partition(|one| has_name(one, name));
        index.manifests = stays;
        let Some(gone) = gone.first() else { return Ok(false) };
        match write(&self.dir, &index) {
            // A disk without inodes has none for the new index either, which takes the old one's place.
            Err(_) if self.give_inode(&gone.digest) => write(&self.dir, &index)?,
            written => written?,
        }
        Ok(true)
    }
}

fn is_kept(image: &Descriptor) -> bool {
    image.annotations.contains_key(KEPT)
}
