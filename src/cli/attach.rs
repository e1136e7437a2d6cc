//! `barepod attach`: what a container prints from now on, and what it reads. And `run --stdin`, `--tty`: likewise, from the container's
//! beginning on.
//!
//! The supervisor copies the one to sockets of ours; the other is written here, to a descriptor that it hands over.

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::args::{AttachArgs, Global, RunArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::inside::Inside;
use super::session::{Over, Peer, Session, Wish};
use super::terminal::{sanitize, tell_below};
use crate::control::{Answer, Client, ControlError, Exited, Obstacle, Request};
use crate::runtime::detach::Above;

/// For a container of which nobody knows how it ended, as its pod has: as for SIGKILL.
const KILLED: u8 = 137;
/// What waits for us in the kernel at most, where the box allows so much.
const ROOM: usize = 1024 * 1024;

/// Shows what the container prints until it ends, and gives its exit code.
pub fn attach(args: &AttachArgs, global: &Global) -> Result<Exit, CliError> {
    let of = Inside::find(global, &args.pod, args.container.as_deref())?;
    let mut client = Client::connect(&of.found.dir).map_err(|error| match of.found.runs_on() {
        true => error.into(),
        false => of.not_running(),
    })?;
    let request = Request::Attach { container: of.container.clone(), stdin: args.stdin };
    let (id, links) = ask(&mut client, request)?;
    let wish = Wish { tty: args.tty, keys: &args.detach_keys };
    let what = format!("container {:?} of pod {}", of.container, of.name);
    let logs = format!("{} -c {}", of.name, of.container);
    let peer = Peer::Supervisor { client, id, silence: &|| of.tell_of_silence() };
    match Session::begin(wish, peer, what, links)?.run(&logs)? {
        Over::Left => Ok(Exit::Success),
        Over::Signal(signal) => Ok(of_signal(signal)),
        Over::Ended(answer) => ended(&of, answer, tell_below),
    }
}

/// Where a signal ended this command.
pub(super) fn of_signal(signal: i32) -> Exit {
    Exit::Pod(128_u8.saturating_add(u8::try_from(signal).unwrap_or_default()))
}

/// Makes a request that attaches this process to a container. Gives its number, and what comes of it by our ends of the sockets: the
/// way to what the container reads, and its standard output and error.
pub(super) fn ask(client: &mut Client, request: Request) -> Result<(u64, [OwnedFd; 3]), CliError> {
    let (door, theirs) = pair(SocketType::SEQPACKET)?;
    let (stdout, their_stdout) = pair(SocketType::STREAM)?;
    let (stderr, their_stderr) = pair(SocketType::STREAM)?;
    for socket in [&their_stdout, &their_stderr] {
        // Less is as good, and somebody is told sooner that he is too slow.
        let _ = sockopt::set_socket_send_buffer_size(socket, ROOM);
    }
    // The supervisor alone has theirs then: their end is the container's.
    let id = client.ask_with(request, &[theirs.as_fd(), their_stdout.as_fd(), their_stderr.as_fd()])?;
    Ok((id, [door, stdout, stderr]))
}

/// Shows what a container prints from its beginning to its end, of the pod that the process below runs. `None`: it was left alone with that.
pub fn at_the_beginning(args: &RunArgs, mut above: Above, pod: &str) -> Result<Option<Above>, CliError> {
    let wish = Wish { tty: args.tty, keys: &args.detach_keys };
    let Ok(links) = <[OwnedFd; 3]>::try_from(above.take_links()) else { return Ok(Some(above)) };
    match Session::begin(wish, Peer::Below(&above), format!("pod {pod}"), links)?.run(pod)? {
        Over::Left => above.let_go().map(|()| None).map_err(CliError::Detach),
        Over::Ended(Err(_)) if !args.rm => {
            tell!(
                "note: the container never began, or nobody knows how it ended; `barepod describe {pod}` shows what is known"
            );
            Ok(Some(above))
        }
        Over::Signal(_) | Over::Ended(_) => Ok(Some(above)),
    }
}

fn pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd), CliError> {
    let pair = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    pair.map_err(|errno| CliError::Socket { call: "socketpair", source: errno.into() })
}

/// A container may have had its hands on the words.
fn failed(of: &Inside, message: &str, exit: Exit) -> CliError {
    let message = sanitize(message);
    CliError::Exec { container: of.container.clone(), pod: of.name.clone(), message, exit }
}

/// Says how the container has ended: the command's own end.
pub(super) fn ended(
    of: &Inside,
    answer: Result<Answer, ControlError>,
    say: impl FnOnce(&str),
) -> Result<Exit, CliError> {
    const UNKNOWN: &str =
        "the pod's supervisor is gone: nobody reads what the container prints, or will know how it ends";
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
    say(&format!("note: container {:?} of pod {} has ended{how}", of.container, of.name));
    Ok(Exit::Pod(exit))
}
