//! Brings layers: several at once, each unpacked while it comes in, and shared by all images that have it.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{LayerFault, Needed, PullError, folders};
use crate::images::digest::{Algorithm, Digest, Hashed};
use crate::images::layers::{Filled, LayersError};
use crate::images::origin::Origin;
use crate::images::progress::{Progress, Stage};
use crate::images::store::Store;
use crate::images::unpack::{Limits, Notes};

/// Layers at a time. More make nothing faster: unpacking takes most of the time, and boxes are small.
const WORKERS: usize = 3;

/// What was done about a layer.
enum Brought {
    /// It is in the store, under this.
    There(Digest),
    /// It is unpacked, beside its place.
    Filled(Box<Filled>),
}

impl Store {
    /// Brings what is missing of these layers. Gives what each is kept under, from the lowest to the highest.
    pub(super) fn bring(
        &self,
        origin: &dyn Origin,
        needed: &[Needed],
        progress: &Progress,
    ) -> Result<Vec<Digest>, PullError> {
        let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let brought: Vec<Mutex<Option<Result<Brought, LayerFault>>>> =
            needed.iter().map(|_| Mutex::default()).collect();
        let work = || {
            while !is_over.load(Ordering::Relaxed) {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (Some(one), Some(place)) = (needed.get(at), brought.get(at)) else { return };
                let result = self.bring_one(origin, one, progress);
                if result.is_err() {
                    is_over.store(true, Ordering::Relaxed);
                }
                if let Ok(mut place) = place.lock() {
                    *place = Some(result);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..WORKERS.min(needed.len()) {
                scope.spawn(work);
            }
        });
        let mut results: Vec<_> = brought.into_iter().map(|place| place.into_inner().ok().flatten()).collect();
        // What was left out because of another's fault has no fault of its own.
        if let Some(at) = results.iter().position(|result| matches!(result, Some(Err(_))))
            && let Some(Err(cause)) = results[at].take()
        {
            return Err(needed[at].fault(needed.len(), cause));
        }
        let mut keys = Vec::new();
        for (one, result) in needed.iter().zip(results) {
            let cut = || LayerFault::Origin("its thread ended without a word".into());
            let key = match result.unwrap_or_else(|| Err(cut())) {
                Ok(Brought::There(key)) => Ok(key),
                Ok(Brought::Filled(filled)) => {
                    self.place(*filled, one, &keys).inspect(|_| progress.reach(one.number - 1, Stage::Done))
                }
                Err(cause) => Err(cause),
            };
            keys.push(key.map_err(|cause| one.fault(needed.len(), cause))?);
        }
        Ok(keys)
    }

    /// What a layer is kept under, where it is there.
    pub(super) fn kept(&self, one: &Needed) -> Result<Option<Digest>, LayersError> {
        for key in [&one.own_id, &one.diff_id] {
            if self.layers.find(key)?.is_some() {
                return Ok(Some(key.clone()));
            }
        }
        Ok(None)
    }

    /// Where the files of these layers are.
    pub(super) fn trees<'a>(&self, keys: impl Iterator<Item = &'a Digest>) -> Result<Vec<PathBuf>, LayersError> {
        keys.filter_map(|key| self.layers.find(key).map(|found| found.map(|layer| layer.tree)).transpose()).collect()
    }

    fn bring_one(&self, origin: &dyn Origin, one: &Needed, progress: &Progress) -> Result<Brought, LayerFault> {
        let place = one.number - 1;
        let turn = self.turns.of(&one.diff_id.to_string()).map_err(LayerFault::Turn)?;
        if let Some(key) = self.kept(one)? {
            progress.reach(place, Stage::There);
            return Ok(Brought::There(key));
        }
        let filled = self.unpack(origin, one, progress)?;
        if filled.stands_alone() {
            filled.commit(&one.diff_id)?;
            progress.reach(place, Stage::Done);
            return Ok(Brought::There(one.diff_id.clone()));
        }
        // Who kept several of these until all layers are there could wait for another who does the same.
        drop(turn);
        Ok(Brought::Filled(Box::new(filled)))
    }

    /// Has a layer come and be unpacked, beside its place.
    pub(super) fn unpack(&self, origin: &dyn Origin, one: &Needed, progress: &Progress) -> Result<Filled, LayerFault> {
        let packed = origin.layer(&one.layer).map_err(LayerFault::Origin)?;
        let packed = progress.counted(one.number - 1, packed);
        let (filled, found) = fill(self, packed, one.layer.digest.algorithm())?;
        if found != one.layer.digest {
            return Err(LayerFault::Digest { found });
        }
        if filled.diff_id != one.diff_id {
            return Err(LayerFault::DiffId { found: filled.diff_id, wanted: one.diff_id.clone() });
        }
        Ok(filled)
    }

    /// Gives a layer its place whose folders depend on the layers below it.
    fn place(&self, filled: Filled, one: &Needed, below: &[Digest]) -> Result<Digest, LayerFault> {
        self.adopt(&filled, below)?;
        filled.commit(&one.own_id)?;
        Ok(one.own_id.clone())
    }

    /// Gives a layer's folders what the layers below it (the lowest first) give those.
    pub(super) fn adopt(&self, filled: &Filled, below: &[Digest]) -> Result<(), LayerFault> {
        let trees = self.trees(below.iter().rev())?;
        folders::adopt(filled, &trees).map_err(LayerFault::Folders)
    }
}

/// Unpacks a layer, and tells the digest of what came.
fn fill(store: &Store, packed: impl Read + Send, algorithm: Algorithm) -> Result<(Filled, Digest), LayerFault> {
    let (staged, limits, notes) = (store.layers.stage()?, Limits::default(), notes().map_err(LayerFault::UidMap)?);
    let explained = |error: LayersError| match error.stream() {
        // The source's own words say it all.
        Some(cause) => LayerFault::Origin(cause.to_string().into()),
        None => error.into(),
    };
    if algorithm == Algorithm::Sha256 {
        let filled = staged.fill(packed, &limits, notes).map_err(explained)?;
        let found = filled.compressed.clone();
        return Ok((filled, found));
    }
    let mut packed = Hashed::new(packed, algorithm);
    let filled = staged.fill(&mut packed, &limits, notes).map_err(explained)?;
    Ok((filled, packed.finish().0))
}

/// Overlays keep theirs elsewhere where a user namespace's root mounts them.
fn notes() -> io::Result<Notes> {
    let map = std::fs::read_to_string("/proc/self/uid_map")?;
    let is_the_boxs = map.split_whitespace().eq(["0", "0", "4294967295"]);
    Ok(if is_the_boxs { Notes::Trusted } else { Notes::User })
}
