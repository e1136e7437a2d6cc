//! Probes and hooks under way: begun when the engine asks, watched with everything else, answered exactly once.
//!
//! What counts as success is written here and nowhere else; what a result means for the pod is the engine's.

use std::collections::{BTreeMap, VecDeque};

use barepod_engine::event::{ContainerEvent, HookResult, ProbeResult};
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::clock::Alarm;
use super::slot::Made;
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::plan::{self, Call, Handler, Names, Purpose};
use crate::runtime::container::reap_ended;
use crate::runtime::exec::{Exec, ExecError, ExecRequest, ExitStatus, Progress, Stdio};
use crate::runtime::handler::{Outcome, Request};

/// R6.5: how often what can't be carried out is tried.
const TRIES: u8 = 3;
/// Bytes of a program's output that are shown (R6.11).
const OUTPUT: usize = 1024;

/// All that run.
pub type Handlers = BTreeMap<(ContainerIndex, Purpose), Running>;

/// One probe or hook.
pub struct Running {
    attempt: Attempt,
    handler: Handler,
    work: Work,
    tries: u8,
    limit: Option<Limit>,
}

enum Work {
    Exec(Box<Exec>),
    Request(Request),
    /// Its container ends: the answer waits until that is known, so that a probe isn't blamed for it.
    Held,
}

/// A probe's `timeoutSeconds`.
struct Limit {
    alarm: Alarm,
    seconds: u64,
    passed: bool,
}

/// How a try went.
enum Try {
    Good,
    Odd(String),
    Bad(String),
    /// It could not be carried out.
    Impossible(String),
    /// The container isn't there any more.
    Gone,
}

