//! What a person sees of a running pod: containers' output on standard output, a short line per lifecycle event on
//! standard error.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use barepod_engine::action::{EventReason, EventRecord, Severity};
use barepod_engine::event::{Exit, OomKilled};
use barepod_engine::spec::{ContainerIndex, ContainerSpec};
use barepod_engine::status::{Phase, PodReason, PodStatus};

use super::console::Console;
use super::terminal::{self, Colour, Prefix};
use crate::log::Stream;
use crate::supervisor::Audience;

/// How long the end of a run waits for a reader that doesn't read.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where somebody asked for the end.
const PATIENCE_ON_REQUEST: Duration = Duration::from_secs(1);

/// Whether lifecycle lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Output and lifecycle lines.
    Normal,
    /// `--quiet`: output, and what went wrong.
    Quiet,
}

/// A container, as far as its lines go.
struct Row {
    name: String,
    prefix: Prefix,
    /// It was told to stop: however it ends now, it ended on request.
    stopping: bool,
}

/// Shows a pod's run on this process's standard output and error.
pub struct Watch {
    out: Console,
    err: Console,
    rows: Vec<Row>,
    verbosity: Verbosity,
    out_colour: Colour,
    err_colour: Colour,
    pod: String,
    line: Vec<u8>,
}

impl Watch {
    /// For the pod named `pod`.
    ///
    /// # Errors
    /// Where standard output or error can't be duplicated.
    pub fn new(pod: String, containers: &[ContainerSpec], verbosity: Verbosity) -> io::Result<Self> {
        let width = containers.iter().map(|container| container.name.len()).max().unwrap_or(0);
        let out_colour = Colour::of(&io::stdout());
        let rows = containers
            .iter()
            .enumerate()
            .map(|(index, container)| Row {
                name: container.name.clone(),
                prefix: Prefix::new(&container.name, width, index, out_colour),
                stopping: false,
            })
            .collect();
        let err_colour = Colour::of(&io::stderr());
        Ok(Self {
            out: Console::stdout()?,
            err: Console::stderr()?,
            rows,
            verbosity,
            out_colour,
            err_colour,
            pod,
            line: Vec::new(),
        })
    }

    fn row(&mut self, container: ContainerIndex) -> &mut Row {
        &mut self.rows[usize::from(container.0)]
    }

    fn tell(&mut self, tone: Tone, text: &str) {
        if self.verbosity == Verbosity::Quiet && tone == Tone::Plain {
            return;
        }
        // What containers printed before must be seen before.
        self.out.flush();
        let text = terminal::sanitize(text);
        let line = match tone {
            Tone::Plain => terminal::dim(&text, self.err_colour),
            Tone::Warning => terminal::warning(&text, self.err_colour),
        };
        self.err.write(format!("{line}\n").as_bytes());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Warning,
}

impl Audience for Watch {
    fn line(&mut self, container: ContainerIndex, _stream: Stream, line: &[u8]) {
        let mut whole = std::mem::take(&mut self.line);
        whole.clear();
        whole.extend_from_slice(self.rows[usize::from(container.0)].prefix.as_bytes());
        whole.extend_from_slice(line);
        whole.extend_from_slice(terminal::ending(line, self.out_colour));
        self.out.write(&whole);
        self.line = whole;
    }

    fn exited(&mut self, container: ContainerIndex, exit: Exit, oom: OomKilled, ran: Option<Duration>) {
        let row = self.row(container);
        let stopped = std::mem::take(&mut row.stopping);
        let how = match (exit, oom) {
            (_, OomKilled::Yes) => "was killed: out of memory".to_owned(),
            (Exit::Code(code), OomKilled::No) => format!("exited {code}"),
            (Exit::Signal(signal), OomKilled::No) => format!("ended by {}", signal_name(signal)),
            (Exit::Unknown, OomKilled::No) => "ended, nobody saw how".to_owned(),
        };
        let on_request = if stopped { ", stopped on request" } else { "" };
        let ran = ran.map(|ran| format!(" ({})", span(ran))).unwrap_or_default();
        let text = format!("{} {how}{on_request}{ran}", row.name);
        let tone = if oom == OomKilled::Yes { Tone::Warning } else { Tone::Plain };
        self.tell(tone, &text);
    }

    fn record(&mut self, record: &EventRecord) {
        let name = record.container.map(|container| self.row(container).name.clone());
        let who = name.as_deref().unwrap_or(&self.pod).to_owned();
        match (record.severity, record.reason) {
            (Severity::Normal, EventReason::Started) => self.tell(Tone::Plain, &format!("{who} started")),
            (Severity::Normal, EventReason::Killing) => {
                if let Some(container) = record.container {
                    self.row(container).stopping = true;
                }
                self.tell(Tone::Plain, &format!("{who} is being stopped"));
            }
            (Severity::Normal, _) => {}
            (Severity::Warning, EventReason::BackOff) => self.tell(Tone::Plain, &format!("{who}: {}", record.message)),
            (Severity::Warning, _) => self.tell(Tone::Warning, &format!("{who}: {}", record.message)),
        }
    }

    fn ended(&mut self, status: &PodStatus) {
        let phase = match status.phase {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
        };
        let reason = match status.reason {
            Some(PodReason::DeadlineExceeded) => ": DeadlineExceeded",
            Some(PodReason::Evicted) => ": Evicted",
            Some(PodReason::SupervisorLost) => ": SupervisorLost",
            Some(PodReason::UnexpectedAdmissionError) => ": UnexpectedAdmissionError",
            None => "",
        };
        self.tell(Tone::Plain, &format!("{} {phase}{reason}", self.pod.clone()));
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
        self.tell(Tone::Warning, &format!("warning: {message}"));
    }

    fn flush(&mut self) {
        self.out.flush();
        self.err.flush();
    }

    /// A container that is told to stop may say so before it ends: it must not wait for a reader until it is killed.
    fn has_room(&self) -> bool {
        self.out.has_room() || self.rows.iter().any(|row| row.stopping)
    }

    fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        [&self.out, &self.err].into_iter().filter(|console| console.holds_back()).map(AsFd::as_fd).collect()
    }
}

/// A duration as people say it: `12 ms`, `3.4 s`, `2 min 5 s`.
fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

fn signal_name(signal: u8) -> String {
    nix::sys::signal::Signal::try_from(i32::from(signal))
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        assert_eq!(span(Duration::from_millis(12)), "12 ms");
        assert_eq!(span(Duration::from_millis(3_450)), "3.4 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(34), "signal 34");
    }
}
