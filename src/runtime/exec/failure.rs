//! What can go wrong with an exec, as data: most of it happens in the helper or in the container and travels through
//! a pipe to the supervisor.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::runtime::program::{Refusal, words};

/// The program was not executed. (That it was and failed is an exit status.)
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The container's init has ended.
    #[error("exec: the container isn't running")]
    NotRunning,
    /// The container's process asks for something that an exec can't give it.
    #[error("exec: process.{field} is not supported; leave it out of the container's config")]
    Unsupported {
        /// Its name in the OCI config.
        field: &'static str,
    },
    /// Something on this side: cgroup, descriptors, the helper's start.
    #[error("exec: {call} {path}: {cause}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what; empty where there is no path.
        path: PathBuf,
        /// The kernel's answer.
        cause: io::Error,
    },
    /// The way into the container, or the program's execve.
    #[error("exec: {0}")]
    Failed(Failure),
    /// The helper ended without an answer, killed for example.
    #[error("exec: the helper process ended before the program ran")]
    HelperDied,
    /// The process ended on its way into the container, killed for example by the container's memory limit.
    #[error("exec: the process ended before it executed the program ({0:?})")]
    Died(super::ExitStatus),
}

pub(super) fn io_error(call: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ExecError {
    move |cause| ExecError::Io { call, path: path.into(), cause }
}

/// What didn't work in the helper or in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The container's init has ended.
    Gone,
    /// The kernel doesn't execute the program.
    Program(Refusal),
    /// The working directory can't be entered.
    WorkingDirectory {
        /// `process.cwd`
        path: PathBuf,
        /// chdir's errno.
        errno: i32,
    },
    /// A step before.
    Step {
        /// The system call or file.
        step: String,
        /// Its errno; `None`: in words in `step`.
        errno: Option<i32>,
    },
}

impl Failure {
    /// Whether the kernel doesn't execute the program, for whatever reason.
    pub fn is_program(&self) -> bool {
        matches!(self, Self::Program(_))
    }

    /// Whether there is no such program.
    pub fn is_absent_program(&self) -> bool {
        matches!(self, Self::Program(refusal) if refusal.is_absent())
    }
}

/// For `map_err`: a step's failure.
pub(super) fn step<E: Into<io::Error>>(name: &str) -> impl FnOnce(E) -> Failure {
    move |cause| {
        let cause = cause.into();
        match cause.raw_os_error() {
            Some(errno) => Failure::Step { step: name.to_owned(), errno: Some(errno) },
            None => Failure::Step { step: format!("{name}: {cause}"), errno: None },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "the container isn't running"),
            Self::Program(refusal) => write!(f, "{refusal}"),
            Self::WorkingDirectory { path, errno } => {
                write!(f, "working directory {}: {}", path.display(), words(*errno))
            }
            Self::Step { step, errno: Some(errno) } => write!(f, "{step}: {}", words(*errno)),
            Self::Step { step, errno: None } => write!(f, "{step}"),
        }
    }
}
