//! `barepod port-forward`: ports of this box whose connections lead to ports of a pod.
//!
//! The supervisor hands over the pod's network namespace for each connection, so that this is the one that the pod has now;
//! the bytes don't go through it. One thread waits for all there is.

mod connection;
mod flow;
mod listener;

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use rustix::time::Timespec;

use super::args::{Global, PortForwardArgs};
use super::door::{Door, Said, Taken};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::recover;
use crate::control::{Answer, ControlError, Request};
use crate::runtime::signals::read_instead;
use crate::runtime::visit;
use crate::store::read::{Found, Life};
use connection::{Connection, Progress, Side};
use listener::Listener;

/// Connections at a time; more wait until one of them has ended.
const MOST: usize = 256;
/// How often it is looked whether the pod has ended where its supervisor has no place for those who only wait.
const BUSY: Duration = Duration::from_secs(1);
/// How long what a pod has sent before its end may take to be taken.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Forwards until the pod has ended, or somebody ends this command.
pub fn port_forward(args: &PortForwardArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let (found, name) = recover::look_running(&layout, &args.pod)?;
    let wanted = listener::resolve(&args.ports, &recover::pod(&found)?, &name)?;
    let door = first(&found, &name)?;
    let listeners = listener::listen(&args.addresses, &wanted)?;
    // From now on a signal ends nothing in the middle.
    let signals = read_instead(&SIGNALS).map_err(|errno| CliError::Signals(errno.into()))?;
    let lines: Vec<String> =
        listeners.iter().map(|one| format!("Forwarding from {} -> {}\n", one.local, one.remote)).collect();
    print(&lines.concat())?;
    let (waiting, connections) = (Vec::new(), Vec::new());
    let (door, full, crowded, end) = (Some(door), false, false, None);
    Forwarder { found, name, door, listeners, waiting, connections, signals, full, crowded, end }.run()
}

/// The pod's door, by which its network has come once: it can be reached.
fn first(found: &Found, name: &str) -> Result<Door, CliError> {
    let open = || {
        let mut door = Door::open(found)?;
        match door.take(Request::Network)? {
            Taken::Here(..) => Ok(door),
            Taken::Else(answer) => Err(not_reached(name, answer)),
        }
    };
    open().map_err(|error| match error {
        CliError::Control(ControlError::Lost | ControlError::Io { .. }) if !found.runs_on() => {
            CliError::Ended(name.to_owned())
        }
        error => error,
    })
}

fn not_reached(name: &str, answer: Answer) -> CliError {
    match answer {
        Answer::NotRun { message, .. } => CliError::NotReached { pod: name.to_owned(), why: message },
        Answer::Ended(_) => CliError::Ended(name.to_owned()),
        other => ControlError::Protocol(format!("{other:?}")).into(),
    }
}

struct Forwarder {
    found: Found,
    name: String,
    /// `None`: the supervisor needed the place for others.
    door: Option<Door>,
    listeners: Vec<Listener>,
    /// Connections for which the pod's network has been asked for.
    waiting: Vec<Waiting>,
    connections: Vec<Connection>,
    signals: SignalFd,
    /// Whether this process has no room for another connection until one has ended.
    full: bool,
    /// Whether it has been said that more have to wait.
    crowded: bool,
    /// Until when the pod's last words are passed on.
    end: Option<Instant>,
}

struct Waiting {
    local: OwnedFd,
    remote: u16,
}

/// What is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Signals,
    Door,
    /// Of this number.
    Listener(usize),
    /// Likewise.
    Connection(usize),
    /// A side of the connection of this number, of which nothing is awaited.
    Dead(usize, Side),
}

impl Forwarder {
    fn run(mut self) -> Result<Exit, CliError> {
        loop {
            if self.end.is_some_and(|end| self.connections.is_empty() || end <= Instant::now()) {
                return Err(CliError::Ended(self.name));
            }
            for ready in self.wait()? {
                match ready {
                    // Whoever ends it has what was wanted.
                    Ready::Signals => return Ok(Exit::Success),
                    Ready::Door => self.hear()?,
                    Ready::Listener(number) => self.accept(number)?,
                    Ready::Connection(number) => self.advance(number),
                    Ready::Dead(number, side) => self.connections[number].hang_up(side),
                }
            }
            let before = self.connections.len();
            self.connections.retain(|one| !one.is_over());
            self.full &= self.connections.len() == before;
            if self.door.is_none() && self.end.is_none() {
                self.look_for_the_end()?;
            }
        }
    }

