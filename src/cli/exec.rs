//! `barepod exec`: a program in a container that runs, with our standard streams or at a terminal.
//!
//! The supervisor starts it and says how it ended; the bytes don't go through it (`relay`).

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::args::{ExecArgs, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::inside::Inside;
use super::raw::{self, Raw};
use super::relay::{self, Outputs};
use super::terminal::{sanitize, tell_below};
use crate::control::record::{Received, receive};
use crate::control::{Answer, Client, ControlError, Exited, Obstacle, Program, Request, Streams};
use crate::runtime::signals::read_instead;

/// Exit code for a program that can't be executed, and for one that isn't there, as of shells.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// For one that was killed with its container, as for SIGKILL.
const KILLED: u8 = 137;
const UNKNOWN_END: &str = "the pod's supervisor is gone, so that nobody knows how the program ended";
/// Those that are the program's, or tell of our terminal. One that is ignored stays so (nohup).
const SIGNALS: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGWINCH, Signal::SIGCONT];

/// How long the supervisor may take for what it does at once before that is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the program and gives its exit code.
pub fn exec(args: &ExecArgs, global: &Global) -> Result<Exit, CliError> {
    let of = Inside::find_saying(global, &args.pod, args.container.as_deref(), |note| {
        if !args.quiet {
            tell!("{note}");
        }
    })?;
    let client = Client::connect(&of.found.dir).map_err(|error| match of.found.runs_on() {
        true => error.into(),
        false => of.not_running(),
    })?;
    Session::begin(args, client, of)?.run()
}

impl Inside {
    fn program(&self, args: &ExecArgs, streams: Streams) -> Request {
        let (container, command) = (self.container.clone(), args.command.clone());
        Request::Exec(Program { container, command, streams })
    }

    /// A container may have had its hands on the words.
    fn failed(&self, message: &str, exit: Exit) -> CliError {
        let message = sanitize(message);
        CliError::Exec { container: self.container.clone(), pod: self.name.clone(), message, exit }
    }

    /// The command's own end, by the last answer.
    fn ended(&self, answer: Result<Answer, ControlError>) -> Result<Exit, CliError> {
        let answer = match answer {
            Err(ControlError::Lost) => {
                return Err(self.failed(UNKNOWN_END, Exit::Own));
            }
            answer => answer?,
        };
        match answer {
            Answer::Exited(Exited::Code(code)) => Ok(Exit::Pod(code)),
            Answer::Exited(Exited::Signal(signal)) => Ok(Exit::Pod(128_u8.saturating_add(signal))),
            Answer::Exited(Exited::Container) | Answer::Ended(_) => {
                // The program was cut off in the middle of a line.
                let Self { container, name, .. } = self;
                tell_below(&format!("note: container {container:?} of pod {name} has ended, and the program with it"));
                Ok(Exit::Pod(KILLED))
            }
            Answer::Exited(Exited::Unknown) => Err(self.failed("nobody knows how the program ended", Exit::Own)),
            Answer::NotRun { obstacle: Obstacle::NotRunning, .. } => Err(self.not_running()),
            Answer::NotRun { obstacle, message } => {
                let exit = match obstacle {
                    Obstacle::NotFound => Exit::Pod(NOT_FOUND),
                    Obstacle::NotExecutable => Exit::Pod(NOT_EXECUTABLE),
                    Obstacle::NoContainer | Obstacle::NotRunning => Exit::Failure,
                    Obstacle::Other => Exit::Own,
                };
                Err(self.failed(&message, exit))
            }
            other => Err(ControlError::Protocol(format!("{other:?}")).into()),
        }
    }
}

/// A program that was asked for, until its end.
struct Session {
    client: Client,
    /// Inside the request for the program.
    id: u64,
    of: Inside,
    signals: SignalFd,
    outputs: Outputs,
    /// Inside one at a terminal: that, and our own.
    terminal: Option<Terminal>,
    /// Since when the supervisor owes us a word: a terminal, or that it has passed on a signal.
    owed: Option<Instant>,
    /// Whether it was said that it doesn't come.
    told: bool,
    /// The last answer, or why there will be none.
    end: Option<Result<Answer, ControlError>>,
}

struct Terminal {
    /// Brings the master.
    socket: OwnedFd,
    /// Whether nothing comes from it any more.
    has_come: bool,
    /// Whether our keys are the program's.
    with_input: bool,
    master: Option<OwnedFd>,
    /// Our own, for as long as the program has the keys.
    mode: Option<Raw>,
}

/// What is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Terminal,
    Client,
    Signals,
    Outputs,
    /// Nothing, and it should be.
    Nothing,
}

