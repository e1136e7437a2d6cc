//! Removes a sandbox a piece at a time, so that the caller can look for signals between them.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};

use super::pause::Pause;
use super::{Sandbox, SandboxError, error};
use crate::runtime::cgroup::{CgroupError, PodCgroup};
use crate::runtime::{files, spawn, volume};

/// How long killed processes are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how long it is seen first whether they have gone; twice as long each further time, up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);
/// How many files go in one piece.
const A_PIECE: usize = 100;

/// A sandbox that is being removed. Dropping it leaves what there still is to a sweep.
#[derive(Debug)]
pub struct SandboxRemoval {
    /// Taken when it is removed, last of all.
    cgroup: Option<PodCgroup>,
    sandbox: Parts,
    began: Option<Instant>,
    next_look: Duration,
    processes_gone: bool,
    errors: Vec<SandboxError>,
}

/// What is left of a sandbox beside its cgroup.
#[derive(Debug)]
struct Parts {
    pause: Option<Pause>,
    dirs: super::SandboxDirs,
    shm: Option<std::path::PathBuf>,
    volumes: Vec<crate::plan::VolumePlan>,
    /// What a user namespace's mounts and processes belong to goes after them.
    _namespaces: super::namespaces::Held,
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
    pub(super) fn of(sandbox: Sandbox) -> Self {
        let Sandbox { cgroup, namespaces, pause, dirs, shm, volumes, .. } = sandbox;
        Self {
            cgroup: Some(cgroup),
            sandbox: Parts { pause, dirs, shm, volumes, _namespaces: namespaces },
            began: None,
            next_look: FIRST_LOOK,
            processes_gone: false,
            errors: Vec::new(),
        }
    }

    /// The pid 1 of a shared pid namespace as long as its end is waited for.
    pub fn pause(&self) -> Option<&OwnedFd> {
        self.sandbox.pause.as_ref().map(Pause::pidfd)
    }

    /// Takes the next piece away, also processes that are still in the pod's cgroup: about a millisecond's work. Goes on
    /// after failures. To be called until it is done.
    pub fn advance(&mut self) -> RemovalStep {
        if !self.processes_gone {
            if let Some(wait) = self.end_processes() {
                return RemovalStep::Wait(wait);
            }
            self.processes_gone = true;
        }
        if let Some(one) = self.sandbox.volumes.last() {
            match volume::remove(one, &self.sandbox.dirs.data.join("volumes"), &mut A_PIECE.clone()) {
                Ok(false) => return RemovalStep::More,
                Ok(true) => {}
                Err(error) => self.errors.push(error.into()),
            }
            self.sandbox.volumes.pop();
            return RemovalStep::More;
        }
        if self.remove_files() {
            return RemovalStep::More;
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
        spawn::reap_strays();
        self.sandbox.pause = self.sandbox.pause.take().and_then(Pause::end);
        let pids = cgroup.hierarchies().members(cgroup.path());
        if pids.is_empty() && self.sandbox.pause.is_none() {
            return None;
        }
        if waited >= PATIENCE {
            let path = cgroup.path().to_owned();
            self.errors.push(match self.sandbox.pause.take() {
                Some(_) if pids.is_empty() => error("end", "the sandbox's pid 1")(std::io::ErrorKind::TimedOut.into()),
                _ => CgroupError::StillPopulated { path, waited, pids }.into(),
            });
            return None;
        }
        if let Err(error) = cgroup.hierarchies().kill(cgroup.path()) {
            self.errors.push(error.into());
            return None;
        }
        let wait = self.next_look;
        self.next_look = (wait * 2).min(LAST_LOOK);
        Some(wait)
    }

    /// Whether there are more.
    fn remove_files(&mut self) -> bool {
        if let Some(shm) = self.sandbox.shm.take()
            && let Err(errno) = umount2(&shm, MntFlags::MNT_DETACH)
        {
            self.errors.push(error("umount", shm.display())(errno.into()));
        }
        let folder = self.sandbox.dirs.state.join("sandbox");
        match files::remove_tree(&folder, &mut A_PIECE.clone()) {
            Ok(false) => return true,
            Ok(true) => {}
            Err(cause) => self.errors.push(error("remove", folder.display())(cause)),
        }
        // Containers and volumes have taken their own folders away: what held these goes too, where nothing is in it.
        files::remove_empty(&self.sandbox.dirs.data);
        false
    }
}
