//! Probes and hooks under way: begun when the engine asks, watched with everything else, answered exactly once. What is seen of
//! them is put into words by `plan`; what it means for the pod, and whether it is tried again, is the engine's.

use std::collections::{BTreeMap, VecDeque};

use barepod_engine::event::Exit;
use barepod_engine::spec::{Attempt, ContainerIndex};

use super::clock::Alarm;
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::plan::{self, Call, Handler, Names, Outcome, PodNetwork, Purpose};
use crate::runtime::container::{ExitStatus, reap_ended};
use crate::runtime::exec::{Exec, ExecError, Progress, Stdio};
use crate::runtime::handler::{self, Request};

/// Bytes of a program's output that are shown (R6.11).
const OUTPUT: usize = 1024;

/// All that run.
pub type Handlers = BTreeMap<(ContainerIndex, Purpose), Running>;

/// One probe or hook.
pub struct Running {
    attempt: Attempt,
    handler: Handler,
    work: Work,
    limit: Option<Limit>,
}

enum Work {
    Exec(Box<Exec>),
    Request(Request),
}

/// A probe's `timeoutSeconds`.
struct Limit {
    alarm: Alarm,
    seconds: u64,
    passed: bool,
}

/// How a program ended, as the engine has it.
pub(super) fn exit_of(status: ExitStatus) -> Exit {
    match status {
        ExitStatus::Signal(signal) => u8::try_from(signal).map_or(Exit::Unknown, Exit::Signal),
        ExitStatus::Code(_) | ExitStatus::Unknown => status.code().map_or(Exit::Unknown, Exit::Code),
    }
}

impl Supervisor<'_> {
    pub(super) fn begin_handler(&mut self, container: ContainerIndex, attempt: Attempt, purpose: Purpose) {
        let pod_ip = self.network().ips().swap_remove(0);
        let handler = match plan::handler(&self.pod.plan.container(&self.pod.manifest, container), purpose, &pod_ip) {
            Some(Ok(handler)) => handler,
            Some(Err(error)) => {
                return self.answer(container, attempt, plan::answer(purpose, Outcome::Error(error.to_string())));
            }
            None => return self.answer(container, attempt, plan::answer(purpose, Outcome::Success)),
        };
        match self.begin_work(container, purpose, &handler) {
            Ok((work, limit)) => {
                self.handlers.insert((container, purpose), Running { attempt, handler, work, limit });
            }
            Err(outcome) => self.answer(container, attempt, handler.answer(purpose, outcome)),
        }
    }

    fn begin_work(
        &self,
        container: ContainerIndex,
        purpose: Purpose,
        handler: &Handler,
    ) -> Result<(Work, Option<Limit>), Outcome> {
        let fail = |cause: &dyn std::fmt::Display| Outcome::Error(cause.to_string());
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
        let (plan, network) = (&self.pod.plan.sandbox, self.network());
        Names {
            hosts: vec![plan.hosts.text(&network.ips()), self.pod.node.hosts.clone()],
            resolv_conf: plan.resolv_conf.text(&network),
        }
    }

    /// Of the sandbox that there is now.
    fn network(&self) -> PodNetwork {
        self.sandbox.as_ref().map(|sandbox| sandbox.pod_network().clone()).unwrap_or_default()
    }

    fn begin_exec(&self, container: ContainerIndex, command: &[String]) -> Result<Exec, Outcome> {
        let present = self.slots[usize::from(container.0)].present().ok_or(Outcome::ContainerEnds)?;
        let begun = present.begin_exec(Stdio::Capture { limit: OUTPUT }, |process| {
            process.set_args(Some(command.to_vec()));
        });
        begun.map_err(|error| match error {
            ExecError::NotRunning => Outcome::ContainerEnds,
            other => Outcome::Error(other.to_string()),
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
        let outcome = match &mut running.work {
            Work::Exec(exec) => match exec.advance() {
                Progress::Pending => return,
                Progress::Ended(Ok(status)) => running.handler.program_ended(exit_of(status), exec.output()),
                Progress::Ended(Err(ExecError::NotRunning)) => Outcome::ContainerEnds,
                Progress::Ended(Err(error)) => Outcome::Error(error.to_string()),
            },
            Work::Request(request) => match request.outcome() {
                None => return,
                Some(handler::Outcome::Success) => Outcome::Success,
                Some(handler::Outcome::Warning(text)) => Outcome::Warning(text),
                Some(handler::Outcome::Failure(text)) => Outcome::Failure(text),
                Some(handler::Outcome::Error(text)) => Outcome::Error(text),
            },
        };
        reap_ended();
        let Some(Running { attempt, handler, limit, .. }) = self.handlers.remove(&(container, purpose)) else { return };
        let outcome = match limit {
            Some(limit) if limit.passed => handler.late(limit.seconds),
            Some(_) | None => outcome,
        };
        let outcome = handler.blamed(outcome, || self.is_ending(container));
        self.answer(container, attempt, handler.answer(purpose, outcome));
    }

    /// Whether a container is on its way out, or gone.
    pub(super) fn is_ending(&self, container: ContainerIndex) -> bool {
        self.slots[usize::from(container.0)].present().is_none_or(|present| present.container.is_ending())
    }

    /// Its time is up.
    pub(super) fn handler_late(&mut self, container: ContainerIndex, purpose: Purpose) {
        let Some(running) = self.handlers.get_mut(&(container, purpose)) else { return };
        let Some(limit) = &mut running.limit else { return };
        limit.alarm.acknowledge();
        limit.passed = true;
        let late = running.handler.late(limit.seconds);
        match &mut running.work {
            // Its end is the answer: nothing of it is left then (R6.10).
            Work::Exec(exec) => {
                if let Err(error) = exec.kill_tree() {
                    self.audience.warn(&error.to_string());
                }
            }
            Work::Request(_) => {
                let (attempt, event) = (running.attempt, running.handler.answer(purpose, late));
                self.handlers.remove(&(container, purpose));
                self.answer(container, attempt, event);
            }
        }
    }

    /// A container has ended: what still runs for it ends too (R5.6).
    pub(super) fn end_handlers(&mut self, container: ContainerIndex) {
        let (asked, others): (VecDeque<_>, _) = self.asked.drain(..).partition(|(one, ..)| *one == container);
        self.asked = others;
        for (_, attempt, purpose) in asked {
            self.answer(container, attempt, plan::answer(purpose, Outcome::ContainerEnds));
        }
        let mine: Vec<_> = self.handlers.keys().filter(|(one, _)| *one == container).copied().collect();
        for key in mine {
            if let Some(running) = self.handlers.remove(&key) {
                self.answer(container, running.attempt, plan::answer(key.1, Outcome::ContainerEnds));
            }
        }
        reap_ended();
    }
}
