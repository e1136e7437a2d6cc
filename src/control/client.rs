//! A command's end: asks, and waits for the pod's end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{ControlError, Ended, Refused, Request, Resized, Resources, VERSION, WireAnswer, WireRequest, short_path};

/// How often a supervisor may be found to hold the pod's lock and not to listen: at its start, and when it leaves.
const DEAF_TRIES: u32 = 1000;

/// Asks the supervisor of the pod whose state is in `dir` for its end, and waits for it. `None`: the pod ended before
/// the supervisor could be asked, or the supervisor died. `lives` says whether somebody supervises the pod now; where somebody does, after a moment: it is
/// asked again and again.
///
/// # Errors
/// Where a supervisor that lives doesn't listen or answer.
pub fn end(dir: &Path, request: Request, mut lives: impl FnMut() -> bool) -> Result<Option<Ended>, ControlError> {
    let mut tries = 0;
    let ended = loop {
        match Client::connect(dir) {
            Ok(mut client) => break client.ask(request.clone()).and_then(|()| client.wait_end()),
            Err(_) if !lives() => return Ok(None),
            Err(error) if tries == DEAF_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    };
    match ended {
        Ok(ended) => Ok(Some(ended)),
        Err(error) => unheard(error, lives),
    }
}

/// Asks the supervisor of the pod whose state is in `dir` for new resources, as [`end`] asks for an end. `None`: the pod
/// ended before there was an answer.
///
/// # Errors
/// As [`end`].
pub fn resize(
    dir: &Path,
    wanted: &Resources,
    mut lives: impl FnMut() -> bool,
) -> Result<Option<Resized>, ControlError> {
    let mut tries = 0;
    let answered = loop {
        match Client::connect(dir) {
            Ok(mut client) => {
                break client.ask(Request::Resize(wanted.clone())).and_then(|()| client.wait_resized());
            }
            Err(_) if !lives() => return Ok(None),
            Err(error) if tries == DEAF_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    };
    match answered {
        Ok(answer) => Ok(answer),
        Err(error) => unheard(error, lives),
    }
}

/// What it means that there was no answer. Not that the supervisor has ended, as long as it holds the pod's lock.
fn unheard<T>(error: ControlError, mut lives: impl FnMut() -> bool) -> Result<Option<T>, ControlError> {
    match error {
        ControlError::Busy | ControlError::Protocol => Err(error),
        ControlError::Io { .. } | ControlError::Lost | ControlError::HungUp if dies(&mut lives) => Ok(None),
        ControlError::Lost => Err(ControlError::HungUp),
        ControlError::Io { .. } | ControlError::HungUp => Err(error),
    }
}

/// Whether a supervisor that has hung up is dead, or about to be: the kernel closes the socket of a killed process and
/// gives back its lock one after the other.
fn dies(mut lives: impl FnMut() -> bool) -> bool {
    (0..DEAF_TRIES).any(|_| !lives())
}

/// A connection to a pod's supervisor.
pub struct Client {
    stream: BufReader<UnixStream>,
    dir: PathBuf,
}

impl Client {
    /// Connects to the supervisor of the pod whose state is in `dir`.
    ///
    /// # Errors
    /// Where nobody listens.
    pub fn connect(dir: &Path) -> Result<Self, ControlError> {
        let (_folder, path) = short_path(dir).map_err(|error| ControlError::io("open", dir, error))?;
        let stream = UnixStream::connect(path).map_err(|error| ControlError::io("connect", dir, error))?;
        Ok(Self { stream: BufReader::new(stream), dir: dir.to_owned() })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Where the supervisor is gone.
    pub fn ask(&mut self, request: Request) -> Result<(), ControlError> {
        let mut line = serde_json::to_vec(&WireRequest::from(request)).unwrap_or_default();
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(|error| ControlError::io("write", &self.dir, error))
    }

    /// Waits until the pod has ended.
    ///
    /// # Errors
    /// Where the supervisor goes away before that.
    pub fn wait_end(&mut self) -> Result<Ended, ControlError> {
        self.answer()?.ended.ok_or(ControlError::Protocol)
    }

    /// Waits until a resize has been answered; `None`: the pod has ended instead.
    ///
    /// # Errors
    /// Where the supervisor goes away before that.
    pub fn wait_resized(&mut self) -> Result<Option<Resized>, ControlError> {
        let answer = self.answer()?;
        if answer.ended.is_none() && answer.resized.is_none() {
            Err(ControlError::Protocol)
        } else {
            Ok(answer.resized)
        }
    }

    fn answer(&mut self) -> Result<WireAnswer, ControlError> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) | Err(_) => Err(ControlError::Lost),
            Ok(_) => match serde_json::from_str::<WireAnswer>(&line) {
                Ok(WireAnswer { version: VERSION, refused: Some(Refused::Busy), .. }) => Err(ControlError::Busy),
                Ok(answer) if answer.version == VERSION => Ok(answer),
                Ok(_) | Err(_) => Err(ControlError::Protocol),
            },
        }
    }
}
