//! The pod's socket: other barepod commands send requests to the supervisor, and the supervisor answers until each is done.
//!
//! `control.sock` in the state folder is of the type SOCK_SEQPACKET: each record is one whole frame, with its descriptors.
//! [`Server`] is a source of events for the supervisor's loop and never waits. [`Client`] is for commands and waits.
//! Nothing here decides anything. Start reading at [`Request`] and [`Answer`].
//!
//! # Frames
//! A frame is a JSON object of at most 64 KiB, with at most four descriptors:
//! - `{"v":1,"id":7,"ask":{"kind":"stop","gracePeriodSeconds":30}}`: a request of the client. The client chooses the id: any number
//!   but 0 that no open request of it has. Several requests may be open at once; each is answered when it is done.
//! - `{"v":1,"id":7,"answer":{"kind":"waiting",...}}`: an answer of the supervisor. There may be many, until one
//!   [ends](Answer::is_last) the request.
//! - An answer with id 0 is about the connection: it ends all requests on it, and the supervisor hangs up.
//! - `{"v":1,"id":7,"ask":{"kind":"cancel"}}` ends request 7. The answer is `cancelled`, unless the last answer was faster. What
//!   was asked for isn't undone. A client that hangs up cancels all its requests.
//!
//! # Bounds
//! A client has at most [`REQUESTS`] open requests, a supervisor at most [`CLIENTS`] clients. If a client doesn't read its answers, the
//! supervisor reads nothing more from it, and keeps only the latest news (`waiting`) for it. So at most one frame of news and one last
//! answer for each request wait in the supervisor's memory. One call of [`Server::turn`] handles a few frames, however many there are.
//!
//! # Versions
//! Three things never change: SOCK_SEQPACKET, a JSON object, the number `v` in it. A frame of another version is answered by a
//! refusal in the answering side's own version, so that the other side learns that version. New kinds of requests and answers and
//! new fields don't raise the version: an unknown kind is refused (`unknown`), unknown news and fields are skipped. The version is
//! raised when something that exists changes its meaning.
//!
//! # Descriptors
//! They arrive with the frame of their request, which says how many it takes ([`Request::descriptors`]); one that brings more
//! or fewer is refused. So the bytes of an `exec` never go through the supervisor: its program has the client's own pipes, or
//! a terminal of the container's, which goes to the client by a socket that the client has sent along.

mod client;
mod connection;
mod frame;
pub(crate) mod record;
mod server;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use client::{Client, end, is_listening, resize};
pub use connection::REQUESTS;
pub use server::{Asked, CLIENTS, Requester, Server, Turn};
pub use watch::{News, Watcher};

/// Name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
/// Version of the protocol.
const VERSION: u64 = 1;

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
    fn io(call: &'static str, dir: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { call, path: dir.join(SOCKET), source: source.into() }
    }
}

/// What a client's frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Ask(Request),
    /// Wants to know when something has changed, until the pod ends.
    Watch,
    /// Ends the request of this id.
    Cancel,
    /// Of a kind that a later barepod has.
    Unknown,
}

/// What a command can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// Graceful deletion (R5). Answered by whom it waits for, and by the end.
    Stop {
        /// Instead of the pod's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_period_seconds: Option<u64>,
    },
    /// SIGKILL to everything. Answered as `Stop`.
    Kill,
    /// New resources for a container (KEP-1287). Answered once they are in force and written down.
    Resize(Resources),
    /// A program in a container, with the client's descriptors. Answered by how it ended. Whoever hangs up or cancels it
    /// sends it SIGHUP.
    Exec(Program),
    /// A signal to the program of one's own request `of`. Answered at once.
    Signal {
        /// Id of the request, which is still open.
        of: u64,
        /// Its number.
        signal: i32,
    },
}

/// A program that is to be run in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Name of the container.
    pub container: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it reads from and writes to.
    pub streams: Streams,
}

/// What a program reads from and writes to: the descriptors of its request, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Streams {
    /// Standard output and error; there is nothing to read.
    Output,
    /// Standard input, output and error.
    All,
    /// A socket that the master of a terminal is sent to, which is opened in the container and is all three.
    Terminal {
        /// Its height at first, in characters.
        rows: u16,
        /// Its width at first, in characters.
        columns: u16,
    },
}

