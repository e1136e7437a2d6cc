//! When images were last used, by the files of their leases: the time of last change of such a file is that of the last beginning
//! or end of a use. It costs a start one write, and is on disk when the kernel likes.
//!
//! The file has a byte for each use, which is locked and not 0 for as long as that lasts. Where nobody has a lease and there is such
//! a byte all the same, a use has ended without a word: by a power cut, or as its supervisor was killed. When that was nobody
//! knows, and it counts as having ended when that is found.
//!
//! All of this is done as far as it can be done: nobody fails for it. A time never goes back: the clocks of many boxes begin in
//! 1970.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use nix::fcntl::{FcntlArg, fcntl};

/// Where a use has its byte.
pub(super) type Place = u64;

/// Places for uses. More at the same time are not told from each other.
const PLACES: Place = 4096;

/// A use begins.
pub(super) fn begin(file: &File) -> Option<Place> {
    // Pods of one image don't look for theirs at the same one.
    let first = Place::from(std::process::id());
    let place = (0..PLACES).map(|next| (first + next) % PLACES).find(|place| lock(file, *place))?;
    let is_written = change(file, || file.write_all_at(&[1], place).is_ok());
    if !is_written {
        // A full disk has room for a time.
        touch(file);
    }
    is_written.then_some(place)
}

/// It ends.
pub(super) fn end(file: &File, place: Option<Place>) {
    match place {
        Some(place) => _ = change(file, || file.write_all_at(&[0], place).is_ok()),
        None => touch(file),
    }
}

/// It was used for a moment.
pub(super) fn touch(file: &File) {
    change(file, || file.set_modified(SystemTime::now()).is_ok());
}

/// The file is new.
pub(super) fn never(file: &File) {
    let _ = file.set_modified(SystemTime::UNIX_EPOCH);
}

/// Looks for uses that have ended without a word. For who keeps others from taking a lease.
pub(super) fn settle(file: &File) {
    let mut bytes = vec![0; usize::try_from(PLACES).unwrap_or_default()];
    let length = file.read_at(&mut bytes, 0).unwrap_or_default();
    if bytes[..length].iter().any(|byte| *byte != 0) {
        touch(file);
        change(file, || file.set_len(0).is_ok());
    }
}

/// Whether there is a use now.
pub(super) fn is_any(file: &File) -> bool {
    let mut found = range(0, libc::F_WRLCK, PLACES);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok() && i32::from(found.l_type) != libc::F_UNLCK
}

/// What the file with this path tells.
pub(super) fn noted(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A change after which the file's time isn't earlier than before.
fn change(file: &File, change: impl FnOnce() -> bool) -> bool {
    let time = || file.metadata().and_then(|found| found.modified());
    let before = time();
    let is_done = change();
    if let (Ok(before), Ok(after)) = (before, time())
        && after < before
    {
        let _ = file.set_modified(before);
    }
    is_done
}

/// Has this place as long as the file is open; `false`: another has it.
fn lock(file: &File, place: Place) -> bool {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(place, libc::F_WRLCK, 1))).is_ok()
}

fn range(first: Place, kind: i32, length: Place) -> libc::flock {
    libc::flock {
        l_type: kind.try_into().unwrap_or_default(),
        l_whence: libc::SEEK_SET.try_into().unwrap_or_default(),
        l_start: first.try_into().unwrap_or_default(),
        l_len: length.try_into().unwrap_or_default(),
        l_pid: 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::OpenOptions;
    use std::time::Duration;

    use super::*;

    fn open(path: &Path) -> File {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    /// Uses are told from each other, and end with a word or without one.
    #[test]
    fn uses_begin_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease");
        never(&open(&path));
        assert_eq!(noted(&path), SystemTime::UNIX_EPOCH);
        let begun = SystemTime::now() - Duration::from_secs(1);
        let (one, other, looker) = (open(&path), open(&path), open(&path));
        let (at_one, at_other) = (begin(&one), begin(&other));
        assert!(at_one.is_some() && at_other.is_some() && at_one != at_other && is_any(&looker));
        assert!(noted(&path) > begun);
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        looker.set_modified(old).unwrap();
        end(&one, at_one);
        drop(one);
        assert!(noted(&path) > begun && is_any(&looker));
        looker.set_modified(old).unwrap();
        // Killed.
        drop(other);
        assert!(!is_any(&looker) && noted(&path) == old);
        settle(&looker);
        assert!(noted(&path) > begun);
        // That is found once.
        looker.set_modified(old).unwrap();
        settle(&looker);
        assert_eq!(noted(&path), old);
    }

    /// A clock that has lost its time makes nothing older than it is.
    #[test]
    fn times_never_go_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease");
        let file = open(&path);
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
        file.set_modified(later).unwrap();
        let place = begin(&file);
        assert_eq!((place.is_some(), noted(&path)), (true, later));
        end(&file, place);
        touch(&file);
        assert_eq!(noted(&path), later);
    }
}
