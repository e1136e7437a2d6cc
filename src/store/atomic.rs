//! Files that readers see whole or not at all.
//!
//! The rename alone makes them whole for readers on a machine that is up. What must be found after a power cut (which
//! things were made for a pod) is synced besides; a lost status misleads nobody, as nothing of the pod runs then. On a tmpfs,
//! where state is by default, syncing costs nothing.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Error, io_error};

/// Replaces `dir/name`. One writer at a time (the lock's holder), hence one fixed temporary name.
pub fn replace<T: Serialize>(dir: &Path, name: &str, value: &T) -> Result<(), Error> {
    let path = dir.join(name);
    let bytes = serde_json::to_vec(value).map_err(|source| Error::Corrupt { path: path.clone(), source })?;
    replace_bytes(dir, name, &bytes)
}

/// As [`replace`], and on disk once it returns.
pub fn replace_synced<T: Serialize>(dir: &Path, name: &str, value: &T) -> Result<(), Error> {
    let bytes = serde_json::to_vec(value).map_err(|source| Error::Corrupt { path: dir.join(name), source })?;
    replace_bytes_synced(dir, name, &bytes)
}

/// As [`replace_synced`], for ready bytes.
pub fn replace_bytes_synced(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, tmp) = (dir.join(name), half(dir, name));
    write(&tmp, bytes)?.sync_data().map_err(io_error(&tmp, "fdatasync"))?;
    fs::rename(&tmp, &path).map_err(io_error(&path, "rename"))?;
    sync(dir)
}

/// As [`replace`], for ready bytes.
pub fn replace_bytes(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, tmp) = (dir.join(name), half(dir, name));
    write(&tmp, bytes)?;
    fs::rename(&tmp, &path).map_err(io_error(&path, "rename"))
}

/// The largest state file that is read, in bytes: a manifest has 3 MiB at most, and a status some more.
const LARGEST: u64 = 64 << 20;

/// Reads a state file, whatever somebody has put in its place: who reads it, the supervisor as well, doesn't wait for a FIFO.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.len() > LARGEST {
        return Err(io::Error::other("not a regular file of at most 64 MiB"));
    }
    // Its size and one more, which shows the end: it is read in one piece.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default() + 1);
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file, or a folder's entries, on disk.
pub fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_error(path, "fsync"))
}

fn half(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join(format!(".{name}.tmp"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<File, Error> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes).map(|()| file));
    // Of a disk that is full not even the half is kept.
    written.inspect_err(|_| drop(fs::remove_file(path))).map_err(io_error(path, "write"))
}

/// Removes what a writer left who died halfway. For the lock's holder only: of a writer that lives it is the file.
pub fn forget_halves(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(io_error(dir, "read"))? {
        let entry = entry.map_err(io_error(dir, "read"))?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(b".") && name.ends_with(b".tmp") {
            fs::remove_file(entry.path()).map_err(io_error(dir, "remove"))?;
        }
    }
    Ok(())
}

/// Reads `dir/name`; `None` where there is none.
pub fn load<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<Option<T>, Error> {
    load_by(dir, name, |bytes| serde_json::from_slice(bytes))
}

/// As [`load`], by another reader of JSON.
pub fn load_by<T>(
    dir: &Path,
    name: &str,
    reader: impl FnOnce(&[u8]) -> Result<T, serde_json::Error>,
) -> Result<Option<T>, Error> {
    let path = dir.join(name);
    match read(&path) {
        Ok(bytes) => reader(&bytes).map(Some).map_err(|source| Error::Corrupt { path, source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&path, "read")(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(load::<u32>(dir.path(), "state.json"), Err(Error::Io { call: "read", .. })));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(matches!(load::<u32>(dir.path(), "state.json"), Err(Error::Io { call: "read", .. })));
    }
}