/// The kinds of calls that are no requests for something.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum OtherCall {
    Watch,
    Cancel,
    Unknown,
}

impl Serialize for Call {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ask(request) => request.serialize(serializer),
            Self::Watch => OtherCall::Watch.serialize(serializer),
            Self::Cancel => OtherCall::Cancel.serialize(serializer),
            Self::Unknown => OtherCall::Unknown.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let kind = value.get("kind").and_then(serde_json::Value::as_str);
        let ask = |value| Request::deserialize(value).map(Self::Ask).map_err(serde::de::Error::custom);
        match kind {
            Some("stop" | "kill" | "resize" | "exec" | "signal") => ask(value),
            Some("watch") => Ok(Self::Watch),
            Some("cancel") => Ok(Self::Cancel),
            Some(_) => Ok(Self::Unknown),
            None => Err(serde::de::Error::missing_field("kind")),
        }
    }
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

/// What a supervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Answer {
    /// News: the pod ends, and who keeps it waiting.
    Waiting(Waiting),
    /// News for a watch: the pod's status or its events on disk are new. Also at once, when it is asked for.
    Changed,
    /// Last: the pod has ended.
    Ended(Ended),
    /// Last: what became of a resize.
    Resized {
        /// That.
        outcome: Resized,
    },
    /// Last: the program of an `exec` ran, and has ended.
    Exited(Exited),
    /// Last: the program of an `exec` never ran.
    NotRun {
        /// What kept it from that.
        obstacle: Obstacle,
        /// The same in words.
        message: String,
    },
    /// Last: it is done.
    Done,
    /// Last: the client has cancelled the request.
    Cancelled,
    /// Last: there is no answer.
    Refused {
        /// For programs.
        reason: Reason,
        /// For people.
        message: String,
    },
    /// News of a kind that a later barepod has.
    #[serde(other)]
    Unknown,
}

impl Answer {
    /// Whether no more answers follow it.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Waiting(_) | Self::Changed | Self::Unknown => false,
            Self::Ended(_)
            | Self::Resized { .. }
            | Self::Exited(_)
            | Self::NotRun { .. }
            | Self::Done
            | Self::Cancelled
            | Self::Refused { .. } => true,
        }
    }
}

/// How a program in a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Exited {
    /// By itself, with this exit code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// With its container.
    Container,
    /// Nobody knows.
    Unknown,
}

/// What keeps a program from being run in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// The pod has no container of that name.
    NoContainer,
    /// The container isn't running.
    NotRunning,
    /// There is no such program in it.
    NotFound,
    /// It can't be executed.
    NotExecutable,
    /// Something else, or something a later barepod knows.
    #[serde(other)]
    Other,
}

/// Why a supervisor doesn't do what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Too many clients, or too many requests of one.
    Busy,
    /// That was no frame, or one that contradicts another.
    Malformed,
    /// A frame of another version.
    Version,
    /// It doesn't know such a request, or this barepod no such reason.
    #[serde(other)]
    Unknown,
}

/// Whom the pod's end waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Names of the containers that have been told to stop.
    pub containers: Vec<String>,
    /// What is left until the last of them is killed; 0: all of them have been.
    pub left_millis: u64,
    /// The whole grace period.
    pub grace_millis: u64,
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
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Exit code of `barepod run`.
    pub exit_code: u8,
    /// `Succeeded` or `Failed`.
    pub phase: String,
}

impl Request {
    /// Graceful deletion.
    pub fn stop(grace_period: Option<Duration>) -> Self {
        Self::Stop { grace_period_seconds: grace_period.map(|grace| grace.as_secs()) }
    }

    /// How many descriptors come with it.
    pub fn descriptors(&self) -> usize {
        match self {
            Self::Stop { .. } | Self::Kill | Self::Resize(_) | Self::Signal { .. } => 0,
            Self::Exec(Program { streams: Streams::Terminal { .. }, .. }) => 1,
            Self::Exec(Program { streams: Streams::Output, .. }) => 2,
            Self::Exec(Program { streams: Streams::All, .. }) => 3,
        }
    }
}

#[cfg(test)]
mod tests;