    /// All that is ready.
    fn wait(&self) -> Result<Vec<Ready>, CliError> {
        let mut sources: Vec<(Ready, BorrowedFd<'_>, PollFlags)> =
            vec![(Ready::Signals, self.signals.as_fd(), PollFlags::IN)];
        if let (Some(door), None) = (&self.door, self.end) {
            sources.push((Ready::Door, door.fd(), PollFlags::IN));
        }
        if self.end.is_none() && !self.full && self.connections.len() + self.waiting.len() < MOST {
            let listeners = self.listeners.iter().enumerate();
            sources.extend(listeners.map(|(number, one)| (Ready::Listener(number), one.socket.as_fd(), PollFlags::IN)));
        }
        for (number, one) in self.connections.iter().enumerate() {
            sources.extend(one.awaited().into_iter().map(|(side, fd, flags)| match flags.is_empty() {
                true => (Ready::Dead(number, side), fd, flags),
                false => (Ready::Connection(number), fd, flags),
            }));
        }
        let mut polled: Vec<_> = sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let limit = match (self.end, &self.door) {
            (Some(end), _) => Some(end.saturating_duration_since(Instant::now())),
            (None, None) => Some(BUSY),
            (None, Some(_)) => None,
        };
        match poll(&mut polled, limit.and_then(|limit| Timespec::try_from(limit).ok()).as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Vec::new()),
            Err(errno) => return Err(CliError::Socket { call: "poll", source: errno.into() }),
        }
        let mut ready: Vec<Ready> = Vec::new();
        for (one, _) in sources.iter().zip(&polled).filter(|(_, polled)| !polled.revents().is_empty()) {
            if ready.last() != Some(&one.0) {
                ready.push(one.0);
            }
        }
        Ok(ready)
    }

    /// Somebody has connected, and wants the pod's network.
    fn accept(&mut self, number: usize) -> Result<(), CliError> {
        let Some(listener) = self.listeners.get(number) else { return Ok(()) };
        match accept_with(&listener.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(local) => {
                tell!("Handling connection for {}", listener.local.port());
                self.waiting.push(Waiting { local, remote: listener.remote });
                self.ask();
                if self.connections.len() + self.waiting.len() >= MOST {
                    self.say_crowded(&format!("{MOST} connections are open"));
                }
            }
            // Gone again, or nobody's time yet.
            Err(Errno::INTR | Errno::AGAIN | Errno::CONNABORTED) => {}
            Err(errno) if self.connections.is_empty() => {
                return Err(CliError::Socket { call: "accept", source: errno.into() });
            }
            Err(errno) => {
                self.full = true;
                self.say_crowded(&format!("accept: {}", std::io::Error::from(errno)));
            }
        }
        Ok(())
    }

    /// Once: why more have to wait.
    fn say_crowded(&mut self, why: &str) {
        if !std::mem::replace(&mut self.crowded, true) {
            tell!("{why}: more wait until one of the connections has ended");
        }
    }

    fn ask(&mut self) {
        let asked = match &mut self.door {
            Some(door) => door.ask(Request::Network),
            None => Door::open(&self.found).and_then(|mut door| {
                door.ask(Request::Network)?;
                self.door = Some(door);
                Ok(())
            }),
        };
        if let Err(error) = asked {
            self.refuse(&error.to_string());
        }
    }

    /// Nobody who waits is connected with the pod.
    fn refuse(&mut self, why: &str) {
        for one in self.waiting.drain(..) {
            tell!("error: forwarding to port {} of pod {}: {why}", one.remote, self.name);
        }
    }

    fn hear(&mut self) -> Result<(), CliError> {
        let Some(door) = &mut self.door else { return Ok(()) };
        match door.hear() {
            Ok(Said::Nothing) => {}
            Ok(Said::Here(_, descriptors)) => self.connect(&descriptors),
            Ok(Said::Else(Answer::Ended(_))) => self.ended(),
            Ok(Said::Else(answer)) => {
                let why = not_reached(&self.name, answer).to_string();
                self.refuse(&why);
            }
            Err(error) => {
                self.door = None;
                if !self.waiting.is_empty() {
                    self.refuse(&error.to_string());
                }
                self.look_for_the_end()?;
            }
        }
        Ok(())
    }

    /// All who wait, with the network that the pod has now.
    fn connect(&mut self, descriptors: &[OwnedFd]) {
        let [user, network] = descriptors else { return self.refuse("the supervisor has sent something else") };
        let own: Vec<SocketAddr> = match visit::is_own_network(network.as_fd()) {
            Ok(true) => self.listeners.iter().map(|one| one.local).collect(),
            Ok(false) => Vec::new(),
            Err(cause) => return self.refuse(&format!("look at the pod's network: {cause}")),
        };
        for Waiting { local, remote } in std::mem::take(&mut self.waiting) {
            let failed = |why: &str| {
                tell!("error: forwarding to port {remote} of pod {}: {why}", self.name);
            };
            match visit::sockets(user.as_fd(), network.as_fd()) {
                Ok(sockets) => match Connection::begin(local, sockets, remote, &own) {
                    Ok(connection) => self.connections.push(connection),
                    Err(why) => failed(&why),
                },
                Err(cause) => failed(&format!("enter the pod's network: {cause}")),
            }
        }
    }

    fn advance(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        match connection.advance() {
            Progress::Goes => {}
            Progress::Refused(why) => {
                tell!("error: forwarding to port {} of pod {}: {why}", connection.remote, self.name);
            }
        }
    }

    /// Nobody new is let in; what the pod has sent before its end still arrives.
    fn ended(&mut self) {
        self.listeners.clear();
        self.waiting.clear();
        self.end = Instant::now().checked_add(LAST_WORDS);
        self.door = None;
    }

    /// Without a supervisor that would tell.
    fn look_for_the_end(&mut self) -> Result<(), CliError> {
        match recover::life(&self.found)? {
            Life::Running => {}
            Life::Ended | Life::Left => self.ended(),
            Life::Lost => return Err(CliError::Unsupervised(self.name.clone())),
        }
        Ok(())
    }
}

/// What ends this command.
const SIGNALS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
