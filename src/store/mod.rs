//! The state folder of a pod: who runs the pod, what was made for it, its status, its events.
//!
//! One supervisor writes ([`PodStore`]). Any number of commands read ([`read`]) and never block or disturb the supervisor: a file
//! is replaced by a rename, an event is appended by one write.
//!
//! This module decides nothing; [`events`] tells events apart, because that is part of their format. It removes only its own files
//! and the logs of a pod that is replaced. `runtime::sweep` removes what a dead pod left elsewhere. [`identity`] says who a pod is
//! and makes all names from that.
//!
//! Start reading at [`PodStore::create`].
pub(crate) mod atomic;
pub mod boot;
mod claim;
pub mod cpus;
mod error;
pub mod events;
mod folder;
pub mod identity;
pub mod ids;
pub mod jobs;
pub mod layout;
pub mod ledger;
mod lock;
pub mod old_logs;
pub mod orphans;
mod private;
pub mod process;
pub mod read;
pub mod supervisor_log;
pub mod trust;
mod turn;
pub mod unreadable;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;
use serde::Serialize;

pub use error::Error;
pub use folder::forget_moved_away;
pub use turn::OnWait;

use events::{EventLine, EventLog};
use folder::{clear, forget_empty, is_folder, make_dir, remove_folder, remove_tree};
use ids::{Pool, RangeLock};
use layout::Layout;
use ledger::{Ledger, Remains, Stage};
use lock::PodLock;
use turn::{A_COMMAND_WAITS, A_RUN_WAITS, acquire};

/// The writing end: whoever has it holds the pod's lock.
#[derive(Debug)]
pub struct PodStore {
    dir: PathBuf,
    ledger: Ledger,
    /// Opened with the first event: who only removes a pod writes nothing.
    events: Option<EventLog>,
    _lock: PodLock,
    _ids: Option<RangeLock>,
}

impl PodStore {
    /// Takes the pod's lock, forgets an ended pod of the same name with its logs (as `rm` would), and writes the
    /// ledger, before anything it names is made.
    ///
    /// # Errors
    /// [`Error::Running`] for a second supervisor, [`Error::NotCleanedUp`] where something of an earlier life is there.
    pub fn create(layout: &Layout, ledger: Ledger) -> Result<Self, Error> {
        Self::make(layout, ledger, None)
    }

    /// As [`Self::create`], and reserves a range of ids, which the ledger has as `first_id`. It is free again once the
    /// ledger says that the pod has ended and all of it is gone.
    ///
    /// # Errors
    /// Also [`Error::NoIds`].
    pub fn create_with_ids(layout: &Layout, ledger: Ledger, pool: &Pool) -> Result<Self, Error> {
        Self::make(layout, ledger, Some(pool))
    }

    fn make(layout: &Layout, mut ledger: Ledger, pool: Option<&Pool>) -> Result<Self, Error> {
        let dir = identity::state_dir(layout, &ledger.namespace, &ledger.name);
        make_dir(&layout.root, 0o711)?;
        private::enclose(layout)?;
        let lock = acquire(&dir, &ledger.namespace, &ledger.name, A_RUN_WAITS, &|_| {})?;
        let old = Ledger::load(&dir)?;
        if let Some(Ledger { stage: Stage::Live | Stage::Left, namespace, name, left, .. }) = old {
            return Err(Error::NotCleanedUp { namespace, name, left });
        }
        // Held until the ledger says what was taken.
        let reserving = match pool.map(|pool| ids::reserve(layout, pool)).transpose() {
            Ok(reserving) => reserving,
            Err(error) => {
                if old.is_none() {
                    remove_folder(&dir, &ledger.namespace, &ledger.name)?;
                }
                return Err(error);
            }
        };
        clear(&dir)?;
        ledger.first_id = reserving.as_ref().map(|reserved| reserved.first);
        ledger.save(&dir)?;
        if let Err(error) = claim::check(layout, &ledger) {
            // Nothing has been made that this pod's ledger would have to know.
            remove_folder(&dir, &ledger.namespace, &ledger.name)?;
            return Err(error);
        }
        let range = reserving.map(|reserved| reserved.range);
        let events = Some(EventLog::open(&dir)?);
        Ok(Self { dir, ledger, events, _lock: lock, _ids: range })
    }

