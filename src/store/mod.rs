//! The state folder of a pod: who runs it, what was made for it, what its status is, what happened.
//!
//! One supervisor writes ([`PodStore`]), any number of commands read ([`read`]) and never block or disturb it: files
//! that are replaced are replaced by a rename, events are appended by one write each. It decides nothing (which events are
//! told apart is a matter of their format: [`events`]) and removes nothing but its own files and a replaced pod's logs;
//! what a dead pod left elsewhere is `runtime::sweep`'s business. Start reading at [`PodStore::create`].
mod atomic;
pub mod cpus;
pub mod events;
pub mod ids;
pub mod layout;
pub mod ledger;
mod lock;
pub mod read;
pub mod trust;

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::api::core::v1;
use serde::Serialize;

use events::{EventLine, EventLog};
use ids::{Pool, RangeLock};
use layout::Layout;
use ledger::{Ledger, Stage};
use lock::{PodLock, Taken};

/// How often the folder may be taken away between its making and its locking: each time somebody removed the pod.
const LOCK_TRIES: usize = 16;

/// How often a `run` tries to get a lock that another command holds for a moment: for two seconds.
const COMMAND_TRIES: usize = 400;

/// What can go wrong in the state folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A second supervisor of one pod.
    #[error("pod \"{namespace}/{name}\" is already running{}", holder(*.pid))]
    Running {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// The supervisor, where the lock file says it.
        pid: Option<u32>,
    },
    /// Its supervisor died and what it left has not been swept yet.
    #[error("pod \"{namespace}/{name}\": its supervisor died and what it left has not been cleaned up")]
    NotCleanedUp {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
    },
    /// No such pod.
    #[error("pods \"{0}\" not found")]
    NotFound(String),
    /// A bare name that several namespaces have.
    #[error("pod name \"{name}\" is in several namespaces: say one of {}", .pods.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// `NAMESPACE/NAME` of all that fit.
        pods: Vec<String>,
    },
    /// A state file that can't be understood.
    #[error("{}: not a readable state file: {source}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A state file of a newer barepod.
    #[error("{}: format version {version} is newer than this barepod knows", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// All ranges of ids are taken.
    #[error("no ids are free for a user namespace: all {count} ranges of --userns-range are taken")]
    NoIds {
        /// How many there are.
        count: u32,
    },
    /// A folder that has its name by default and isn't the user's alone.
    #[error(
        "{} can't be trusted with pods: {why}; if that is not meant to be, remove it, and else keep pods elsewhere by \
         --root DIR",
        .path.display()
    )]
    Untrusted {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: trust::Distrust,
    },
    /// A system call failed.
    #[error("{}: {call}: {source}{}", .path.display(), elsewhere(call, source))]
    Io {
        /// On what.
        path: PathBuf,
        /// Doing what.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (supervisor is process {pid})")).unwrap_or_default()
}

/// What helps who may not make a state folder: root of a user namespace, for one.
fn elsewhere(call: &str, source: &io::Error) -> &'static str {
    let denied = matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
    if call == "mkdir" && denied { "; pods can be kept elsewhere by --root DIR" } else { "" }
}

/// Makes an [`Error::Io`] for `map_err`.
fn io_error<'a>(path: &'a Path, call: &'static str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { path: path.to_owned(), call, source }
}

/// The writing end: whoever has it holds the pod's lock.
#[derive(Debug)]
pub struct PodStore {
    dir: PathBuf,
    ledger: Ledger,
    events: EventLog,
    _lock: PodLock,
    _ids: Option<RangeLock>,
}

impl PodStore {
    /// Takes the pod's lock, forgets an ended pod of the same name with its logs (as `rm` would), and writes the
    /// ledger, before anything it names is made.
    ///
    /// # Errors
    /// [`Error::Running`] for a second supervisor, [`Error::NotCleanedUp`] where an earlier one died unswept.
    pub fn create(layout: &Layout, ledger: Ledger) -> Result<Self, Error> {
        Self::make(layout, ledger, None)
    }

