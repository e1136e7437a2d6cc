//! Programs that commands run in containers (`barepod exec`): begun in their turn, watched, answered. Their bytes go past the
//! supervisor: they have the client's own pipes, or a terminal whose master the client gets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;

use barepod_engine::event::Exit;
use barepod_engine::spec::ContainerIndex;

use super::Supervisor;
use super::handlers::exit_of;
use super::slot::Present;
use super::sources::{Interest, Token};
use crate::control::{Answer, Exited, Obstacle, Program, Reason, Requester, Streams};
use crate::runtime::container::{ExitStatus, reap_ended};
use crate::runtime::exec::{Exec, ExecError, Progress, Stdio, TerminalSize};

/// Programs at a time.
pub const MOST: usize = 64;
/// Open files of one, with its client's connection, while it is begun.
pub const FILES: u64 = 12;
/// What terminals understand that are named so is understood by all that people have.
const TERM: &str = "TERM=xterm";
const HUP: i32 = rustix::process::Signal::HUP.as_raw();
const KILL: i32 = rustix::process::Signal::KILL.as_raw();
/// The largest number of a signal (signal(7)).
pub(super) const LAST_SIGNAL: i32 = 64;

/// All there are.
pub struct Execs {
    running: BTreeMap<u16, Running>,
    /// Those that wait for their turn, which takes a millisecond or so each.
    waiting: VecDeque<Waiting>,
    /// Of both together.
    most: usize,
}

struct Waiting {
    by: Requester,
    program: Program,
    descriptors: Vec<OwnedFd>,
}

/// One program.
struct Running {
    container: ContainerIndex,
    /// Who asked for it; `None`: nobody waits for it any more.
    by: Option<Requester>,
    exec: Exec,
    /// Whether its container was killed, and it with that.
    container_killed: bool,
    /// Signals for when its program is there.
    signals: BTreeSet<i32>,
}

impl Execs {
    /// None yet; at most `most` at a time.
    pub fn new(most: usize) -> Self {
        Self { running: BTreeMap::new(), waiting: VecDeque::new(), most }
    }

    /// How many more there may be.
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.running.len() + self.waiting.len())
    }

    /// Whether one waits for its turn.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn of(&mut self, by: Requester) -> Option<(u16, &mut Running)> {
        self.running.iter_mut().find(|(_, one)| one.by == Some(by)).map(|(number, one)| (*number, one))
    }
}

impl Supervisor<'_> {
    /// A client asks for one.
    pub(super) fn exec_asked(&mut self, by: Requester, program: Program, descriptors: Vec<OwnedFd>) {
        if self.execs.room() <= self.copies.len() {
            let most = self.execs.most;
            let message = format!("at most {most} programs at a time are run in the containers of this pod");
            return self.control.answer(by, Answer::NotRun { obstacle: Obstacle::Other, message });
        }
        self.execs.waiting.push_back(Waiting { by, program, descriptors });
    }

    /// Begins the next that waits, or says what keeps it from being run.
    pub(super) fn begin_next_exec(&mut self) {
        let Some(Waiting { by, program, descriptors }) = self.execs.waiting.pop_front() else { return };
        let exec = self.exec_in_container(program, descriptors).and_then(|(container, exec)| {
            let number = (0..u16::MAX).find(|number| !self.execs.running.contains_key(number)).unwrap_or_default();
            let added = self.sources.add(exec.fd(), Token::Exec(number), Interest::Readable);
            added.map_err(|errno| (Obstacle::Other, format!("epoll_ctl: {errno}")))?;
            Ok((number, Running { container, by: Some(by), exec, container_killed: false, signals: BTreeSet::new() }))
        });
        match exec {
            Ok((number, running)) => _ = self.execs.running.insert(number, running),
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
        let (index, present) = self.running(&container)?;
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().ok_or((Obstacle::Other, "a descriptor is missing".to_owned()));
        let (stdio, at_terminal) = match streams {
            Streams::Output => (Stdio::Given { stdin: None, stdout: next()?, stderr: next()? }, false),
            Streams::All => (Stdio::Given { stdin: Some(next()?), stdout: next()?, stderr: next()? }, false),
            Streams::Terminal { rows, columns } => {
                (Stdio::Terminal { to: next()?, size: TerminalSize { rows, columns } }, true)
            }
        };
        let begun = present.begin_exec(stdio, |process| {
            process.set_args(Some(command));
            let mut variables = process.env().clone().unwrap_or_default();
            if at_terminal && !variables.iter().any(|one| one.starts_with("TERM=")) {
                variables.push(TERM.to_owned());
                process.set_env(Some(variables));
            }
        });
        begun.map(|exec| (index, exec)).map_err(|error| obstacle(&error))
    }

    /// A container whose program runs.
    pub(super) fn running(&self, container: &str) -> Result<(ContainerIndex, &Present), (Obstacle, String)> {
        let containers = &self.pod.plan.lifecycle.containers;
        let at = containers.iter().position(|one| one.name == container);
        let Some((at, index)) = at.and_then(|at| Some((at, ContainerIndex(u16::try_from(at).ok()?)))) else {
            return Err((Obstacle::NoContainer, format!("there is no container {container:?}")));
        };
        let present = self.slots[at].running();
        let present =
            present.ok_or_else(|| (Obstacle::NotRunning, format!("container {container:?} isn't running")))?;
        Ok((index, present))
    }

    /// Its descriptor is readable.
    pub(super) fn exec_moved(&mut self, number: u16) {
        let Some(running) = self.execs.running.get_mut(&number) else { return };
        let progress = running.exec.advance();
        self.send_signals(number);
        let Progress::Ended(end) = progress else { return };
        reap_ended();
        let Some(Running { container, by, container_killed, .. }) = self.execs.running.remove(&number) else { return };
        let answer = answer(end, || container_killed || self.is_ending(container));
        if let Some(by) = by {
            self.control.answer(by, answer);
        }
    }

    /// A signal for the program of a client's own request.
    pub(super) fn signal_exec(&mut self, by: Requester, of: u64, signal: i32) {
        if !(1..=LAST_SIGNAL).contains(&signal) {
            let message = format!("{signal} is no signal");
            return self.control.answer(by, Answer::Refused { reason: Reason::Malformed, message });
        }
        if let Some((number, running)) = self.execs.of(by.of(of)) {
            running.signals.insert(signal);
            self.send_signals(number);
        }
        self.control.answer(by, Answer::Done);
    }

    /// Nobody waits for an answer any more: the program is told as it would be by a terminal that is gone. One that doesn't
    /// run yet isn't run.
    pub(super) fn exec_left(&mut self, by: Requester) {
        self.execs.waiting.retain(|one| one.by != by);
        let Some((number, _)) = self.execs.of(by) else { return };
        // What its helper has told by now may be unread: a program that runs gets SIGHUP, and isn't dropped as one that doesn't.
        self.exec_moved(number);
        let Some((number, running)) = self.execs.of(by) else { return };
        if !running.exec.is_being_executed() {
            self.execs.running.remove(&number);
            return reap_ended();
        }
        running.by = None;
        running.signals.insert(HUP);
        self.send_signals(number);
    }

    /// Those that its program is there for; one that can't be sent is told of and not tried again.
    fn send_signals(&mut self, number: u16) {
        let Some(running) = self.execs.running.get_mut(&number) else { return };
        while let Some(signal) = running.signals.pop_first() {
            match running.exec.signal(signal) {
                Ok(true) => {}
                Ok(false) => {
                    running.signals.insert(signal);
                    return;
                }
                Err(error) => self.audience.warn(&error.to_string()),
            }
        }
    }

    /// A container was sent SIGKILL: what runs in it may be seen to end before it is.
    pub(super) fn execs_are_killed(&mut self, container: ContainerIndex) {
        for running in self.execs.running.values_mut().filter(|one| one.container == container) {
            running.container_killed = true;
        }
    }

    /// A container has ended, and whatever ran in it with it.
    pub(super) fn end_execs(&mut self, container: ContainerIndex) {
        let mine = self.execs.running.iter().filter(|(_, one)| one.container == container);
        for number in mine.map(|(number, _)| *number).collect::<Vec<u16>>() {
            // Dropped, it is killed with all that it has started.
            let Some(mut running) = self.execs.running.remove(&number) else { continue };
            let answer = match running.exec.advance() {
                // Before its container, perhaps, by itself.
                Progress::Ended(end) => answer(end, || true),
                Progress::Pending => Answer::Exited(Exited::Container),
            };
            if let Some(by) = running.by {
                self.control.answer(by, answer);
            }
        }
        reap_ended();
    }
}

