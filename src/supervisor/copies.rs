//! What containers print, for commands that are attached to them: each gets a copy as far as it takes it. Nobody waits for them:
//! what one has no room for is left out for it.

use std::os::fd::OwnedFd;

use barepod_engine::spec::ContainerIndex;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::control::Requester;
use crate::log::{BUDGET, Stream};
use crate::runtime::exec::TerminalSize;

/// Bytes that a unix socket takes at one go while it is empty, where nobody has changed net.core.wmem_default (unix(7)): who reads at
/// once misses nothing.
const MOST_COPIED: usize = 64 * 1024;

/// All commands that are attached.
pub struct Copies {
    all: Vec<Copied>,
    /// Those that wait for a container's beginning.
    first: Vec<FirstClient>,
    /// Whether somebody has just missed something for the first time.
    is_behind: bool,
}

/// Who is attached to a container from its beginning on: the process that was called to run the pod (`run -it`), or a client that
/// has added the container (`debug -it`).
pub struct FirstClient {
    /// Which container.
    pub container: ContainerIndex,
    /// Whether what that reads is to be written to.
    pub stdin: bool,
    /// Of a terminal, at first.
    pub size: TerminalSize,
    /// The client; `None`: the process that was called.
    pub by: Option<Requester>,
    /// A socket for records: what it is attached to, then what else that process is told.
    pub door: OwnedFd,
    /// A socket of the type SOCK_STREAM.
    pub stdout: OwnedFd,
    /// Likewise.
    pub stderr: OwnedFd,
}

/// How a command is told something.
pub enum Way {
    /// By an answer.
    Answer(Requester),
    /// By a record on this socket.
    Record(OwnedFd),
}

/// For one command.
pub struct Copied {
    /// The way to it.
    pub way: Way,
    /// What it is attached to.
    pub container: ContainerIndex,
    /// Sockets of the type SOCK_STREAM; `None`: nobody reads there any more.
    pub stdout: Option<OwnedFd>,
    /// Likewise.
    pub stderr: Option<OwnedFd>,
    /// Bytes that were left out.
    pub lost: u64,
    /// Whether it was told that something is.
    pub is_told: bool,
}

impl Copies {
    /// None yet, but for who waits for a container's beginning.
    pub fn new(first: Option<FirstClient>) -> Self {
        Self { all: Vec::new(), first: Vec::from_iter(first), is_behind: false }
    }

    /// Who waits for this container's beginning, once.
    pub fn take_first(&mut self, container: ContainerIndex) -> Option<FirstClient> {
        let at = self.first.iter().position(|first| first.container == container)?;
        Some(self.first.swap_remove(at))
    }

    /// One more who waits for a container's beginning.
    pub fn wait(&mut self, first: FirstClient) {
        self.first.push(first);
    }

    /// How many there are, those that wait included.
    pub fn len(&self) -> usize {
        self.all.len() + self.first.len()
    }

    /// One more.
    pub fn add(&mut self, one: Copied) {
        self.all.push(one);
    }

    /// How much of a container's output may be read at one go: where somebody is attached, what a socket of the usual size takes.
    pub fn most(&self, container: ContainerIndex) -> usize {
        let is_copied = self.all.iter().any(|one| one.container == container);
        if is_copied { MOST_COPIED } else { BUDGET }
    }

    /// A container has printed this.
    pub fn copy(&mut self, container: ContainerIndex, stream: Stream, bytes: &[u8]) {
        for one in self.all.iter_mut().filter(|one| one.container == container) {
            one.take(stream, bytes);
            self.is_behind |= one.lost > 0 && !one.is_told;
        }
    }

    /// Those who have missed something and are to be told so.
    pub fn who_is_behind(&mut self) -> impl Iterator<Item = &mut Copied> {
        let is_behind = std::mem::take(&mut self.is_behind);
        self.all.iter_mut().filter(move |one| is_behind && one.lost > 0 && !one.is_told)
    }

    /// Takes out those that are attached to a container.
    pub fn take_of(&mut self, container: ContainerIndex) -> Vec<Copied> {
        let (ended, others) =
            std::mem::take(&mut self.all).into_iter().partition(|one: &Copied| one.container == container);
        self.all = others;
        ended
    }

    /// Takes out those of them who are told by an answer.
    pub fn take_asking(&mut self, container: ContainerIndex) -> Vec<Way> {
        let is_asking = |one: &Copied| one.container == container && matches!(one.way, Way::Answer(_));
        self.all.extract_if(.., |one| is_asking(one)).map(|one| one.way).collect()
    }

    /// Takes out the one who asked so.
    pub fn leave(&mut self, by: Requester) {
        self.first.retain(|one| one.by != Some(by));
        self.all.retain(|one| !matches!(one.way, Way::Answer(its) if its == by));
    }
}

impl Copied {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let socket = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
        let Some(open) = socket else { return };
        let sent = match rustix::net::send(open, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => 0,
            // It reads no more, or gave what isn't a socket.
            Err(_) => {
                *socket = None;
                return;
            }
        };
        self.lost += (bytes.len() - sent) as u64;
    }
}
