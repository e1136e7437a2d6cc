//! Programs that commands run in containers (`barepod exec`): begun, watched, answered. Their bytes go past the supervisor:
//! they have the client's own pipes, or a terminal whose master the client gets.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use barepod_engine::spec::ContainerIndex;

use super::Supervisor;
use super::slot::{Made, Present, Start};
use super::sources::{Interest, Token};
use crate::control::{Answer, Exited, Obstacle, Program, Requester, Streams};
use crate::runtime::container::reap_ended;
use crate::runtime::exec::{Exec, ExecError, ExecRequest, ExitStatus, Progress, Stdio, TerminalSize};

/// Programs at a time.
pub const MOST: usize = 64;
/// Open files of one, with its client's connection, while it is begun.
pub const FILES: u64 = 12;
/// What terminals understand that are named so is understood by all that people have.
const TERM: &str = "TERM=xterm";
const HUP: i32 = rustix::process::Signal::HUP.as_raw();
const KILL: i32 = rustix::process::Signal::KILL.as_raw();

/// All that run, by number.
pub type Execs = BTreeMap<u16, Running>;

/// One program.
pub struct Running {
    container: ContainerIndex,
    /// Who asked for it; `None`: nobody waits for it any more.
    by: Option<Requester>,
    exec: Exec,
    /// Whether its container was killed, and it with that.
    container_killed: bool,
    /// Signals for when its program is there.
    signals: Vec<i32>,
}

