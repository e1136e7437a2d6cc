//! What is in a file: bytes, holes, and the attributes that users may give it.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{SeekFrom, XattrFlags};
use rustix::io::Errno;

/// Bytes that are copied in one go.
const GO: usize = 256 * 1024;
/// Files that say that they are empty, and aren't (those of /proc), have no more.
const UNTOLD: u64 = 16 * 1024 * 1024;
/// The longest list of names of attributes, and the longest value (xattr(7)).
const LONGEST: usize = 64 * 1024;
/// Attributes that users may give a file.
const PREFIX: &[u8] = b"user.";

/// Why a copy isn't whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Interrupted,
    Read(Errno),
    Write(Errno),
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Self::Write(errno)
    }
}

/// Copies as much as a file had when it was found: one that grows all the time has an end too.
pub(super) fn copy(from: &OwnedFd, to: &File, size: u64, interrupted: &dyn Fn() -> bool) -> Result<(), Broken> {
    let mut buffer = vec![0; GO];
    let mut at = 0;
    if size == 0 {
        at = copy_range(from, to, 0..UNTOLD, &mut buffer, interrupted)?;
        if at == UNTOLD {
            return Err(Broken::Read(Errno::FBIG));
        }
    }
    let mut is_cut = false;
    while at < size {
        let data = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Nothing but a hole is left.
            Err(Errno::NXIO) => break,
            // A file system that knows no holes.
            Err(_) => at,
        };
        let hole = rustix::fs::seek(from, SeekFrom::Hole(data)).unwrap_or(size).min(size);
        if data >= hole {
            break;
        }
        let end = copy_range(from, to, data..hole, &mut buffer, interrupted)?;
        // It has become shorter, or was so from the beginning (files of /sys).
        if end < hole {
            is_cut = true;
            break;
        }
        at = hole;
    }
    let length = |file: &dyn AsFd| rustix::fs::fstat(file).map(|found| u64::try_from(found.st_size).unwrap_or(0));
    // A hole at the end.
    let whole = size.min(length(from).map_err(Broken::Read)?);
    if !is_cut && length(to)? < whole {
        rustix::fs::ftruncate(to, whole)?;
    }
    copy_attributes(from, to);
    Ok(())
}

/// To where it came; less than the end of the range: there is no more.
fn copy_range(
    from: &OwnedFd,
    to: &File,
    range: std::ops::Range<u64>,
    buffer: &mut [u8],
    interrupted: &dyn Fn() -> bool,
) -> Result<u64, Broken> {
    let mut at = range.start;
    while at < range.end {
        if interrupted() {
            return Err(Broken::Interrupted);
        }
        let most = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
        let count = match rustix::io::pread(from, &mut buffer[..most], at) {
            Ok(0) => break,
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(Broken::Read(errno)),
        };
        let mut done = 0;
        while done < count {
            match rustix::io::pwrite(to, &buffer[done..count], at + done as u64) {
                Ok(written) => done += written,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Broken::Write(errno)),
            }
        }
        at += count as u64;
    }
    Ok(at)
}

/// As far as both file systems have them.
fn copy_attributes(from: &OwnedFd, to: &File) {
    let mut names = vec![0_u8; LONGEST];
    let Ok(length) = rustix::fs::flistxattr(from, names.as_mut_slice()) else { return };
    let mut value = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(PREFIX)) {
        value.resize(LONGEST, 0_u8);
        if let Ok(length) = rustix::fs::fgetxattr(from, name, value.as_mut_slice()) {
            let _ = rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}
