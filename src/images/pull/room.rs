//! Room for what is to be brought: whether there is enough, and what goes where there isn't.

use std::time::Duration;

use super::{Asked, Needed, PullError, Pulled, failed};
use crate::images::disk::{Disk, Room};
use crate::images::document::Packing;
use crate::images::store::Store;

/// Inodes of a layer of which nothing else is known: its folder, its record, and the root of its tree. How many files there are is
/// seen only once they come.
const OF_A_LAYER: u64 = 3;
/// And of an image: its index, manifest and config, what is kept of it beside these, and where pods lock it.
const OF_AN_IMAGE: u64 = 5;
/// How much larger layers are as a rule once they are unpacked: images of distributions by 2.5 to 3.
const UNPACKED: u64 = 3;
/// An image that was used since then doesn't go by itself: pods that a timer starts daily find theirs.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// Pulls, and once more where the disk was too full and images could go.
    pub(super) fn with_room(
        &self,
        name: &str,
        pull: impl Fn(Asked) -> Result<Pulled, PullError>,
    ) -> Result<Pulled, PullError> {
        let lacks = match pull(Asked::Likely) {
            Err(error) => error,
            Ok(pulled) => return Ok(self.with_marks(name, pulled)),
        };
        let Some((wanted, least, layers)) = lacks.wanted() else { return Err(lacks) };
        // What is wrong with the store a pull says in better words.
        let removed = self.make_room((wanted, least), name, layers, YOUNG).unwrap_or_default();
        // What no name led to may have been enough; or somebody else has made room.
        let has_room = || self.disk().is_ok_and(|disk| disk.has(wanted));
        if removed.is_empty() && !matches!(lacks, PullError::Tight { .. }) && !has_room() {
            return Err(lacks);
        }
        match pull(Asked::Possible) {
            Ok(pulled) => Ok(self.with_marks(name, Pulled { removed, ..pulled })),
            Err(cause) if removed.is_empty() => Err(cause),
            Err(cause) => Err(PullError::InVain { cause: Box::new(cause), removed }),
        }
    }

    /// After a pull that has brought something: the disk is to have no more on it than its marks say, as far as images may go.
    fn with_marks(&self, name: &str, mut pulled: Pulled) -> Pulled {
        if let Some(marks) = self.marks.filter(|_| pulled.is_new) {
            // The image is there, whatever this says.
            pulled.removed.extend(self.prune_to_marks(marks, name, YOUNG).unwrap_or_default());
        }
        pulled
    }

    /// Refuses what can't fit, before anything is asked for. Gives what was free.
    pub(super) fn check_room(&self, needed: &[Needed], asked: Asked) -> Result<Disk, PullError> {
        let (mut least, mut likely) = (Room { bytes: 0, inodes: OF_AN_IMAGE }, 0_u64);
        for one in needed {
            if self.kept(one)?.is_none() {
                least.bytes = least.bytes.saturating_add(one.layer.size);
                least.inodes += OF_A_LAYER;
                let times = if one.layer.packing == Packing::Plain { 1 } else { UNPACKED };
                likely = likely.saturating_add(one.layer.size.saturating_mul(times));
            }
        }
        let disk = Disk::of(&self.dir).map_err(failed("statvfs", &self.dir))?;
        let wanted = Room { bytes: likely, ..least };
        if asked == Asked::Likely && !disk.has(wanted) {
            return Err(PullError::Tight { wanted, least, layers: Needed::keys(needed) });
        }
        let path = || self.dir.clone();
        if least.bytes > disk.bytes.free {
            return Err(PullError::Room { needed: least.bytes, free: disk.bytes.free, path: path() });
        }
        if !disk.has(least) {
            return Err(PullError::Inodes { needed: least.inodes, free: disk.inodes.free, path: path() });
        }
        Ok(disk)
    }
}