    /// As [`Self::create`], and reserves a range of ids, which the ledger has as `first_id`. It is free again once the
    /// ledger says that the pod has ended.
    ///
    /// # Errors
    /// Also [`Error::NoIds`].
    pub fn create_with_ids(layout: &Layout, ledger: Ledger, pool: &Pool) -> Result<Self, Error> {
        Self::make(layout, ledger, Some(pool))
    }

    fn make(layout: &Layout, mut ledger: Ledger, pool: Option<&Pool>) -> Result<Self, Error> {
        let dir = layout.pod_dir(&ledger.namespace, &ledger.name);
        make_dir(&layout.pods_dir(), 0o711)?;
        let lock = lock_to_run(&dir, &ledger.namespace, &ledger.name)?;
        let old = Ledger::load(&dir)?;
        if let Some(Ledger { stage: Stage::Live, namespace, name, .. }) = old {
            return Err(Error::NotCleanedUp { namespace, name });
        }
        // Held until the ledger says what was taken.
        let reserving = match pool.map(|pool| ids::reserve(layout, pool)).transpose() {
            Ok(reserving) => reserving,
            Err(error) => {
                if old.is_none() {
                    bury(&dir, &ledger.namespace, &ledger.name)?;
                }
                return Err(error);
            }
        };
        if let Some(old) = old {
            remove_tree(&old.log_dir)?;
        }
        clear(&dir)?;
        ledger.first_id = reserving.as_ref().map(|reserved| reserved.first);
        ledger.save(&dir)?;
        let range = reserving.map(|reserved| reserved.range);
        let events = EventLog::open(&dir)?;
        Ok(Self { dir, ledger, events, _lock: lock, _ids: range })
    }

    /// Takes over a pod whose supervisor died, or has ended, to clean up after it.
    ///
    /// # Errors
    /// [`Error::Running`] where a supervisor holds the lock, [`Error::NotFound`] where there is no ledger.
    pub fn take_over(layout: &Layout, namespace: &str, name: &str) -> Result<Self, Error> {
        let dir = layout.pod_dir(namespace, name);
        if !dir.is_dir() {
            return Err(Error::NotFound(format!("{namespace}/{name}")));
        }
        let lock = lock_pod(&dir, namespace, name)?;
        let ledger = Ledger::load(&dir)?.ok_or_else(|| Error::NotFound(format!("{namespace}/{name}")))?;
        atomic::forget_halves(&dir)?;
        let events = EventLog::open(&dir)?;
        Ok(Self { dir, ledger, events, _lock: lock, _ids: None })
    }

    /// The pod's state folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was written down before it was made.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Replaces `pod.json` (mode 0600: it may hold secrets in env).
    pub fn write_pod(&self, pod: &v1::Pod) -> Result<(), Error> {
        atomic::replace(&self.dir, read::POD, pod)
    }

    /// Replaces `state.json`, the engine as it is.
    pub fn write_state<T: Serialize>(&self, engine: &T) -> Result<(), Error> {
        atomic::replace(&self.dir, read::STATE, engine)
    }

    /// Appends one event. Equal ones are counted, similar ones combined, and none is dropped (R8.8).
    pub fn append_event(&mut self, event: EventLine) -> Result<(), Error> {
        self.events.append(event)
    }

    /// The pod has ended and everything the ledger names is gone: from now on it is only to be read.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.ledger.stage = Stage::Ended;
        self.ledger.save(&self.dir)
    }

    /// Forgets the pod: logs, then state. Only after [`PodStore::finish`]; a live ledger must not be lost.
    ///
    /// # Errors
    /// [`Error::NotCleanedUp`] before `finish`.
    pub fn remove(self) -> Result<(), Error> {
        if self.ledger.stage != Stage::Ended {
            return Err(Error::NotCleanedUp { namespace: self.ledger.namespace, name: self.ledger.name });
        }
        remove_tree(&self.ledger.log_dir)?;
        bury(&self.dir, &self.ledger.namespace, &self.ledger.name)
    }
}

