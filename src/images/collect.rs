//! Which images go by themselves: those that nobody has used for long, and the ones of longest ago where the disk is full.
//!
//! What a pod uses stays, whatever its age.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::{Duration, SystemTime};

use super::catalogue::Entry;
use super::digest::Digest;
use super::disk::{Disk, Marks, Room};
use super::store::{Store, StoreError};

/// What has become of a disk that was too full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Names that are gone.
    pub names: Vec<String>,
    /// How full it is now.
    pub disk: Disk,
    /// Whether it is as empty as it was to be.
    pub is_enough: bool,
    /// Whether somebody brought an image: nothing more was removed beside that.
    pub is_busy: bool,
}

/// An image that no pod uses.
pub(super) struct Unused {
    last_use: SystemTime,
    manifest: Digest,
    names: Vec<String>,
    /// Whether it stays unless somebody says otherwise.
    is_kept: bool,
}

impl Unused {
    /// Whether it may go without anybody's order when this name is brought.
    fn may_go_by_itself(&self, name: &str) -> bool {
        !self.is_kept && !self.names.iter().any(|one| one == name)
    }
}

impl Store {
    /// Takes away the names of images that no pod uses, and nobody has for so long; [`Self::sweep`] removes what they stood
    /// for. Gives these names.
    ///
    /// # Errors
    /// Where something can't be read or removed.
    pub fn prune_unused(&self, age: Duration) -> Result<Vec<String>, StoreError> {
        let mut gone = Vec::new();
        for unused in self.unused(age)? {
            self.forget_unused(&unused, &mut gone)?;
        }
        Ok(gone)
    }

    /// Where the disk is too full: removes what no name leads to, and then images that no pod uses and nobody has for so long,
    /// the one first whose last use was longest ago, until it is as empty as it is to be, or none is left.
    ///
    /// # Errors
    /// Where something can't be read or removed.
    pub fn prune_to(&self, marks: Marks, age: Duration) -> Result<Option<Collected>, StoreError> {
        self.collect(marks, age, &|_| true)
    }

    /// Likewise without anybody's order, after something was brought under a name: of images that pods have brought, beside what
    /// has that name. Gives the names that are gone.
    ///
    /// # Errors
    /// Where something can't be read or removed.
    pub(super) fn prune_to_marks(&self, marks: Marks, name: &str, age: Duration) -> Result<Vec<String>, StoreError> {
        let done = self.collect(marks, age, &|unused| unused.may_go_by_itself(name))?;
        Ok(done.map(|done| done.names).unwrap_or_default())
    }

    fn collect(
        &self,
        marks: Marks,
        age: Duration,
        may_go: &dyn Fn(&Unused) -> bool,
    ) -> Result<Option<Collected>, StoreError> {
        // Without a store there is nothing to be removed. Mostly the disk isn't full, which one statvfs tells: only else all is put
        // on disk first, for a sure answer.
        let seems_full = Disk::of(&self.dir).is_ok_and(|disk| disk.is_used_by(marks.high));
        if !seems_full || !self.disk()?.is_used_by(marks.high) {
            return Ok(None);
        }
        let mut names = Vec::new();
        let mut is_busy = !self.sweep()?;
        for unused in self.unused(age)?.into_iter().filter(may_go) {
            if is_busy || !self.disk()?.is_above(marks.low) {
                break;
            }
            if self.forget_unused(&unused, &mut names)? {
                is_busy = !self.sweep()?;
            }
        }
        let disk = self.disk()?;
        Ok(Some(Collected { names, disk, is_enough: !disk.is_above(marks.low), is_busy }))
    }