/// How it ended, or why it never ran. `with_container`: whether SIGKILL was its container's.
fn answer(end: Result<ExitStatus, ExecError>, with_container: impl Fn() -> bool) -> Answer {
    match end.map(exit_of) {
        Ok(Exit::Signal(signal)) if i32::from(signal) == KILL && with_container() => Answer::Exited(Exited::Container),
        Ok(Exit::Signal(signal)) => Answer::Exited(Exited::Signal(signal)),
        Ok(Exit::Code(code)) => Answer::Exited(Exited::Code(code)),
        Ok(Exit::Unknown) => Answer::Exited(Exited::Unknown),
        // On its way into a container that went.
        Err(ExecError::HelperDied | ExecError::Died(ExitStatus::Signal(KILL))) if with_container() => {
            Answer::NotRun { obstacle: Obstacle::NotRunning, message: ExecError::NotRunning.to_string() }
        }
        Err(error) => {
            let (obstacle, message) = obstacle(&error);
            Answer::NotRun { obstacle, message }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// SIGKILL of a program counts as its container's where that ends too; all else is its own.
    #[test]
    fn whose_end_it_was() {
        let told = |end, with_container| answer(end, || with_container);
        let exited = |exited| Answer::Exited(exited);
        assert_eq!(told(Ok(ExitStatus::Code(3)), true), exited(Exited::Code(3)));
        assert_eq!(told(Ok(ExitStatus::Signal(15)), true), exited(Exited::Signal(15)));
        assert_eq!(told(Ok(ExitStatus::Signal(KILL)), false), exited(Exited::Signal(9)));
        assert_eq!(told(Ok(ExitStatus::Signal(KILL)), true), exited(Exited::Container));
        assert_eq!(told(Ok(ExitStatus::Unknown), true), exited(Exited::Unknown));
        let obstacle = |answer| match answer {
            Answer::NotRun { obstacle, .. } => obstacle,
            other => panic!("{other:?}"),
        };
        assert_eq!(obstacle(told(Err(ExecError::HelperDied), true)), Obstacle::NotRunning);
        assert_eq!(obstacle(told(Err(ExecError::HelperDied), false)), Obstacle::Other);
        assert_eq!(obstacle(told(Err(ExecError::Died(ExitStatus::Signal(KILL))), true)), Obstacle::NotRunning);
        assert_eq!(obstacle(told(Err(ExecError::NotRunning), false)), Obstacle::NotRunning);
    }
}
