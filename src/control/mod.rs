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
pub use server::Server;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resized: Option<Resized>,
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_request_arrives_and_the_end_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        let mut server = Server::bind(&long).unwrap();
        let mut client = Client::connect(&long).unwrap();
        client.ask(Request::Stop { grace_period: Some(Duration::from_secs(3)) }).unwrap();
        let connections = server.accept();
        assert_eq!(connections.len(), 1);
        let requests = server.read(connections[0]);
        assert_eq!(requests, [Request::Stop { grace_period: Some(Duration::from_secs(3)) }]);
        server.close();
        server.finish(3, barepod_engine::status::Phase::Failed);
        assert_eq!(client.wait_end().unwrap(), Ended { exit_code: 3, phase: "Failed".to_owned() });
        assert!(!long.join(SOCKET).exists());
    }

    #[test]
    fn a_resize_is_answered_when_it_is_due() {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::bind(dir.path()).unwrap();
        let wanted = Resources {
            container: Some("web".to_owned()),
            limits: BTreeMap::from([("cpu".to_owned(), "200m".to_owned())]),
            ..Resources::default()
        };
        let mut client = Client::connect(dir.path()).unwrap();
        client.ask(Request::Resize(wanted.clone())).unwrap();
        let connection = server.accept()[0];
        assert_eq!(server.read(connection), [Request::Resize(wanted)]);
        let done = Resized::Done { container: "web".to_owned() };
        assert!(!server.owes());
        server.owe(connection, done.clone());
        assert!(server.owes());
        server.pay();
        assert_eq!(client.wait_resized().unwrap(), Some(done));
        // Whoever still waits when the pod ends hears both, in this order.
        client.ask(Request::Resize(Resources::default())).unwrap();
        assert_eq!(server.read(connection), [Request::Resize(Resources::default())]);
        server.owe(connection, Resized::Unchanged);
        server.finish(0, barepod_engine::status::Phase::Succeeded);
        assert_eq!(client.wait_resized().unwrap(), Some(Resized::Unchanged));
        assert_eq!(client.wait_resized().unwrap(), None);
    }

    #[test]
    fn a_supervisor_that_goes_away_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::bind(dir.path()).unwrap();
        let mut client = Client::connect(dir.path()).unwrap();
        client.ask(Request::Kill).unwrap();
        drop(server);
        assert!(matches!(client.wait_end(), Err(ControlError::Lost)));
    }

    /// `stop` right after `run`: the lock is held, the socket is not there yet.
    #[test]
    fn a_supervisor_that_is_about_to_listen_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut asked = 0;
        let ended = end(dir.path(), Request::Kill, || {
            asked += 1;
            let server = Server::bind(dir.path()).unwrap();
            #[allow(clippy::disallowed_methods, reason = "the supervisor's process, as a thread")]
            std::thread::spawn(move || supervise(server));
            true
        });
        assert_eq!(ended.unwrap(), Some(Ended { exit_code: 137, phase: "Failed".to_owned() }));
        assert_eq!(asked, 1);
    }

    /// Ends its pod when it is asked to.
    fn supervise(mut server: Server) {
        wait(server.listener());
        let connection = server.accept()[0];
        wait(server.connection(connection).unwrap());
        assert_eq!(server.read(connection), [Request::Kill]);
        server.close();
        server.finish(137, barepod_engine::status::Phase::Failed);
    }

    fn wait(fd: std::os::fd::BorrowedFd<'_>) {
        use rustix::event::{PollFd, PollFlags, poll};
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
    }

    #[test]
    fn a_pod_that_nobody_supervises_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(end(dir.path(), Request::Kill, || false).unwrap(), None);
        // What a supervisor that was killed leaves: a socket that nobody listens to.
        drop(Server::bind(dir.path()).unwrap());
        assert!(dir.path().join(SOCKET).exists());
        assert_eq!(end(dir.path(), Request::Kill, || false).unwrap(), None);
        Server::bind(dir.path()).unwrap();
    }

    #[test]
    fn a_request_in_pieces_is_one_and_more_clients_than_room_hurt_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::bind(dir.path()).unwrap();
        let mut first = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
        let first_index = server.accept()[0];
        let crowd: Vec<_> = (0..70).map(|_| UnixStream::connect(dir.path().join(SOCKET)).unwrap()).collect();
        assert_eq!(server.accept().len(), 63);
        first.write_all(b"{\"version\":1,\"verb\":\"st").unwrap();
        assert_eq!(server.read(first_index), []);
        first.write_all(b"op\"}\n{\"version\":1,\"verb\":\"kill\",\"later\":[]}\n").unwrap();
        assert_eq!(server.read(first_index), [Request::Stop { grace_period: None }, Request::Kill]);
        drop(crowd);
        // Places of clients that left are free again.
        for index in 1..64 {
            assert_eq!(server.read(index), []);
        }
        let _next = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
        assert_eq!(server.accept(), [1]);
        assert_eq!(server.read(u16::MAX), []);
    }

    #[test]
    fn only_the_owner_may_connect() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let dir = tempfile::tempdir().unwrap();
        let _server = Server::bind(dir.path()).unwrap();
        let meta = std::fs::metadata(dir.path().join(SOCKET)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(meta.uid(), rustix::process::geteuid().as_raw());
    }

    #[test]
    fn garbage_and_endless_lines_close_the_connection_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::bind(dir.path()).unwrap();
        for text in ["{\"version\": 9, \"verb\": \"stop\"}\n".to_owned(), "nonsense\n".to_owned(), "x".repeat(LINE + 1)]
        {
            let mut stream = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            let connections = server.accept();
            assert_eq!(server.read(connections[0]), []);
            assert!(server.connection(connections[0]).is_none());
            assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
        }
    }
}
