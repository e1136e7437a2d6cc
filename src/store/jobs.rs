//! The state folders of Jobs, beside those of pods: whose process holds a Job's lock runs it. A Job's pods are pods as all others.

mod found;

use std::fs;
use std::path::{Path, PathBuf};

use barepod_engine::job::{Job, PodNumber};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Error, io_error};
use super::events::{EventLine, EventLog};
use super::folder::{make_dir, remove_tree};
use super::layout::Layout;
use super::lock::{PodLock, Taken, pause};
use super::{atomic, identity};
pub use found::{FoundJob, list};

const STATE: &str = "job.json";
/// The folder of what another command wants of who runs the Job, and the file in it.
const WISHES: &str = "wishes";
const WISH: &str = "wish.json";
/// Likewise, the Job as another command wants it.
const CHANGE: &str = "change.json";
/// What the process says that runs a Job in the background.
pub const LOG: &str = "runner.log";
/// How often a lock is looked at that a process may be about to let go of: a pod that begins has it from who has begun it.
const TRIES: u32 = 400;
/// The format this barepod writes, and the only one that it reads.
const VERSION: u32 = 1;

/// What is known of a Job.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedJob {
    version: u32,
    /// Of the box: instants mean nothing in another one.
    pub boot: String,
    /// `batch/v1` Job with all defaults, without its status.
    pub job: serde_json::Value,
    /// Its controller.
    pub controller: Job,
    /// All pods that were ever named, but for those that never came to be.
    pub pods: Vec<JobPod>,
    /// What the first failed pod ended with.
    pub first_failure: Option<u8>,
}

impl SavedJob {
    /// One without pods.
    pub fn new(job: serde_json::Value, controller: Job) -> Self {
        let boot = super::boot::current().to_owned();
        Self { version: VERSION, boot, job, controller, pods: Vec::new(), first_failure: None }
    }
}

/// A pod of a Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPod {
    /// The controller's number.
    pub number: PodNumber,
    /// `metadata.name`.
    pub name: String,
    /// Of an Indexed Job.
    pub index: Option<u32>,
    /// How far it is.
    pub stage: PodStage,
}

/// How far a Job's pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodStage {
    /// It has a name: perhaps it is there already.
    Named,
    /// It is there.
    Made,
    /// It has ended, and its controller knows.
    Ended,
}

/// What is wanted of who runs a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To end its pods gracefully, and then itself.
    Stop,
    /// To end them at once.
    Kill,
}

/// A Job's folder, with its lock.
#[derive(Debug)]
pub struct JobFolder {
    dir: PathBuf,
    events: EventLog,
    _lock: PodLock,
}

impl JobFolder {
    /// Makes the folder where it isn't there; `None`: somebody runs the Job.
    ///
    /// # Errors
    /// Where it can't be made or locked.
    pub fn take(layout: &Layout, namespace: &str, name: &str) -> Result<Option<Self>, Error> {
        let dir = folder_of(layout, namespace, name);
        make_dir(&layout.root, 0o711)?;
        make_dir(&layout.jobs_dir(), 0o700)?;
        for _ in 0..TRIES {
            make_dir(&dir, 0o700)?;
            match PodLock::take(&dir)? {
                Taken::Mine(lock) => {
                    atomic::forget_halves(&dir)?;
                    make_dir(&dir.join(WISHES), 0o700)?;
                    let events = EventLog::open(&dir)?;
                    return Ok(Some(Self { dir, events, _lock: lock }));
                }
                Taken::Held(_) | Taken::Gone => pause(),
            }
        }
        Ok(None)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where wishes come.
    pub fn wishes(&self) -> PathBuf {
        self.dir.join(WISHES)
    }

    /// What was saved; `None`: nothing yet.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn load(&self) -> Result<Option<SavedJob>, Error> {
        load(&self.dir)
    }

    /// Saves it, so that it is found after a power cut.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn save(&self, job: &SavedJob) -> Result<(), Error> {
        atomic::replace_synced(&self.dir, STATE, job)
    }

    /// Adds what has happened to the Job.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn append(&mut self, event: EventLine) -> Result<(), Error> {
        self.events.append(event)
    }

    /// Forgets what happened to an earlier Job of the name.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub fn forget_events(&mut self) -> Result<(), Error> {
        self.events.forget()
    }

    /// Takes the wish of another command, if there is one.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn take_wish(&self) -> Result<Option<Wish>, Error> {
        self.take_one(WISH)
    }

    /// Takes the Job as another command wants it.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn take_change(&self) -> Result<Option<serde_json::Value>, Error> {
        self.take_one(CHANGE)
    }

    fn take_one<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let wish = atomic::load(&self.wishes(), name)?;
        if wish.is_some() {
            let path = self.wishes().join(name);
            fs::remove_file(&path).map_err(io_error(&path, "remove"))?;
        }
        Ok(wish)
    }

    /// The file for what is said in the background.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn log(&self) -> Result<PathBuf, Error> {
        let path = self.dir.join(LOG);
        fs::File::create(&path).map_err(io_error(&path, "create"))?;
        Ok(path)
    }

    /// Forgets the Job.
    ///
    /// # Errors
    /// Where its folder can't be removed.
    pub fn remove(&self) -> Result<(), Error> {
        remove_tree(&self.dir)
    }
}

fn folder_of(layout: &Layout, namespace: &str, name: &str) -> PathBuf {
    layout.jobs_dir().join(identity::state_folder(namespace, name))
}

fn load(dir: &Path) -> Result<Option<SavedJob>, Error> {
    let saved: Option<SavedJob> = atomic::load(dir, STATE)?;
    match &saved {
        Some(SavedJob { version, .. }) if *version != VERSION => {
            let why = format!("format {version} is another barepod's; this one reads format {VERSION}");
            let source = <serde_json::Error as serde::de::Error>::custom(why);
            Err(Error::Corrupt { path: dir.join(STATE), source })
        }
        Some(_) | None => Ok(saved),
    }
}
