//! A command's end: asks, and waits for the answers.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;

use super::frame::{self, CONNECTION, Id, Malformed};
use super::record::{self, Received, connect_in};
use super::request::Call;
use super::{
    Added, Answer, Applied, Changes, ControlError, Debugging, Ended, Reason, Request, Resized, Resources, Restarting,
    Signalled, Waiting,
};

/// How often a supervisor may be found to hold the pod's lock and not to listen: at its start, and when it leaves.
const DEAF_TRIES: u32 = 1000;

/// Asks the supervisor of the pod whose state is in `dir` for its end, and waits for it; `news` hears whom that waits for.
/// `None`: the pod ended before the supervisor could be asked, or the supervisor died. `lives` says whether somebody
/// supervises the pod now; where somebody does, after a moment: it is asked again and again.
///
/// # Errors
/// Where a supervisor that lives doesn't listen or answer.
pub fn end(
    dir: &Path,
    request: Request,
    lives: impl FnMut() -> bool,
    news: impl FnMut(&Waiting),
) -> Result<Option<Ended>, ControlError> {
    match ask(dir, request, lives, news)? {
        None => Ok(None),
        Some(Answer::Ended(ended)) => Ok(Some(ended)),
        Some(other) => Err(unexpected(&other)),
    }
}

/// Asks the supervisor of the pod whose state is in `dir` for new resources, as [`end`] asks for an end. `None`: the pod
/// ended before there was an answer.
///
/// # Errors
/// As [`end`].
pub fn resize(dir: &Path, wanted: &Resources, lives: impl FnMut() -> bool) -> Result<Option<Resized>, ControlError> {
    match ask(dir, Request::Resize(wanted.clone()), lives, |_| {})? {
        None | Some(Answer::Ended(_)) => Ok(None),
        Some(Answer::Resized { outcome }) => Ok(Some(outcome)),
        Some(other) => Err(unexpected(&other)),
    }
}

/// Asks the supervisor of the pod whose state is in `dir` to send a signal to a container, or to all main ones, as [`end`] asks
/// for an end. `None`: the pod ended before there was an answer.
///
/// # Errors
/// As [`end`].
pub fn signal(
    dir: &Path,
    container: Option<&str>,
    signal: i32,
    lives: impl FnMut() -> bool,
) -> Result<Option<Signalled>, ControlError> {
    let request = Request::SignalContainers { container: container.map(str::to_owned), signal };
    match ask(dir, request, lives, |_| {})? {
        None | Some(Answer::Ended(_)) => Ok(None),
        Some(Answer::Signalled { outcome }) => Ok(Some(outcome)),
        Some(other) => Err(unexpected(&other)),
    }
}

/// Asks the supervisor of the pod whose state is in `dir` for the restart of one container, or of all main ones and sidecars,
/// as [`end`] asks for an end. `None`: the pod ended before there was an answer.
///
/// # Errors
/// As [`end`].
pub fn restart(
    dir: &Path,
    container: Option<&str>,
    grace_period: Option<Duration>,
    lives: impl FnMut() -> bool,
) -> Result<Option<Restarting>, ControlError> {
    let grace_period_seconds = grace_period.map(|grace| grace.as_secs());
    let request = Request::Restart { container: container.map(str::to_owned), grace_period_seconds };
    match ask(dir, request, lives, |_| {})? {
        None | Some(Answer::Ended(_)) => Ok(None),
        Some(Answer::Restarting { outcome }) => Ok(Some(outcome)),
        Some(other) => Err(unexpected(&other)),
    }
}

/// Asks the supervisor of the pod whose state is in `dir` for changes of it, as [`end`] asks for an end. `None`: the pod ended
/// before there was an answer. `objects` is a text of ConfigMaps and Secrets.
///
/// # Errors
/// As [`end`].
pub fn apply(
    dir: &Path,
    changes: Changes,
    objects: Option<&[u8]>,
    lives: impl FnMut() -> bool,
) -> Result<Option<Applied>, ControlError> {
    let file = objects.map(|objects| in_memory(dir, objects)).transpose()?;
    let descriptors: Vec<BorrowedFd<'_>> = file.iter().map(AsFd::as_fd).collect();
    let changes = Changes { objects: file.is_some(), ..changes };
    match ask_with(dir, (Request::Apply(changes), &descriptors), lives, |_| {})? {
        None | Some(Answer::Ended(_)) => Ok(None),
        Some(Answer::Applied { outcome }) => Ok(Some(outcome)),
        Some(other) => Err(unexpected(&other)),
    }
}

