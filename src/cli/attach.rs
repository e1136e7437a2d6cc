//! `barepod attach`: what a container prints from now on, and what it reads.
//!
//! The supervisor copies the one to sockets of ours; the other is written here, to a descriptor that it hands over.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};
use rustix::time::Timespec;

use super::args::{AttachArgs, DetachKeys, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::inside::Inside;
use super::raw::{self, Raw};
use super::relay::{self, Outputs};
use super::terminal::{sanitize, tell_below};
use crate::control::record::{Received, receive};
use crate::control::{Answer, AttachedTo, Client, ControlError, Exited, Input, Obstacle, Request};
use crate::runtime::signals::read_instead;

/// For a container of which nobody knows how it ended, as its pod has: as for SIGKILL.
const KILLED: u8 = 137;
/// Those that end this command, or tell of our terminal. One that is ignored stays so (nohup).
const SIGNALS: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGWINCH, Signal::SIGCONT];
/// What waits for us in the kernel at most, where the box allows so much.
const ROOM: usize = 1024 * 1024;
/// How long the supervisor may take for what it does at once before that is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shows what the container prints until it ends, and gives its exit code.
pub fn attach(args: &AttachArgs, global: &Global) -> Result<Exit, CliError> {
    let of = Inside::find(global, &args.pod, args.container.as_deref())?;
    let client = Client::connect(&of.found.dir).map_err(|error| match of.found.runs_on() {
        true => error.into(),
        false => of.not_running(),
    })?;
    Session::begin(args, client, of)?.run()
}

/// From the request to the container's end, or ours.
struct Session<'a> {
    args: &'a AttachArgs,
    client: Client,
    id: u64,
    of: Inside,
    signals: SignalFd,
    outputs: Outputs,
    /// Brings what the container reads; `None`: it has.
    door: Option<OwnedFd>,
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

fn pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd), CliError> {
    let pair = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    pair.map_err(|errno| CliError::Socket { call: "socketpair", source: errno.into() })
}

impl<'a> Session<'a> {
    fn begin(args: &'a AttachArgs, mut client: Client, of: Inside) -> Result<Self, CliError> {
        let signals = read_instead(&SIGNALS).map_err(|errno| CliError::Signals(errno.into()))?;
        let (door, theirs) = pair(SocketType::SEQPACKET)?;
        let (stdout, their_stdout) = pair(SocketType::STREAM)?;
        let (stderr, their_stderr) = pair(SocketType::STREAM)?;
        for socket in [&their_stdout, &their_stderr] {
            // Less is as good, and somebody is told sooner that he is too slow.
            let _ = sockopt::set_socket_send_buffer_size(socket, ROOM);
        }
        let request = Request::Attach { container: of.container.clone(), stdin: args.stdin };
        let id = client.ask_with(request, &[theirs.as_fd(), their_stdout.as_fd(), their_stderr.as_fd()])?;
        let mut outputs = Outputs::new().map_err(CliError::Output)?;
        outputs.copy_streams(stdout, stderr).map_err(CliError::Output)?;
        Ok(Self {
            args,
            client,
            id,
            of,
            signals,
            outputs,
            door: Some(door),
            terminal: None,
            mode: None,
            left: None,
            told: false,
            lost: 0,
            end: None,
        })
    }

    /// To the container's end, or ours; the command's exit code.
    fn run(mut self) -> Result<Exit, CliError> {
        while self.end.is_none() || !self.outputs.is_over() {
            match self.wait()? {
                Ready::Outputs => {}
                Ready::Door => self.open()?,
                Ready::Client => self.hear(),
                Ready::Nothing => {
                    self.told = true;
                    self.of.tell_of_silence();
                }
                Ready::Left => {
                    drop(self.mode.take());
                    let Inside { container, name, .. } = &self.of;
                    tell_below(&format!("note: left container {container:?} of pod {name}, which runs on"));
                    return Ok(Exit::Success);
                }
                Ready::Signals => {
                    if let Some(exit) = self.take_signals()? {
                        return Ok(exit);
                    }
                }
            }
        }
        // Our terminal is as it was before anything is said on it.
        drop(self.mode.take());
        let finished = self.outputs.finish();
        finished.map_err(|error| failed(&self.of, &format!("its output can't be passed on: {error}"), Exit::Own))?;
        if self.lost > 0 {
            let (pod, container) = (&self.of.name, &self.of.container);
            tell!(
                "note: {} bytes of its output were left out here; `barepod logs {pod} -c {container}` has them",
                self.lost
            );
        }
        ended(&self.of, self.end.unwrap_or(Err(ControlError::Lost)))
    }

