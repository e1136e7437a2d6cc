//! Ranges of host ids for user namespaces: which are free. What is taken stands in the pods' ledgers, so that a range is
//! as long taken as something of its pod may be there, whatever became of the supervisor. Pods of other state folders are
//! seen by their processes, and until they have any by a lock that all supervisors of the box share: its bytes are the
//! ids.

use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::error::{Error, io_error};
use super::layout::{DEFAULT_ROOT, Layout};
use super::ledger::{Ledger, Stage};
use super::lock::whole_file;

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
    /// The file that all supervisors of this box lock.
    pub lock: PathBuf,
}

/// The kubelet's: 110 pods, behind the ids of the host's own users.
impl Default for Pool {
    fn default() -> Self {
        let lock = Path::new(DEFAULT_ROOT).join("ids.lock");
        Self { first: LENGTH, count: 110, in_use: Vec::new(), lock }
    }
}

impl Pool {
    /// Ranges that nobody has, by what is known; the first one first.
    fn free<'a>(&'a self, taken: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let all = (0..self.count).filter_map(|number| self.first.checked_add(number.checked_mul(LENGTH)?));
        all.filter(|first| !taken.contains(first)).filter(|first| {
            let (begin, end) = (u64::from(*first), u64::from(*first) + u64::from(LENGTH));
            self.in_use.iter().all(|used| used.end <= begin || end <= used.start)
        })
    }

    /// Takes the first of them that no other supervisor is about to use.
    fn take(&self, taken: &[u32]) -> Result<(u32, RangeLock), Error> {
        let path = &self.lock;
        if let Some(folder) = path.parent() {
            super::make_dir(folder, 0o711)?;
        }
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = opened.map_err(io_error(path, "open"))?;
        for first in self.free(taken) {
            let range = libc::flock { l_start: first.into(), l_len: LENGTH.into(), ..whole_file() };
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&range)) {
                Ok(_) => return Ok((first, RangeLock { _file: file })),
                Err(Errno::EAGAIN | Errno::EACCES) => {}
                Err(errno) => return Err(io_error(path, "lock")(errno.into())),
            }
        }
        Err(Error::NoIds { count: self.count })
    }
}

/// Keeps supervisors of other state folders from a range for as long as it lives.
#[derive(Debug)]
pub(super) struct RangeLock {
    _file: File,
}

/// A range of a pod that is to be.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) first: u32,
    /// As long as the supervisor runs.
    pub(super) range: RangeLock,
    /// Keeps pods of this state folder from it until a ledger says that it is taken.
    _pods: File,
}

/// Takes a free range.
pub(super) fn reserve(layout: &Layout, pool: &Pool) -> Result<Reserved, Error> {
    let pods = layout.pods_dir();
    // The folder itself, so that no file has to be there.
    let lock = File::open(&pods).map_err(io_error(&pods, "open"))?;
    lock.lock().map_err(io_error(&pods, "flock"))?;
    let mut taken = Vec::new();
    for entry in fs::read_dir(&pods).map_err(io_error(&pods, "opendir"))? {
        let entry = entry.map_err(io_error(&pods, "readdir"))?;
        // Removed pods on their way out begin with a dot.
        if entry.file_name().as_bytes().starts_with(b".") {
            continue;
        }
        // Whatever of it may still be there has the ids: an ended pod's processes or files that could not be removed, too.
        match Ledger::load(&entry.path()) {
            Ok(Some(Ledger { stage: Stage::Live | Stage::Left, first_id: Some(first), .. })) => taken.push(first),
            Ok(_) => {}
            // Nobody can tell any more which ids it has: its processes do (`Pool::in_use`).
            Err(error) if error.is_about_content() => {}
            Err(error) => return Err(error),
        }
    }
    let (first, range) = pool.take(&taken)?;
    Ok(Reserved { first, range, _pods: lock })
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
            assert_eq!(pool.free(taken).next(), chosen, "{taken:?} {pool:?}");
        }
        let end = Pool { first: u32::MAX - LENGTH + 1, count: 5, ..Pool::default() };
        assert_eq!((end.free(&[]).next(), end.free(&[end.first]).next()), (Some(end.first), None));
    }
}
