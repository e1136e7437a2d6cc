//! What a person sees of a running pod: what containers print on the stream they print it on, and a short line per
//! lifecycle event on standard error. The words are `watch/words.rs`; where they go once the pod is detached,
//! `watch/detached.rs`.

mod detached;
mod lines;
mod pulls;
mod row;
mod stops;
mod view;
pub(super) mod words;

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use barepod_engine::action::{EventReason, EventRecord};
use barepod_engine::event::Exit;
use barepod_engine::spec::{ContainerIndex, ContainerSpec, PodSpec};
use barepod_engine::status::{Phase, PodStatus};

use super::console::Console;
use super::phrases;
use super::terminal;
use crate::images::progress::PullProgress;
use crate::log::{Stream, Tag};
use crate::report::ending::{self, Ending};
use crate::supervisor::{Audience, PullsShown, SignalSent, Wait};
use detached::Detached;
pub use detached::Detaching;
use lines::LineKind;
use pulls::Pulls;
use row::Row;
use stops::Stops;
pub use view::{Output, View};
use words::{ContainerEnd, StopReason};

/// How long the end of a run waits for a reader that doesn't read.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where somebody asked for the end.
const PATIENCE_ON_REQUEST: Duration = Duration::from_secs(1);

/// Shows a pod's run on this process's standard output and error.
pub struct Watch {
    out: Console,
    err: Console,
    rows: Vec<Row>,
    /// Of the names before lines.
    width: usize,
    view: View,
    out_coloured: bool,
    err_coloured: bool,
    pod: String,
    line: Vec<u8>,
    stops: Stops,
    /// How far pulls are, below all else.
    pulls: Pulls,
    /// Whether the last thing that an attached container printed had no newline, on standard output and error.
    unfinished: [bool; 2],
    requested: bool,
    ending: Option<Ending>,
    /// Until the pod is detached: how to do that.
    detaching: Option<Detaching>,
    /// From then on what is said goes there.
    detached: Option<Detached>,
}

impl Watch {
    /// For the pod named `pod`.
    ///
    /// # Errors
    /// Where standard output or error can't be duplicated.
    pub fn new(pod: String, spec: &PodSpec, view: View) -> io::Result<Self> {
        let containers = &spec.containers;
        let width = containers.iter().map(|container| container.name.len()).max().unwrap_or(0);
        let (out_coloured, err_coloured) = (terminal::has_colours(&io::stdout()), terminal::has_colours(&io::stderr()));
        let row = |(index, container): (usize, &ContainerSpec)| {
            Row::new(&container.name, width, index, [out_coloured, err_coloured])
        };
        Ok(Self {
            out: Console::stdout()?,
            err: Console::stderr()?,
            rows: containers.iter().enumerate().map(row).collect(),
            width,
            view,
            out_coloured,
            err_coloured,
            pod,
            line: Vec::new(),
            stops: Stops::new(spec),
            pulls: Pulls::default(),
            unfinished: [false; 2],
            requested: false,
            ending: None,
            detaching: None,
            detached: None,
        })
    }

    /// Detaches the pod from this process's caller once its sandbox is there.
    pub fn detach(&mut self, detaching: Detaching) {
        self.detaching = Some(detaching);
    }

