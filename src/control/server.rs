//! The supervisor's end: never waits, keeps little, trusts nobody.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use barepod_engine::status::Phase;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::{
    ControlError, Ended, LINE, Refused, Request, Resized, SOCKET, VERSION, WireAnswer, WireRequest, short_path,
};

/// Most clients at a time.
pub const CLIENTS: usize = 64;

/// Listens on the pod's socket.
pub struct Server {
    listener: UnixListener,
    dir: PathBuf,
    connections: Vec<Option<Connection>>,
    /// Most of them at a time.
    most: usize,
    /// How many there have been.
    count: u64,
    /// Given up where this process can't open another file: somebody can ask for the pod's end even then.
    spare: Option<OwnedFd>,
}

struct Connection {
    stream: UnixStream,
    uid: u32,
    /// Of all that there have been; a larger one is younger.
    number: u64,
    stage: Stage,
    received: Vec<u8>,
    /// Answers that wait for what they tell of to be written down.
    owed: Vec<Resized>,
}

/// What a client has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has asked for nothing: it may be sent away for others.
    Idle,
    /// It waits for an answer.
    Waits,
}

/// Who has connected.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Numbers for [`Server::connection`] and [`Server::read`].
    pub new: Vec<u16>,
    /// Whether there are more, who can't be let in now: this process has no room for another open file. The listener stays
    /// readable, and is better not looked at for a while.
    pub overloaded: bool,
}

impl Server {
    /// Binds `control.sock` in `dir`, in place of one that a dead supervisor left: the pod's lock is held. At most
    /// `most` clients have a connection at a time.
    ///
    /// # Errors
    /// Where the socket can't be made.
    pub fn bind(dir: &Path, most: usize) -> Result<Self, ControlError> {
        match fs::remove_file(dir.join(SOCKET)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(ControlError::io("unlink", dir, error)),
            Ok(()) | Err(_) => {}
        }
        let (_folder, path) = short_path(dir).map_err(|error| ControlError::io("open", dir, error))?;
        let listener = UnixListener::bind(path).map_err(|error| ControlError::io("bind", dir, error))?;
        fs::set_permissions(dir.join(SOCKET), fs::Permissions::from_mode(0o600))
            .map_err(|error| ControlError::io("chmod", dir, error))?;
        listener.set_nonblocking(true).map_err(|error| ControlError::io("fcntl", dir, error))?;
        Ok(Self { listener, dir: dir.to_owned(), connections: Vec::new(), most, count: 0, spare: spare() })
    }

