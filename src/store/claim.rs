//! Whose the folders outside of the state folder are. State is gone after a reboot by default, data and logs are not: each
//! pod's have a record of their own, a copy of its ledger as it was when they were made.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::{Error, io_error};
use super::folder::remove_tree;
use super::identity;
use super::layout::Layout;
use super::ledger::{Ledger, Remains, Supervisor};
use crate::runtime::files;

/// The record, in a pod's data folder and in its log folder.
pub(super) const RECORD: &str = ".barepod.json";

/// Containers' root file systems and volumes are below: nobody else may enter, see [`super::private`].
const DATA_MODE: u32 = 0o700;
/// Root's and its group's, as the kubelet's /var/log/pods.
const LOG_MODE: u32 = 0o750;

/// Sees that the pod's folders are its own. What its earlier lives have left of logs goes.
///
/// # Errors
/// [`Error::Running`] where a supervisor of this pod lives though its state folder is gone, [`Error::Foreign`] where the
/// data are of a pod of another root.
pub(super) fn check(layout: &Layout, ledger: &Ledger) -> Result<(), Error> {
    let _lock = lock(&layout.data)?;
    let (namespace, name) = (ledger.namespace.clone(), ledger.name.clone());
    let found = record(&ledger.data_dir)?;
    match &found {
        Some(other) if other.root != ledger.root => {
            return Err(Error::Foreign { path: ledger.data_dir.clone(), root: other.root.clone() });
        }
        Some(other) if other.supervisor() == Supervisor::Alive => {
            return Err(Error::Running { namespace, name, pid: Some(other.supervisor_pid) });
        }
        Some(_) | None => {}
    }
    // Whatever keeps it from being removed: it may hold the data of an earlier life.
    if fs::remove_dir(&ledger.data_dir).is_err_and(|error| error.kind() != ErrorKind::NotFound) {
        let left = vec![ledger.data_dir.display().to_string()];
        return Err(Error::NotCleanedUp { namespace, name, left });
    }
    for log in own_logs(layout, &namespace, &name)? {
        remove_tree(&log)?;
    }
    remove_tree(&ledger.log_dir)
}

/// Makes the pod's data and log folders, with their records.
pub(super) fn mark(ledger: &Ledger) -> Result<(), Error> {
    for (folder, mode) in [(&ledger.data_dir, DATA_MODE), (&ledger.log_dir, LOG_MODE)] {
        make_folders(folder, mode)?;
        ledger.save_as(folder, RECORD)?;
    }
    Ok(())
}

/// Everything in the pod's data folder has been removed: so are its record and the folder. Gives what is left of it.
pub(super) fn release(ledger: &Ledger) -> Remains {
    Remains::of(remove_tree(&ledger.data_dir).err())
}

/// Log folders of pods of this name and root that have a record: not those of a kubelet, nor of another root.
///
/// # Errors
/// Where it can't be seen which these are.
pub(super) fn own_logs(layout: &Layout, namespace: &str, name: &str) -> Result<Vec<PathBuf>, Error> {
    let mut logs = Vec::new();
    for folder in folders_of(&layout.logs, namespace, name)? {
        if record(&folder)?.is_some_and(|record| is_of(&record, layout, namespace, name)) {
            logs.push(folder);
        }
    }
    logs.sort();
    Ok(logs)
}

/// Whether a record is of the pod of this name below this root.
pub(super) fn is_of(record: &Ledger, layout: &Layout, namespace: &str, name: &str) -> bool {
    record.root == layout.root && record.namespace == namespace && record.name == name
}

/// The folders in `parent` (all data, all logs) that are named after the pod of this name, whatever its uid.
pub(super) fn folders_of(parent: &Path, namespace: &str, name: &str) -> Result<Vec<PathBuf>, Error> {
    let mut folders = entries(parent)?;
    folders.retain(|folder| {
        let of = folder.file_name().and_then(|folder| folder.to_str()).and_then(identity::of_folder);
        of.is_some_and(|(of, pod, _)| of == namespace && pod == name)
    });
    Ok(folders)
}

/// The folders in `parent` that have a record.
pub(super) fn records(parent: &Path) -> Result<Vec<(PathBuf, Ledger)>, Error> {
    let mut records = Vec::new();
    for folder in entries(parent)? {
        if let Some(record) = record(&folder)? {
            records.push((folder, record));
        }
    }
    Ok(records)
}

/// What is in a folder; nothing where there is none.
pub(super) fn entries(parent: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(parent) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => {
            let paths = entries.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
            paths.map_err(io_error(parent, "read"))
        }
    }
}

/// A folder's record; none where it has none, or one that can't be understood (cut off, perhaps by the power cut that took its
/// owner), which is as good as none.
///
/// # Errors
/// Where it can't be read: it may say whose the folder is, and that somebody uses it.
pub(super) fn record(folder: &Path) -> Result<Option<Ledger>, Error> {
    match Ledger::load_as(folder, RECORD) {
        Err(error) if error.is_about_content() => Ok(None),
        record => record,
    }
}

/// When a folder's record was written; none where there is none.
///
/// # Errors
/// Where that can't be seen.
pub(super) fn written(folder: &Path) -> Result<Option<SystemTime>, Error> {
    let path = folder.join(RECORD);
    match fs::symlink_metadata(&path).and_then(|found| found.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(io_error(&path, "stat")(error)),
    }
}

/// Who makes or takes away pods' data folders does so alone. The folder itself is locked, so that no file has to be there.
pub(super) fn lock(data: &Path) -> Result<File, Error> {
    make_folders(data, DATA_MODE)?;
    let folder = File::open(data).map_err(io_error(data, "open"))?;
    folder.lock().map_err(io_error(data, "flock"))?;
    Ok(folder)
}

/// Makes a folder and its parents with exactly this mode on what is new, whatever the umask.
fn make_folders(path: &Path, mode: u32) -> Result<(), Error> {
    files::make_folders(path, mode).map_err(io_error(path, "mkdir"))
}