    /// How the pod ended, once it has.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    fn row(&mut self, container: ContainerIndex) -> &mut Row {
        &mut self.rows[usize::from(container.0)]
    }

    fn tell(&mut self, kind: LineKind, text: &str) {
        if self.view.quiet && matches!(kind, LineKind::Progress | LineKind::Result) {
            return;
        }
        // What containers printed before must be seen before.
        self.out.flush();
        self.pulls.hide(&mut self.err);
        self.begin_line();
        let text = terminal::sanitize(text);
        let line = match kind {
            LineKind::Progress => terminal::dim(&text, self.err_coloured),
            LineKind::Result => text,
            LineKind::Warning => terminal::warning(&text, self.err_coloured),
        };
        self.say(&line);
    }

    fn say(&mut self, line: &str) {
        match &mut self.detached {
            Some(detached) => detached.line(line),
            None => self.err.write(format!("{line}\n").as_bytes()),
        }
    }

    /// An attached container's line that has no end yet stays a line of its own.
    fn begin_line(&mut self) {
        let [on_out, on_err] = std::mem::take(&mut self.unfinished);
        let is_one_terminal = || io::stdout().is_terminal() && io::stderr().is_terminal();
        if on_err || (on_out && is_one_terminal()) {
            self.err.write(b"\n");
        }
    }

    /// Below what has been said, unless that waits for its reader or is in the middle of a line.
    fn show_pulls(&mut self) {
        self.out.flush();
        self.err.flush();
        if !self.out.holds_back() && !self.err.holds_back() && self.unfinished == [false; 2] {
            self.pulls.show(&mut self.err);
        }
    }

    fn tell_of_stops(&mut self) {
        for container in self.stops.take() {
            let (sent, why) = (self.row(container).sent, self.row(container).stopping.unwrap_or(StopReason::Unsaid));
            if let Some(what) = self.stops.words(container, sent) {
                let text = format!("{} {what}{}", self.row(container).name, why.in_words());
                self.tell(LineKind::Progress, &text);
            }
        }
    }

    /// How to end at once what is being waited for.
    fn way_out(&self, interrupts: u32) -> String {
        match (interrupts, io::stdin().is_terminal()) {
            (0, false) => format!("`barepod rm --force {}` ends it at once", self.pod),
            (0, true) => "Ctrl-C twice ends it at once".to_owned(),
            (_, _) => "Ctrl-C again ends it at once".to_owned(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.pulls.hide(&mut self.err);
        self.err.flush();
    }
}

impl Audience for Watch {
    fn shows(&self, container: ContainerIndex) -> bool {
        match self.view.output {
            Output::None => false,
            Output::Only(only) => only == usize::from(container.0),
            Output::Named | Output::Plain => true,
        }
    }

    fn line(&mut self, container: ContainerIndex, stream: Stream, line: &[u8], tag: Tag) {
        self.pulls.hide(&mut self.err);
        let row = &self.rows[usize::from(container.0)];
        let (console, other, prefix, coloured) = match stream {
            Stream::Stdout => (&mut self.out, &mut self.err, &row.out_prefix, self.out_coloured),
            Stream::Stderr => (&mut self.err, &mut self.out, &row.err_prefix, self.err_coloured),
        };
        let whole = &mut self.line;
        whole.clear();
        match self.view.output {
            Output::Only(only) if only != usize::from(container.0) => return,
            Output::None => return,
            Output::Only(_) => {}
            Output::Named => whole.extend_from_slice(prefix.as_bytes()),
            Output::Plain => {}
        }
        whole.extend_from_slice(line);
        match self.view.output {
            // As it is, to the byte.
            Output::Only(_) if tag == Tag::Partial => {}
            Output::Only(_) | Output::None => whole.push(b'\n'),
            Output::Named | Output::Plain => whole.extend_from_slice(terminal::ending(line, coloured)),
        }
        if matches!(self.view.output, Output::Only(_)) {
            self.unfinished[usize::from(stream == Stream::Stderr)] = tag == Tag::Partial && !line.is_empty();
        }
        // Both may be one terminal: what came before must be seen before.
        if other.holds_back() {
            other.flush();
        }
        console.write(whole);
    }

    fn exited(&mut self, container: ContainerIndex, exit: Exit, oom: bool, ran: Option<Duration>) {
        self.tell_of_stops();
        self.stops.forget(container);
        let requested = self.requested;
        let row = self.row(container);
        let (why, sent) = (row.stopping.take(), row.sent.take());
        let name = row.name.clone();
        let end = ContainerEnd { exit, oom, ran, sent, why: why.unwrap_or(StopReason::Unsaid), requested };
        let kind = if oom { LineKind::Warning } else { LineKind::Progress };
        self.tell(kind, &format!("{name} {end}"));
    }

    fn container_added(&mut self, name: &str) {
        let (index, width) = (self.rows.len(), self.width.max(name.len()));
        self.rows.push(Row::new(name, width, index, [self.out_coloured, self.err_coloured]));
        self.stops.add_container();
    }

    fn asked_to_stop(&mut self) {
        self.requested = true;
    }

    fn signalled(&mut self, container: ContainerIndex, signal: SignalSent) {
        let row = self.row(container);
        row.sent = Some(signal);
        row.stopping.get_or_insert(StopReason::Unsaid);
        self.stops.add(container);
    }

    fn waits_for_containers(&mut self, wait: &Wait, interrupts: u32) {
        self.tell_of_stops();
        let name = |container: &ContainerIndex| self.rows[usize::from(container.0)].name.as_str();
        let names: Vec<&str> = wait.containers.iter().map(name).collect();
        let text = phrases::waiting(&names, wait.left, wait.grace, &self.way_out(interrupts));
        self.tell(LineKind::Progress, &text);
    }

    fn wants_steps(&self) -> bool {
        self.view.steps
    }

    fn step(&mut self, text: &str) {
        self.out.flush();
        self.pulls.hide(&mut self.err);
        let line = terminal::dim(&format!("debug: {}", terminal::sanitize(text)), self.err_coloured);
        self.say(&line);
    }

    fn pulls_shown(&self) -> PullsShown {
        self.view.pulls
    }

    fn pulls(&mut self, pulls: &[PullProgress]) {
        self.pulls.go_on(pulls);
        self.show_pulls();
    }

    fn record(&mut self, record: &EventRecord) {
        if record.reason != EventReason::Killing {
            self.tell_of_stops();
        }
        if let (EventReason::Killing, Some(container)) = (record.reason, record.container) {
            self.row(container).stopping = Some(StopReason::of(&record.message));
            self.stops.add(container);
        }
        let name = record.container.map(|container| self.row(container).name.clone());
        if let Some((kind, text)) = lines::of_event(record, name.as_deref().unwrap_or(&self.pod)) {
            self.tell(kind, &text);
        }
    }

    fn sandbox_is_there(&mut self) {
        if let Some(detaching) = self.detaching.take() {
            self.detached = Some(detaching.detach(&self.pod, [&mut self.out, &mut self.err]));
            (self.out_coloured, self.err_coloured) = (false, false);
        }
    }

    fn ended(&mut self, status: &PodStatus) {
        self.tell_of_stops();
        let why = ending::why(status);
        let phase = format!("{} {:?}", self.pod, status.phase);
        self.pulls.go_on(&[]);
        match status.phase {
            Phase::Succeeded => self.tell(LineKind::Result, &phase),
            Phase::Failed | Phase::Running | Phase::Pending => self.tell(LineKind::Warning, &format!("{phase}: {why}")),
        }
        self.ending = Some(Ending::of(&self.pod, status));
        let patience = if status.deletion.is_some() { PATIENCE_ON_REQUEST } else { PATIENCE };
        self.out.finish(patience);
        match (self.out.unread(), self.out.refused()) {
            (0, _) => {}
            (bytes, Some(cause)) => self.warn(&format!(
                "{bytes} bytes of the containers' output could not be written to standard output: {cause}; \
                 `barepod logs` has them"
            )),
            (bytes, None) => self.warn(&format!(
                "{bytes} bytes of the containers' output were not shown, as nobody reads standard output; \
                 `barepod logs` has them"
            )),
        }
        self.err.finish(patience);
    }

    fn warn(&mut self, message: &str) {
        self.tell(LineKind::Warning, &format!("warning: {message}"));
    }

    fn flush(&mut self) {
        self.tell_of_stops();
        self.out.flush();
        self.err.flush();
        if self.pulls.are_hidden() {
            self.show_pulls();
        }
    }

    fn has_room(&self) -> bool {
        self.out.has_room() && self.err.has_room()
    }

    fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        [&self.out, &self.err].into_iter().filter(|console| console.holds_back()).map(AsFd::as_fd).collect()
    }
}
