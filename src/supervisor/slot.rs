//! What the supervisor holds of one container: the attempt that is being made, runs or is being removed.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use barepod_engine::event::CreateFailure;
use barepod_engine::spec::Attempt;
use barepod_engine::time::Instant;
use k8s_openapi::api::core::v1::{ContainerUser, LinuxContainerUser, ResourceRequirements};
use oci_spec::runtime::{Process, User};

use crate::log::ContainerLog;
use crate::runtime::container::{Container, Creation, Removal};
use crate::runtime::image::{Found, Refusal, Search};
use crate::runtime::seccomp::Filter;

/// One container's place.
#[derive(Default)]
pub struct Slot {
    /// What `image:` was found to be when it was last looked at.
    pub image: Option<Result<Found, Refusal>>,
    /// The helper that looks for it, and for which attempt.
    pub search: Option<(Attempt, Search)>,
    /// The attempt that `stage` is about.
    pub attempt: Attempt,
    /// How far it is.
    pub stage: Stage,
    /// Where its output goes.
    pub log: Option<ContainerLog>,
    /// Read end of its standard output, until that ends.
    pub stdout: Option<OwnedFd>,
    /// Read end of its standard error, until that ends.
    pub stderr: Option<OwnedFd>,
    /// When its start was asked for.
    pub start_asked: Option<Instant>,
    /// What was told of its start.
    pub start_told: StartTold,
    /// Whether it has ended, which is told once the outcome of its start was.
    pub exit_waits: bool,
    /// The process of the attempt's config, for programs that are run beside it.
    pub process: Option<Process>,
    /// Its seccomp filter.
    pub filter: Option<std::rc::Rc<Filter>>,
    /// How long its program ran, once it has ended; `None` also where it never ran.
    pub ran: Option<Duration>,
    /// Whether its resources were changed after its config was made.
    pub outdated: bool,
    /// What it was made with, or changed to since.
    pub resources: Option<ResourceRequirements>,
    /// Whom its process was made to run as.
    pub user: Option<ContainerUser>,
    /// Why the attempt that is being removed was not made.
    pub unmade: Option<(CreateFailure, String)>,
    /// The file that is mounted at its terminationMessagePath.
    pub termination_log: Option<PathBuf>,
}

/// What the engine was told of the start that it has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTold {
    /// Nothing yet.
    #[default]
    No,
    /// The program runs.
    Started,
    /// It doesn't. That is the end of the attempt: its init's own end is no news any more.
    Failed,
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

/// How far an attempt is.
#[derive(Default)]
pub enum Stage {
    /// There is none.
    #[default]
    Absent,
    /// A helper makes it.
    Creating(Box<Creation>),
    /// It exists: waits to be started, runs, or has ended and waits to be removed.
    Present(Box<Container>),
    /// It is being removed, by a helper where that takes longer.
    Removing(Box<Removal>),
}
