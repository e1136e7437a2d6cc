//! `barepod exec`: a program in a container that runs, with our standard streams or at a terminal.
//!
//! The supervisor starts it and says how it ended; the bytes don't go through it (`relay`).

use std::io::{self, IoSliceMut, IsTerminal, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg, socketpair,
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};

use super::args::{ExecArgs, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::raw::{self, Raw};
use super::relay::{self, Outputs, Relay};
use super::{container, recover};
use crate::control::{Answer, Client, ControlError, Exited, Obstacle, Program, Request, Streams};
use crate::report;
use crate::store::read::{Found, Life};

/// Exit code for a program that can't be executed, and for one that isn't there, as of shells.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// For one that was killed with its container, as for SIGKILL.
const KILLED: u8 = 137;

/// Runs the program and gives its exit code.
pub fn exec(args: &ExecArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let found = recover::look(&layout, &args.pod)?;
    let name = recover::full_name(&found);
    if recover::life(&found)? == Life::Lost {
        return Err(CliError::Unsupervised(name));
    }
    let pod = recover::pod(&found)?;
    let (container, note) = container::which(&pod, args.container.as_deref(), &name)?;
    if let Some(note) = note {
        tell!("{note}");
    }
    let of = Of { found, name, container };
    if recover::life(&of.found)? != Life::Running {
        return Err(of.not_running());
    }
    let client = Client::connect(&of.found.dir).map_err(|error| match of.found.runs_on() {
        true => error.into(),
        false => of.not_running(),
    })?;
    let signals = Signals::catch().map_err(CliError::Signals)?;
    if args.tty { at_terminal(args, client, signals, &of) } else { with_streams(args, client, signals, &of) }
}

/// Whose program it is.
struct Of {
    found: Found,
    name: String,
    container: String,
}

impl Of {
    fn program(&self, args: &ExecArgs, streams: Streams) -> Request {
        let (container, command) = (self.container.clone(), args.command.clone());
        Request::Exec(Program { container, command, streams })
    }

    /// Why there is nothing to get into, from the pod's status.
    fn not_running(&self) -> CliError {
        let pod = self.found.pod().ok().flatten().unwrap_or_default();
        CliError::NotRunning { pod: self.name.clone(), why: report::not_running(&pod, &self.container, &self.name) }
    }

    fn failed(&self, message: String, exit: Exit) -> CliError {
        CliError::Exec { container: self.container.clone(), pod: self.name.clone(), message, exit }
    }

    /// The command's own end, by the last answer.
    fn ended(&self, answer: Result<Answer, ControlError>) -> Result<Exit, CliError> {
        let answer = match answer {
            Err(ControlError::Lost) => {
                let message = "the pod's supervisor is gone, so that nobody knows how the program ended".to_owned();
                return Err(self.failed(message, Exit::Own));
            }
            answer => answer?,
        };
        match answer {
            Answer::Exited(Exited::Code(code)) => Ok(Exit::Pod(code)),
            Answer::Exited(Exited::Signal(signal)) => Ok(Exit::Pod(128_u8.saturating_add(signal))),
            Answer::Exited(Exited::Container) | Answer::Ended(_) => {
                // The program was cut off in the middle of a line.
                let head = if io::stdout().is_terminal() { "\n" } else { "" };
                tell!(
                    "{head}note: container {:?} of pod {} has ended, and the program with it",
                    self.container,
                    self.name
                );
                Ok(Exit::Pod(KILLED))
            }
            Answer::NotRun { obstacle: Obstacle::NotRunning, .. } => Err(self.not_running()),
            Answer::NotRun { obstacle, message } => {
                let exit = match obstacle {
                    Obstacle::NotFound => Exit::Pod(NOT_FOUND),
                    Obstacle::NotExecutable => Exit::Pod(NOT_EXECUTABLE),
                    Obstacle::NoContainer | Obstacle::NotRunning => Exit::Failure,
                    Obstacle::Other => Exit::Own,
                };
                Err(self.failed(message, exit))
            }
            other => Err(ControlError::Protocol(format!("{other:?}")).into()),
        }
    }
}

/// Without a terminal: the program has our streams, and the signals that come here.
fn with_streams(args: &ExecArgs, mut client: Client, mut signals: Signals, of: &Of) -> Result<Exit, CliError> {
    let relay = Relay::begin(args.stdin).map_err(CliError::Output)?;
    let streams = if args.stdin { Streams::All } else { Streams::Output };
    let (descriptors, outputs) = relay.split();
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let id = client.ask_with(of.program(args, streams), &borrowed)?;
    // The program alone has them now: their end is its end.
    drop(descriptors);
    let answer = loop {
        match wait(&[client.fd(), signals.fd()])? {
            0 => match client.answer(id) {
                Ok(answer) if answer.is_last() => break Ok(answer),
                Ok(_) => {}
                Err(error) => break Err(error),
            },
            _ => {
                for signal in signals.take().into_iter().filter(|signal| ![SIGWINCH, SIGCONT].contains(signal)) {
                    client.ask(Request::Signal { of: id, signal })?;
                }
            }
        }
    };
    outputs.finish().map_err(CliError::Output)?;
    of.ended(answer)
}

/// At a terminal of the container's.
fn at_terminal(args: &ExecArgs, mut client: Client, mut signals: Signals, of: &Of) -> Result<Exit, CliError> {
    if args.stdin && !io::stdin().is_terminal() {
        tell!("note: -t: standard input is no terminal: it is read as it is, and so is what is typed into this one");
    }
    let size = raw::size();
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| CliError::Output(errno.into()))?;
    let streams = Streams::Terminal { rows: size.ws_row, columns: size.ws_col };
    let id = client.ask_with(of.program(args, streams), &[theirs.as_fd()])?;
    drop(theirs);
    let mut outputs = Outputs::new().map_err(CliError::Output)?;
    let mut terminal: Option<OwnedFd> = None;
    let mut mode: Option<Raw> = None;
    let mut awaits_terminal = true;
    let answer = loop {
        let mut sources = vec![client.fd(), signals.fd()];
        if awaits_terminal {
            sources.push(ours.as_fd());
        }
        match wait(&sources)? {
            0 => match client.answer(id) {
                Ok(answer) if answer.is_last() => break Ok(answer),
                Ok(_) => {}
                // The terminal is ours: whoever is at it goes on.
                Err(error) => break Err(error),
            },
            1 => {
                for signal in signals.take() {
                    match (signal, &terminal, &mode) {
                        (SIGWINCH, Some(terminal), _) => _ = rustix::termios::tcsetwinsize(terminal, raw::size()),
                        (SIGCONT, Some(terminal), mode) => {
                            _ = mode.as_ref().map(Raw::again);
                            _ = rustix::termios::tcsetwinsize(terminal, raw::size());
                        }
                        (SIGWINCH | SIGCONT, None, _) => {}
                        // Our terminal is gone, and with this process the program's.
                        (SIGHUP, _, _) => return Ok(Exit::Pod(129)),
                        (signal, _, _) => _ = client.ask(Request::Signal { of: id, signal })?,
                    }
                }
            }
            _ => {
                awaits_terminal = false;
                let Some(master) = master(&ours).map_err(|errno| CliError::Output(errno.into()))? else { continue };
                if args.stdin {
                    mode = Raw::enter().map_err(CliError::Output)?;
                    relay::copy_keys(master.as_fd()).map_err(CliError::Output)?;
                }
                outputs.copy_terminal(master.as_fd()).map_err(CliError::Output)?;
                // It may have become another size since.
                _ = rustix::termios::tcsetwinsize(&master, raw::size());
                terminal = Some(master);
            }
        }
    };
    // The master may have come together with the answer of a program that has ended at once.
    if terminal.is_none()
        && awaits_terminal
        && let Ok(Some(master)) = master(&ours)
    {
        outputs.copy_terminal(master.as_fd()).map_err(CliError::Output)?;
    }
    let copied = outputs.finish();
    drop(mode);
    copied.map_err(CliError::Output)?;
    of.ended(answer)
}

