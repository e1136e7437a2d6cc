//! The reading side of Jobs: which there are, what is known of them, and how those who run them are told what is wanted.

use std::path::{Path, PathBuf};

use super::super::error::Error;
use super::super::events::{self, EventLine};
use super::super::layout::Layout;
use super::super::lock::{PodLock, pause};
use super::super::{atomic, identity};
use super::{CHANGE, LOG, SavedJob, WISH, WISHES, Wish, load};

/// A Job's folder, to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundJob {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    dir: PathBuf,
}

impl FoundJob {
    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was saved; `None`: nothing yet, or it is gone.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn load(&self) -> Result<Option<SavedJob>, Error> {
        load(&self.dir)
    }

    /// What happened to it, equal ones counted.
    ///
    /// # Errors
    /// Where that can't be read.
    pub fn events(&self) -> Result<Vec<EventLine>, Error> {
        events::read(&self.dir)
    }

    /// Where its process says what it has to say, if it ever was one in the background.
    pub fn log(&self) -> Option<PathBuf> {
        Some(self.dir.join(LOG)).filter(|path| path.exists())
    }

    /// Whether a process runs it.
    ///
    /// # Errors
    /// Where its lock can't be looked at.
    pub fn is_run(&self) -> Result<bool, Error> {
        PodLock::is_held(&self.dir)
    }

    /// As [`Self::is_run`], for one who asks until it isn't: where it is, the answer takes a moment.
    pub fn runs_on(&self) -> bool {
        let runs = self.is_run().is_ok_and(|is| is);
        if runs {
            pause();
        }
        runs
    }

    /// Tells who runs it what is wanted.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn wish(&self, wish: Wish) -> Result<(), Error> {
        atomic::replace(&self.dir.join(WISHES), WISH, &wish)
    }

    /// Tells who runs it how the Job is wanted: `batch/v1` with all defaults.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn change(&self, job: &serde_json::Value) -> Result<(), Error> {
        atomic::replace(&self.dir.join(WISHES), CHANGE, job)
    }
}

/// All Jobs by namespace and name.
///
/// # Errors
/// Where the folder can't be read.
pub fn list(layout: &Layout) -> Result<Vec<FoundJob>, Error> {
    let all = identity::list(&layout.jobs_dir())?.into_iter();
    Ok(all.map(|(namespace, name, dir)| FoundJob { namespace, name, dir }).collect())
}