impl Supervisor<'_> {
    pub(super) fn begin_handler(&mut self, container: ContainerIndex, attempt: Attempt, purpose: Purpose) {
        let pod_ip = self.sandbox.as_ref().and_then(|sandbox| sandbox.pod_ips().first());
        let pod_ip = pod_ip.map_or("127.0.0.1", String::as_str);
        let handler = match plan::handler(&plan::pod_container(&self.pod.manifest, container), purpose, pod_ip) {
            Some(Ok(handler)) => handler,
            Some(Err(error)) => {
                return self.answer_handler(container, attempt, purpose, Try::Impossible(error.to_string()));
            }
            None => return self.answer_handler(container, attempt, purpose, Try::Good),
        };
        self.try_handler(container, attempt, purpose, handler, 1);
    }

    /// Begins a try; where that fails, the next.
    fn try_handler(
        &mut self,
        container: ContainerIndex,
        attempt: Attempt,
        purpose: Purpose,
        handler: Handler,
        first: u8,
    ) {
        let mut why = String::new();
        for tries in first..=TRIES {
            match self.begin_work(container, purpose, &handler) {
                Ok((work, limit)) => {
                    self.handlers.insert((container, purpose), Running { attempt, handler, work, tries, limit });
                    return;
                }
                Err(Try::Impossible(cause)) => why = cause,
                Err(_) => {
                    let running = Running { attempt, handler, work: Work::Held, tries, limit: None };
                    self.handlers.insert((container, purpose), running);
                    return;
                }
            }
        }
        let how = named(purpose, &handler, Try::Impossible(why));
        self.answer_handler(container, attempt, purpose, how);
    }

    fn begin_work(
        &self,
        container: ContainerIndex,
        purpose: Purpose,
        handler: &Handler,
    ) -> Result<(Work, Option<Limit>), Try> {
        let fail = |cause: &dyn std::fmt::Display| Try::Impossible(cause.to_string());
        let limit = self.limit(container, purpose).map_err(|errno| fail(&errno))?;
        let token = Token::Handler(container, purpose);
        let work = match handler {
            Handler::Exec { command } => {
                let exec = self.begin_exec(container, command)?;
                self.sources.add(exec.fd(), token, Interest::Readable).map_err(|errno| fail(&errno))?;
                Work::Exec(Box::new(exec))
            }
            Handler::Network(call) => {
                let namespace = self.sandbox.as_ref().and_then(|sandbox| sandbox.network());
                let request = Request::begin(call, &self.names(call), namespace).map_err(|cause| fail(&cause))?;
                self.sources.add(request.fd(), token, Interest::Readable).map_err(|errno| fail(&errno))?;
                Work::Request(request)
            }
        };
        Ok((work, limit))
    }

    /// A look at the files is spared where nothing is to be looked up.
    fn names(&self, call: &Call) -> Names {
        if !call.needs_names() {
            return Names::default();
        }
        let sandbox = &self.pod.plan.sandbox;
        Names {
            hosts: vec![sandbox.hosts.clone(), self.pod.node.hosts.clone()],
            resolv_conf: sandbox.resolv_conf.clone(),
        }
    }

    fn begin_exec(&self, container: ContainerIndex, command: &[String]) -> Result<Exec, Try> {
        let present = self.slots[usize::from(container.0)].present().ok_or(Try::Gone)?;
        let Made { process, filter, .. } = &present.made;
        let mut process = process.clone().ok_or(Try::Gone)?;
        process.set_args(Some(command.to_vec()));
        let request = ExecRequest {
            pid: present.container.pid(),
            init: present.container.pidfd(),
            process: &process,
            filter: filter.as_ref().map(|compiled| &compiled.filter),
            stdio: Stdio::Capture { limit: OUTPUT },
        };
        Exec::begin(request).map_err(|error| match error {
            ExecError::NotRunning => Try::Gone,
            other => Try::Impossible(other.to_string()),
        })
    }

    /// Hooks have no limit of their own: they end with their container.
    fn limit(&self, container: ContainerIndex, purpose: Purpose) -> rustix::io::Result<Option<Limit>> {
        let Purpose::Probe(probe) = purpose else { return Ok(None) };
        let spec = &self.pod.plan.lifecycle.containers[usize::from(container.0)];
        let Some(timeout) = spec.probe(probe).map(|probe| probe.timeout) else { return Ok(None) };
        let mut alarm = Alarm::new()?;
        alarm.set(Some(now().monotonic.after(timeout)))?;
        self.sources.add(&alarm, Token::HandlerAlarm(container, purpose), Interest::Readable)?;
        Ok(Some(Limit { alarm, seconds: timeout.as_secs(), passed: false }))
    }

    /// Its descriptor is readable.
    pub(super) fn handler_moved(&mut self, container: ContainerIndex, purpose: Purpose) {
        let Some(running) = self.handlers.get_mut(&(container, purpose)) else { return };
        let how = match &mut running.work {
            Work::Held => return,
            Work::Exec(exec) => match exec.advance() {
                Progress::Pending => return,
                Progress::Ended(end) => judge(end, &running.handler, exec.output()),
            },
            Work::Request(request) => match request.outcome() {
                None => return,
                Some(Outcome::Success) => Try::Good,
                Some(Outcome::Warning(text)) => Try::Odd(text),
                Some(Outcome::Failure(text)) => Try::Bad(text),
                Some(Outcome::Error(text)) => Try::Impossible(text),
            },
        };
        reap_ended();
        let how = match &running.limit {
            Some(limit) if limit.passed => Try::Bad(running.handler.timed_out(limit.seconds)),
            _ => how,
        };
        // A container's end takes the programs in it along, a moment before it can be seen itself.
        let ends = matches!(how, Try::Gone)
            || matches!(how, Try::Bad(_)) && matches!(running.work, Work::Exec(_)) && self.is_ending(container);
        let Some(mut running) = self.handlers.remove(&(container, purpose)) else { return };
        match how {
            _ if ends => {
                running.work = Work::Held;
                running.limit = None;
                self.handlers.insert((container, purpose), running);
            }
            Try::Impossible(_) if running.tries < TRIES => {
                let Running { attempt, handler, tries, .. } = running;
                self.try_handler(container, attempt, purpose, handler, tries + 1);
            }
            how => {
                let how = named(purpose, &running.handler, how);
                self.answer_handler(container, running.attempt, purpose, how);
            }
        }
    }

    fn is_ending(&self, container: ContainerIndex) -> bool {
        self.slots[usize::from(container.0)].present().is_none_or(|present| present.container.is_ending())
    }

    /// Its time is up.
    pub(super) fn handler_late(&mut self, container: ContainerIndex, purpose: Purpose) {
        let Some(running) = self.handlers.get_mut(&(container, purpose)) else { return };
        let Some(limit) = &mut running.limit else { return };
        limit.alarm.acknowledge();
        limit.passed = true;
        let late = running.handler.timed_out(limit.seconds);
        match &mut running.work {
            // Its end is the answer: nothing of it is left then (R6.10).
            Work::Exec(exec) => {
                if let Err(error) = exec.kill_tree() {
                    self.audience.warn(&error.to_string());
                }
            }
            Work::Request(_) => {
                let attempt = running.attempt;
                self.handlers.remove(&(container, purpose));
                self.answer_handler(container, attempt, purpose, Try::Bad(late));
            }
            Work::Held => {}
        }
    }

    /// A container has ended: what still runs for it ends too (R5.6).
    pub(super) fn end_handlers(&mut self, container: ContainerIndex) {
        let (asked, others): (VecDeque<_>, _) = self.asked.drain(..).partition(|(one, ..)| *one == container);
        self.asked = others;
        for (_, attempt, purpose) in asked {
            self.answer_handler(container, attempt, purpose, Try::Gone);
        }
        let mine: Vec<_> = self.handlers.keys().filter(|(one, _)| *one == container).copied().collect();
        for key in mine {
            if let Some(running) = self.handlers.remove(&key) {
                self.answer_handler(container, running.attempt, key.1, Try::Gone);
            }
        }
        reap_ended();
    }

    fn answer_handler(&mut self, container: ContainerIndex, attempt: Attempt, purpose: Purpose, how: Try) {
        const GONE: &str = "the container has ended";
        let event = match purpose {
            Purpose::Probe(probe) => ContainerEvent::ProbeDone {
                probe,
                result: match how {
                    Try::Good => ProbeResult::Success,
                    Try::Odd(message) => ProbeResult::Warning { message },
                    Try::Bad(message) => ProbeResult::Failure { message },
                    Try::Impossible(message) => ProbeResult::Error { message },
                    Try::Gone => ProbeResult::Error { message: GONE.to_owned() },
                },
            },
            Purpose::Hook(hook) => ContainerEvent::HookDone {
                hook,
                result: match how {
                    Try::Good | Try::Odd(_) => HookResult::Success,
                    Try::Bad(message) | Try::Impossible(message) => HookResult::Failure { message },
                    Try::Gone => HookResult::Failure { message: GONE.to_owned() },
                },
            },
        };
        self.answer(container, attempt, event);
    }
}

