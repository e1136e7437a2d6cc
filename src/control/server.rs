//! The supervisor's end: never waits, keeps little, trusts nobody.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use barepod_engine::status::Phase;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use rustix::time::Timespec;

use super::connection::{Connection, FrameRead};
use super::frame::Id;
use super::record::listen_in;
use super::{Answer, ControlError, Ended, Reason, Request, SOCKET, Waiting};

/// Most clients at a time.
pub const CLIENTS: usize = 64;
/// Most of them that are let in by one call of [`Server::turn`], and most that are heard, each for one frame.
const PER_TURN: usize = 8;
/// What the set of descriptors calls the listener; connections have the numbers of their places.
const LISTENER: u64 = u64::MAX;

/// Listens on the pod's socket.
pub struct Server {
    listener: OwnedFd,
    dir: PathBuf,
    /// The listener and all connections: the supervisor watches this one descriptor.
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    /// Most of them at a time.
    most: usize,
    /// How many there have been.
    count: u64,
    /// Given up where this process can't open another file: somebody can ask for the pod's end even then.
    spare: Option<OwnedFd>,
    /// Answers that wait for what they tell of to be written down.
    deferred: Vec<(Requester, Answer)>,
    /// Who has gone since somebody looked.
    gone: Vec<Requester>,
}

/// Who asked: what an answer is addressed to. It may have gone since, or cancelled; then nobody is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requester {
    connection: u64,
    id: Id,
}

impl Requester {
    /// Who made request `id` on the same connection.
    pub fn of(self, id: Id) -> Self {
        Self { id, ..self }
    }
}

/// A request, and who made it.
#[derive(Debug)]
pub struct Asked {
    /// To answer it.
    pub by: Requester,
    /// What is wanted.
    pub request: Request,
    /// What came with it, as many as [`Request::descriptors`] says.
    pub descriptors: Vec<OwnedFd>,
}

