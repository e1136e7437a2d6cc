//! What can go wrong between a command and a supervisor.

use std::io;
use std::path::{Path, PathBuf};

use super::protocol::{SOCKET, VERSION};

/// What went wrong with the socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A system call failed.
    #[error("{call} {path}: {source}")]
    Io {
        /// Which.
        call: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The supervisor went away before the pod had ended.
    #[error("the supervisor ended before the pod did")]
    Lost,
    /// The supervisor has no place for another client, or gave this one's to another.
    #[error(
        "the supervisor of the pod is busy: too many other commands wait for its answer; try again when some of them have \
         ended"
    )]
    Busy,
    /// The supervisor runs, but has closed the connection.
    #[error("the supervisor of the pod runs, but closed the connection without an answer; try again")]
    HungUp,
    /// The supervisor refuses what was asked, for a reason that no command expects.
    #[error("the supervisor of the pod refused the request: {0}")]
    Refused(String),
    /// The request doesn't fit into a frame.
    #[error("the request is too long for the supervisor: at most {most} bytes")]
    TooLong {
        /// Bytes of a frame.
        most: usize,
    },
    /// The supervisor is of another barepod.
    #[error(
        "the supervisor of the pod speaks {theirs} of the control protocol, this barepod version {VERSION}: the pod was \
         started by another version of barepod; use that one, or end the pod by a signal to its supervisor{}",
        signal(*.supervisor)
    )]
    Version {
        /// `version 2`.
        theirs: String,
        /// Its process, where it can be seen from here.
        supervisor: Option<i32>,
    },
    /// The other side speaks otherwise.
    #[error("the supervisor answered in a way this barepod doesn't understand: {0}")]
    Protocol(String),
}

fn signal(supervisor: Option<i32>) -> String {
    supervisor.map(|pid| format!(": `kill -TERM {pid}`")).unwrap_or_default()
}

impl ControlError {
    pub(super) fn io(call: &'static str, dir: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { call, path: dir.join(SOCKET), source: source.into() }
    }
}
