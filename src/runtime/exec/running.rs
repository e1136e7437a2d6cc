//! The supervisor's end of an exec: begun, watched, ended. Nothing here waits.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::capture::Capture;
use super::cgroup::Place;
use super::failure::{ExecError, Failure, io_error, step};
use super::messages::{Descriptors, Report, Request, Streams};
use super::{ExecRequest, ExitStatus, Stdio, exe, helper};
use crate::runtime::spawn::{self, Child, Environment, Spawn};

/// How much of a program's output is read in one go, in bytes: a program that floods its output must not keep the
/// supervisor from others.
const GO: usize = 64 * 1024;
/// How much is read at most once the program has ended.
const LAST_GO: usize = 1024 * 1024;

/// How far an exec is.
#[derive(Debug)]
pub enum Progress {
    /// Nothing final; poll again.
    Pending,
    /// The program has ended, or never ran. The exec is over; [`Exec::output`] is complete.
    Ended(Result<ExitStatus, ExecError>),
}

/// A program run in a container. Dropping it before its end kills it as [`kill_tree`](Self::kill_tree) does.
#[derive(Debug)]
pub struct Exec {
    /// Holds the descriptors below, so that the caller has one that stays the same. Closed first.
    poll: OwnedFd,
    helper: Option<Child>,
    /// The second process of the helper, where it has one.
    entering: Option<OwnedFd>,
    /// The helper's process group, in which a process is until it has got into the container.
    group: i32,
    report: Option<File>,
    line: Vec<u8>,
    program: Option<(i32, OwnedFd)>,
    about_to_exec: bool,
    failure: Option<Failure>,
    killed: bool,
    exit: Option<ExitStatus>,
    output: Capture,
    over: bool,
    place: Place,
}

