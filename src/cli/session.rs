//! Our terminal and streams at a container, until its end or ours: for `attach` and `run -it`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::args::DetachKeys;
use super::error::CliError;
use super::raw::{self, Raw};
use super::relay::{self, Outputs};
use super::terminal::tell_below;
use crate::control::record::{Received, receive};
use crate::control::{Answer, AttachedTo, Client, ControlError, Input};
use crate::runtime::detach::Above;
use crate::runtime::signals::read_instead;

/// Those that end this command or the pod, or tell of our terminal. One that is ignored stays so (nohup).
const SIGNALS: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGWINCH, Signal::SIGCONT];

/// How long the supervisor may take for what it does at once before that is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// What becomes of our own terminal.
pub struct Wish<'a> {
    /// Whether the container's terminal gets our size, and our keys where it gets any.
    pub tty: bool,
    /// To leave that by.
    pub keys: &'a DetachKeys,
}

/// Who supervises the container.
pub enum Peer<'a> {
    /// Somebody else, who was asked.
    Supervisor {
        /// The connection to him.
        client: Client,
        /// Of the request.
        id: u64,
        /// What is said while nothing comes.
        silence: &'a dyn Fn(),
    },
    /// The process below this one.
    Below(&'a Above),
}

/// Why a session is over.
pub enum Over {
    /// By the keys.
    Left,
    /// By this signal.
    Signal(i32),
    /// By the container's end, or the supervisor's.
    Ended(Result<Answer, ControlError>),
}

/// From the request to the container's end, or ours.
pub struct Session<'a> {
    wish: Wish<'a>,
    peer: Peer<'a>,
    /// What we are attached to, for people.
    what: String,
    signals: SignalFd,
    outputs: Outputs,
    /// What the container prints, as long as our terminal isn't ready for it.
    unread: Option<[OwnedFd; 2]>,
    /// Brings what the container reads, and from the process below all that is told; `None`: it has.
    door: Option<OwnedFd>,
    is_open: bool,
    /// The container's terminal.
    terminal: Option<OwnedFd>,
    /// Our own, for as long as the container has the keys.
    mode: Option<Raw>,
    /// Becomes readable when the keys to leave by were typed.
    left: Option<OwnedFd>,
    /// Whether it was said that the supervisor doesn't answer.
    told: bool,
    /// Bytes that we were too slow for.
    lost: u64,
    /// The last answer, or why there will be none.
    end: Option<Result<Answer, ControlError>>,
}

/// What is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Left,
    Door,
    Client,
    Signals,
    Outputs,
    /// Nothing, and it should be.
    Nothing,
}

impl<'a> Session<'a> {
    /// Of a request that was made: what it brings comes through these sockets.
    ///
    /// # Errors
    /// As signalfd(2) and dup(2).
    pub fn begin(
        wish: Wish<'a>,
        peer: Peer<'a>,
        what: String,
        [door, stdout, stderr]: [OwnedFd; 3],
    ) -> Result<Self, CliError> {
        let signals = read_instead(&SIGNALS).map_err(|errno| CliError::Signals(errno.into()))?;
        let (outputs, unread) = (Outputs::new().map_err(CliError::Output)?, Some([stdout, stderr]));
        let (door, is_open, terminal, mode, left, told, lost) = (Some(door), false, None, None, None, false, 0);
        Ok(Self {
            wish,
            peer,
            what,
            signals,
            outputs,
            unread,
            door,
            is_open,
            terminal,
            mode,
            left,
            told,
            lost,
            end: None,
        })
    }

    /// To its end. `logs`: where all that was printed is, for `barepod logs`.
    ///
    /// # Errors
    /// Where it can't go on, as our output can't be written to.
    pub fn run(mut self, logs: &str) -> Result<Over, CliError> {
        while self.end.is_none() || !self.outputs.is_over() {
            match self.wait()? {
                Ready::Outputs => {}
                Ready::Door => self.open()?,
                Ready::Client => self.hear(),
                Ready::Nothing => {
                    self.told = true;
                    if let Peer::Supervisor { silence, .. } = &self.peer {
                        silence();
                    }
                }
                Ready::Left => {
                    drop(self.mode.take());
                    tell_below(&format!("note: left {}, which runs on", self.what));
                    return Ok(Over::Left);
                }
                Ready::Signals => {
                    if let Some(signal) = self.take_signals()? {
                        return Ok(Over::Signal(signal));
                    }
                }
            }
        }
        // Our terminal is as it was before anything is said on it.
        drop(self.mode.take());
        let finished = self.outputs.finish();
        finished.map_err(CliError::Output)?;
        if self.lost > 0 {
            tell!("note: {} bytes of its output were left out here; `barepod logs {logs}` has them", self.lost);
        }
        Ok(Over::Ended(self.end.unwrap_or(Err(ControlError::Lost))))
    }