/// Asks the supervisor of the pod whose state is in `dir` for an ephemeral container that nobody is attached to, as [`end`] asks for an
/// end. `None`: the pod ended before there was an answer.
///
/// # Errors
/// As [`end`].
pub fn debug(dir: &Path, debugging: Debugging, lives: impl FnMut() -> bool) -> Result<Option<Added>, ControlError> {
    match ask(dir, Request::Debug(debugging), lives, |_| {})? {
        None | Some(Answer::Ended(_)) => Ok(None),
        Some(Answer::Added { outcome }) => Ok(Some(outcome)),
        Some(other) => Err(unexpected(&other)),
    }
}

fn unexpected(answer: &Answer) -> ControlError {
    ControlError::Protocol(format!("{answer:?}"))
}

/// A file that holds this, for what is too long for a frame.
fn in_memory(dir: &Path, text: &[u8]) -> Result<OwnedFd, ControlError> {
    let file =
        memfd_create("objects", MemfdFlags::CLOEXEC).map_err(|errno| ControlError::io("memfd_create", dir, errno))?;
    let mut file = File::from(file);
    file.write_all(text).map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
        ControlError::io("write", dir, errno)
    })?;
    Ok(file.into())
}

/// The last answer to a request.
fn ask(
    dir: &Path,
    request: Request,
    lives: impl FnMut() -> bool,
    news: impl FnMut(&Waiting),
) -> Result<Option<Answer>, ControlError> {
    ask_with(dir, (request, &[]), lives, news)
}

