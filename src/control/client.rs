//! A command's end: asks, and waits for the pod's end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ControlError, Ended, Request, VERSION, WireAnswer, WireRequest, short_path};

/// How long a supervisor may hold the pod's lock and not listen: at its start, and when it leaves.
const DEAF_TRIES: u32 = 500;
const DEAF_PAUSE: Duration = Duration::from_millis(10);

/// Asks the supervisor of the pod whose state is in `dir` for its end, and waits for it. `None`: the pod ended before
/// the supervisor could be asked, or the supervisor died. `alive` says whether somebody supervises the pod now.
///
/// # Errors
/// Where a supervisor that lives doesn't listen or answer.
pub fn end(dir: &Path, request: Request, mut alive: impl FnMut() -> bool) -> Result<Option<Ended>, ControlError> {
    let mut tries = 0;
    let ended = loop {
        match Client::connect(dir) {
            Ok(mut client) => break client.ask(request).and_then(|()| client.wait_end()),
            Err(_) if !alive() => return Ok(None),
            Err(error) if tries == DEAF_TRIES => return Err(error),
            Err(_) => {
                tries += 1;
                pause();
            }
        }
    };
    match ended {
        Err(_) if dies(alive) => Ok(None),
        Err(error) => Err(error),
        Ok(ended) => Ok(Some(ended)),
    }
}

/// Whether a supervisor that has hung up is dead, or about to be: the kernel closes the socket of a killed process and
/// gives back its lock one after the other.
fn dies(mut alive: impl FnMut() -> bool) -> bool {
    for _ in 0..DEAF_TRIES {
        if !alive() {
            return true;
        }
        pause();
    }
    false
}

#[allow(clippy::disallowed_methods, reason = "a command that waits for a socket to appear has nothing else to do")]
fn pause() {
    std::thread::sleep(DEAF_PAUSE);
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
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) | Err(_) => Err(ControlError::Lost),
            Ok(_) => match serde_json::from_str::<WireAnswer>(&line) {
                Ok(answer) if answer.version == VERSION => Ok(answer.ended),
                Ok(_) | Err(_) => Err(ControlError::Protocol),
            },
        }
    }
}
