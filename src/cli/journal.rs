//! `run --log-driver journald`: what containers print, told to systemd's journal as well. The logs have it all the same, so that
//! nothing depends on the journal. Where it has no room for a while, containers' output waits in its pipes, as for a reader of
//! standard output; where it doesn't listen, that is said, and it is tried again with each line.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use barepod_engine::action::EventRecord;
use barepod_engine::event::Exit;
use barepod_engine::spec::{ContainerIndex, PodSpec};
use barepod_engine::status::PodStatus;
use k8s_openapi::api::core::v1;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::args::LogDriver;
use super::console::{HELD_BACK, KEPT};
use super::error::CliError;
use crate::images::progress::PullProgress;
use crate::log::{Stream, Tag};
use crate::runtime::journal::{Entry, Journal, SOCKET, is_stream};
use crate::supervisor::{Audience, PullsShown, SignalSent, Wait};

/// How long the pod's end waits for a journal that has no room.
const PATIENCE: Duration = Duration::from_secs(1);
/// Priorities of syslog(3), as podman and docker give them.
const INFORMATION: &[u8] = b"6";
const ERROR: &[u8] = b"3";

/// This box's journal, where it is asked for.
pub(super) fn connect(driver: LogDriver) -> Result<Option<Journal>, CliError> {
    if driver != LogDriver::Journald {
        return Ok(None);
    }
    Journal::connect(Path::new(SOCKET)).map(Some).map_err(CliError::Journal)
}

/// Tells the journal, and somebody else.
pub(super) struct Journaled<'a> {
    shown: &'a mut dyn Audience,
    journal: Journal,
    /// The fields that all entries of the pod have.
    of_pod: Entry,
    pod: String,
    containers: Vec<String>,
    held: Held,
    /// Lines that weren't told since it listened last.
    lost: u64,
    /// Whether standard output and error are the journal.
    is_shown_there: [bool; 2],
}

impl<'a> Journaled<'a> {
    /// Of what this pod's containers print.
    pub(super) fn new(journal: Journal, spec: &PodSpec, pod: &v1::Pod, shown: &'a mut dyn Audience) -> Self {
        let (mut of_pod, uid) = (Entry::default(), pod.metadata.uid.as_deref().unwrap_or_default());
        for (name, value) in [("POD_NAME", &*spec.name), ("POD_NAMESPACE", &spec.namespace), ("POD_UID", uid)] {
            of_pod.add(name, value.as_bytes());
        }
        let containers = spec.containers.iter().map(|one| one.name.clone()).collect();
        let (pod, held) = (spec.name.clone(), Held::default());
        let is_shown_there = [is_stream(rustix::stdio::stdout()), is_stream(rustix::stdio::stderr())];
        Self { shown, journal, of_pod, pod, containers, held, lost: 0, is_shown_there }
    }

    /// The oldest line that is held back.
    fn entry(&self) -> Option<Entry> {
        let (line, text) = self.held.first()?;
        let name = self.containers.get(usize::from(line.container.0)).map(String::as_str).unwrap_or_default();
        let mut entry = self.of_pod.clone();
        entry.add("CONTAINER_NAME", name.as_bytes());
        // What `journalctl` shows before the line.
        entry.add("SYSLOG_IDENTIFIER", format!("{}/{name}", self.pod).as_bytes());
        entry.add("PRIORITY", if line.stream == Stream::Stdout { INFORMATION } else { ERROR });
        if line.tag == Tag::Partial {
            entry.add("CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        entry.add("MESSAGE", text);
        Some(entry)
    }

    /// Hands on what is held back, as far as there is room.
    fn tell(&mut self) {
        while let Some(entry) = self.entry() {
            match self.journal.send(&entry) {
                Ok(()) => {
                    self.held.forget_first();
                    if let lost @ 1.. = std::mem::take(&mut self.lost) {
                        self.shown.warn(&format!(
                            "the journal takes lines again; {lost} weren't told it, `barepod logs` has them"
                        ));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    if self.lost == 0 {
                        self.shown.warn(&format!(
                            "{SOCKET}: {error}; the journal isn't told what containers print until it listens again"
                        ));
                    }
                    self.lost += self.held.lines.len() as u64;
                    self.held = Held::default();
                }
            }
        }
    }

    /// Waits until all is told, or nobody takes any more.
    fn tell_all(&mut self) {
        let mut ends = Instant::now() + PATIENCE;
        loop {
            let before = self.held.lines.len();
            self.tell();
            if self.held.lines.len() < before {
                ends = Instant::now() + PATIENCE;
            }
            let left = ends.saturating_duration_since(Instant::now());
            let Some(socket) = self.journal.socket().filter(|_| !self.held.lines.is_empty() && !left.is_zero()) else {
                break;
            };
            // Whatever it says: what counts is whether the next one goes.
            let _ = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Timespec::try_from(left).ok().as_ref());
        }
        match self.held.lines.len() as u64 + self.lost {
            0 => {}
            lines => self.shown.warn(&format!("{lines} lines weren't told the journal, `barepod logs` has them")),
        }
    }
}

/// Lines that weren't told yet, without all that their entries have beside them: of short lines that would be many times their text.
#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<Line>,
    /// Their texts, one behind the other; and how much of it is told.
    text: Vec<u8>,
    told: usize,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    container: ContainerIndex,
    stream: Stream,
    tag: Tag,
    length: usize,
}

impl Held {
    /// `false`: there is no room.
    fn add(&mut self, line: Line, text: &[u8]) -> bool {
        let has_room = self.size() + size_of::<Line>() + text.len() <= KEPT;
        if has_room {
            self.lines.push_back(line);
            self.text.extend_from_slice(text);
        }
        has_room
    }