/// As [`ask`], of a request with its descriptors.
fn ask_with(
    dir: &Path,
    (request, descriptors): (Request, &[BorrowedFd<'_>]),
    mut lives: impl FnMut() -> bool,
    mut news: impl FnMut(&Waiting),
) -> Result<Option<Answer>, ControlError> {
    let Some(mut client) = connect(dir, &mut lives)? else { return Ok(None) };
    let answered = client.ask_with(request, descriptors).and_then(|id| {
        loop {
            match client.answer(id)? {
                Answer::Waiting(waiting) => news(&waiting),
                last if last.is_last() => return Ok(last),
                _ => {}
            }
        }
    });
    match answered {
        Ok(answer) => Ok(Some(answer)),
        // What it means that there was no answer. Not that the supervisor has ended, as long as it holds the pod's lock.
        Err(ControlError::Io { .. } | ControlError::Lost) if dies(&mut lives) => Ok(None),
        Err(ControlError::Lost) => Err(ControlError::HungUp),
        Err(error) => Err(error),
    }
}

/// A connection to the supervisor of the pod whose state is in `dir`, once it listens; `None`: nobody supervises the pod.
pub(super) fn connect(dir: &Path, lives: &mut impl FnMut() -> bool) -> Result<Option<Client>, ControlError> {
    let mut tries = 0;
    loop {
        match Client::connect(dir) {
            Ok(client) => return Ok(Some(client)),
            Err(error @ ControlError::Version { .. }) => return Err(error),
            Err(_) if !lives() => return Ok(None),
            Err(error) if tries == DEAF_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

/// Whether somebody listens on the socket in the pod's folder, which is taken away by whoever stops to listen.
///
/// # Errors
/// Where that can't be asked (no more open files), which says nothing of who listens.
pub fn is_listening(dir: &Path) -> io::Result<bool> {
    match connect_in(dir) {
        // Who has too many clients waiting, or speaks as an older barepod did, listens all the same.
        Ok(_) | Err((_, Errno::AGAIN | Errno::PROTOTYPE)) => Ok(true),
        Err((_, Errno::NOENT | Errno::CONNREFUSED)) => Ok(false),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Whether a supervisor that has hung up is dead, or about to be: the kernel closes the socket of a killed process and
/// gives back its lock one after the other.
pub(super) fn dies(mut lives: impl FnMut() -> bool) -> bool {
    (0..DEAF_TRIES).any(|_| !lives())
}

/// A connection to a pod's supervisor.
pub struct Client {
    pub(super) socket: OwnedFd,
    dir: PathBuf,
    asked: Id,
}

impl Client {
    /// Connects to the supervisor of the pod whose state is in `dir`.
    ///
    /// # Errors
    /// Where nobody listens.
    pub fn connect(dir: &Path) -> Result<Self, ControlError> {
        match connect_in(dir) {
            Ok(socket) => Ok(Self { socket, dir: dir.to_owned(), asked: CONNECTION }),
            // A socket of the type that the protocol had before it had versions.
            Err((_, Errno::PROTOTYPE)) => {
                Err(ControlError::Version { theirs: "an older version".to_owned(), supervisor: None })
            }
            Err((call, errno)) => Err(ControlError::io(call, dir, errno)),
        }
    }

    /// Asks for something; gives the request's id.
    ///
    /// # Errors
    /// Where the supervisor is gone, or the request is too long.
    pub fn ask(&mut self, request: Request) -> Result<Id, ControlError> {
        self.ask_with(request, &[])
    }

    /// As [`Self::ask`], with the descriptors that the request takes.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_with(&mut self, request: Request, descriptors: &[BorrowedFd<'_>]) -> Result<Id, ControlError> {
        self.call(&Call::Ask(request), descriptors)
    }

    pub(super) fn call(&mut self, call: &Call, descriptors: &[BorrowedFd<'_>]) -> Result<Id, ControlError> {
        self.asked += 1;
        match record::send(&self.socket, &frame::encode_call(self.asked, call), descriptors) {
            // What a supervisor that hangs up has said before is there to be read.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(self.asked),
            Err(Errno::MSGSIZE) => Err(ControlError::TooLong { most: frame::LONGEST }),
            Err(errno) => Err(ControlError::io("sendmsg", &self.dir, errno)),
        }
    }

    /// Waits for the next answer to a request.
    ///
    /// # Errors
    /// Where the supervisor goes away before that, refuses, or says what can't be understood.
    pub fn answer(&mut self, to: Id) -> Result<Answer, ControlError> {
        loop {
            if let Some(answer) = self.next(to)? {
                return Ok(answer);
            }
        }
    }

    /// Waits for one answer; `None`: it is to another request.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn next(&mut self, to: Id) -> Result<Option<Answer>, ControlError> {
        let (id, answer) = self.receive()?;
        match answer {
            _ if ![to, CONNECTION].contains(&id) => Ok(None),
            Answer::Refused { reason: Reason::Busy, .. } => Err(ControlError::Busy),
            Answer::Refused { message, .. } => Err(ControlError::Refused(message)),
            other => Ok(Some(other)),
        }
    }

    /// Readable once there is an answer, to whichever request.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn receive(&self) -> Result<(Id, Answer), ControlError> {
        match record::receive(&self.socket) {
            Ok(Received::Record(record, _)) => frame::decode_answer(&record).map_err(|malformed| match malformed {
                Malformed::Version(theirs) => {
                    ControlError::Version { theirs: format!("version {theirs}"), supervisor: self.supervisor() }
                }
                Malformed::Garbage(why) => ControlError::Protocol(why),
            }),
            Ok(Received::TooMuch) => Err(ControlError::Protocol("its answer is too long".to_owned())),
            Ok(Received::End) | Err(_) => Err(ControlError::Lost),
        }
    }

    /// Who listens; `None`: a process that can't be seen from here.
    fn supervisor(&self) -> Option<i32> {
        getsockopt(&self.socket, PeerCredentials).ok().map(|peer| peer.pid()).filter(|pid| *pid > 0)
    }
}
