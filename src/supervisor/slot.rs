//! What the supervisor holds of one container: the attempt that is being made, runs or is being removed.
//!
//! Each stage holds just what is valid in it. Of that, descriptors and whatever hangs on them are found again by who takes
//! the pod over; the rest is what [`saved`](super::saved) writes down.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use barepod_engine::event::CreateFailure;
use barepod_engine::spec::{Attempt, ImageOf};
use barepod_engine::time::Instant;
use k8s_openapi::api::core::v1::{ContainerUser, LinuxContainerUser, ResourceRequirements};
use oci_spec::runtime::{Process, User};
use serde::{Deserialize, Serialize};

use super::filters::Compiled;
use super::output::Output;
use crate::plan::PullFiles;
use crate::runtime::container::{Container, Creation, Removal};
use crate::runtime::exec::{Exec, ExecError, ExecRequest, Stdio};
use crate::runtime::image::{Found, Search, Want};
use crate::store::process::process_start;

/// One container's place.
#[derive(Default)]
pub struct Slot {
    /// What is asked for its image, in the place of the pod's.
    pub pull_files: PullFiles,
    /// What is known of what `image:` names.
    pub image: Image,
    /// The attempt that `stage` is about; where there is none, the last one.
    pub attempt: Attempt,
    /// How far it is.
    pub stage: Stage,
    /// What the status shows of the last attempt that was made, also when that is gone.
    pub shown: Shown,
}

/// What `image:` was found to be. Looked for before each attempt, used once.
#[derive(Default)]
pub enum Image {
    /// Nothing was looked for, or what was found has been used.
    #[default]
    Unknown,
    /// A helper looks for it or pulls it, or the image of a volume.
    Sought(Order, Search),
    /// What it is now.
    Known(Box<Found>),
}

/// What is looked for.
#[derive(Clone, Copy)]
pub struct Order {
    /// For which attempt.
    pub attempt: Attempt,
    /// Which of its images.
    pub of: ImageOf,
    /// Whether it is pulled.
    pub want: Want,
    /// How often it was found, and no lease to be had on it.
    pub refused: u8,
}

/// How far an attempt is.
#[derive(Default)]
pub enum Stage {
    /// There is none.
    #[default]
    Absent,
    /// A helper makes it.
    Creating(Box<Creating>),
    /// It exists: waits to be started, runs, or has ended and waits to be removed.
    Present(Box<Present>),
    /// It is being removed, by a helper where that takes longer.
    Removing(Box<Removing>),
}

/// An attempt that is being made.
pub struct Creating {
    /// The helper that makes it.
    pub creation: Creation,
    /// What it is made with.
    pub made: MadeWith,
    /// The pid namespace of the container whose processes it sees, which it joins.
    pub target: Option<OwnedFd>,
}

/// An attempt whose init process exists, or has ended and waits to be removed.
pub struct Present {
    /// Its process, cgroup and folders.
    pub container: Container,
    /// What it was made with.
    pub made: MadeWith,
    /// Its pipes and its log.
    pub output: Output,
    /// How far its start is.
    pub start: Start,
    /// How long its program ran, once it has ended; `None` also where it never ran.
    pub ran: Option<Duration>,
    /// What its init is found by again; `None`: it has not been written down yet, nor what it was made with.
    pub process: Option<ProcessState>,
}

/// Names one process of a boot, whatever becomes of its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessState {
    /// In the supervisor's pid namespace.
    pub pid: i32,
    /// When it started, in clock ticks since boot ([`process_start`]); 0: it had ended before anybody looked.
    pub start: u64,
}

impl Present {
    /// Begins a program in the container, which is what its own process is but for what `change` changes.
    ///
    /// # Errors
    /// As [`Exec::begin`].
    pub fn begin_exec(&self, stdio: Stdio, change: impl FnOnce(&mut Process)) -> Result<Exec, ExecError> {
        let MadeWith { process, filter, .. } = &self.made;
        let mut process = process.clone().ok_or(ExecError::NotRunning)?;
        process.set_terminal(None);
        change(&mut process);
        Exec::begin(ExecRequest {
            pid: self.container.pid(),
            init: self.container.pidfd(),
            process: &process,
            filter: filter.as_ref().map(|compiled| &compiled.filter),
            stdio,
        })
    }
}

