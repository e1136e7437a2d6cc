//! Descriptors in, tokens out: what the loop waits for, and the signals among it.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use barepod_engine::event::{Hook, Probe};
use barepod_engine::spec::ContainerIndex;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTOU, SIGXFSZ};

use crate::log::Stream;
use crate::plan::Purpose;
use crate::runtime::signals::{ignore, is_ignored};

/// What a descriptor that became ready is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The alarm went off.
    Alarm,
    /// The pod's end has kept somebody waiting for a while.
    Notice,
    /// A service manager's watchdog is to be fed.
    Service,
    /// SIGTERM or SIGHUP came.
    Terminate,
    /// SIGINT came.
    Interrupt,
    /// A client of the control socket has connected, has something to say, or takes answers again.
    Control,
    /// The helper that makes a container reported, or ended.
    Creation(ContainerIndex),
    /// A container's program was executed, or could not be.
    Start(ContainerIndex),
    /// A container's init process ended.
    Exit(ContainerIndex),
    /// A container printed something.
    Output(ContainerIndex, Stream),
    /// The helper that removes a container ended.
    Removal(ContainerIndex),
    /// A probe or hook has got further.
    Handler(ContainerIndex, Purpose),
    /// A probe's time is up.
    HandlerAlarm(ContainerIndex, Purpose),
    /// A terminal or pipe takes output again.
    Audience(u16),
    /// The pid 1 of the containers' pid namespace ended.
    Sandbox,
    /// What connects the pod with the outside ended.
    Network,
    /// What is to connect it has got further.
    Connecting,
    /// The pod's use of the disk is to be measured.
    StorageAlarm,
    /// It was measured.
    Storage,
    /// The helper that looks for volumes has got further.
    Volumes,
    /// The helper that looks for an image has got further.
    Image(ContainerIndex),
    /// A program that a command runs in a container has got further.
    Exec(u16),
    /// It is to be shown how far pulls are.
    Pulls,
}

/// All purposes, for their numbers.
const PURPOSES: [Purpose; 5] = [
    Purpose::Probe(Probe::Startup),
    Purpose::Probe(Probe::Liveness),
    Purpose::Probe(Probe::Readiness),
    Purpose::Hook(Hook::PostStart),
    Purpose::Hook(Hook::PreStop),
];

fn purpose_number(purpose: Purpose) -> u64 {
    PURPOSES.iter().position(|one| *one == purpose).map_or(0, |at| at as u64)
}

impl Token {
    fn encode(self) -> u64 {
        let (kind, index) = match self {
            Self::Alarm => (0, 0),
            Self::Terminate => (1, 0),
            Self::Interrupt => (2, 0),
            Self::Control => (3, 0),
            Self::Creation(container) => (5, container.0),
            Self::Start(container) => (6, container.0),
            Self::Exit(container) => (7, container.0),
            Self::Output(container, Stream::Stdout) => (8, container.0),
            Self::Output(container, Stream::Stderr) => (9, container.0),
            Self::Removal(container) => (10, container.0),
            Self::Audience(index) => (11, index),
            Self::Sandbox => (12, 0),
            Self::StorageAlarm => (13, 0),
            Self::Storage => (14, 0),
            Self::Volumes => (15, 0),
            Self::Image(container) => (21, container.0),
            Self::Network => (22, 0),
            Self::Notice => (23, 0),
            Self::Exec(number) => (24, number),
            Self::Connecting => (25, 0),
            Self::Service => (26, 0),
            Self::Pulls => (27, 0),
            Self::Handler(container, purpose) => (16 + purpose_number(purpose), container.0),
            Self::HandlerAlarm(container, purpose) => (32 + purpose_number(purpose), container.0),
        };
        kind << 16 | u64::from(index)
    }

    fn decode(data: u64) -> Self {
        let index = (data & 0xffff) as u16;
        let container = ContainerIndex(index);
        match data >> 16 {
            0 => Self::Alarm,
            1 => Self::Terminate,
            2 => Self::Interrupt,
            3 => Self::Control,
            5 => Self::Creation(container),
            6 => Self::Start(container),
            7 => Self::Exit(container),
            8 => Self::Output(container, Stream::Stdout),
            9 => Self::Output(container, Stream::Stderr),
            10 => Self::Removal(container),
            11 => Self::Audience(index),
            12 => Self::Sandbox,
            13 => Self::StorageAlarm,
            14 => Self::Storage,
            15 => Self::Volumes,
            21 => Self::Image(container),
            22 => Self::Network,
            23 => Self::Notice,
            24 => Self::Exec(index),
            25 => Self::Connecting,
            26 => Self::Service,
            27 => Self::Pulls,
            kind @ 16..=20 => Self::Handler(container, PURPOSES[(kind - 16) as usize]),
            kind @ 32..=36 => Self::HandlerAlarm(container, PURPOSES[(kind - 32) as usize]),
            kind => unreachable!("no source was ever registered with kind {kind}"),
        }
    }

    /// Whether all that can be put off is put off for it.
    pub fn is_urgent(self) -> bool {
        self.urgency() <= 2
    }

    /// Exits are looked at before all else, output after all else: the time from an exit to the reaction to it counts.
    fn urgency(self) -> u8 {
        match self {
            Self::Exit(_) => 0,
            Self::Start(_)
            | Self::Creation(_)
            | Self::Removal(_)
            | Self::Sandbox
            | Self::Connecting
            | Self::Volumes
            | Self::Image(_) => 1,
            Self::Alarm | Self::Terminate | Self::Interrupt | Self::Control | Self::Service => 2,
            Self::Handler(..) | Self::Exec(_) => 3,
            // A result that is there counts, late as it may be looked at.
            Self::HandlerAlarm(..) => 4,
            Self::Output(..)
            | Self::Audience(_)
            | Self::StorageAlarm
            | Self::Storage
            | Self::Network
            | Self::Pulls
            | Self::Notice => 5,
        }
    }
}