    /// The first that is ready: what a container reads comes before its end.
    fn wait(&self) -> Result<Ready, CliError> {
        let mut sources: Vec<(Ready, BorrowedFd<'_>)> = Vec::with_capacity(5);
        sources.extend(self.left.as_ref().map(|left| (Ready::Left, left.as_fd())));
        sources.extend(self.door.as_ref().map(|door| (Ready::Door, door.as_fd())));
        let mut limit = None;
        if let Peer::Supervisor { client, .. } = &self.peer
            && self.end.is_none()
        {
            sources.push((Ready::Client, client.fd()));
            limit = Some(PATIENCE).filter(|_| self.door.is_some() && !self.told);
        }
        sources.push((Ready::Signals, self.signals.as_fd()));
        sources.push((Ready::Outputs, self.outputs.fd()));
        let first = relay::first_ready(&sources, || limit).map_err(CliError::Output)?;
        Ok(first.unwrap_or(Ready::Nothing))
    }

    /// Something comes through the door, or nothing will any more.
    fn open(&mut self) -> Result<(), CliError> {
        let Some(door) = &self.door else { return Ok(()) };
        let received = receive(door);
        let is_below = matches!(self.peer, Peer::Below(_));
        match received {
            Ok(Received::Record(record, descriptors)) if !self.is_open => {
                self.is_open = true;
                let to: AttachedTo =
                    serde_json::from_slice(&record).map_err(|error| ControlError::Protocol(error.to_string()))?;
                self.connect(to, descriptors.into_iter().next())?;
                if !is_below {
                    self.door = None;
                }
            }
            Ok(Received::Record(record, _)) => {
                let answer = serde_json::from_slice(&record);
                self.take(answer.map_err(|error| ControlError::Protocol(error.to_string())));
            }
            Ok(Received::TooMuch | Received::End) | Err(_) => {
                self.door = None;
                if is_below {
                    self.take(Err(ControlError::Lost));
                }
            }
        }
        Ok(())
    }

    /// What the container reads is here.
    fn connect(&mut self, to: AttachedTo, descriptor: Option<OwnedFd>) -> Result<(), CliError> {
        let AttachedTo { tty, input } = to;
        let what = &self.what;
        match input {
            Input::None => tell!("note: {what} reads nothing: its `stdin` isn't set"),
            Input::Taken => tell!("note: what {what} reads was another command's (`stdinOnce`)"),
            Input::Given | Input::Unwanted => {}
        }
        if self.wish.tty && !tty {
            tell!("note: {what} has no terminal: its `tty` isn't set");
        }
        if tty {
            self.terminal = descriptor.as_ref().map(OwnedFd::try_clone).transpose().map_err(CliError::Output)?;
        }
        if let Some(target) = descriptor.filter(|_| input == Input::Given) {
            let mut keys = DetachKeys::none();
            if tty && self.wish.tty {
                self.mode = Raw::enter().map_err(CliError::Output)?;
                keys = self.wish.keys.clone();
            }
            self.left = Some(relay::copy_typed(target, keys).map_err(CliError::Output)?);
        }
        if matches!(self.peer, Peer::Supervisor { .. }) {
            // A program draws anew when its window becomes another, and only then.
            self.fit(1);
        }
        self.fit(0);
        match self.unread.take() {
            Some([stdout, stderr]) => self.outputs.copy_streams(stdout, stderr).map_err(CliError::Output),
            None => Ok(()),
        }
    }

    /// The container's terminal is as large as ours, where we are at one.
    fn fit(&self, taller: u16) {
        let mut size = raw::size();
        if let Some(terminal) = self.terminal.as_ref().filter(|_| self.wish.tty && size.ws_row > 0) {
            size.ws_row = size.ws_row.saturating_add(taller);
            let _ = rustix::termios::tcsetwinsize(terminal, size);
        }
    }

    fn hear(&mut self) {
        let Peer::Supervisor { client, id, .. } = &mut self.peer else { return };
        match client.next(*id) {
            Ok(Some(answer)) => self.take(Ok(answer)),
            Ok(None) => {}
            Err(error) => self.take(Err(error)),
        }
    }

    /// What is told.
    fn take(&mut self, answer: Result<Answer, ControlError>) {
        match answer {
            Ok(Answer::Lost { bytes }) => {
                if self.lost == 0 {
                    tell!("note: output comes faster than it is taken here: some of it is left out");
                }
                self.lost = bytes;
            }
            Ok(answer) if !answer.is_last() => {}
            // The container's end comes before that of who tells of it.
            _ if self.end.is_some() => {}
            answer => {
                self.end = Some(answer);
                self.outputs.end();
            }
        }
    }

    /// The one that ends the session, if one does.
    fn take_signals(&mut self) -> Result<Option<i32>, CliError> {
        while let Some(info) = self.signals.read_signal().map_err(|errno| CliError::Signals(errno.into()))? {
            let number = info.ssi_signo.cast_signed();
            match (Signal::try_from(number), &self.peer) {
                (Ok(Signal::SIGWINCH), _) => self.fit(0),
                // The shell has changed our terminal while this process was stopped, and perhaps its size.
                (Ok(Signal::SIGCONT), _) => {
                    let _ = self.mode.as_ref().map(Raw::again);
                    self.fit(0);
                }
                (_, Peer::Below(above)) => above.hand_down(number).map_err(CliError::Detach)?,
                (_, Peer::Supervisor { .. }) => return Ok(Some(number)),
            }
        }
        Ok(None)
    }
}