impl ProcessState {
    /// Of a process that is held by a pidfd or not reaped yet, so that its pid is its own.
    pub fn of(pid: i32) -> Self {
        let start = u32::try_from(pid).ok().and_then(process_start).unwrap_or(0);
        Self { pid, start }
    }
}

/// An attempt that is being removed.
pub struct Removing {
    /// What is left to be done.
    pub removal: Removal,
    /// What its removal is the end of.
    pub of: RemovalOf,
}

/// What is being removed.
pub enum RemovalOf {
    /// An attempt that was made. What its pipes still hold is read when all of its processes are gone.
    Made(Box<Output>),
    /// What there is of one that could not be made, and why.
    Unmade(CreateFailure, String),
}

/// What an attempt was made with, for programs that are run beside it and for its last words.
pub struct MadeWith {
    /// The process of its config.
    pub process: Option<Process>,
    /// Its seccomp filter.
    pub filter: Option<Rc<Compiled>>,
    /// The file that is mounted at its terminationMessagePath.
    pub termination_log: PathBuf,
}

/// How far the start of an attempt is, as the engine was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Nobody has asked for it.
    NotAsked,
    /// It was asked for then. Whether its program runs isn't known, or hooks of its bundle have yet to end.
    Asked {
        /// When.
        at: Instant,
        /// Whether it has ended meanwhile, which is told once the outcome of its start was.
        exit_waits: bool,
    },
    /// The program runs, or has run.
    Started {
        /// When it was asked for.
        at: Instant,
    },
    /// It could not be run. That is the end of the attempt: its init's own end is no news any more.
    Failed,
}

impl Start {
    /// When it was asked for, of a program that may run.
    pub fn asked_at(self) -> Option<Instant> {
        match self {
            Self::Asked { at, .. } | Self::Started { at } => Some(at),
            Self::NotAsked | Self::Failed => None,
        }
    }
}

/// What the status shows of a container beside what the engine knows.
#[derive(Debug, Default)]
pub struct Shown {
    /// What it was made with, or changed to since.
    pub resources: Option<ResourceRequirements>,
    /// Whom its process was made to run as.
    pub user: Option<ContainerUser>,
}

impl Slot {
    /// The attempt that exists.
    pub fn present(&self) -> Option<&Present> {
        match &self.stage {
            Stage::Present(present) => Some(present),
            Stage::Absent | Stage::Creating(_) | Stage::Removing(_) => None,
        }
    }

    /// The attempt whose program runs, as far as is known.
    pub fn running(&self) -> Option<&Present> {
        let runs = |present: &&Present| matches!(present.start, Start::Started { .. }) && present.ran.is_none();
        self.present().filter(runs)
    }

    /// As [`present`](Self::present).
    pub fn present_mut(&mut self) -> Option<&mut Present> {
        match &mut self.stage {
            Stage::Present(present) => Some(present),
            Stage::Absent | Stage::Creating(_) | Stage::Removing(_) => None,
        }
    }

    /// The pipes and the log of an attempt that was made and isn't gone.
    pub fn output(&self) -> Option<&Output> {
        match &self.stage {
            Stage::Present(present) => Some(&present.output),
            Stage::Removing(removing) => match &removing.of {
                RemovalOf::Made(output) => Some(output),
                RemovalOf::Unmade(..) => None,
            },
            Stage::Absent | Stage::Creating(_) => None,
        }
    }

    /// As [`output`](Self::output).
    pub fn output_mut(&mut self) -> Option<&mut Output> {
        match &mut self.stage {
            Stage::Present(present) => Some(&mut present.output),
            Stage::Removing(removing) => match &mut removing.of {
                RemovalOf::Made(output) => Some(output),
                RemovalOf::Unmade(..) => None,
            },
            Stage::Absent | Stage::Creating(_) => None,
        }
    }
}

/// A process' user as the status has it: as the kubelet's, its list of groups has the primary one in it, as a container
/// runtime hands it to the kernel.
pub fn user(user: &User) -> ContainerUser {
    let groups = std::iter::once(user.gid()).chain(user.additional_gids().iter().flatten().copied());
    let groups: BTreeSet<i64> = groups.map(i64::from).collect();
    let supplemental_groups = Some(groups.into_iter().collect());
    let linux = LinuxContainerUser { uid: user.uid().into(), gid: user.gid().into(), supplemental_groups };
    ContainerUser { linux: Some(linux) }
}