    /// Takes over a pod whose supervisor died, or has ended, to clean up after it. Waits for another command that does,
    /// and tells whoever asks.
    ///
    /// # Errors
    /// [`Error::Running`] where a supervisor lives, [`Error::NotFound`] where there is no ledger.
    pub fn take_over(layout: &Layout, namespace: &str, name: &str, on_wait: OnWait<'_>) -> Result<Self, Error> {
        let dir = identity::state_dir(layout, namespace, name);
        if !is_folder(&dir)? {
            return Err(Error::NotFound(format!("{namespace}/{name}")));
        }
        let lock = acquire(&dir, namespace, name, A_COMMAND_WAITS, on_wait)?;
        let Some(ledger) = Ledger::load(&dir)? else {
            // Another was faster and has removed it all: the folder is one that was made for the lock.
            forget_empty(&dir, namespace, name)?;
            return Err(Error::NotFound(format!("{namespace}/{name}")));
        };
        atomic::forget_halves(&dir)?;
        Ok(Self { dir, ledger, events: None, _lock: lock, _ids: None })
    }

    /// The pod's state folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was written down before it was made.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether the pod has ended and nothing of it is left: it can be forgotten.
    pub fn is_ended(&self) -> bool {
        self.ledger.stage == Stage::Ended
    }

    /// Makes the pod's data and log folders, with a record of whose they are. Before anything else is made in them.
    pub fn mark_folders(&self) -> Result<(), Error> {
        claim::mark(&self.ledger)
    }

    /// Writes down what is about to be made for the pod's network.
    ///
    /// # Errors
    /// Where the disk refuses: it must not be made then.
    pub fn note_network(&mut self, network: ledger::Network) -> Result<(), Error> {
        let noted = Ledger { network: Some(network), ..self.ledger.clone() };
        noted.save(&self.dir)?;
        self.ledger = noted;
        Ok(())
    }

    /// Replaces `pod.json` (mode 0600: it may hold secrets in env).
    pub fn write_pod(&self, pod: &v1::Pod) -> Result<(), Error> {
        atomic::replace(&self.dir, read::POD, pod)
    }

    /// Replaces `state.json`, what there is to be known of engine and supervisor.
    pub fn write_state<T: Serialize>(&self, state: &T) -> Result<(), Error> {
        atomic::replace(&self.dir, read::STATE, state)
    }

    /// Appends one event. Equal ones are counted, similar ones combined, and none is dropped (R8.8).
    pub fn append_event(&mut self, event: EventLine) -> Result<(), Error> {
        let log = match self.events.take() {
            Some(log) => log,
            None => EventLog::open(&self.dir)?,
        };
        self.events.insert(log).append(event)
    }

    /// The pod has ended. Where everything the ledger names is gone it is only to be read from now on; else it stays known
    /// what is left. Gives that.
    ///
    /// # Errors
    /// Where that can't be written down; this store knows it all the same.
    pub fn finish(&mut self, remains: Remains) -> Result<Remains, Error> {
        let remains = if remains.words().is_empty() { claim::release(&self.ledger) } else { remains };
        self.ledger.settle(remains.clone());
        self.ledger.save(&self.dir)?;
        // What became of the pod is to be read after a power cut, too.
        for file in [read::POD, read::STATE] {
            match atomic::sync(&self.dir.join(file)) {
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                synced => synced?,
            }
        }
        Ok(remains)
    }

    /// Forgets the pod: logs, then state. Only after [`PodStore::finish`] with nothing left: a ledger of something that is
    /// still there must not be lost.
    ///
    /// # Errors
    /// [`Error::NotCleanedUp`] otherwise.
    pub fn remove(self) -> Result<(), Error> {
        let Ledger { stage, namespace, name, left, log_dir, .. } = self.ledger;
        if stage != Stage::Ended {
            return Err(Error::NotCleanedUp { namespace, name, left });
        }
        remove_tree(&log_dir)?;
        remove_folder(&self.dir, &namespace, &name)
    }
}

/// Writes `attempt.json`, what one attempt was made with, into its folder below the pod's.
///
/// # Errors
/// Where the folder isn't there, or the disk refuses.
pub fn write_attempt<T: Serialize>(folder: &Path, state: &T) -> Result<(), Error> {
    atomic::replace(folder, read::ATTEMPT, state)
}

/// Removes the folder of a pod whose `run` died before it wrote a ledger, and so before it made anything. Gives whether
/// it did: not where the folder is gone, or has a ledger after all.
///
/// # Errors
/// [`Error::Running`] where a supervisor lives.
pub fn forget_unborn(layout: &Layout, namespace: &str, name: &str) -> Result<bool, Error> {
    let dir = identity::state_dir(layout, namespace, name);
    if !is_folder(&dir)? {
        return Ok(false);
    }
    let _lock = acquire(&dir, namespace, name, A_COMMAND_WAITS, &|_| {})?;
    if Ledger::load(&dir)?.is_some() {
        return Ok(false);
    }
    remove_folder(&dir, namespace, name)?;
    Ok(true)
}

#[cfg(test)]
mod tests;