impl Exec {
    /// Starts running a program in a container. Returns as soon as the helper runs, well under a millisecond.
    pub fn begin(request: ExecRequest<'_>) -> Result<Self, ExecError> {
        check(request.process)?;
        exe::protect_exe()?;
        let place = Place::find(request.pid)?;
        if spawn::has_ended(request.init) {
            return Err(ExecError::NotRunning);
        }
        let (report, report_end) = spawn::pipe().map_err(io_error("pipe", ""))?;
        let poll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|errno| io_error("epoll_create", "")(errno.into()))?;
        watch(&poll, report.as_fd())?;
        let mut output = Capture::default();
        let (streams, stdin, stdout, stderr) = match request.stdio {
            Stdio::Capture { limit } => {
                let (read, write) = spawn::pipe().map_err(io_error("pipe", ""))?;
                let again = write.try_clone().map_err(io_error("dup", ""))?;
                watch(&poll, read.as_fd())?;
                output = Capture::new(read, limit);
                (Streams::Output, None, Some(write), Some(again))
            }
            Stdio::Given { stdin: None, stdout, stderr } => (Streams::Output, None, Some(stdout), Some(stderr)),
            Stdio::Given { stdin, stdout, stderr } => (Streams::All, stdin, Some(stdout), Some(stderr)),
            Stdio::Terminal { to, size } => (Streams::Terminal(size), Some(to), None, None),
        };
        let text = Request {
            pid: request.pid,
            process: request.process.clone(),
            filtered: request.filter.is_some(),
            cgroups: place.entry().clone(),
            streams,
        };
        let text = spawn::request(&text).map_err(io_error("memfd_create", ""))?;
        let unused = text.as_raw_fd();
        let fds = Descriptors {
            request: text.as_raw_fd(),
            report: report_end.as_raw_fd(),
            init: request.init.as_raw_fd(),
            filter: request.filter.map_or(unused, |filter| filter.as_raw_fd()),
            stdin: stdin.as_ref().map_or(unused, AsRawFd::as_raw_fd),
            stdout: stdout.as_ref().map_or(unused, AsRawFd::as_raw_fd),
            stderr: stderr.as_ref().map_or(unused, AsRawFd::as_raw_fd),
        };
        let what = Spawn {
            name: helper::NAME,
            cgroup: None,
            fds: &fds.into_array(),
            new_pid_namespace: false,
            dies_with_parent: true,
            environment: Environment::Empty,
        };
        let helper = spawn::spawn(&what).map_err(io_error("start", "the helper"))?;
        let exec = Self {
            poll,
            group: helper.pid,
            helper: Some(helper),
            entering: None,
            report: Some(report),
            line: Vec::new(),
            program: None,
            about_to_exec: false,
            failure: None,
            killed: false,
            exit: None,
            output,
            over: false,
            place,
        };
        // On failure the drop ends the helper.
        if let Some(helper) = &exec.helper {
            watch(&exec.poll, helper.pidfd.as_fd())?;
        }
        Ok(exec)
    }

    /// To be polled for reading; the same from beginning to end. Readable when [`advance`](Self::advance) has
    /// something to do.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }

    /// Of the program, once it is known; for showing only.
    pub fn pid(&self) -> Option<i32> {
        self.program.as_ref().map(|(pid, _)| *pid)
    }

    /// Whether the program has been executed (it may have ended since).
    pub fn is_executed(&self) -> bool {
        self.report.is_none() && self.is_being_executed()
    }

    /// Whether nothing but the call that executes the program was left to be done: it runs, or is about to.
    pub fn is_being_executed(&self) -> bool {
        self.about_to_exec && self.failure.is_none()
    }

    /// What the program has written so far, cut at the limit asked for.
    pub fn output(&self) -> &[u8] {
        self.output.kept()
    }

    /// Takes in what there is. Never waits.
    pub fn advance(&mut self) -> Progress {
        if self.over {
            return Progress::Pending;
        }
        self.output.read(GO);
        self.read_report();
        self.reap_helper();
        self.reap_program();
        match self.outcome() {
            None => Progress::Pending,
            Some(outcome) => {
                // What it wrote before its end is in the pipe by now. Not until the pipe's end: a daemon that the
                // program has left may hold it open for ever.
                self.output.read(LAST_GO);
                self.over = true;
                Progress::Ended(outcome)
            }
        }
    }

    /// Kills the program and all that it has started, daemonised or not. Its end comes through
    /// [`advance`](Self::advance) like any other. Something that has ended already is no error.
    pub fn kill_tree(&mut self) -> Result<(), ExecError> {
        self.killed = true;
        // The helper first: a process that it is forking is either there for the kill that follows, or never.
        let helper = self.helper.as_ref().map_or(Ok(()), |helper| spawn::signal(&helper.pidfd, libc::SIGKILL));
        // What it let go it has told of before. Nobody else would reap that: it has left the helper's process group.
        self.read_report();
        let tree = self.place.kill();
        let (entering, program) = (self.entering.as_ref(), self.program.as_ref().map(|(_, pidfd)| pidfd));
        let program = entering.into_iter().chain(program).try_for_each(|pidfd| spawn::signal(pidfd, libc::SIGKILL));
        helper.and(program).map_err(io_error("pidfd_send_signal", "")).and(tree)
    }

    /// Sends the program itself a signal. `false`: it isn't there yet, or any more.
    ///
    /// # Errors
    /// As pidfd_send_signal(2).
    pub fn signal(&self, signal: i32) -> Result<bool, ExecError> {
        match (&self.program, self.exit) {
            (Some((_, pidfd)), None) if self.is_executed() => {
                spawn::signal(pidfd, signal).map_err(io_error("pidfd_send_signal", "")).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    fn read_report(&mut self) {
        let Some(report) = &self.report else { return };
        let ended = spawn::read_some(report, &mut self.line).unwrap_or_else(|cause| {
            // What it says of the program isn't known any more: that doesn't run on unknown.
            self.failure = Some(step("read the helper's report")(cause));
            let _ = self.place.kill();
            true
        });
        if ended {
            self.report = None;
        }
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Report::Entering { pid }) => self.entering = self.adopt(pid),
                Ok(Report::Forked { pid }) => self.program = self.adopt(pid).map(|pidfd| (pid, pidfd)),
                Ok(Report::AboutToExec) => self.about_to_exec = true,
                Ok(Report::Failed(failure)) => self.failure = Some(failure),
                Err(_) => {
                    self.failure = Some(Failure::Step { step: "the helper's report is garbled".into(), errno: None })
                }
            }
        }
    }

    /// The process is our child and nobody but us reaps it, so that its pid is sure to be it. Not taken on trust: the program's
    /// process has the report open as well, and the container may have got hold of that one.
    fn adopt(&mut self, pid: i32) -> Option<OwnedFd> {
        let adopted = spawn::open_pidfd(pid).map_err(|cause| ("pidfd_open", cause)).and_then(|pidfd| {
            if !spawn::is_child(&pidfd) || !self.place.entry().has(pid, &pidfd) {
                return Err(("pidfd_open", io::Error::other("the helper's report is garbled")));
            }
            let added = epoll::add(&self.poll, &pidfd, EventData::new_u64(0), EventFlags::IN);
            added.map_err(|errno| ("epoll_ctl", errno.into())).map(|()| pidfd)
        });
        let adopted = adopted.map_err(|(call, cause)| {
            let place = self.place.entry().clone();
            let _ = self.place.kill();
            self.leave_helper(None);
            // There may be no room for another open file, or memory, just now: it is ended and reaped as soon as there is.
            spawn::leave_child(pid, move |pidfd| place.has(pid, pidfd));
            self.failure = Some(step(call)(cause));
        });
        adopted.ok()
    }

    /// Both of its processes.
    fn reap_helper(&mut self) {
        if self.is_over() {
            return;
        }
        self.helper.take_if(|helper| !matches!(spawn::reap(&helper.pidfd), Ok(None)));
        self.entering.take_if(|pidfd| !matches!(spawn::reap(pidfd), Ok(None)));
        if self.is_over() {
            // The helper may have been killed before it could tell of the other one, or of the program. Until they are
            // known they stay in its process group.
            self.read_report();
            if self.entering.is_none() && self.program.is_none() {
                self.leave_helper(None);
            }
        }
    }

    /// Whether the helper has ended, as far as is known.
    fn is_over(&self) -> bool {
        self.helper.is_none() && self.entering.is_none()
    }

    /// For `reap_ended`: our children by their process groups.
    fn leave_helper(&self, program: Option<i32>) {
        for group in program.into_iter().chain([self.group]) {
            spawn::reap_later(group);
        }
    }

    fn reap_program(&mut self) {
        if let (None, Some((_, pidfd))) = (self.exit, &self.program) {
            self.exit = match spawn::reap(pidfd) {
                Ok(status) => status,
                Err(_) => Some(ExitStatus::Unknown),
            };
        }
    }

    /// Final once everything of ours has ended.
    fn outcome(&mut self) -> Option<Result<ExitStatus, ExecError>> {
        if !self.is_over() || (self.program.is_some() && self.exit.is_none()) {
            return None;
        }
        // Whoever could have written to it has ended or executed the program: nothing is on its way.
        self.read_report();
        if !self.is_over() || (self.program.is_some() && self.exit.is_none()) {
            return None;
        }
        Some(match (self.failure.take(), self.exit) {
            (_, exit) if self.killed => Ok(exit.unwrap_or(ExitStatus::Signal(libc::SIGKILL))),
            (Some(Failure::Gone), _) => Err(ExecError::NotRunning),
            (Some(failure), _) => Err(ExecError::Failed(failure)),
            (None, None) => Err(ExecError::HelperDied),
            (None, Some(exit)) if self.about_to_exec => Ok(exit),
            (None, Some(exit)) => Err(ExecError::Died(exit)),
        })
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let _ = self.kill_tree();
        self.leave_helper(self.program.as_ref().filter(|_| self.exit.is_none()).map(|(pid, _)| *pid));
    }
}

/// Refuses what can't be had: a program that runs with less protection than its container is worse than none.
fn check(process: &Process) -> Result<(), ExecError> {
    let unsupported = [
        ("terminal", process.terminal() == Some(true)),
        ("ioPriority", process.io_priority().is_some()),
        ("scheduler", process.scheduler().is_some()),
        ("execCPUAffinity", process.exec_cpu_affinity().is_some()),
    ];
    unsupported.into_iter().find(|(_, asked)| *asked).map_or(Ok(()), |(field, _)| Err(ExecError::Unsupported { field }))
}

fn watch(poll: &OwnedFd, fd: BorrowedFd<'_>) -> Result<(), ExecError> {
    epoll::add(poll, fd, EventData::new_u64(0), EventFlags::IN).map_err(|errno| io_error("epoll_ctl", "")(errno.into()))
}