    /// Becomes readable when [`Self::accept`] has something to do.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes in who has connected. Nobody is kept out by those who only sit there: the oldest of them goes. Where all
    /// places are taken by clients that wait for an answer, who comes is told so; but no user keeps out another.
    pub fn accept(&mut self) -> Admitted {
        let mut admitted = Admitted::default();
        if self.spare.is_none() {
            self.spare = spare();
        }
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => admitted.new.extend(self.admit(stream)),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR | libc::ECONNABORTED) => {}
                    Some(libc::EMFILE | libc::ENFILE) if self.send_away_idle() || self.spare.take().is_some() => {}
                    Some(libc::EAGAIN) => return admitted,
                    _ => return Admitted { overloaded: true, ..admitted },
                },
            }
        }
    }

    fn admit(&mut self, stream: UnixStream) -> Option<u16> {
        // The socket's mode keeps others out; this keeps out whom the folder's owner let in by mistake.
        let own = rustix::process::geteuid();
        // Not through rustix, for which there is no process 0: who is outside of our pid namespace has that number.
        let uid = getsockopt(&stream, PeerCredentials).ok()?.uid();
        if ![0, own.as_raw()].contains(&uid) || stream.set_nonblocking(true).is_err() {
            return None;
        }
        let Some(index) = self.place(uid) else {
            tell(&stream, &WireAnswer { refused: Some(Refused::Busy), ..WireAnswer::default() });
            return None;
        };
        self.count += 1;
        let (number, stage) = (self.count, Stage::Idle);
        let connection = Connection { stream, uid, number, stage, received: Vec::new(), owed: Vec::new() };
        if index == self.connections.len() {
            self.connections.push(None);
        }
        self.connections[index] = Some(connection);
        u16::try_from(index).ok()
    }

    /// A free place, or one that is made free.
    fn place(&mut self, uid: u32) -> Option<usize> {
        if let Some(free) = self.connections.iter().position(Option::is_none) {
            return Some(free);
        }
        if self.connections.len() < self.most || self.send_away_idle() {
            return Some(self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len()));
        }
        let of_others = |one: &Connection| one.uid != uid;
        if self.connections.iter().flatten().filter(|one| of_others(one)).count() > self.most / 2 {
            self.send_away(of_others);
        }
        self.connections.iter().position(Option::is_none)
    }

    /// Closes the oldest connection that has asked for nothing; `false`: there is none.
    fn send_away_idle(&mut self) -> bool {
        self.send_away(|one| one.stage == Stage::Idle)
    }

    fn send_away(&mut self, whom: impl Fn(&Connection) -> bool) -> bool {
        let candidates = self.connections.iter_mut().filter(|one| one.as_ref().is_some_and(&whom));
        let oldest = candidates.min_by_key(|one| one.as_ref().map_or(u64::MAX, |one| one.number));
        let Some(connection) = oldest.and_then(Option::take) else { return false };
        tell(&connection.stream, &WireAnswer { refused: Some(Refused::Busy), ..WireAnswer::default() });
        true
    }

    /// Becomes readable when [`Self::read`] has something to do; `None`: it is closed.
    pub fn connection(&self, index: u16) -> Option<BorrowedFd<'_>> {
        self.connections.get(usize::from(index))?.as_ref().map(|connection| connection.stream.as_fd())
    }

    /// What a client asked for since the last call. One that left, or that makes no sense, is closed.
    pub fn read(&mut self, index: u16) -> Vec<Request> {
        let Some(place) = self.connections.get_mut(usize::from(index)) else { return Vec::new() };
        let Some(connection) = place else { return Vec::new() };
        let mut buffer = [0; 1024];
        let open = loop {
            match connection.stream.read(&mut buffer) {
                Ok(0) => break false,
                Ok(count) => connection.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
            if connection.received.len() > LINE {
                break true;
            }
        };
        let mut requests: Vec<Request> = Vec::new();
        let mut sane = true;
        while let Some(end) = connection.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = connection.received.drain(..=end).collect();
            match serde_json::from_slice::<WireRequest>(&line) {
                Ok(wire) if wire.version == VERSION => requests.push(wire.into()),
                Ok(_) | Err(_) => sane = false,
            }
        }
        if !requests.is_empty() {
            connection.stage = Stage::Waits;
        }
        if !open || !sane || connection.received.len() > LINE {
            *place = None;
        }
        requests
    }

    /// Remembers an answer, until [`Self::pay`].
    pub fn owe(&mut self, index: u16, answer: Resized) {
        if let Some(Some(connection)) = self.connections.get_mut(usize::from(index)) {
            connection.owed.push(answer);
        }
    }

    /// Whether [`Self::pay`] has something to do.
    pub fn owes(&self) -> bool {
        self.connections.iter().flatten().any(|connection| !connection.owed.is_empty())
    }

    /// Gives the answers that are owed.
    pub fn pay(&mut self) {
        for connection in self.connections.iter_mut().flatten() {
            for resized in connection.owed.drain(..) {
                tell(&connection.stream, &WireAnswer { resized: Some(resized), ..WireAnswer::default() });
            }
        }
    }

    /// Takes the socket away: from now on nobody new is heard.
    pub fn close(&mut self) {
        // Whoever connected while the end came has a right to know it too.
        self.accept();
        let _ = fs::remove_file(self.dir.join(SOCKET));
    }

    /// Tells everybody who waits how the pod ended.
    pub fn finish(&mut self, exit_code: u8, phase: Phase) {
        let phase = match phase {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
        };
        self.pay();
        let ended = Ended { exit_code, phase: phase.to_owned() };
        let answer = WireAnswer { ended: Some(ended), ..WireAnswer::default() };
        for connection in self.connections.drain(..).flatten() {
            tell(&connection.stream, &answer);
        }
    }
}

/// A descriptor of no meaning; `None`: not even that can be had now.
fn spare() -> Option<OwnedFd> {
    fs::File::open("/dev/null").ok().map(Into::into)
}

fn tell(mut stream: &UnixStream, answer: &WireAnswer) {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    // It fits into the socket's buffer; a client that doesn't read is its own problem.
    let _ = stream.write_all(&line);
}
