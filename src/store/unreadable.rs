//! A state folder that can't be understood (half a ledger, something foreign in its place): what is its pod's is found by
//! the folder's name and by the records in data and logs ([`claim`]).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::claim;
use super::error::{Error, io_error};
use super::folder::{remove_folder, remove_tree};
use super::identity::{self, Identity};
use super::layout::Layout;
use super::ledger::Ledger;
use super::lock::PodLock;
use super::turn::{A_COMMAND_WAITS, OnWait, acquire};

/// What is known of a pod without its ledger. Holds the pod's lock where there is a folder that can have one.
#[derive(Debug)]
pub struct UnreadablePod {
    dir: PathBuf,
    namespace: String,
    name: String,
    /// The pod's cgroups, of each life that a record tells of.
    pub cgroups: Vec<PathBuf>,
    /// The pod's data folders.
    pub data: Vec<PathBuf>,
    logs: Vec<PathBuf>,
    _lock: Option<PodLock>,
}

impl UnreadablePod {
    /// Takes over what is left.
    ///
    /// # Errors
    /// Where a supervisor or another command has it; or where something can't be looked at (no more open files), which may
    /// say what is the pod's: nothing may be forgotten then.
    pub fn take_over(layout: &Layout, namespace: &str, name: &str, on_wait: OnWait<'_>) -> Result<Self, Error> {
        let dir = identity::state_dir(layout, namespace, name);
        let is_folder = match fs::symlink_metadata(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            found => found.map_err(io_error(&dir, "stat"))?.is_dir(),
        };
        let lock = match is_folder {
            true => Some(acquire(&dir, namespace, name, A_COMMAND_WAITS, on_wait)?),
            false => None,
        };
        if let Err(error) = Ledger::load(&dir)
            && !error.is_about_content()
        {
            return Err(error);
        }
        let mut unreadable = Self {
            dir,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cgroups: Vec::new(),
            data: Vec::new(),
            logs: claim::own_logs(layout, namespace, name)?,
            _lock: lock,
        };
        for folder in claim::folders_of(&layout.data, namespace, name)? {
            match claim::record(&folder)? {
                Some(record) if claim::is_of(&record, layout, namespace, name) && folder == record.data_dir => {
                    unreadable.add(layout, &record);
                }
                Some(_) => {}
                // By its name alone it is the pod's where no other root has data there.
                None if layout.has_data_alone() => unreadable.data.push(folder),
                None => {}
            }
        }
        Ok(unreadable)
    }

    fn add(&mut self, layout: &Layout, record: &Ledger) {
        let pod = Identity::new(layout, &record.namespace, &record.name, &record.uid);
        if !record.is_of_another_boot() && pod.owns_cgroup(&record.cgroup) {
            self.cgroups.push(record.cgroup.clone());
        }
        self.data.push(record.data_dir.clone());
    }

    /// What is below the state folder and may hold what a sweep has to undo.
    pub fn state(&self) -> &Path {
        &self.dir
    }

    /// Everything else is gone: forgets logs and state.
    ///
    /// # Errors
    /// Where they can't be removed.
    pub fn remove_folder(self) -> Result<(), Error> {
        for log in &self.logs {
            remove_tree(log)?;
        }
        remove_folder(&self.dir, &self.namespace, &self.name)
    }
}