impl Session {
    fn begin(args: &ExecArgs, mut client: Client, of: Inside) -> Result<Self, CliError> {
        let signals = read_instead(&SIGNALS).map_err(|errno| CliError::Signals(errno.into()))?;
        if !args.tty {
            let (descriptors, outputs) = relay::begin(args.stdin).map_err(CliError::Output)?;
            let streams = if args.stdin { Streams::All } else { Streams::Output };
            let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            let id = client.ask_with(of.program(args, streams), &borrowed)?;
            // The program alone has them now: their end is its end.
            return Ok(Self { client, id, of, signals, outputs, terminal: None, owed: None, told: false, end: None });
        }
        if args.stdin && !args.quiet && !io::stdin().is_terminal() {
            tell!("note: -t: standard input is no terminal: the program gets what it brings as if it were typed");
        }
        let size = raw::size();
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|errno| CliError::Output(errno.into()))?;
        let streams = Streams::Terminal { rows: size.ws_row, columns: size.ws_col };
        let id = client.ask_with(of.program(args, streams), &[theirs.as_fd()])?;
        let outputs = Outputs::new().map_err(CliError::Output)?;
        let with_input = args.stdin;
        let terminal = Some(Terminal { socket: ours, has_come: false, with_input, master: None, mode: None });
        Ok(Self { client, id, of, signals, outputs, terminal, owed: Some(Instant::now()), told: false, end: None })
    }

    /// To the program's end; the command's exit code.
    fn run(mut self) -> Result<Exit, CliError> {
        while self.end.is_none() || !self.outputs.is_over() {
            match self.wait()? {
                Ready::Outputs => {}
                Ready::Terminal => {
                    self.answered();
                    if let Some(terminal) = &mut self.terminal {
                        terminal.open(&mut self.outputs).map_err(CliError::Output)?;
                    }
                }
                Ready::Client => self.hear(),
                Ready::Nothing => {
                    self.told = true;
                    self.of.tell_of_silence();
                }
                Ready::Signals => {
                    if let Some(exit) = self.take_signals()? {
                        return Ok(exit);
                    }
                }
            }
        }
        // Our terminal is as it was before anything is said on it.
        drop(self.terminal);
        let finished = self.outputs.finish();
        finished.map_err(|error| self.of.failed(&format!("its output can't be passed on: {error}"), Exit::Own))?;
        match self.end {
            Some(end) => self.of.ended(end),
            None => Err(ControlError::Lost.into()),
        }
    }

    /// The first that is ready: a terminal comes before the end of what runs at it.
    fn wait(&self) -> Result<Ready, CliError> {
        let mut sources: Vec<(Ready, BorrowedFd<'_>)> = Vec::with_capacity(4);
        if let Some(terminal) = self.terminal.as_ref().filter(|terminal| !terminal.has_come) {
            sources.push((Ready::Terminal, terminal.socket.as_fd()));
        }
        if self.end.is_none() {
            sources.push((Ready::Client, self.client.fd()));
        }
        sources.push((Ready::Signals, self.signals.as_fd()));
        sources.push((Ready::Outputs, self.outputs.fd()));
        let owed = self.owed.filter(|_| !self.told && self.end.is_none());
        let left = || owed.map(|since| PATIENCE.saturating_sub(since.elapsed()));
        let first = relay::first_ready(&sources, left).map_err(CliError::Output)?;
        Ok(first.unwrap_or(Ready::Nothing))
    }

    fn answered(&mut self) {
        (self.owed, self.told) = (None, false);
    }

    fn hear(&mut self) {
        self.answered();
        match self.client.next(self.id) {
            Ok(Some(answer)) if answer.is_last() => self.end = Some(Ok(answer)),
            Ok(_) => return,
            Err(error) => self.end = Some(Err(error)),
        }
        // An open terminal is ours, whoever has gone: whoever is at it goes on, until it ends.
        let goes_on =
            matches!(self.end, Some(Err(_))) && self.terminal.as_ref().is_some_and(|one| one.master.is_some());
        if !goes_on {
            self.outputs.end();
        }
    }

    /// Passes them on; the exit code, where one of them ends the command.
    fn take_signals(&mut self) -> Result<Option<Exit>, CliError> {
        while let Some(info) = self.signals.read_signal().map_err(|errno| CliError::Signals(errno.into()))? {
            let number = info.ssi_signo.cast_signed();
            let of_terminal = number == Signal::SIGHUP as i32 && self.terminal.is_some();
            match (Signal::try_from(number), &self.terminal) {
                (Ok(Signal::SIGWINCH | Signal::SIGCONT), None) => {}
                (Ok(Signal::SIGWINCH), Some(terminal)) => terminal.fit(),
                (Ok(Signal::SIGCONT), Some(terminal)) => terminal.again(),
                // Our terminal is gone, and with this process the program's; or nothing is left to be waited for but a reader, or
                // somebody who is told and doesn't answer.
                (_, _) if of_terminal || self.end.is_some() || self.told => {
                    return Ok(Some(Exit::Pod(128_u8.saturating_add(u8::try_from(number).unwrap_or_default()))));
                }
                (_, _) => {
                    self.client.ask(Request::Signal { of: self.id, signal: number })?;
                    self.owed = self.owed.or(Some(Instant::now()));
                }
            }
        }
        Ok(None)
    }
}

impl Terminal {
    /// The socket has something, or has ended: the program could not be run.
    fn open(&mut self, outputs: &mut Outputs) -> io::Result<()> {
        self.has_come = true;
        let Received::Record(_, mut descriptors) = receive(&self.socket)? else { return Ok(()) };
        let Some(master) = descriptors.pop() else { return Ok(()) };
        if self.with_input {
            self.mode = Raw::enter()?;
            relay::copy_keys(master.as_fd())?;
        }
        outputs.copy_terminal(master.as_fd())?;
        self.master = Some(master);
        // Ours may have become another size since.
        self.fit();
        Ok(())
    }

    /// The program's is as large as ours.
    fn fit(&self) {
        if let Some(master) = &self.master {
            let _ = rustix::termios::tcsetwinsize(master, raw::size());
        }
    }

    /// After this process was stopped: the shell has changed our terminal, and perhaps its size.
    fn again(&self) {
        if let Some(mode) = &self.mode {
            let _ = mode.again();
        }
        self.fit();
    }
}
