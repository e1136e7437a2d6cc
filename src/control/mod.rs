//! The pod's socket: other barepod commands ask the supervisor for something, the supervisor says when the pod has ended.
//!
//! `control.sock` in the state folder, one JSON object a line, each with a version. [`Server`] is a source of events for
//! the supervisor's loop and never waits; [`Client`] is for commands and does. Nothing here decides anything.

mod client;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

pub use client::{Client, end, resize};
pub use server::{Admitted, CLIENTS, Server};

/// Name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
/// Version of the protocol.
const VERSION: u32 = 1;
/// A longer line is no request of ours.
const LINE: usize = 4096;

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
    /// The other side speaks otherwise.
    #[error("the supervisor answered in a way this barepod doesn't understand; is it of another version?")]
    Protocol,
}

impl ControlError {
    fn io(call: &'static str, dir: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { call, path: dir.join(SOCKET), source: source.into() }
    }
}

/// What a command can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Graceful deletion (R5).
    Stop {
        /// Instead of the pod's own.
        grace_period: Option<Duration>,
    },
    /// SIGKILL to everything.
    Kill,
    /// New resources for a container (KEP-1287). Answered once they are in force and written down.
    Resize(Resources),
}

/// New resources, as text: whoever is asked checks them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Name of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Requests and limits, as the container has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub amounts: BTreeMap<String, String>,
    /// Requests.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// Limits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// What became of a resize.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resized {
    /// It is in force.
    Done {
        /// Name of the container.
        container: String,
    },
    /// It will be in force once the container has been restarted, which is under way.
    Restarting {
        /// Name of the container.
        container: String,
    },
    /// It is in force when the container runs next.
    Later {
        /// Name of the container.
        container: String,
    },
    /// There was nothing to change.
    Unchanged,
    /// It can't be had.
    Refused {
        /// Why.
        why: String,
    },
}

/// How the pod ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Exit code of `barepod run`.
    pub exit_code: u8,
    /// `Succeeded` or `Failed`.
    pub phase: String,
}

/// A request as it travels.
#[derive(Debug, Serialize, Deserialize)]
struct WireRequest {
    version: u32,
    verb: Verb,
    /// Seconds; for `stop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_period_seconds: Option<u64>,
    /// For `resize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Stop,
    Kill,
    Resize,
}

/// An answer as it travels.
#[derive(Debug, Serialize, Deserialize)]
struct WireAnswer {
    version: u32,
    /// Why there is no other answer, and won't be one on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resized: Option<Resized>,
}

/// Why a supervisor doesn't listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Refused {
    Busy,
}

impl Default for WireAnswer {
    fn default() -> Self {
        Self { version: VERSION, refused: None, ended: None, resized: None }
    }
}

impl From<Request> for WireRequest {
    fn from(request: Request) -> Self {
        let plain = |verb| Self { version: VERSION, verb, grace_period_seconds: None, resources: None };
        match request {
            Request::Stop { grace_period } => {
                Self { grace_period_seconds: grace_period.map(|grace| grace.as_secs()), ..plain(Verb::Stop) }
            }
            Request::Kill => plain(Verb::Kill),
            Request::Resize(resources) => Self { resources: Some(resources), ..plain(Verb::Resize) },
        }
    }
}

impl From<WireRequest> for Request {
    fn from(wire: WireRequest) -> Self {
        match wire.verb {
            Verb::Stop => Self::Stop { grace_period: wire.grace_period_seconds.map(Duration::from_secs) },
            Verb::Kill => Self::Kill,
            Verb::Resize => Self::Resize(wire.resources.unwrap_or_default()),
        }
    }
}

/// The socket's folder by descriptor, and a path through it: a socket's path has at most 107 bytes, a folder's more.
fn short_path(dir: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let folder = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(SOCKET);
    Ok((folder, path))
}

#[cfg(test)]
mod tests;