/// What came of a look at clients.
#[derive(Debug, Default)]
pub struct Turn {
    /// What they ask for, in the order in which each said it.
    pub asked: Vec<Asked>,
    /// Who has cancelled a request or hung up before it was answered, since the last turn.
    pub gone: Vec<Requester>,
    /// Whether there are more clients, who can't be let in now: this process has no room for another open file. None are until
    /// [`Server::listen_again`].
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
        let listener = listen_in(dir).map_err(|(call, errno)| ControlError::io(call, dir, errno))?;
        fs::set_permissions(dir.join(SOCKET), fs::Permissions::from_mode(0o600))
            .map_err(|error| ControlError::io("chmod", dir, error))?;
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(|errno| ControlError::io("epoll_create1", dir, errno))?;
        let (dir, connections, deferred) = (dir.to_owned(), Vec::new(), Vec::new());
        let server =
            Self { listener, dir, epoll, connections, most, count: 0, spare: spare(), deferred, gone: Vec::new() };
        server.listen_again().map_err(|errno| ControlError::io("epoll_ctl", &server.dir, errno))?;
        Ok(server)
    }

    /// Becomes readable when [`Self::turn`] has something to do.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Lets clients in again, after an overload.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn listen_again(&self) -> rustix::io::Result<()> {
        match epoll::add(&self.epoll, &self.listener, EventData::new_u64(LISTENER), EventFlags::IN) {
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
    }

    /// Lets in some who have connected, takes a frame from some who have sent one, sends to some what they take now. Short,
    /// whatever clients do; there may be more to do after it, and each has its turn.
    pub fn turn(&mut self) -> Turn {
        let mut turn = Turn::default();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(PER_TURN);
        if epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&at_once)).is_err() {
            ready.clear();
        }
        for event in ready {
            match event.data.u64() {
                LISTENER => turn.overloaded = self.accept(),
                place => turn.asked.extend(usize::try_from(place).ok().and_then(|place| self.serve(place))),
            }
        }
        turn.gone = std::mem::take(&mut self.gone);
        turn
    }

    /// Takes in who has connected. Nobody is kept out by those who only sit there: the oldest of them goes. Where all
    /// places are taken by clients that wait for an answer, who comes is told so; but no user keeps out another. `true`: there
    /// is no room for another open file, and no more are let in.
    fn accept(&mut self) -> bool {
        if self.spare.is_none() {
            self.spare = spare();
        }
        for _ in 0..PER_TURN {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.admit(socket),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::MFILE | Errno::NFILE) if self.send_away_idle() || self.spare.take().is_some() => {}
                Err(Errno::AGAIN) => return false,
                Err(_) => {
                    // It would be ready again at once, and nothing else would ever be done.
                    let _ = epoll::delete(&self.epoll, &self.listener);
                    return true;
                }
            }
        }
        false
    }

    fn admit(&mut self, socket: OwnedFd) {
        // The socket's mode keeps others out; this keeps out whom the folder's owner let in by mistake.
        let own = rustix::process::geteuid();
        // Not through rustix, for which there is no process 0: who is outside of our pid namespace has that number.
        let Ok(uid) = getsockopt(&socket, PeerCredentials).map(|peer| peer.uid()) else { return };
        if ![0, own.as_raw()].contains(&uid) {
            return;
        }
        self.count += 1;
        let connection = Connection::new(socket, uid, self.count);
        let Some(place) = self.place(uid) else { return connection.say_last(&busy()) };
        if epoll::add(&self.epoll, &connection.socket, EventData::new_u64(place as u64), EventFlags::IN).is_err() {
            // The kernel has no room to watch it: it may try again.
            return connection.say_last(&busy());
        }
        if place == self.connections.len() {
            self.connections.push(None);
        }
        self.connections[place] = Some(connection);
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

    /// Closes the oldest connection that waits for nothing; `false`: there is none.
    fn send_away_idle(&mut self) -> bool {
        self.send_away(Connection::is_idle)
    }

    fn send_away(&mut self, whom: impl Fn(&Connection) -> bool) -> bool {
        let candidates = self.connections.iter_mut().filter(|one| one.as_ref().is_some_and(&whom));
        let oldest = candidates.min_by_key(|one| one.as_ref().map_or(u64::MAX, |one| one.number));
        let Some(connection) = oldest.and_then(Option::take) else { return false };
        connection.say_last(&busy());
        self.left(&connection);
        true
    }

    /// A connection is over: nobody waits for the answers to its requests.
    fn left(&mut self, connection: &Connection) {
        let by = connection.number;
        self.gone.extend(connection.open_requests().iter().map(|id| Requester { connection: by, id: *id }));
    }

    fn hang_up(&mut self, place: usize) {
        if let Some(connection) = self.connections[place].take() {
            self.left(&connection);
        }
    }

    /// Sends a client what it hasn't taken; one that has taken all is heard.
    fn serve(&mut self, place: usize) -> Option<Asked> {
        let connection = self.connections.get_mut(place)?.as_mut()?;
        let heard = match (connection.has_unsent(), connection.send_unsent()) {
            (_, Err(_)) => FrameRead::Closed,
            (true, Ok(())) => FrameRead::Handled,
            (false, Ok(())) => connection.read(),
        };
        let number = connection.number;
        let by = |id| Requester { connection: number, id };
        match &heard {
            FrameRead::Closed => self.hang_up(place),
            FrameRead::Nothing | FrameRead::Handled | FrameRead::Cancelled(_) | FrameRead::Request(..) => {
                self.watch(place)
            }
        }
        match heard {
            FrameRead::Request(id, request, descriptors) => Some(Asked { by: by(id), request: *request, descriptors }),
            FrameRead::Cancelled(id) => {
                self.gone.push(by(id));
                None
            }
            FrameRead::Nothing | FrameRead::Handled | FrameRead::Closed => None,
        }
    }

    /// Who doesn't take its answers isn't heard.
    fn watch(&mut self, place: usize) {
        let Some(Some(connection)) = self.connections.get(place) else { return };
        let wanted = if connection.has_unsent() { EventFlags::OUT } else { EventFlags::IN };
        let data = EventData::new_u64(place as u64);
        if epoll::modify(&self.epoll, &connection.socket, data, wanted).is_err() {
            self.hang_up(place);
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, to: Requester, answer: Answer) {
        let whose = |one: &Option<Connection>| one.as_ref().is_some_and(|one| one.number == to.connection);
        let Some(place) = self.connections.iter().position(whose) else { return };
        if let Some(connection) = &mut self.connections[place] {
            connection.answer(to.id, answer);
        }
        self.watch(place);
    }

    /// Remembers an answer, until [`Self::send_deferred`].
    pub fn defer(&mut self, to: Requester, answer: Answer) {
        self.deferred.push((to, answer));
    }

    /// Whether [`Self::send_deferred`] has something to do.
    pub fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Gives the answers that were deferred.
    pub fn send_deferred(&mut self) {
        for (to, answer) in std::mem::take(&mut self.deferred) {
            self.answer(to, answer);
        }
    }

    /// Tells who has asked for something whom the pod's end waits for.
    pub fn tell_waiting(&mut self, waiting: &Waiting) {
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            for id in connection.open_requests().to_vec() {
                connection.answer(id, Answer::Waiting(waiting.clone()));
            }
            self.watch(place);
        }
    }

    /// Tells who watches the pod that its status or its events on disk are new.
    pub fn tell_changed(&mut self) {
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            connection.tell_changed();
            self.watch(place);
        }
    }

    /// Takes the socket away: from now on nobody new is heard.
    pub fn close(&mut self) {
        let _ = fs::remove_file(self.dir.join(SOCKET));
        // Whoever connected while the end came has a right to know it too.
        for _ in 0..CLIENTS / PER_TURN {
            self.accept();
        }
    }

    /// Tells everybody how the pod ended, and hangs up.
    pub fn finish(&mut self, exit_code: u8, phase: Phase) {
        self.send_deferred();
        let ended = Answer::Ended(Ended { exit_code, phase: format!("{phase:?}") });
        for connection in self.connections.drain(..).flatten() {
            connection.say_last(&ended);
        }
    }
}

fn busy() -> Answer {
    Answer::Refused { reason: Reason::Busy, message: "too many other commands wait for an answer".to_owned() }
}

/// A descriptor of no meaning; `None`: not even that can be had now.
fn spare() -> Option<OwnedFd> {
    fs::File::open("/dev/null").ok().map(Into::into)
}
