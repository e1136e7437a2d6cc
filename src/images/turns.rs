//! Who may do what at the same time in the store: locks of one file, which end with the process that has them.
//!
//! Pulls go on beside each other, and never beside the removal of what nobody needs: a layer that was brought has no name yet.
//! What two pulls need is brought by one of them while the other waits.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};

use super::digest::Digest;

/// The file that is locked. It is empty, and stays.
const FILE: &str = "lock";

/// The locks of a store.
#[derive(Clone, Debug)]
pub struct Turns {
    dir: PathBuf,
}

/// A lock, for as long as it lives.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "holds the lock")] File);

impl Turns {
    /// Of the store in this folder, which need not be there.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// For who brings an image. Waits while things are removed.
    ///
    /// # Errors
    /// As open(2), flock(2).
    pub fn pulling(&self) -> io::Result<Turn> {
        let file = self.open()?;
        file.lock_shared()?;
        Ok(Turn(file))
    }

    /// For who removes what nobody needs; `None`: something is being brought.
    ///
    /// # Errors
    /// As open(2), flock(2).
    pub fn sweeping(&self) -> io::Result<Option<Turn>> {
        let file = self.open()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    /// For who brings a certain thing, which waits for others who do. Another thing is only waited for where the digests of the two
    /// are alike in 62 bits.
    ///
    /// # Errors
    /// As open(2), fcntl(2).
    pub fn of(&self, thing: &str) -> io::Result<Turn> {
        let file = self.open()?;
        let digest = Digest::of(thing.as_bytes());
        let first = u64::from_str_radix(&digest.hex()[..16], 16).map_err(io::Error::other)? >> 2;
        let range = libc::flock {
            l_type: libc::F_WRLCK.try_into().unwrap_or_default(),
            l_whence: libc::SEEK_SET.try_into().unwrap_or_default(),
            l_start: first.try_into().map_err(io::Error::other)?,
            l_len: 1,
            l_pid: 0,
        };
        loop {
            match fcntl(&file, FcntlArg::F_OFD_SETLKW(&range)) {
                Err(nix::Error::EINTR) => {}
                locked => return locked.map(|_| Turn(file)).map_err(io::Error::from),
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o711).create(&self.dir)?;
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(self.dir.join(FILE))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_waits_for_whom() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::at(&dir.path().join("images"));
        let pulls = [turns.pulling().unwrap(), turns.pulling().unwrap()];
        assert!(turns.sweeping().unwrap().is_none());
        drop(pulls);
        assert!(turns.sweeping().unwrap().is_some());
        let (one, other) = (turns.of("one").unwrap(), turns.of("other").unwrap());
        let is_released = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let _turn = turns.of("one").unwrap();
                assert!(is_released.load(Ordering::SeqCst));
            });
            is_released.store(true, Ordering::SeqCst);
            drop(one);
            waits.join().unwrap();
        });
        drop(other);
    }
}