/// What a source is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That it can be read.
    Readable,
    /// That it can be written.
    Writable,
}

/// How long to wait for the first that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: what is ready now.
    None,
    /// At most so long.
    Until(Duration),
    /// For ever.
    Endless,
}

impl Patience {
    /// The shorter of the two.
    pub fn shorter(self, other: Option<Self>) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Some(Self::None)) => Self::None,
            (Self::Until(one), Some(Self::Until(other))) => Self::Until(one.min(other)),
            (Self::Endless, Some(other)) => other,
            (patience, None | Some(Self::Endless)) => patience,
        }
    }
}

/// The set of descriptors the loop waits for.
pub struct Sources {
    epoll: OwnedFd,
}

impl Sources {
    /// An empty set.
    ///
    /// # Errors
    /// As epoll_create1(2).
    pub fn new() -> rustix::io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Waits for `source` too. Closing its last descriptor ends that.
    ///
    /// # Errors
    /// As epoll_ctl(2); EPERM for a regular file.
    pub fn add(&self, source: impl AsFd, token: Token, interest: Interest) -> rustix::io::Result<()> {
        let flags = match interest {
            Interest::Readable => EventFlags::IN,
            Interest::Writable => EventFlags::OUT,
        };
        epoll::add(&self.epoll, source, EventData::new_u64(token.encode()), flags)
    }

    /// Waits for `source` too, unless it is waited for already.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_if_new(&self, source: impl AsFd, token: Token, interest: Interest) -> rustix::io::Result<()> {
        match self.add(source, token, interest) {
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
    }

    /// Waits for `source` until it is ready once; also where it was waited for before.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_once(&self, source: impl AsFd, token: Token, interest: Interest) -> rustix::io::Result<()> {
        let flags = match interest {
            Interest::Readable => EventFlags::IN,
            Interest::Writable => EventFlags::OUT,
        } | EventFlags::ONESHOT;
        let data = EventData::new_u64(token.encode());
        match epoll::add(&self.epoll, source.as_fd(), data, flags) {
            Err(Errno::EXIST) => epoll::modify(&self.epoll, source.as_fd(), data, flags),
            other => other,
        }
    }

    /// Waits for `source` no longer.
    pub fn remove(&self, source: impl AsFd) {
        // It may never have been added, or be gone already.
        let _ = epoll::delete(&self.epoll, source);
    }

    /// Waits until something is ready and gives it in order of urgency. What isn't dealt with is given again.
    ///
    /// # Errors
    /// As epoll_wait(2); an interrupted wait is none.
    pub fn wait(&self, patience: Patience) -> rustix::io::Result<Vec<Token>> {
        let limit = match patience {
            Patience::None => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
            Patience::Until(time) => Timespec::try_from(time).ok(),
            Patience::Endless => None,
        };
        let mut ready = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), limit.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Vec::new()),
            Err(errno) => return Err(errno),
        }
        let mut tokens: Vec<_> = ready.iter().map(|event: &epoll::Event| Token::decode(event.data.u64())).collect();
        tokens.sort_by_key(|token| token.urgency());
        Ok(tokens)
    }
}

/// Signals as bytes on sockets, one byte a signal, so that none is lost and two are two.
pub struct Signals {
    terminate: UnixStream,
    interrupt: UnixStream,
    handlers: Vec<signal_hook::SigId>,
}

impl Signals {
    /// From now on SIGTERM, SIGHUP, SIGQUIT and SIGINT no longer end this process. One that is ignored stays so, as
    /// in every program that a shell starts: who said `nohup`, or put it into the background of a script (`&`), wants it
    /// to outlive the terminal and its Ctrl-C. SIGTERM is always heard: it is how a supervisor is asked for its pod's end.
    ///
    /// # Errors
    /// As socketpair(2) and sigaction(2).
    pub fn catch(sources: &Sources) -> std::io::Result<Self> {
        let (terminate, terminate_end) = UnixStream::pair()?;
        let (interrupt, interrupt_end) = UnixStream::pair()?;
        terminate.set_nonblocking(true)?;
        interrupt.set_nonblocking(true)?;
        let mut handlers = vec![signal_hook::low_level::pipe::register(SIGTERM, terminate_end.try_clone()?)?];
        for signal in [SIGHUP, SIGQUIT].into_iter().filter(|signal| !is_ignored(*signal)) {
            handlers.push(signal_hook::low_level::pipe::register(signal, terminate_end.try_clone()?)?);
        }
        sources.add(&terminate, Token::Terminate, Interest::Readable)?;
        if !is_ignored(SIGINT) {
            handlers.push(signal_hook::low_level::pipe::register(SIGINT, interrupt_end)?);
            sources.add(&interrupt, Token::Interrupt, Interest::Readable)?;
        }
        // A file that may not grow any more (ulimit -f) is a full disk, and a terminal that others are in front of (stty
        // tostop) is written to all the same: neither ends or stops the supervisor.
        ignore(SIGXFSZ);
        ignore(SIGTTOU);
        Ok(Self { terminate, interrupt, handlers })
    }

    /// How many SIGTERM, SIGHUP and SIGQUIT came since the last call.
    pub fn terminations(&mut self) -> usize {
        drain(&mut self.terminate)
    }

    /// How many SIGINT came since the last call.
    pub fn interrupts(&mut self) -> usize {
        drain(&mut self.interrupt)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}

fn drain(socket: &mut UnixStream) -> usize {
    let (mut bytes, mut count) = ([0; 64], 0);
    while let Ok(read @ 1..) = socket.read(&mut bytes) {
        count += read;
    }
    count
}
