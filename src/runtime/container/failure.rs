//! What can go wrong with a container, as data: failures happen in the helper or in the container's init and travel
//! through pipes to the supervisor.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::runtime::program::{Refusal, words};

/// A container couldn't be made, started or signalled.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ContainerError {
    #[error("container {container:?}: create: {failure}")]
    Create { container: String, failure: Failure },
    #[error("container {container:?}: start: {failure}")]
    Start { container: String, failure: StartFailure },
    #[error("container {container:?}: {call}: {cause}")]
    Signal { container: String, call: &'static str, cause: io::Error },
}

impl ContainerError {
    /// Whether what the manifest asks for can't be had, rather than that making it failed (R8.4).
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Create { failure: Failure { stage: Stage::SubPath, .. }, .. })
    }
}

/// At which step of its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Files, FIFOs and folders of the attempt.
    Prepare,
    /// The helper process.
    Helper,
    /// The root file system's overlay.
    RootFs,
    /// A `subPath` of a volume mount.
    SubPath,
    /// The sources of bind mounts.
    Binds,
    /// What a user namespace of the pod's asks for.
    Users,
    /// Everything libcontainer does.
    Oci,
}

/// Why a container couldn't be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step.
    pub stage: Stage,
    /// The path or thing it was about.
    pub object: String,
    /// The kernel's number for it, where there is one.
    pub errno: Option<i32>,
    /// In words.
    pub cause: String,
}

impl Failure {
    pub(super) fn new(stage: Stage, object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self { stage, object: object.to_string(), errno: None, cause: cause.to_string() }
    }

    pub(super) fn io(stage: Stage, object: impl fmt::Display, cause: impl Into<io::Error>) -> Self {
        let cause = cause.into();
        let errno = cause.raw_os_error();
        Self { stage, object: object.to_string(), errno, cause: errno.map_or_else(|| cause.to_string(), words) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, cause, .. } = self;
        match self.stage {
            Stage::Prepare | Stage::Oci if object.is_empty() => write!(f, "{cause}"),
            Stage::Prepare | Stage::Oci => write!(f, "{object}: {cause}"),
            Stage::Helper => write!(f, "helper process: {object}: {cause}"),
            Stage::RootFs => write!(f, "root file system: {object}: {cause}"),
            Stage::SubPath => write!(f, "subPath {object}: {cause}"),
            Stage::Binds => write!(f, "mount: {object}: {cause}"),
            Stage::Users => write!(f, "user namespace: {object}: {cause}"),
        }
    }
}

/// Why a made container's program doesn't run: the kubelet's StartError, exit code 128.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartFailure {
    /// The kernel doesn't execute the program.
    Program(Refusal),
    /// The container's init ended before it came to execute the program: killed, or what is
    /// to hold the program couldn't be put on (seccomp filter, SELinux label).
    Died {
        /// What it said of that, or nothing.
        cause: String,
    },
    /// A hook of its bundle failed: of startContainer, the program wasn't executed; of poststart, it ran and is ended.
    Hook {
        /// Which, and how.
        cause: String,
    },
    /// The container's init couldn't be told to start.
    NotTold {
        /// connect's errno.
        errno: Option<i32>,
    },
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(refusal) => write!(f, "{refusal}"),
            Self::Died { cause } if cause.is_empty() => {
                write!(f, "the container's init ended before it executed the program")
            }
            Self::Died { cause } => write!(f, "{cause}"),
            Self::Hook { cause } => write!(f, "{cause}"),
            Self::NotTold { errno } => write!(
                f,
                "can't reach the container's init: {}",
                errno.map_or_else(|| "no reason known".to_owned(), words)
            ),
        }
    }
}