impl Supervisor<'_> {
    /// Begins what a client asks for, or says what keeps it from being run.
    pub(super) fn begin_exec_for(&mut self, by: Requester, program: Program, descriptors: Vec<OwnedFd>) {
        let exec = self.exec_in_container(program, descriptors).and_then(|(container, exec)| {
            let number = (0..u16::MAX).find(|number| !self.execs.contains_key(number)).unwrap_or_default();
            let added = self.sources.add(exec.fd(), Token::Exec(number), Interest::Readable);
            added.map_err(|errno| (Obstacle::Other, format!("epoll_ctl: {errno}")))?;
            Ok((number, Running { container, by: Some(by), exec, container_killed: false, signals: Vec::new() }))
        });
        match exec {
            Ok((number, running)) => _ = self.execs.insert(number, running),
            Err((obstacle, message)) => self.control.answer(by, Answer::NotRun { obstacle, message }),
        }
        reap_ended();
    }

    fn exec_in_container(
        &self,
        program: Program,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(ContainerIndex, Exec), (Obstacle, String)> {
        let Program { container, command, streams } = program;
        let containers = &self.pod.plan.lifecycle.containers;
        let Some(at) = containers.iter().position(|one| one.name == container) else {
            return Err((Obstacle::NoContainer, format!("there is no container {container:?}")));
        };
        let not_running = || (Obstacle::NotRunning, format!("container {container:?} isn't running"));
        let Some(Present { container: present, made, start: Start::Started { .. }, ran: None, .. }) =
            self.slots[at].present()
        else {
            return Err(not_running());
        };
        if self.execs.len() >= self.most_execs {
            let message = format!("at most {} programs at a time are run in containers of a pod", self.most_execs);
            return Err((Obstacle::Other, message));
        }
        let Made { process, filter, .. } = made;
        let mut process = process.clone().ok_or_else(not_running)?;
        process.set_args(Some(command));
        process.set_terminal(None);
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().ok_or((Obstacle::Other, "a descriptor is missing".to_owned()));
        let stdio = match streams {
            Streams::Output => Stdio::Given { stdin: None, stdout: next()?, stderr: next()? },
            Streams::All => Stdio::Given { stdin: Some(next()?), stdout: next()?, stderr: next()? },
            Streams::Terminal { rows, columns } => {
                let mut variables = process.env().clone().unwrap_or_default();
                if !variables.iter().any(|one| one.starts_with("TERM=")) {
                    variables.push(TERM.to_owned());
                }
                process.set_env(Some(variables));
                Stdio::Terminal { to: next()?, size: TerminalSize { rows, columns } }
            }
        };
        let request = ExecRequest {
            pid: present.pid(),
            init: present.pidfd(),
            process: &process,
            filter: filter.as_ref().map(|compiled| &compiled.filter),
            stdio,
        };
        let index = u16::try_from(at).map(ContainerIndex).map_err(|_| not_running())?;
        Exec::begin(request).map(|exec| (index, exec)).map_err(|error| obstacle(&error))
    }

    /// Its descriptor is readable.
    pub(super) fn exec_moved(&mut self, number: u16) {
        let Some(running) = self.execs.get_mut(&number) else { return };
        let progress = running.exec.advance();
        let sent = running.send_signals();
        if let Err(error) = sent {
            self.audience.warn(&error.to_string());
        }
        let Progress::Ended(end) = progress else { return };
        reap_ended();
        let Some(running) = self.execs.remove(&number) else { return };
        let answer = match end {
            Ok(ExitStatus::Signal(KILL)) if running.container_killed || self.container_ends(running.container) => {
                Answer::Exited(Exited::Container)
            }
            Ok(ExitStatus::Code(code)) => Answer::Exited(Exited::Code(u8::try_from(code & 0xff).unwrap_or(u8::MAX))),
            Ok(ExitStatus::Signal(signal)) => Answer::Exited(Exited::Signal(u8::try_from(signal).unwrap_or(u8::MAX))),
            Ok(ExitStatus::Unknown) => Answer::Exited(Exited::Unknown),
            Err(error) => {
                let (obstacle, message) = obstacle(&error);
                Answer::NotRun { obstacle, message }
            }
        };
        if let Some(by) = running.by {
            self.control.answer(by, answer);
        }
    }

    /// A container was sent SIGKILL: what runs in it may be seen to end before it is.
    pub(super) fn execs_are_killed(&mut self, container: ContainerIndex) {
        for running in self.execs.values_mut().filter(|one| one.container == container) {
            running.container_killed = true;
        }
    }

    fn container_ends(&self, container: ContainerIndex) -> bool {
        self.slots[usize::from(container.0)].present().is_none_or(|present| present.container.is_ending())
    }

    /// A signal for the program of a client's own request.
    pub(super) fn signal_exec(&mut self, by: Requester, of: u64, signal: i32) {
        let whose = by.of(of);
        if let Some(running) = self.execs.values_mut().find(|one| one.by == Some(whose)) {
            running.signals.push(signal);
            if let Err(error) = running.send_signals() {
                self.audience.warn(&error.to_string());
            }
        }
        self.control.answer(by, Answer::Done);
    }

    /// Nobody waits for an answer any more: the program is told as it would be by a terminal that is gone.
    pub(super) fn exec_left(&mut self, by: Requester) {
        if let Some(running) = self.execs.values_mut().find(|one| one.by == Some(by)) {
            running.by = None;
            running.signals.push(HUP);
            if let Err(error) = running.send_signals() {
                self.audience.warn(&error.to_string());
            }
        }
    }

    /// A container has ended, and whatever ran in it with it.
    pub(super) fn end_execs(&mut self, container: ContainerIndex) {
        let mine: Vec<u16> =
            self.execs.iter().filter(|(_, one)| one.container == container).map(|(number, _)| *number).collect();
        for number in mine {
            // Dropped, it is killed with all that it has started.
            let Some(Running { by: Some(by), .. }) = self.execs.remove(&number) else { continue };
            self.control.answer(by, Answer::Exited(Exited::Container));
        }
        reap_ended();
    }
}

impl Running {
    fn send_signals(&mut self) -> Result<(), ExecError> {
        while let Some(signal) = self.signals.first() {
            if !self.exec.signal(*signal)? {
                break;
            }
            self.signals.remove(0);
        }
        Ok(())
    }
}

fn obstacle(error: &ExecError) -> (Obstacle, String) {
    let kind = match error {
        ExecError::NotRunning => Obstacle::NotRunning,
        ExecError::Failed(failure) if failure.is_absent_program() => Obstacle::NotFound,
        ExecError::Failed(failure) if failure.is_program() => Obstacle::NotExecutable,
        _ => Obstacle::Other,
    };
    (kind, error.to_string())
}
