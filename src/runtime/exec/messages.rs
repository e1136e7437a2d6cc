//! What the supervisor and the helper of an exec tell each other: the request, with its descriptors, and the reports.

use std::fs::File;
use std::io::Write;

use oci_spec::runtime::Process;
use serde::{Deserialize, Serialize};

use super::cgroup;
use super::failure::Failure;
use super::terminal::TerminalSize;

/// How many descriptors the helper gets.
pub(super) const FDS: i32 = 7;

/// What the supervisor asks for. Travels through a memfd.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) pid: i32,
    pub(super) process: Process,
    /// Whether the descriptor `filter` is one.
    pub(super) filtered: bool,
    /// The cgroups of the new process.
    pub(super) cgroups: cgroup::Entry,
    pub(super) streams: Streams,
}

/// Which of the descriptors `stdin`, `stdout` and `stderr` are some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Streams {
    /// The last two; nothing is read.
    Output,
    /// All.
    All,
    /// `stdin` is the socket that the terminal's master is sent to.
    Terminal(TerminalSize),
}

/// The helper's descriptors in the order of their numbers. What a request doesn't need is a descriptor of no meaning.
pub(super) struct Descriptors<T> {
    pub(super) request: T,
    pub(super) report: T,
    pub(super) init: T,
    pub(super) filter: T,
    pub(super) stdin: T,
    pub(super) stdout: T,
    pub(super) stderr: T,
}

impl<T> Descriptors<T> {
    pub(super) fn into_array(self) -> [T; FDS as usize] {
        [self.request, self.report, self.init, self.filter, self.stdin, self.stdout, self.stderr]
    }

    pub(super) fn from_array(array: [T; FDS as usize]) -> Self {
        let [request, report, init, filter, stdin, stdout, stderr] = array;
        Self { request, report, init, filter, stdin, stdout, stderr }
    }
}

/// What comes through the report pipe, one JSON value a line, before it closes because the program runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The helper's second process, which goes into the container in its place; in the supervisor's pid namespace.
    Entering { pid: i32 },
    /// The process that becomes the program; in the supervisor's pid namespace.
    Forked { pid: i32 },
    /// All steps before the execve have succeeded.
    AboutToExec,
    /// It didn't work. Nothing follows.
    Failed(Failure),
}

/// Writes a line of the report. A supervisor that is gone hears nothing.
pub(super) fn tell(pipe: &mut File, report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    let _ = pipe.write_all(&line);
}
