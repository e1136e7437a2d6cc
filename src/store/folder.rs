//! Folders of the state folder: made, emptied, and taken away whole.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::{Error, io_error};
use super::layout::Layout;
use super::{ledger, lock};
use crate::runtime::{files, tree};

/// How often the folder may be taken away between its making and its locking: each time somebody removed the pod.
pub(super) const LOCK_TRIES: usize = 16;

/// Removes a pod's folder where nothing but a lock is in it. The caller has that.
pub(super) fn forget_empty(dir: &Path, namespace: &str, name: &str) -> Result<(), Error> {
    let entries = fs::read_dir(dir).map_err(io_error(dir, "read"))?;
    if entries.flatten().all(|entry| entry.file_name() == lock::FILE) {
        remove_folder(dir, namespace, name)?;
    }
    Ok(())
}

/// Takes a pod's folder away whole, then removes it. Under its lock: a `run` of the same name that comes meanwhile finds
/// either the locked folder or none, never one that is being emptied while it uses it.
pub(super) fn remove_folder(dir: &Path, namespace: &str, name: &str) -> Result<(), Error> {
    static REMOVED: AtomicU32 = AtomicU32::new(0);
    // No `_` in it, so that it reads as no pod, and short enough whatever the pod is called. One of its own for each
    // removal: several may be under way at once.
    let of_the_pod: String = format!("{namespace}.{name}").chars().take(LONGEST_NAME).collect();
    let prefix = format!(".{of_the_pod}.");
    let number = REMOVED.fetch_add(1, Ordering::Relaxed);
    let away = dir.with_file_name(format!("{prefix}{}-{number}", std::process::id()));
    let removed = match fs::rename(dir, &away) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(dir, "rename")(error)),
        // Back where it is known, if it can't be removed.
        Ok(()) => remove_tree(&away).inspect_err(|_| drop(fs::rename(&away, dir))),
        Err(_) => Ok(()),
    };
    // What an earlier one left that died halfway. Another's that is under way loses nothing by it.
    for entry in dir.parent().into_iter().filter_map(|pods| fs::read_dir(pods).ok()).flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            let _ = remove_tree(&entry.path());
        }
    }
    removed
}

/// Removes what was left of pods' folders by those who died while they removed them, and had taken them away already.
///
/// # Errors
/// The first that couldn't be removed; the others are.
pub fn forget_moved_away(layout: &Layout) -> Result<(), Error> {
    let pods = layout.pods_dir();
    let entries = match fs::read_dir(&pods) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_error(&pods, "read"))?,
    };
    let mut result = Ok(());
    for entry in entries {
        let entry = entry.map_err(io_error(&pods, "read"))?;
        // No pod's: that begins with its namespace. One that somebody else removes now is gone the sooner.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            result = result.and(remove_tree(&entry.path()));
        }
    }
    result
}

/// Letters of a pod's name in that of its folder once that is moved away: the whole fits into a file's name.
const LONGEST_NAME: usize = 200;

/// Makes a folder and its parents, as far as the umask lets that mode.
pub(super) fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    files::make_within_umask(path, mode).map_err(io_error(path, "mkdir"))
}

/// Whether there is a folder; an error where that can't be seen.
pub(super) fn is_folder(path: &Path) -> Result<bool, Error> {
    match path.metadata() {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(io_error(path, "stat")(error)),
    }
}

/// Everything in the folder but the lock that is held and the ledger: whoever dies halfway leaves a pod that has ended, as
/// before, not one of which nobody knows what it left.
pub(super) fn clear(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(io_error(dir, "read"))? {
        let entry = entry.map_err(io_error(dir, "read"))?;
        let name = entry.file_name();
        if name != lock::FILE && name != ledger::FILE {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file or a folder with all in it; it may be gone already. Symlinks are not followed.
pub(super) fn remove_tree(path: &Path) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        // What pods leave may be of any depth.
        match tree::remove(path) {
            // Who was on the way into a pod's folder when that was moved away makes a lock file in it.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < LOCK_TRIES => tries += 1,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error(path, "remove")(error)),
            _ => return Ok(()),
        }
    }
}
