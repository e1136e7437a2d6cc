//! Reading files of a hostile root file system.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;

/// An /etc/passwd beyond this is no longer one.
const LIMIT: u64 = 1 << 20;

/// Text of a file below `root`, links and `..` being resolved as if `root` were `/` (openat2(2) RESOLVE_IN_ROOT).
/// Empty where there is no such file, or something that isn't a regular file.
pub(super) fn read(root: &Path, path: &Path) -> io::Result<String> {
    let root = open_folder(root)?;
    // O_NONBLOCK: a FIFO without a writer must not hang us. O_NOCTTY: a terminal must not become ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    // EAGAIN: something was renamed while the path was walked; the kernel asks to try again.
    let mut tries = 0;
    let file = loop {
        match openat2(&root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries < 16 => tries += 1,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Ok(String::new()),
            other => break other?,
        }
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    File::from(file).take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {LIMIT} bytes")));
    }
    // A name that isn't UTF-8 matches nobody; the other lines stay usable.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn open_folder(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}
