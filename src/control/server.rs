//! The supervisor's end: never waits, keeps little, trusts nobody.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use barepod_engine::status::Phase;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::{ControlError, Ended, LINE, Request, Resized, SOCKET, VERSION, WireAnswer, WireRequest, short_path};

/// More clients than this wait in the listener's queue.
const CLIENTS: usize = 64;

/// Listens on the pod's socket.
pub struct Server {
    listener: UnixListener,
    dir: PathBuf,
    connections: Vec<Option<Connection>>,
}

struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    /// Answers that wait for what they tell of to be written down.
    owed: Vec<Resized>,
}

impl Server {
    /// Binds `control.sock` in `dir`, in place of one that a dead supervisor left: the pod's lock is held.
    ///
    /// # Errors
    /// Where the socket can't be made.
    pub fn bind(dir: &Path) -> Result<Self, ControlError> {
        match fs::remove_file(dir.join(SOCKET)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(ControlError::io("unlink", dir, error)),
            Ok(()) | Err(_) => {}
        }
        let (_folder, path) = short_path(dir).map_err(|error| ControlError::io("open", dir, error))?;
        let listener = UnixListener::bind(path).map_err(|error| ControlError::io("bind", dir, error))?;
        fs::set_permissions(dir.join(SOCKET), fs::Permissions::from_mode(0o600))
            .map_err(|error| ControlError::io("chmod", dir, error))?;
        listener.set_nonblocking(true).map_err(|error| ControlError::io("fcntl", dir, error))?;
        Ok(Self { listener, dir: dir.to_owned(), connections: Vec::new() })
    }

    /// Becomes readable when [`Self::accept`] has something to do.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes in who has connected; gives numbers for [`Self::connection`] and [`Self::read`].
    pub fn accept(&mut self) -> Vec<u16> {
        let mut new = Vec::new();
        while let Ok((stream, _)) = self.listener.accept() {
            // The socket's mode keeps others out; this keeps out whom the folder's owner let in by mistake.
            let own = rustix::process::geteuid();
            // Not through rustix, for which there is no process 0: who is outside of our pid namespace has that number.
            let allowed =
                getsockopt(&stream, PeerCredentials).is_ok_and(|peer| [0, own.as_raw()].contains(&peer.uid()));
            let free = self.connections.iter().position(Option::is_none);
            let index = free.unwrap_or(self.connections.len());
            if !allowed || index >= CLIENTS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let connection = Some(Connection { stream, received: Vec::new(), owed: Vec::new() });
            match free {
                Some(free) => self.connections[free] = connection,
                None => self.connections.push(connection),
            }
            new.extend(u16::try_from(index).ok());
        }
        new
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
        let mut requests = Vec::new();
        let mut sane = true;
        while let Some(end) = connection.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = connection.received.drain(..=end).collect();
            match serde_json::from_slice::<WireRequest>(&line) {
                Ok(wire) if wire.version == VERSION => requests.push(wire.into()),
                Ok(_) | Err(_) => sane = false,
            }
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
                let answer = WireAnswer { version: VERSION, ended: None, resized: Some(resized) };
                tell(&connection.stream, &answer);
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
        let answer = WireAnswer { version: VERSION, ended: Some(ended), resized: None };
        for connection in self.connections.drain(..).flatten() {
            tell(&connection.stream, &answer);
        }
    }
}

fn tell(mut stream: &UnixStream, answer: &WireAnswer) {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    // It fits into the socket's buffer; a client that doesn't read is its own problem.
    let _ = stream.write_all(&line);
}
