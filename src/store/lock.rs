//! The lock that makes two supervisors of one pod impossible.
//!
//! An open-file-description lock rather than flock: readers can ask whether it is held without taking it for a
//! moment, which could make a `run` that starts at that moment fail. The kernel drops it when its holder dies.
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::error::{Error, io_error};

/// Name of the lock file; holds the holder's pid, for messages only.
pub const FILE: &str = "lock";

/// Held as long as it lives. std opens files CLOEXEC, so no container inherits it.
#[derive(Debug)]
pub struct PodLock {
    _file: File,
}

pub(super) fn whole_file() -> libc::flock {
    libc::flock { l_type: libc::F_WRLCK as i16, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 }
}

/// What came of taking the lock.
#[derive(Debug)]
pub enum Taken {
    /// It is held from now on.
    Mine(PodLock),
    /// Somebody else has it: the holder's pid, where known.
    Held(Option<u32>),
    /// The folder was taken away meanwhile: there is nothing to lock.
    Gone,
}

impl PodLock {
    /// Takes the lock in `dir`.
    pub fn take(dir: &Path) -> Result<Taken, Error> {
        let path = dir.join(FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Taken::Gone),
            Err(error) => return Err(io_error(&path, "open")(error)),
        };
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EACCES) => return Ok(Taken::Held(pid_in(&mut file))),
            Err(errno) => return Err(io_error(&path, "lock")(errno.into())),
        }
        // An `rm` may have taken the folder away between open and lock: then this locks nothing that others see.
        let mine = file.metadata().map_err(io_error(&path, "stat"))?;
        let named = match path.metadata() {
            Ok(named) => named,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Taken::Gone),
            Err(error) => return Err(io_error(&path, "stat")(error)),
        };
        if (mine.dev(), mine.ino()) != (named.dev(), named.ino()) {
            return Ok(Taken::Gone);
        }
        // For messages only: on a full disk nobody is told, and the lock is as good.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Taken::Mine(Self { _file: file }))
    }

    /// Whether somebody holds the lock in `dir`; takes nothing.
    pub fn is_held(dir: &Path) -> Result<bool, Error> {
        let path = dir.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io_error(&path, "open")(error)),
        };
        let mut lock = whole_file();
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock)).map_err(|errno| io_error(&path, "lock")(errno.into()))?;
        Ok(lock.l_type != libc::F_UNLCK as i16)
    }
}

/// A moment, for one who can only look at a lock again until its holder has let go.
///
/// It can't be waited for: the kernel has no time limit for F_OFD_SETLKW, and who waited without one would either miss
/// that another supervisor has the lock now, or take it from a `run` that starts. The holder's pidfd says too little (a
/// command lets go long before it ends) and a moment too early (a child of it that has yet to execute still has the
/// file), and so does inotify: the file is told to be closed before it is unlocked.
#[allow(clippy::disallowed_methods, reason = "what is waited for has no descriptor, and the caller nothing else to do")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