    /// The first that is ready: what a container reads comes before its end.
    fn wait(&self) -> Result<Ready, CliError> {
        let mut sources: Vec<(Ready, BorrowedFd<'_>)> = Vec::with_capacity(5);
        sources.extend(self.left.as_ref().map(|left| (Ready::Left, left.as_fd())));
        sources.extend(self.door.as_ref().map(|door| (Ready::Door, door.as_fd())));
        if self.end.is_none() {
            sources.push((Ready::Client, self.client.fd()));
        }
        sources.push((Ready::Signals, self.signals.as_fd()));
        sources.push((Ready::Outputs, self.outputs.fd()));
        let mut polled: Vec<_> = sources.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let limit = Some(PATIENCE).filter(|_| self.door.is_some() && !self.told);
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        loop {
            match poll(&mut polled, limit.as_ref()) {
                Ok(0) if limit.is_some() => return Ok(Ready::Nothing),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(CliError::Output(errno.into())),
            }
            if let Some(at) = polled.iter().position(|one| !one.revents().is_empty()) {
                return Ok(sources[at].0);
            }
        }
    }

    /// What the container reads is here, or never comes: there is no such container.
    fn open(&mut self) -> Result<(), CliError> {
        let Some(door) = self.door.take() else { return Ok(()) };
        let Ok(Received::Record(record, mut descriptors)) = receive(&door) else { return Ok(()) };
        let AttachedTo { tty, input } =
            serde_json::from_slice(&record).map_err(|error| ControlError::Protocol(error.to_string()))?;
        let descriptor = descriptors.pop();
        let container = &self.of.container;
        match input {
            Input::None => tell!("note: container {container:?} reads nothing: its `stdin` isn't set"),
            Input::Taken => tell!("note: what container {container:?} reads was another command's (`stdinOnce`)"),
            Input::Given | Input::Unwanted => {}
        }
        if self.args.tty && !tty {
            tell!("note: container {container:?} has no terminal: its `tty` isn't set");
        }
        if tty {
            self.terminal = descriptor.as_ref().map(OwnedFd::try_clone).transpose().map_err(CliError::Output)?;
        }
        if let Some(target) = descriptor.filter(|_| input == Input::Given) {
            let mut keys = DetachKeys::none();
            if tty && self.args.tty {
                self.mode = Raw::enter().map_err(CliError::Output)?;
                keys = self.args.detach_keys.clone();
            }
            self.left = Some(relay::copy_typed(target, keys).map_err(CliError::Output)?);
        }
        // A program draws anew when its window becomes another, and only then.
        self.fit(1);
        self.fit(0);
        Ok(())
    }

    /// The container's terminal is as large as ours, where we are at one.
    fn fit(&self, taller: u16) {
        let mut size = raw::size();
        if let Some(terminal) = self.terminal.as_ref().filter(|_| self.args.tty && size.ws_row > 0) {
            size.ws_row = size.ws_row.saturating_add(taller);
            let _ = rustix::termios::tcsetwinsize(terminal, size);
        }
    }

    fn hear(&mut self) {
        match self.client.next(self.id) {
            Ok(Some(answer)) if answer.is_last() => self.end = Some(Ok(answer)),
            Ok(Some(Answer::Lost { bytes })) => {
                if self.lost == 0 {
                    tell!("note: output comes faster than it is taken here: some of it is left out");
                }
                self.lost = bytes;
                return;
            }
            Ok(_) => return,
            Err(error) => self.end = Some(Err(error)),
        }
        self.outputs.end();
    }

    /// The exit code, where one of them ends the command.
    fn take_signals(&mut self) -> Result<Option<Exit>, CliError> {
        while let Some(info) = self.signals.read_signal().map_err(|errno| CliError::Signals(errno.into()))? {
            let number = info.ssi_signo.cast_signed();
            match Signal::try_from(number) {
                Ok(Signal::SIGWINCH) => self.fit(0),
                // The shell has changed our terminal while this process was stopped, and perhaps its size.
                Ok(Signal::SIGCONT) => {
                    let _ = self.mode.as_ref().map(Raw::again);
                    self.fit(0);
                }
                _ => return Ok(Some(Exit::Pod(128_u8.saturating_add(u8::try_from(number).unwrap_or_default())))),
            }
        }
        Ok(None)
    }
}

/// A container may have had its hands on the words.
fn failed(of: &Inside, message: &str, exit: Exit) -> CliError {
    let message = sanitize(message);
    CliError::Exec { container: of.container.clone(), pod: of.name.clone(), message, exit }
}

/// Says how the container has ended: the command's own end.
fn ended(of: &Inside, answer: Result<Answer, ControlError>) -> Result<Exit, CliError> {
    const UNKNOWN: &str =
        "the pod's supervisor is gone; nobody reads what the container prints, and nobody will know how it ends";
    let answer = match answer {
        Err(ControlError::Lost) => return Err(failed(of, UNKNOWN, Exit::Own)),
        answer => answer?,
    };
    let (how, exit) = match answer {
        Answer::Exited(Exited::Code(code)) => (format!(" (exit code {code})"), code),
        Answer::Exited(Exited::Signal(signal)) => (format!(" (signal {signal})"), 128_u8.saturating_add(signal)),
        Answer::Exited(Exited::Container | Exited::Unknown) | Answer::Ended(_) => (String::new(), KILLED),
        Answer::NotRun { obstacle: Obstacle::NotRunning, .. } => return Err(of.not_running()),
        Answer::NotRun { obstacle: Obstacle::NoContainer, message } => return Err(failed(of, &message, Exit::Failure)),
        Answer::NotRun { message, .. } => return Err(failed(of, &message, Exit::Own)),
        other => return Err(ControlError::Protocol(format!("{other:?}")).into()),
    };
    tell_below(&format!("note: container {:?} of pod {} has ended{how}", of.container, of.name));
    Ok(Exit::Pod(exit))
}