    /// Makes room for what is to be brought under a name, without anybody's order: removes what no name leads to, and then images
    /// that pods have brought, that none uses, and none has for so long, the one first whose last use was longest ago, until so
    /// much is free, or none is left. What has that name now stays, and so do the layers that are brought for it; and where not even
    /// `least` would be free without all of them, all images stay. Gives the names that are gone.
    ///
    /// # Errors
    /// Where something can't be read or removed.
    pub(super) fn make_room(
        &self,
        (wanted, least): (Room, Room),
        name: &str,
        layers: &[Digest],
        age: Duration,
    ) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        if !self.sweep_but(layers)? {
            return Ok(names);
        }
        let may_go = |unused: &Unused| unused.may_go_by_itself(name);
        let unused: Vec<Unused> = self.unused(age)?.into_iter().filter(may_go).collect();
        if !self.disk()?.with(self.taken_by(&unused)).has(least) {
            return Ok(names);
        }
        for unused in unused {
            if self.disk()?.has(wanted) || self.forget_unused(&unused, &mut names)? && !self.sweep_but(layers)? {
                break;
            }
        }
        Ok(names)
    }

    /// What these take at most: others may have layers of theirs.
    fn taken_by(&self, images: &[Unused]) -> Room {
        /// What a file takes beside its content.
        const OF_A_FILE: u64 = 4096;
        let summaries = images.iter().filter_map(|image| self.catalogue.summary(&image.manifest).ok());
        let layers: BTreeSet<Digest> = summaries.flat_map(|summary| summary.layers).collect();
        let headers = layers.iter().filter_map(|layer| Some(self.layers.find(layer).ok()??.header));
        headers.fold(Room { bytes: 0, inodes: 0 }, |sum, header| Room {
            bytes: sum.bytes.saturating_add(header.bytes).saturating_add(header.entries.saturating_mul(OF_A_FILE)),
            inodes: sum.inodes.saturating_add(header.entries),
        })
    }

    /// Takes all of its names away, unless somebody has used it since it was found, or brought it by hand.
    pub(super) fn forget_unused(&self, unused: &Unused, gone: &mut Vec<String>) -> Result<bool, StoreError> {
        let lock = self.catalogue.lock()?;
        let is_used = self.catalogue.is_leased(&unused.manifest);
        if is_used || self.catalogue.last_use(&unused.manifest) != unused.last_use {
            return Ok(false);
        }
        for name in &unused.names {
            // It may stand for another image by now.
            let is_it = |entry: Entry| entry.manifest == unused.manifest && (unused.is_kept || !entry.is_kept);
            if self.catalogue.find(name)?.is_some_and(is_it) && self.catalogue.forget(&lock, name)? {
                gone.push(name.clone());
            }
        }
        Ok(true)
    }

    /// The one whose last use was longest ago comes first.
    pub(super) fn unused(&self, age: Duration) -> Result<Vec<Unused>, StoreError> {
        let mut names: BTreeMap<Digest, (Vec<String>, bool)> = BTreeMap::new();
        for entry in self.catalogue.list()?.into_iter().filter(|entry| entry.read_only.is_none()) {
            let (names, is_kept) = names.entry(entry.manifest).or_default();
            names.push(entry.name);
            *is_kept |= entry.is_kept;
        }
        let unused = |(manifest, (names, is_kept))| {
            let last_use = self.catalogue.last_use(&manifest);
            Unused { last_use, manifest, names, is_kept }
        };
        let mut unused: Vec<Unused> = names
            .into_iter()
            // What is young isn't looked at further: who looks for leases is in the way of pods that take one.
            .filter(|(manifest, _)| is_older(self.catalogue.last_use(manifest), age))
            // By this it is found out that a use has ended without a word: it may be younger than it looked.
            .filter(|(manifest, _)| !self.catalogue.is_leased(manifest))
            .map(unused)
            .filter(|unused| is_older(unused.last_use, age))
            .collect();
        unused.sort_by_key(|one| one.last_use);
        Ok(unused)
    }

    pub(super) fn disk(&self) -> Result<Disk, StoreError> {
        let failed = |call| move |cause| StoreError::Io { call, path: self.dir.clone(), cause };
        // What was removed is free on some file systems only once that is on disk.
        let folder = File::open(&self.dir).map_err(failed("open"))?;
        rustix::fs::syncfs(&folder).map_err(|errno| failed("syncfs")(errno.into()))?;
        Disk::of(&self.dir).map_err(failed("statvfs"))
    }
}

fn is_older(last_use: SystemTime, age: Duration) -> bool {
    // What was used later than now was used by another clock: who knows when.
    SystemTime::now().duration_since(last_use).is_ok_and(|since| since >= age)
}
