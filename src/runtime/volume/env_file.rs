//! Reads a file that a container has written into a volume (`fileKeyRef`). What is there is hostile: links, devices,
//! FIFOs, mounts of file systems that don't answer.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;

/// What the kubelet takes as one line.
const LIMIT: u64 = 64 << 10;

/// The bytes of a regular file below the volume at `place`; `None`: there is none. Links in the volume are followed as
/// long as they stay in it.
///
/// # Errors
/// In words for people.
pub fn read_env_file(place: &Path, path: &Path) -> Result<Option<Vec<u8>>, String> {
    let found = match find(place, path) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::XDEV) => return Err("a link leads out of the volume, or through a mount in it".to_owned()),
        Err(errno) => return Err(format!("open: {}", io::Error::from(errno))),
    };
    // Opening a device may do something by itself: it is looked at first.
    match fstat(&found).map(|found| FileType::from_raw_mode(found.st_mode)) {
        Ok(FileType::RegularFile) => {}
        Ok(_) => return Err("it is no regular file".to_owned()),
        Err(errno) => return Err(format!("stat: {}", io::Error::from(errno))),
    }
    let bytes = contents(&found).map_err(|cause| format!("read: {cause}"))?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("it has more than {} KiB", LIMIT >> 10));
    }
    Ok(Some(bytes))
}

fn find(place: &Path, path: &Path) -> Result<OwnedFd, Errno> {
    let volume = open(place, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    // EAGAIN: something was renamed while the path was walked; the kernel asks to try again.
    let mut tries = 0;
    loop {
        match openat2(volume.as_fd(), path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside) {
            Err(Errno::AGAIN) if tries < 16 => tries += 1,
            other => return other,
        }
    }
}

/// As much as shows that it is too much.
fn contents(found: &OwnedFd) -> io::Result<Vec<u8>> {
    // O_NONBLOCK: somebody who holds a lease on it would have us wait.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = open(format!("/proc/self/fd/{}", found.as_raw_fd()), flags, Mode::empty())?;
    let mut bytes = Vec::new();
    File::from(file).take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Nothing out of the volume is ever read, and nothing makes the reader wait.
    #[test]
    fn only_files_of_the_volume_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let volume = dir.path().join("v");
        fs::create_dir_all(volume.join("sub")).unwrap();
        fs::write(dir.path().join("secret"), "S='1'").unwrap();
        fs::write(volume.join("sub/env"), "A='1'").unwrap();
        fs::write(volume.join("full"), vec![b'x'; 64 << 10]).unwrap();
        fs::write(volume.join("long"), vec![b'x'; (64 << 10) + 1]).unwrap();
        symlink("sub/env", volume.join("link")).unwrap();
        symlink("../secret", volume.join("out")).unwrap();
        symlink(dir.path().join("secret"), volume.join("absolute")).unwrap();
        symlink("..", volume.join("up")).unwrap();
        symlink("loop", volume.join("loop")).unwrap();
        symlink("none", volume.join("dangling")).unwrap();
        nix::unistd::mkfifo(&volume.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let out = Err("a link leads out of the volume, or through a mount in it");
        let cases = [
            ("sub/env", Ok(Some(5))),
            ("link", Ok(Some(5))),
            ("full", Ok(Some(64 << 10))),
            ("long", Err("it has more than 64 KiB")),
            ("none", Ok(None)),
            ("sub/env/more", Ok(None)),
            ("dangling", Ok(None)),
            ("out", out),
            ("absolute", out),
            ("up/secret", out),
            ("../secret", out),
            ("sub", Err("it is no regular file")),
            ("fifo", Err("it is no regular file")),
            ("loop", Err("open: Too many levels of symbolic links (os error 40)")),
        ];
        for (path, wanted) in cases {
            let found = read_env_file(&volume, Path::new(path)).map(|bytes| bytes.map(|bytes| bytes.len()));
            assert_eq!(found.as_ref().map_err(String::as_str), wanted.as_ref().map_err(|text| *text), "{path}");
        }
    }
}
