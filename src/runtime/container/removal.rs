//! Removes an ended container, or what there is of one that isn't to be made: what is left in its cgroup, the cgroup, its
//! files. Small things go piece by piece, between which the caller can look for what is urgent; what takes longer goes
//! in a helper process.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Place;
use super::oci_hooks::{self, Point};
use super::running::Container;
use crate::plan::CgroupVersion;
use crate::runtime::cgroup::{self, Hierarchies};
use crate::runtime::spawn::{self, Child};
use crate::runtime::tree::{self, Progress};

/// Its `argv[0]`.
pub(super) const NAME: &str = "barepod:remove";

/// How many files go without a helper.
const AT_ONCE: usize = 200;
/// How many go in one piece.
const A_PIECE: usize = 20;
/// How long the helper waits for killed processes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What couldn't be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("container {container:?}: {object}: {cause}")]
pub struct RemovalError {
    /// The container's name.
    pub container: String,
    /// What was to go, or to be done.
    pub object: String,
    /// Why it didn't.
    pub cause: String,
}

/// What remains to be removed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Job {
    container: String,
    cgroups: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// A removal under way or done.
#[derive(Debug)]
pub struct Removal {
    state: State,
}

#[derive(Debug)]
enum State {
    /// What is done here, a piece at a time.
    Pieces {
        job: Job,
        place: Box<Place>,
        folders: Vec<PathBuf>,
        /// Of the last of the job's folders.
        now: Option<tree::Removal>,
        left: usize,
        errors: Vec<RemovalError>,
    },
    Helper {
        child: Child,
        report: File,
        job: Job,
        place: Box<Place>,
    },
    /// The bundle's poststop hooks.
    Hooks {
        running: oci_hooks::Running,
        place: Box<Place>,
        errors: Vec<RemovalError>,
    },
    Done(Vec<RemovalError>),
}

impl Removal {
    /// Starts removing a container whose init has ended; one that still runs is killed.
    pub fn begin(container: Container) -> Self {
        let place = container.place.clone();
        place.kill();
        drop(container);
        Self::of(place)
    }

    /// Of whatever is at a place where everything has been killed.
    pub(super) fn of(place: Place) -> Self {
        let place = Box::new(place);
        let cgroups: Vec<PathBuf> = match place.hierarchies.version() {
            CgroupVersion::None => Vec::new(),
            CgroupVersion::V1 | CgroupVersion::V2 => place.cgroups().cloned().collect(),
        };
        let folders = cgroups.iter().flat_map(|cgroup| place.hierarchies.folders(cgroup)).collect();
        let job = Job {
            container: place.name.clone(),
            cgroups,
            folders: vec![place.dirs.state.clone(), place.dirs.data.clone()],
        };
        Self { state: State::Pieces { job, place, folders, now: None, left: AT_ONCE, errors: Vec::new() } }
    }

    /// Takes the next piece away, some tenths of a millisecond's work. To be called again as long as it says so; after
    /// that [`pidfd`](Self::pidfd) or [`outcome`](Self::outcome) tell how it goes on.
    pub fn advance(&mut self) -> bool {
        let State::Pieces { job, place, folders, now, left, errors } = &mut self.state else { return false };
        let next = match take_piece(job, folders, now, left, errors) {
            Piece::Taken => return true,
            Piece::None => after(place.clone(), std::mem::take(errors)),
            Piece::TooLarge => start_helper(std::mem::take(job), place.clone()),
        };
        self.state = next;
        false
    }

    /// To be polled for reading while there is no outcome; `None`: it is done.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Pieces { .. } | State::Done(_) => None,
            State::Helper { child, .. } => Some(child.pidfd.as_fd()),
            State::Hooks { running, .. } => Some(running.pidfd()),
        }
    }

    /// What couldn't be removed; `None`: not done yet, and [`pidfd`](Self::pidfd) may be another one now.
    pub fn outcome(&mut self) -> Option<&[RemovalError]> {
        if let State::Helper { child, report, job, place } = &mut self.state
            && let Some(errors) = spawn::take_answer(child, report)
        {
            let errors = errors.unwrap_or_else(|_| vec![job.error("everything", "the helper process died")]);
            self.state = after(place.clone(), errors);
        }
        if let State::Hooks { running, place, errors } = &mut self.state
            && let Some(failures) = running.outcome()
        {
            let error = |cause| RemovalError { container: place.name.clone(), object: "poststop".to_owned(), cause };
            errors.extend(failures.into_iter().map(error));
            // What a hook left running; what still dies goes with the pod's cgroup.
            let cgroup = place.hook_cgroup(Point::Poststop);
            let _ = place.hierarchies.kill(&cgroup);
            place.hierarchies.remove(&cgroup);
            self.state = State::Done(std::mem::take(errors));
        }
        match &self.state {
            State::Done(errors) => Some(errors),
            State::Pieces { .. } | State::Helper { .. } | State::Hooks { .. } => None,
        }
    }
}

