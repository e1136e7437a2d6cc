//! What goes wrong with a container, as data: it travels from the helper to the supervisor.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Why a container could not be made.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum CreateError {
    /// A system call on a file failed.
    #[error("container \"{container}\": create: {call} {path}: {cause}")]
    Io {
        /// Its name.
        container: String,
        /// Which call.
        call: String,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        cause: String,
    },
    /// Its cgroup.
    #[error("container \"{container}\": create: {cause}")]
    Cgroup {
        /// Its name.
        container: String,
        /// Which, and why.
        cause: String,
    },
    /// A `subPath` that leads out of its volume.
    #[error(
        "container \"{container}\": failed to prepare subPath {path} for volumeMount at {destination}: {cause}; \
         links may only lead to places inside the volume"
    )]
    SubPath {
        /// Its name.
        container: String,
        /// The subPath.
        path: PathBuf,
        /// mountPath.
        destination: PathBuf,
        /// What the kernel said.
        cause: String,
    },
    /// libcontainer gave up.
    #[error("container \"{container}\": create: {cause}")]
    Libcontainer {
        /// Its name.
        container: String,
        /// Its words, outermost first.
        cause: String,
    },
    /// The helper ended without a word.
    #[error("container \"{container}\": create: the helper process was killed or died without a report")]
    Helper {
        /// Its name.
        container: String,
    },
}

impl CreateError {
    pub(super) fn io(container: &str, call: &str, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            container: container.to_owned(),
            call: call.to_owned(),
            path: path.to_owned(),
            cause: words(error),
        }
    }

    pub(super) fn cgroup(container: &str, error: &dyn std::error::Error) -> Self {
        Self::Cgroup { container: container.to_owned(), cause: chain(error) }
    }

    pub(super) fn libcontainer(container: &str, error: &dyn std::error::Error) -> Self {
        Self::Libcontainer { container: container.to_owned(), cause: chain(error) }
    }

    /// Whether it is the manifest's fault: CreateContainerConfigError instead of CreateContainerError (R8.4).
    pub fn is_config(&self) -> bool {
        matches!(self, Self::SubPath { .. })
    }
}

/// Why a container's program could not be executed.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum StartError {
    /// execve(2) failed.
    #[error("container \"{container}\": start: {program}: {cause} (execve){advice}")]
    Exec {
        /// Its name.
        container: String,
        /// `argv[0]`.
        program: String,
        /// What the kernel said.
        cause: String,
        /// What to do, with its punctuation; or nothing.
        advice: String,
    },
    /// Its init process could not be reached.
    #[error("container \"{container}\": start: {call}: {cause}")]
    Io {
        /// Its name.
        container: String,
        /// What was tried.
        call: String,
        /// What the kernel said.
        cause: String,
    },
    /// What it reported can't be read.
    #[error("container \"{container}\": start: its init process failed and said so in no way that can be read")]
    Garbled {
        /// Its name.
        container: String,
    },
}

impl StartError {
    pub(super) fn io(container: &str, call: &str, error: &io::Error) -> Self {
        Self::Io { container: container.to_owned(), call: call.to_owned(), cause: words(error) }
    }
}

/// A system error in words, as `strerror` has them, lower case and without the number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        // Many errors repeat their source in their own text.
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text
}