/// What a hook's failure is told with; a probe has its own words (R6.11), and a silent program's name its command.
fn named(purpose: Purpose, handler: &Handler, how: Try) -> Try {
    let with = |why: String| if why.starts_with("command ") { why } else { format!("{handler}: {why}") };
    match (purpose, how) {
        (Purpose::Hook(_), Try::Bad(why)) => Try::Bad(with(why)),
        (Purpose::Hook(_), Try::Impossible(why)) => Try::Impossible(with(why)),
        (Purpose::Probe(_) | Purpose::Hook(_), how) => how,
    }
}

/// R6.10: 0 is success. What a failed program printed says best why; where it printed nothing, its exit code does.
fn judge(end: Result<ExitStatus, ExecError>, handler: &Handler, output: &[u8]) -> Try {
    let command = match handler {
        Handler::Exec { command } => command.join(" "),
        Handler::Network(_) => String::new(),
    };
    let output = String::from_utf8_lossy(output).trim_end().to_owned();
    match end {
        Ok(ExitStatus::Code(0)) => Try::Good,
        Ok(_) if !output.is_empty() => Try::Bad(output),
        Ok(ExitStatus::Code(code)) => Try::Bad(format!("command {command:?} exited with {code}")),
        Ok(ExitStatus::Signal(signal)) => Try::Bad(format!("command {command:?} was ended by signal {signal}")),
        Ok(ExitStatus::Unknown) => Try::Bad(format!("command {command:?} ended, nobody knows how")),
        Err(ExecError::NotRunning) => Try::Gone,
        Err(error) => Try::Impossible(error.to_string()),
    }
}
