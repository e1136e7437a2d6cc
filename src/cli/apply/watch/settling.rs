//! When files that change can be read: once nobody writes to them, and nothing has happened for a moment.
//!
//! Editors replace a file in several steps (`web.yaml` becomes `web.yaml~`, and then there is a new one), and a copy over the network
//! comes in parts. What is read in between is wrong at best, and at worst looks like a file without half of its pods.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::super::changes::WatchId;

/// How long nothing happens before files are read.
const REST: Duration = Duration::from_millis(300);
/// After how long a file counts as written to which somebody writes and never closes it.
const STALLED: Duration = Duration::from_secs(10);
/// Files are read after so long, whatever happens.
const MOST: Duration = Duration::from_secs(60);

/// What happened to something in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// Somebody writes to it, and has it open.
    Written,
    /// Whoever wrote to it has closed it.
    Closed,
    /// It came, went, or has other rights.
    Changed,
}

/// What has happened since files were read last.
#[derive(Default)]
pub(super) struct Settling {
    first: Option<Instant>,
    last: Option<Instant>,
    /// Files that somebody writes to, with the last time.
    open: BTreeMap<(WatchId, OsString), Instant>,
}

impl Settling {
    /// Takes notice; of things that are no manifests only that they come and go, for they may be folders of some, or links to them.
    pub(super) fn hear(&mut self, watch: WatchId, name: &OsStr, happened: Happened, now: Instant) {
        let is_manifest = is_manifest(Path::new(name));
        let file = (watch, name.to_owned());
        match happened {
            Happened::Written | Happened::Closed if !is_manifest => return,
            Happened::Written => _ = self.open.insert(file, now),
            Happened::Closed | Happened::Changed => _ = self.open.remove(&file),
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// For how long to wait until files can be read, unless something happens meanwhile; `None`: nothing has happened yet.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let stalled = self.open.values().map(|written| *written + STALLED).max();
        let quiet = self.last? + REST;
        let at = stalled.map_or(quiet, |stalled| stalled.max(quiet)).min(self.first? + MOST);
        Some(at.saturating_duration_since(now))
    }
}

/// Whether a folder's file is read.
fn is_manifest(name: &Path) -> bool {
    name.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What happens when (in seconds), and when files are read then.
    fn read_at(happened: &[(u32, &str, Happened)]) -> Option<Duration> {
        let (mut settling, watch, begin) = (Settling::default(), WatchId::default(), Instant::now());
        let mut now = begin;
        for (at, name, happened) in happened {
            now = begin + SECOND * *at;
            settling.hear(watch, OsStr::new(name), *happened, now);
        }
        settling.rest(now).map(|rest| now + rest - begin)
    }

    #[test]
    fn when_files_are_read() {
        use Happened::{Changed, Closed, Written};
        for (happened, at) in [
            (&[][..], None),
            (&[(1, "a.yaml", Changed)], Some(SECOND + REST)),
            // A folder, or a link to one.
            (&[(1, "..data", Changed)], Some(SECOND + REST)),
            // Something else is written.
            (&[(1, "notes.txt", Written), (2, ".a.yaml.swp", Closed)], None),
            (&[(1, "a.yaml", Written), (3, "a.yaml", Closed)], Some(SECOND * 3 + REST)),
            // Whoever writes hasn't closed it yet, whatever happens to others.
            (&[(1, "a.yaml", Written), (2, "b.yaml", Changed)], Some(SECOND + STALLED)),
            (&[(1, "a.yaml", Written), (2, "a.yaml", Changed)], Some(SECOND * 2 + REST)),
            // For ever.
            (&[(1, "a.yaml", Written), (58, "a.yaml", Written)], Some(SECOND + MOST)),
        ] {
            assert_eq!(read_at(happened), at, "{happened:?}");
        }
    }
}