/// What comes when everything is gone.
fn after(place: Box<Place>, mut errors: Vec<RemovalError>) -> State {
    if place.hooks.is_some() {
        place.hierarchies.remove(&place.hook_cgroup(Point::Poststart));
    }
    match place.begin_hooks(Point::Poststop, None) {
        None => State::Done(errors),
        Some(Ok(running)) => State::Hooks { running, place, errors },
        Some(Err(cause)) => {
            errors.push(RemovalError { container: place.name.clone(), object: "poststop".to_owned(), cause });
            State::Done(errors)
        }
    }
}

impl Job {
    fn error(&self, object: impl ToString, cause: impl ToString) -> RemovalError {
        RemovalError {
            container: self.container.clone(),
            object: format!("remove {}", object.to_string()),
            cause: cause.to_string(),
        }
    }
}

enum Piece {
    Taken,
    /// Nothing is left.
    None,
    /// Too much, or something that has to be waited for.
    TooLarge,
}

fn take_piece(
    job: &mut Job,
    cgroups: &mut Vec<PathBuf>,
    now: &mut Option<tree::Removal>,
    left: &mut usize,
    errors: &mut Vec<RemovalError>,
) -> Piece {
    if let Some(folder) = cgroups.pop() {
        return match cgroup::remove_folder(&folder) {
            Ok(()) => Piece::Taken,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Piece::Taken,
            // A process that is killed but not gone holds its cgroup, or there are others below it.
            Err(_) => Piece::TooLarge,
        };
    }
    job.cgroups.clear();
    let Some(folder) = job.folders.last() else { return Piece::None };
    let mut budget = A_PIECE.min(*left);
    let before = budget;
    let removed = match now.take().map_or_else(|| tree::Removal::of(folder), Ok) {
        Ok(removal) => now.insert(removal).advance(&mut budget),
        Err(cause) => Err(cause),
    };
    *left -= before - budget;
    match removed {
        Ok(Progress::More) if *left > 0 => return Piece::Taken,
        Ok(Progress::More | Progress::Large) => return Piece::TooLarge,
        Ok(Progress::Done) => {}
        Err(cause) => errors.push(job.error(folder.display(), cause)),
    }
    *now = None;
    job.folders.pop();
    Piece::Taken
}

fn start_helper(job: Job, place: Box<Place>) -> State {
    // Beside the container's cgroup, which is to go: on v2 the pod's own may hold no process. No container's name
    // has an underscore.
    let cgroup = || Ok(place.hierarchies.track(&place.cgroup.with_file_name("_remove")).ok().flatten());
    match spawn::ask(NAME, &job, None, cgroup) {
        Ok((child, report)) => State::Helper { child, report, job, place },
        Err(cause) => State::Done(vec![job.error("everything: helper process", cause)]),
    }
}

/// The helper's main function.
pub(super) fn run() -> ! {
    spawn::serve(NAME, |job: Job| finish(&job))
}

fn finish(job: &Job) -> Vec<RemovalError> {
    let mut errors = Vec::new();
    match Hierarchies::discover() {
        _ if job.cgroups.is_empty() => {}
        Ok(hierarchies) => {
            for cgroup in &job.cgroups {
                if let Err(cause) = hierarchies.end(cgroup, PATIENCE) {
                    errors.push(job.error(cgroup.display(), cause));
                }
                errors.extend(hierarchies.remove(cgroup).iter().map(|cause| job.error(cgroup.display(), cause)));
            }
        }
        Err(cause) => errors.push(job.error("cgroups", cause)),
    }
    for folder in &job.folders {
        if let Err(cause) = tree::remove(folder) {
            errors.push(job.error(folder.display(), cause));
        }
    }
    errors
}