/// Which of these is ready first, by its place among them.
fn wait(sources: &[std::os::fd::BorrowedFd<'_>]) -> Result<usize, CliError> {
    let mut polled: Vec<_> = sources.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    loop {
        match poll(&mut polled, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(CliError::Output(errno.into())),
        }
        // The last one first: a terminal comes before the end of what runs at it.
        if let Some(ready) = polled.iter().rposition(|one| !one.revents().is_empty()) {
            return Ok(ready);
        }
    }
}

/// The master of the terminal; `None`: there is none to come.
fn master(socket: &OwnedFd) -> rustix::io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    loop {
        let mut buffers = [IoSliceMut::new(&mut byte)];
        match recvmsg(socket, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN | Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    let rights = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    Ok(rights)
}

/// Signals as bytes on a socket.
struct Signals {
    socket: UnixStream,
    /// One end for each signal, so that it is known which came.
    each: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// One that is ignored stays so (nohup).
    fn catch() -> io::Result<Self> {
        let (socket, _) = UnixStream::pair()?;
        let mut signals = Self { socket, each: Vec::new() };
        let (all, wake) = UnixStream::pair()?;
        all.set_nonblocking(true)?;
        signals.socket = all;
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT] {
            if crate::runtime::signals::is_ignored(signal) {
                continue;
            }
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, write)?;
            signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
            signals.each.push((signal, read));
        }
        Ok(signals)
    }

    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Those that have come, each once.
    fn take(&mut self) -> Vec<i32> {
        let mut bytes = [0; 64];
        while matches!(self.socket.read(&mut bytes), Ok(1..)) {}
        let came = |socket: &mut UnixStream| {
            let mut any = false;
            while matches!(socket.read(&mut [0; 64]), Ok(1..)) {
                any = true;
            }
            any
        };
        self.each.iter_mut().filter_map(|(signal, socket)| came(socket).then_some(*signal)).collect()
    }
}