/// Removes the folder of a pod whose `run` died before it wrote a ledger, and so before it made anything. Gives whether
/// it did: not where the folder is gone, or has a ledger after all.
///
/// # Errors
/// [`Error::Running`] where somebody holds the lock.
pub fn forget_unborn(layout: &Layout, namespace: &str, name: &str) -> Result<bool, Error> {
    let dir = layout.pod_dir(namespace, name);
    if !dir.is_dir() {
        return Ok(false);
    }
    let _lock = lock_pod(&dir, namespace, name)?;
    if Ledger::load(&dir)?.is_some() {
        return Ok(false);
    }
    bury(&dir, namespace, name)?;
    Ok(true)
}

/// Takes a pod's folder away whole, then removes it. Under its lock: a `run` of the same name that comes meanwhile finds
/// either the locked folder or none, never one that is being emptied under its hands.
fn bury(dir: &Path, namespace: &str, name: &str) -> Result<(), Error> {
    static BURIED: AtomicU32 = AtomicU32::new(0);
    // No `_` in it, so that it reads as no pod. One of its own for each burial: several may be under way at once.
    let graves = format!(".{namespace}.{name}.");
    let number = BURIED.fetch_add(1, Ordering::Relaxed);
    let grave = dir.with_file_name(format!("{graves}{}-{number}", std::process::id()));
    let buried = match fs::rename(dir, &grave) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(dir, "rename")(error)),
        Ok(()) | Err(_) => remove_tree(&grave),
    };
    // What an earlier one left that died halfway. Another's that is under way loses nothing by it.
    for entry in dir.parent().into_iter().filter_map(|pods| fs::read_dir(pods).ok()).flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(graves.as_bytes()) {
            let _ = remove_tree(&entry.path());
        }
    }
    buried
}

/// Takes the lock of a pod, whose folder is made where there is none.
fn lock_pod(dir: &Path, namespace: &str, name: &str) -> Result<PodLock, Error> {
    for _ in 0..LOCK_TRIES {
        match make_dir(dir, 0o700) {
            // It was there, and was taken away before it could be seen that it is a folder.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        match PodLock::take(dir)? {
            Taken::Mine(lock) => return Ok(lock),
            Taken::Held(pid) => return Err(Error::Running { namespace: namespace.into(), name: name.into(), pid }),
            Taken::Gone => {}
        }
    }
    Err(Error::Running { namespace: namespace.into(), name: name.into(), pid: None })
}

/// As [`lock_pod`], for a supervisor: it is refused by another supervisor only. Commands take the lock too, for as long
/// as they look after a pod that is lost, and a folder without a ledger looks like one to whoever comes at that moment.
fn lock_to_run(dir: &Path, namespace: &str, name: &str) -> Result<PodLock, Error> {
    for _ in 0..COMMAND_TRIES {
        match lock_pod(dir, namespace, name) {
            Err(Error::Running { pid, .. }) if !supervises(dir, pid) => lock::pause(),
            taken => return taken,
        }
    }
    lock_pod(dir, namespace, name)
}

/// Whether the process that holds the lock is the one that the ledger calls the supervisor.
fn supervises(dir: &Path, holder: Option<u32>) -> bool {
    let ledger = Ledger::load(dir).ok().flatten();
    ledger.is_some_and(|ledger| ledger.stage == Stage::Live && Some(ledger.supervisor_pid) == holder)
}

fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io_error(path, "mkdir"))
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
        let removed = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            // Who was on the way into a pod's folder when that was buried makes a lock file in the grave.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < LOCK_TRIES => tries += 1,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error(path, "remove")(error)),
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
