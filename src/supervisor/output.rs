//! What a container prints: from its pipes to its log and to who watches.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use barepod_engine::action::{EventReason, EventRecord, Severity};
use barepod_engine::spec::ContainerIndex;
use rustix::termios::{Winsize, tcsetwinsize};

use super::audience::Audience;
use super::clock::{now, timestamp};
use super::copies::Copies;
use crate::control::{AttachedTo, Input};
use crate::log::{Buffers, ContainerLog, Show, Stream};
use crate::runtime::container::Ends;
use crate::runtime::exec::TerminalSize;

/// How often a stream is read at most when its container has ended: more than a pipe holds, so that all of it is read
/// unless somebody else goes on writing.
const LAST_READS: usize = 32;

/// Whose output it is, and who is told of it.
pub struct Listener<'a> {
    pub container: ContainerIndex,
    pub name: &'a str,
    pub audience: &'a mut dyn Audience,
    /// Kubernetes Events, for who asks later: a log doesn't show what is missing in it.
    pub records: &'a mut Vec<EventRecord>,
    /// Clients, who get it as it is.
    pub copies: &'a mut Copies,
    pub buffers: &'a mut Buffers,
}

impl Listener<'_> {
    fn record_loss(&mut self, message: String) {
        self.records.push(EventRecord {
            time: now().wall,
            severity: Severity::Warning,
            reason: EventReason::FailedWriteLog,
            container: Some(self.container),
            message,
        });
    }
}

/// The pipes and the log of one attempt.
pub struct Output {
    /// Read ends, until they end.
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    input: ProgramInput,
    log: ContainerLog,
}

/// What the program reads.
enum ProgramInput {
    /// Nothing.
    None,
    /// From a pipe, which stays open and silent as long as this is here.
    Pipe(OwnedFd),
    /// From a pipe that a client has taken (`stdinOnce`): it ends with that client.
    Taken,
    /// From its terminal, whose master is `stdout`. Its own end keeps that from being hung up.
    Terminal { _slave: OwnedFd, is_read: bool },
}

/// What a client that is attached gets.
pub struct HandedOver {
    pub streams: AttachedTo,
    /// A terminal's master, or the writing end of the pipe that the program reads.
    pub input: Option<OwnedFd>,
}

impl Output {
    /// Of an attempt that was just made.
    pub fn new(ends: Option<Ends>, is_read: bool, log: ContainerLog) -> Self {
        let (input, stdout, stderr) = match ends {
            Some(Ends::Pipes { stdin, stdout, stderr }) => {
                (stdin.map_or(ProgramInput::None, ProgramInput::Pipe), Some(stdout), Some(stderr))
            }
            // What a terminal shows is one stream, as in every container runtime (R10.10).
            Some(Ends::Terminal { master, slave }) => {
                (ProgramInput::Terminal { _slave: slave, is_read }, Some(master), None)
            }
            None => (ProgramInput::None, None, None),
        };
        Self { stdout, stderr, input, log }
    }

    /// For a client that is attached, and wants to write (`stdin`). `once`: no other client will (R10.11).
    pub fn hand_over(&mut self, stdin: bool, once: bool) -> std::io::Result<HandedOver> {
        let wanted = |input| if stdin { input } else { Input::Unwanted };
        let (tty, input, descriptor) = match (&self.input, &self.stdout) {
            (ProgramInput::Terminal { is_read, .. }, Some(master)) => {
                let input = if *is_read { Input::Given } else { Input::None };
                (true, wanted(input), Some(master.try_clone()?))
            }
            (ProgramInput::Pipe(_), _) if stdin && once => {
                match std::mem::replace(&mut self.input, ProgramInput::Taken) {
                    ProgramInput::Pipe(pipe) => (false, Input::Given, Some(pipe)),
                    _ => (false, Input::Taken, None),
                }
            }
            (ProgramInput::Pipe(pipe), _) if stdin => (false, Input::Given, Some(pipe.try_clone()?)),
            (ProgramInput::Pipe(_), _) => (false, Input::Unwanted, None),
            (ProgramInput::Taken, _) => (false, wanted(Input::Taken), None),
            (ProgramInput::Terminal { .. } | ProgramInput::None, _) => (false, wanted(Input::None), None),
        };
        Ok(HandedOver { streams: AttachedTo { tty, input }, input: descriptor })
    }

    /// Of a terminal.
    pub fn resize(&self, size: TerminalSize) {
        if let (ProgramInput::Terminal { .. }, Some(master)) = (&self.input, &self.stdout) {
            let TerminalSize { rows, columns } = size;
            let _ = tcsetwinsize(master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 });
        }
    }

    /// Its log.
    pub fn log(&self) -> &ContainerLog {
        &self.log
    }

    /// The pipes that have not ended.
    pub fn pipes(&self) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        let both = [(Stream::Stdout, &self.stdout), (Stream::Stderr, &self.stderr)];
        both.into_iter().filter_map(|(stream, pipe)| Some((stream, pipe.as_ref()?.as_fd())))
    }

    /// Reads what a stream holds now; `false` where there was nothing.
    pub fn pump(&mut self, stream: Stream, to: &mut Listener<'_>) -> bool {
        let Self { stdout, stderr, log, .. } = self;
        let pipe = if stream == Stream::Stdout { stdout } else { stderr };
        let Some(open) = pipe.as_ref() else { return false };
        let (container, audience) = (to.container, &mut *to.audience);
        let is_shown = audience.shows(container);
        let mut line = |stream, line: &[u8], tag| audience.line(container, stream, line, tag);
        let show = is_shown.then_some(&mut line as Show<'_>);
        to.buffers.most = to.copies.most(container);
        let read = match log.pump(stream, open.as_fd(), timestamp(now().wall), to.buffers, show) {
            Ok(pump) => {
                to.copies.copy(to.container, stream, to.buffers.read_last(pump));
                if pump.eof {
                    *pipe = None;
                }
                pump.bytes > 0
            }
            Err(error) => {
                *pipe = None;
                to.audience.warn(&error.to_string());
                false
            }
        };
        self.tell_news(to);
        read
    }

    /// Reads the last that a container that has ended printed.
    pub fn drain(&mut self, to: &mut Listener<'_>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut reads = 0;
            while reads < LAST_READS && self.pump(stream, to) {
                reads += 1;
            }
        }
    }

    /// All of the attempt is gone: nothing more can come out of its pipes.
    pub fn end(mut self, to: &mut Listener<'_>) {
        self.drain(to);
        let (container, audience) = (to.container, &mut *to.audience);
        let is_shown = audience.shows(container);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut line = |stream, line: &[u8], tag| audience.line(container, stream, line, tag);
            let show = is_shown.then_some(&mut line as Show<'_>);
            self.log.end(stream, timestamp(now().wall), to.buffers, show);
        }
        if self.log.lost() > 0 {
            let (bytes, path) = (self.log.lost(), self.log.path().display());
            let message = format!("{path}: {bytes} bytes of what the container printed could not be written");
            audience.warn(&message);
            to.record_loss(format!("Log {message}"));
        }
    }

    /// Whether its log can't be written, or can be again.
    pub fn tell_news(&mut self, to: &mut Listener<'_>) {
        if let Some(news) = self.log.news() {
            to.audience.warn(&format!("container {:?}: log {news}", to.name));
            to.record_loss(format!("Log {news}"));
        }
    }
}
