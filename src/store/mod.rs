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
mod atomic;
pub mod boot;
mod claim;
pub mod cpus;
mod error;
pub mod events;
pub mod identity;
pub mod ids;
pub mod layout;
pub mod ledger;
mod lock;
pub mod orphans;
mod private;
pub mod read;
pub mod supervisor_log;
pub mod trust;
pub mod unreadable;

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1;
use serde::Serialize;

pub use error::Error;

use crate::control;
use events::{EventLine, EventLog};
use ids::{Pool, RangeLock};
use layout::Layout;
use ledger::{Ledger, Remains, Stage, Supervisor};
use lock::{PodLock, Taken};

/// How often the folder may be taken away between its making and its locking: each time somebody removed the pod.
const LOCK_TRIES: usize = 16;

/// How long a `run` waits for a command that holds the lock.
const A_RUN_WAITS: Duration = Duration::from_secs(10);

/// How long a command waits for another that cleans up after the same pod: a large volume takes its time.
const A_COMMAND_WAITS: Duration = Duration::from_secs(120);

/// After how long whoever waits says so.
const SILENCE: Duration = Duration::from_secs(1);

/// Told once where another command has to be waited for: its pid, where that is known.
pub type OnWait<'a> = &'a dyn Fn(Option<u32>);

/// Makes an [`Error::Io`] for `map_err`.
fn io_error<'a>(path: &'a Path, call: &'static str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { path: path.to_owned(), call, source }
}

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

/// Removes a pod's folder where nothing but a lock is in it. The caller has that.
fn forget_empty(dir: &Path, namespace: &str, name: &str) -> Result<(), Error> {
    let entries = fs::read_dir(dir).map_err(io_error(dir, "read"))?;
    if entries.flatten().all(|entry| entry.file_name() == lock::FILE) {
        remove_folder(dir, namespace, name)?;
    }
    Ok(())
}

/// Takes a pod's folder away whole, then removes it. Under its lock: a `run` of the same name that comes meanwhile finds
/// either the locked folder or none, never one that is being emptied while it uses it.
fn remove_folder(dir: &Path, namespace: &str, name: &str) -> Result<(), Error> {
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

/// Takes the lock of a pod, whose folder is made where there is none. A living supervisor refuses it at once; a command
/// that looks after the pod, or a child of a dead supervisor that has yet to execute, is waited for.
fn acquire(dir: &Path, namespace: &str, name: &str, patience: Duration, on_wait: OnWait<'_>) -> Result<PodLock, Error> {
    let began = Instant::now();
    let mut told = false;
    let mut gone = 0;
    loop {
        match make_dir(dir, 0o700) {
            // It was there, and was taken away before it could be seen that it is a folder.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists && gone < LOCK_TRIES => {
                gone += 1;
                continue;
            }
            made => made?,
        }
        let holder = match PodLock::take(dir)? {
            Taken::Mine(lock) => match supervisor(dir, None) {
                // The lock that it has is of a file that is gone.
                Some(pid) => {
                    drop(lock);
                    return Err(Error::Running { namespace: namespace.into(), name: name.into(), pid: Some(pid) });
                }
                None => return Ok(lock),
            },
            Taken::Held(holder) => holder,
            Taken::Gone if gone < LOCK_TRIES => {
                gone += 1;
                continue;
            }
            Taken::Gone => None,
        };
        if let Some(pid) = supervisor(dir, holder) {
            return Err(Error::Running { namespace: namespace.into(), name: name.into(), pid: Some(pid) });
        }
        let waited = began.elapsed();
        if waited >= patience {
            return Err(Error::Busy { namespace: namespace.into(), name: name.into(), pid: holder });
        }
        if waited >= SILENCE && !told {
            on_wait(holder);
            told = true;
        }
        lock::pause();
    }
}

/// The pid of the pod's supervisor, if that lives. It is another than this process: who has begun to run the pod asks
/// before it writes its ledger. `holder` has the lock; it speaks for a supervisor of another pid namespace.
fn supervisor(dir: &Path, holder: Option<u32>) -> Option<u32> {
    let ledger = Ledger::load(dir).ok().flatten().filter(|ledger| ledger.stage == Stage::Live)?;
    let pid = ledger.supervisor_pid;
    let lives = match ledger.supervisor() {
        Supervisor::Alive => true,
        Supervisor::Ended => false,
        Supervisor::Unknown => holder == Some(pid) || (holder.is_none() && control::is_listening(dir)),
    };
    lives.then_some(pid)
}

fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    match DirBuilder::new().recursive(true).mode(mode).create(path) {
        // Std says so of a folder that it can't look at.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            match path.metadata() {
                Ok(found) if found.is_dir() => Ok(()),
                Err(cause) if cause.kind() != ErrorKind::NotFound => Err(io_error(path, "stat")(cause)),
                // Something else, or a folder that has been taken away since.
                Ok(_) | Err(_) => Err(io_error(path, "mkdir")(error)),
            }
        }
        made => made.map_err(io_error(path, "mkdir")),
    }
}

/// Whether there is a folder; an error where that can't be seen.
fn is_folder(path: &Path) -> Result<bool, Error> {
    match path.metadata() {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(io_error(path, "stat")(error)),
    }
}

/// Everything in the folder but the lock that is held.
fn clear(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(io_error(dir, "read"))? {
        let entry = entry.map_err(io_error(dir, "read"))?;
        if entry.file_name() != lock::FILE {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file or a folder with all in it; it may be gone already. Symlinks are not followed.
fn remove_tree(path: &Path) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        // What pods leave may be of any depth.
        match crate::runtime::tree::remove(path) {
            // Who was on the way into a pod's folder when that was moved away makes a lock file in it.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < LOCK_TRIES => tries += 1,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error(path, "remove")(error)),
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
