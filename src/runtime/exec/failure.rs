//! What can go wrong with an exec, as data: most of it happens in the helper or in the container and travels through
//! a pipe to the supervisor.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    /// No folder of the process' `PATH` has it.
    NotInPath {
        /// `args[0]`
        program: String,
    },
    /// The kernel refused to execute it.
    Refused {
        /// Its path in the container.
        program: String,
        /// execve's errno.
        errno: i32,
        /// What is at that path.
        found: Found,
    },
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

/// What is at a program's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Found {
    Nothing,
    Folder,
    File,
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
            Self::NotInPath { program } => write!(f, "{program}: executable file not found in $PATH"),
            Self::Refused { program, errno, found } => {
                write!(f, "{program}: {} (execve)", words(*errno))?;
                match (*errno, found) {
                    (libc::EACCES, Found::Folder) => write!(f, "; it is a directory"),
                    (libc::EACCES, Found::File) => write!(f, "; the file in the container is not executable"),
                    (libc::ENOENT, Found::File) => {
                        write!(f, "; the container lacks its interpreter: what its #! line names, or the loader")
                    }
                    (libc::ENOEXEC, _) => {
                        write!(f, "; it is neither a program for this machine nor a script with a #! line")
                    }
                    _ => Ok(()),
                }
            }
            Self::WorkingDirectory { path, errno } => {
                write!(f, "working directory {}: {}", path.display(), words(*errno))
            }
            Self::Step { step, errno: Some(errno) } => write!(f, "{step}: {}", words(*errno)),
            Self::Step { step, errno: None } => write!(f, "{step}"),
        }
    }
}

/// An errno in the style of the messages: lower case, no number.
fn words(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
