//! Ranges of host ids for user namespaces: which are free. What is taken stands in the pods' ledgers alone, so that a
//! range is as long taken as something of its pod may be there, whatever became of the supervisor.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use super::layout::Layout;
use super::ledger::{Ledger, Stage};
use super::{Error, io_error};

/// How many ids a range has, as under the kubelet.
pub const LENGTH: u32 = 65536;

/// What there is to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The first id, a multiple of [`LENGTH`].
    pub first: u32,
    /// How many ranges.
    pub count: u32,
    /// What others on this box use at present: pods of other state folders, other programs' containers.
    pub in_use: Vec<Range<u64>>,
}

/// The kubelet's: 110 pods, behind the ids of the host's own users.
impl Default for Pool {
    fn default() -> Self {
        Self { first: LENGTH, count: 110, in_use: Vec::new() }
    }
}

impl Pool {
    /// The first range that nobody has.
    fn choose(&self, taken: &[u32]) -> Option<u32> {
        let all = (0..self.count).filter_map(|number| self.first.checked_add(number.checked_mul(LENGTH)?));
        all.filter(|first| !taken.contains(first)).find(|first| {
            let (begin, end) = (u64::from(*first), u64::from(*first) + u64::from(LENGTH));
            self.in_use.iter().all(|used| used.end <= begin || end <= used.start)
        })
    }
}

/// A free range, and what keeps others from taking it until a ledger says that it is taken.
pub(super) fn reserve(layout: &Layout, pool: &Pool) -> Result<(u32, File), Error> {
    let pods = layout.pods_dir();
    // The folder itself, so that no file has to be there.
    let lock = File::open(&pods).map_err(io_error(&pods, "open"))?;
    lock.lock().map_err(io_error(&pods, "flock"))?;
    let mut taken = Vec::new();
    for entry in fs::read_dir(&pods).map_err(io_error(&pods, "opendir"))? {
        let entry = entry.map_err(io_error(&pods, "readdir"))?;
        // Removed pods on their way out begin with a dot; what can't be read says nothing.
        if entry.file_name().as_bytes().starts_with(b".") {
            continue;
        }
        if let Ok(Some(Ledger { stage: Stage::Live, first_id: Some(first), .. })) = Ledger::load(&entry.path()) {
            taken.push(first);
        }
    }
    let first = pool.choose(&taken).ok_or(Error::NoIds { count: pool.count })?;
    Ok((first, lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_range_is_chosen() {
        let pool = |in_use: &[(u64, u64)]| Pool {
            count: 3,
            in_use: in_use.iter().map(|(first, end)| *first..*end).collect(),
            ..Pool::default()
        };
        let cases: [(&[u32], Pool, Option<u32>); 7] = [
            (&[], pool(&[]), Some(65536)),
            (&[65536], pool(&[]), Some(131_072)),
            (&[131_072], pool(&[]), Some(65536)),
            (&[65536, 131_072, 196_608], pool(&[]), None),
            // Of others: the last id of a range is enough, what only touches it is not.
            (&[], pool(&[(131_071, 131_072)]), Some(131_072)),
            (&[], pool(&[(0, 65536), (131_072, 200_000)]), Some(65536)),
            (&[65536], pool(&[(100_000, 165_536)]), Some(196_608)),
        ];
        for (taken, pool, chosen) in cases {
            assert_eq!(pool.choose(taken), chosen, "{taken:?} {pool:?}");
        }
        let end = Pool { first: u32::MAX - LENGTH + 1, count: 5, in_use: Vec::new() };
        assert_eq!((end.choose(&[]), end.choose(&[end.first])), (Some(end.first), None));
    }
}
