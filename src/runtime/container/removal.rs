//! Removes an ended container: what is left in its cgroup, the cgroup, its files. Small things go at once; what takes
//! longer goes in a helper process, so that the caller never waits.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::running::{Container, Place};
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::files;
use crate::runtime::spawn::{self, Child, PidNamespace, Spawn, Tie};

/// Its `argv[0]`.
pub(super) const NAME: &str = "barepod:remove";

/// How many files go at once: about a millisecond's work.
const AT_ONCE: usize = 200;
/// How long the helper waits for killed processes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What couldn't be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("container {container:?}: remove {object}: {cause}")]
pub struct RemovalError {
    /// The container's name.
    pub container: String,
    /// What was to go.
    pub object: String,
    /// Why it didn't.
    pub cause: String,
}

/// What remains to be removed.
#[derive(Debug, Serialize, Deserialize)]
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
    Done(Vec<RemovalError>),
    Helper { child: Child, report: File, text: Vec<u8>, job: Job },
}

impl Removal {
    /// Starts removing a container whose init has ended; one that still runs is killed.
    pub fn begin(container: Container) -> Self {
        let place = container.place.clone();
        place.kill();
        drop(container);
        let mut job = Job {
            container: place.name.clone(),
            cgroups: place.cgroups().cloned().collect(),
            folders: vec![place.dirs.state.clone(), place.dirs.data.clone()],
        };
        let mut errors = Vec::new();
        let state = match remove_at_once(&mut job, &place, &mut errors) {
            true => State::Done(errors),
            false => start_helper(job, &place),
        };
        Self { state }
    }

    /// To be polled for reading while there is no outcome; `None`: it is done.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Done(_) => None,
            State::Helper { child, .. } => Some(child.pidfd.as_fd()),
        }
    }

    /// What couldn't be removed; `None`: not done yet.
    pub fn outcome(&mut self) -> Option<&[RemovalError]> {
        if let State::Helper { child, report, text, job } = &mut self.state
            && spawn::has_ended(&child.pidfd)
        {
            let _ = report.read_to_end(text);
            let _ = spawn::reap(&child.pidfd);
            let errors = serde_json::from_slice(text)
                .unwrap_or_else(|_| vec![job.error("everything", "the helper process died")]);
            self.state = State::Done(errors);
        }
        match &self.state {
            State::Done(errors) => Some(errors),
            State::Helper { .. } => None,
        }
    }
}

impl Job {
    fn error(&self, object: impl ToString, cause: impl ToString) -> RemovalError {
        RemovalError { container: self.container.clone(), object: object.to_string(), cause: cause.to_string() }
    }
}

/// True: nothing remains to be done.
fn remove_at_once(job: &mut Job, place: &Place, errors: &mut Vec<RemovalError>) -> bool {
    let empty = job.cgroups.iter().all(|cgroup| place.hierarchies.members(cgroup).is_empty());
    // A process that is killed but not gone holds its cgroup; the helper waits for it.
    if !empty || job.cgroups.iter().any(|cgroup| !place.hierarchies.remove(cgroup).is_empty()) {
        return false;
    }
    job.cgroups.clear();
    let mut budget = AT_ONCE;
    while let Some(folder) = job.folders.last() {
        match files::remove_tree(folder, &mut budget) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(cause) => errors.push(job.error(folder.display(), cause)),
        }
        job.folders.pop();
    }
    true
}

fn start_helper(job: Job, place: &Place) -> State {
    let started = spawn::pipe().and_then(|(report, end)| {
        let request = spawn::request(&job)?;
        // Beside the container's cgroup, which is to go: on v2 the pod's own may hold no process. No container's name
        // has an underscore.
        let cgroup = place.hierarchies.track(&place.cgroup.with_file_name("_remove")).ok();
        let fds = [request.as_raw_fd(), end.as_raw_fd()];
        let what = Spawn {
            name: NAME,
            cgroup: cgroup.as_deref(),
            fds: &fds,
            pid_namespace: PidNamespace::Same,
            tie: Tie::DiesWithParent,
        };
        Ok((report, spawn::spawn(&what)?))
    });
    match started {
        Ok((report, child)) => State::Helper { child, report, text: Vec::new(), job },
        Err(cause) => State::Done(vec![job.error("everything: helper process", cause)]),
    }
}

/// The helper's main function.
pub(super) fn run() -> ! {
    spawn::settle("barepod:remove", 2);
    let (request, mut report) = (spawn::inherited(0), File::from(spawn::inherited(1)));
    let Ok(job) = spawn::read_request::<Job>(request) else { std::process::exit(1) };
    let errors = finish(&job);
    let written = report.write_all(&serde_json::to_vec(&errors).unwrap_or_default());
    std::process::exit(i32::from(written.is_err()))
}

fn finish(job: &Job) -> Vec<RemovalError> {
    let mut errors = Vec::new();
    match Hierarchies::discover() {
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
        if let Err(cause) = files::remove_tree(folder, &mut usize::MAX.clone()) {
            errors.push(job.error(folder.display(), cause));
        }
    }
    errors
}