    fn first(&self) -> Option<(Line, &[u8])> {
        let line = *self.lines.front()?;
        Some((line, &self.text[self.told..self.told + line.length]))
    }

    fn forget_first(&mut self) {
        self.told += self.lines.pop_front().map_or(0, |line| line.length);
        if self.lines.is_empty() {
            // A flood's memory too.
            *self = Self::default();
        } else if self.told > HELD_BACK {
            self.text.drain(..self.told);
            self.told = 0;
        }
    }

    /// In bytes.
    fn size(&self) -> usize {
        self.lines.len() * size_of::<Line>() + self.text.len() - self.told
    }
}

impl Audience for Journaled<'_> {
    fn shows(&self, _: ContainerIndex) -> bool {
        true
    }

    fn line(&mut self, container: ContainerIndex, stream: Stream, line: &[u8], tag: Tag) {
        if self.shown.shows(container) && !self.is_shown_there[usize::from(stream == Stream::Stderr)] {
            self.shown.line(container, stream, line, tag);
        }
        if !self.held.add(Line { container, stream, tag, length: line.len() }, line) {
            self.lost += 1;
        }
    }

    fn container_added(&mut self, name: &str) {
        self.containers.push(name.to_owned());
        self.shown.container_added(name);
    }

    fn ended(&mut self, status: &PodStatus) {
        self.tell_all();
        self.shown.ended(status);
    }

    fn flush(&mut self) {
        self.tell();
        self.shown.flush();
    }

    fn has_room(&self) -> bool {
        self.held.size() <= HELD_BACK && self.shown.has_room()
    }

    fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        let mut all = self.shown.waits_for();
        all.extend(self.journal.socket().filter(|_| !self.held.lines.is_empty()));
        all
    }

    fn exited(&mut self, container: ContainerIndex, exit: Exit, oom: bool, ran: Option<Duration>) {
        self.shown.exited(container, exit, oom, ran);
    }

    fn asked_to_stop(&mut self) {
        self.shown.asked_to_stop();
    }

    fn signalled(&mut self, container: ContainerIndex, signal: SignalSent) {
        self.shown.signalled(container, signal);
    }

    fn waits_for_containers(&mut self, wait: &Wait, interrupts: u32) {
        self.shown.waits_for_containers(wait, interrupts);
    }

    fn wants_steps(&self) -> bool {
        self.shown.wants_steps()
    }

    fn step(&mut self, text: &str) {
        self.shown.step(text);
    }

    fn pulls_shown(&self) -> PullsShown {
        self.shown.pulls_shown()
    }

    fn pulls(&mut self, pulls: &[PullProgress]) {
        self.shown.pulls(pulls);
    }

    fn record(&mut self, record: &EventRecord) {
        self.shown.record(record);
    }

    fn sandbox_is_there(&mut self) {
        self.shown.sandbox_is_there();
    }

    fn warn(&mut self, message: &str) {
        self.shown.warn(message);
    }
}
