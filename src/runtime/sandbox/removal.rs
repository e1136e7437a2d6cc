//! Removes a sandbox a piece at a time, so that the caller can look for signals between them.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};

use super::dirs::SandboxDirs;
use super::error::{SandboxError, error};
use super::namespaces::Held;
use super::pause::Pause;
use crate::plan::VolumePlan;
use crate::runtime::cgroup::{CgroupError, PodCgroup};
use crate::runtime::network::Connection;
use crate::runtime::tree::{self, Clearing, Step};
use crate::runtime::{spawn, volume};

/// How long killed processes are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how long it is seen first whether they have gone; twice as long each further time, up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// A sandbox that is being removed. Dropping it leaves what there still is to a sweep.
#[derive(Debug)]
pub struct SandboxRemoval {
    /// Taken when it is removed, last of all.
    cgroup: Option<PodCgroup>,
    sandbox: Parts,
    began: Option<Instant>,
    next_look: Duration,
    processes_gone: bool,
    /// Its folders, once the mounts in them are gone.
    files: Option<Clearing>,
    errors: Vec<SandboxError>,
}

/// What is left of a sandbox beside its cgroup.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) pause: Option<Pause>,
    pub(super) dirs: SandboxDirs,
    pub(super) shm: Option<PathBuf>,
    /// Those that go.
    pub(super) volumes: Vec<VolumePlan>,
    /// Ended once nobody is there whom it connects.
    pub(super) connection: Option<Connection>,
    /// What a user namespace's mounts and processes belong to goes after them.
    pub(super) _namespaces: Option<Held>,
}

/// How a removal goes on.
#[derive(Debug)]
pub enum RemovalStep {
    /// There is more to do, at once.
    More,
    /// Something has to end first: to be looked at again after so long, or when [`SandboxRemoval::pause`] is readable.
    Wait(Duration),
    /// All has gone but what these are about.
    Done(Vec<SandboxError>),
}

impl SandboxRemoval {
    /// Of a sandbox of which nothing is left but the volumes.
    pub fn of_volumes(dirs: &SandboxDirs, volumes: &[VolumePlan]) -> Self {
        let (dirs, volumes) = (dirs.clone(), volumes.to_vec());
        let (connection, _namespaces) = (None, None);
        Self::of(None, Parts { pause: None, dirs, shm: None, volumes, connection, _namespaces })
    }

    /// Of all but the pod's volumes, which live as long as the pod, unless `sandbox` names them.
    pub(super) fn of(cgroup: Option<PodCgroup>, sandbox: Parts) -> Self {
        let (began, files, errors) = (None, None, Vec::new());
        Self { cgroup, sandbox, began, next_look: FIRST_LOOK, processes_gone: false, files, errors }
    }

    /// The pod is over: its volumes go too.
    pub fn add_volumes(&mut self, volumes: &[VolumePlan]) {
        self.sandbox.volumes = volumes.to_vec();
        // What of them is mounted is looked for once more.
        self.files = None;
    }

    /// The pid 1 of a shared pid namespace as long as its end is waited for.
    pub fn pause(&self) -> Option<&OwnedFd> {
        self.sandbox.pause.as_ref().map(Pause::pidfd)
    }

    /// Readable when what connects the pod with the outside has ended; `None`: nothing does, or that is known.
    pub fn connection_fd(&self) -> Option<BorrowedFd<'_>> {
        self.sandbox.connection.as_ref().and_then(Connection::fd)
    }

    /// Takes the next piece away, also processes that are still in the pod's cgroup: about a millisecond's work. Goes on
    /// after failures. To be called until it is done.
    pub fn advance(&mut self) -> RemovalStep {
        if !self.processes_gone {
            if let Some(wait) = self.end_processes() {
                return RemovalStep::Wait(wait);
            }
            self.processes_gone = true;
            self.sandbox.connection = None;
        }
        if let Some(step) = self.remove_files() {
            return step;
        }
        if let Some(cgroup) = self.cgroup.take() {
            self.errors.extend(cgroup.remove().into_iter().map(SandboxError::from));
        }
        RemovalStep::Done(std::mem::take(&mut self.errors))
    }

    /// Kills all there is; for how long to wait then. `None`: none is left, or it doesn't end.
    fn end_processes(&mut self) -> Option<Duration> {
        let cgroup = self.cgroup.as_ref()?;
        let waited = self.began.get_or_insert_with(Instant::now).elapsed();
        // The kernel holds the last process of a pid namespace until all others are reaped, and some of them are this
        // process' children.
        spawn::reap_ended();
        self.sandbox.pause = self.sandbox.pause.take().and_then(Pause::end);
        let pids = match cgroup.hierarchies().members(cgroup.path()) {
            Ok(pids) => pids,
            // Somebody may be in there. It may be readable in a moment.
            Err(_) if waited < PATIENCE => return Some(self.wait()),
            Err(error) => {
                self.errors.push(error.into());
                return None;
            }
        };
        if pids.is_empty() && self.sandbox.pause.is_none() {
            return None;
        }
        // What fails may succeed in a moment, or whoever is in there end by itself.
        let killed = cgroup.hierarchies().kill(cgroup.path());
        if waited < PATIENCE {
            return Some(self.wait());
        }
        let path = cgroup.path().to_owned();
        self.errors.push(match (self.sandbox.pause.take(), killed) {
            (Some(_), _) if pids.is_empty() => error("end", "the sandbox's pid 1")(std::io::ErrorKind::TimedOut.into()),
            (_, Err(cause)) => cause.into(),
            (_, Ok(())) => CgroupError::StillPopulated { path, waited, pids }.into(),
        });
        None
    }

    /// For how long; longer each time.
    fn wait(&mut self) -> Duration {
        let wait = self.next_look;
        self.next_look = (wait * 2).min(LAST_LOOK);
        wait
    }

    /// `None`: all have gone.
    fn remove_files(&mut self) -> Option<RemovalStep> {
        let Some(files) = &mut self.files else {
            self.next_look = FIRST_LOOK;
            self.files = Some(Clearing::of(self.release()));
            return Some(RemovalStep::More);
        };
        match files.advance() {
            Step::More => Some(RemovalStep::More),
            Step::Wait => Some(RemovalStep::Wait(self.wait())),
            Step::Done(errors) => {
                let errors = errors.into_iter().map(|(path, cause)| error("remove", path.display())(cause));
                self.errors.extend(errors);
                // Containers have taken their own folders away: what held these goes too, where nothing is in it.
                tree::remove_empty(&self.sandbox.dirs.data);
                None
            }
        }
    }

    /// Takes all mounts away; gives the folders that are to be removed.
    fn release(&mut self) -> Vec<PathBuf> {
        if let Some(shm) = self.sandbox.shm.take()
            && let Err(errno) = umount2(&shm, MntFlags::MNT_DETACH)
        {
            self.errors.push(error("umount", shm.display())(errno.into()));
        }
        let dirs = [&self.sandbox.dirs.state, &self.sandbox.dirs.data];
        let mut folders: Vec<PathBuf> = dirs.map(|folder| folder.join("sandbox")).into();
        for one in &self.sandbox.volumes {
            match volume::release(one, &self.sandbox.dirs.data.join("volumes")) {
                Ok(folder) => folders.extend(folder),
                Err(error) => self.errors.push(error.into()),
            }
        }
        folders
    }
}
