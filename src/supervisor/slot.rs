//! What the supervisor holds of one container: the attempt that is being made, runs or is being removed.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use barepod_engine::spec::Attempt;
use barepod_engine::time::Instant;

use crate::log::ContainerLog;
use crate::plan::ImageFacts;
use crate::runtime::container::{Container, Creation, Removal};
use crate::runtime::image::ImageError;

/// One container's place.
#[derive(Default)]
pub struct Slot {
    /// What `image:` was found to be when it was last looked at.
    pub image: Option<Result<ImageFacts, ImageError>>,
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
    /// When its program was executed.
    pub started: Option<Instant>,
    /// Whether its start was asked for, and whether the outcome was told.
    pub start_asked: bool,
    /// See `start_asked`.
    pub start_told: bool,
    /// The file that is mounted at its terminationMessagePath.
    pub termination_log: Option<PathBuf>,
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
    /// A helper removes it.
    Removing(Box<Removal>),
}
