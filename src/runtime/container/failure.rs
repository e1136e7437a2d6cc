//! What can go wrong with a container, as data: failures happen in the helper or in the container's init and travel
//! through pipes to the supervisor.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

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
        }
    }
}

/// Why a made container's program doesn't run: the kubelet's StartError, exit code 128.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartFailure {
    /// No folder of `PATH` has it.
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
    /// The container's init ended before it came to execute the program: killed, or a startContainer hook failed.
    Died,
    /// The container's init couldn't be told to start.
    NotTold {
        /// connect's errno.
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

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInPath { program } => write!(f, "{program}: executable file not found in $PATH"),
            Self::Refused { program, errno, found } => {
                write!(f, "{program}: {} (execve)", words(*errno))?;
                match (*errno, found) {
                    (libc::EACCES, Found::Folder) => write!(f, "; it is a directory"),
                    (libc::EACCES, Found::File) => write!(f, "; the file in the bundle is not executable"),
                    (libc::ENOENT, Found::Nothing) => write!(f, "; the bundle has no such file"),
                    (libc::ENOENT, Found::File) => {
                        write!(f, "; the bundle lacks its interpreter: what its #! line names, or the dynamic loader")
                    }
                    (libc::ENOEXEC, _) => {
                        write!(f, "; it is neither a program for this machine nor a script with a #! line")
                    }
                    _ => Ok(()),
                }
            }
            Self::Died => write!(f, "the container's init ended before it executed the program"),
            Self::NotTold { errno } => write!(
                f,
                "can't reach the container's init: {}",
                errno.map_or_else(|| "no reason known".to_owned(), words)
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_failures_say_what_to_do() {
        let refused = |errno, found| StartFailure::Refused { program: "/srv/app".into(), errno, found };
        let cases = [
            (
                refused(libc::EACCES, Found::File),
                "/srv/app: permission denied (execve); the file in the bundle is not executable",
            ),
            (refused(libc::EACCES, Found::Folder), "/srv/app: permission denied (execve); it is a directory"),
            (
                refused(libc::ENOENT, Found::Nothing),
                "/srv/app: no such file or directory (execve); the bundle has no such file",
            ),
            (StartFailure::NotInPath { program: "app".into() }, "app: executable file not found in $PATH"),
        ];
        for (failure, text) in cases {
            let error = ContainerError::Start { container: "web".into(), failure };
            assert_eq!(error.to_string(), format!("container \"web\": start: {text}"));
        }
    }
}
