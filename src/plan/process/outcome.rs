//! How a try of a probe or hook went, from what was seen of it, and what the engine is told: what counts as success (R6.10, R7.4)
//! is written here and nowhere else. What a result means for the pod, and whether it is tried again, is the engine's.

use barepod_engine::event::{ContainerEvent, Exit, HookResult, ProbeResult};

use super::handler::{Handler, Purpose};

/// How a try went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// Well, with a warning.
    Warning(String),
    /// It failed, for this.
    Failure(String),
    /// It could not be carried out, for this.
    Error(String),
    /// The container isn't there any more, or is about to go and took this along.
    ContainerEnds,
}

impl Handler {
    /// Of a program that ended like this after printing this: 0 is success. What a failed program printed says best why; where it
    /// printed nothing, its exit code does.
    #[must_use]
    pub fn program_ended(&self, exit: Exit, output: &[u8]) -> Outcome {
        let command = match self {
            Self::Exec { command } => command.join(" "),
            Self::Network(_) => String::new(),
        };
        let output = String::from_utf8_lossy(output).trim_end().to_owned();
        match exit {
            Exit::Code(0) => Outcome::Success,
            _ if !output.is_empty() => Outcome::Failure(output),
            Exit::Code(code) => Outcome::Failure(format!("command {command:?} exited with {code}")),
            Exit::Signal(signal) => Outcome::Failure(format!("command {command:?} was ended by signal {signal}")),
            Exit::Unknown => Outcome::Failure(format!("command {command:?} ended, nobody knows how")),
        }
    }

    /// Of one that went over its time, however it ended then.
    #[must_use]
    pub fn late(&self, seconds: u64) -> Outcome {
        Outcome::Failure(self.timed_out(seconds))
    }

    /// Who is to blame: a container's end takes the programs in it along, a moment before it can be seen itself.
    #[must_use]
    pub fn blamed(&self, outcome: Outcome, container_ends: impl FnOnce() -> bool) -> Outcome {
        match (self, outcome) {
            (Self::Exec { .. }, Outcome::Failure(_)) if container_ends() => Outcome::ContainerEnds,
            (Self::Exec { .. } | Self::Network(_), outcome) => outcome,
        }
    }

    /// What the engine is told.
    #[must_use]
    pub fn answer(&self, purpose: Purpose, outcome: Outcome) -> ContainerEvent {
        // A probe has its own words (R6.11), and a silent program's name its command.
        let named = |why: String| if why.starts_with("command ") { why } else { format!("{self}: {why}") };
        match (purpose, outcome) {
            (Purpose::Hook(_), Outcome::Failure(why)) => answer(purpose, Outcome::Failure(named(why))),
            (Purpose::Hook(_), Outcome::Error(why)) => answer(purpose, Outcome::Error(named(why))),
            (Purpose::Hook(_) | Purpose::Probe(_), outcome) => answer(purpose, outcome),
        }
    }
}

/// What the engine is told of a probe or hook, whatever it does.
#[must_use]
pub fn answer(purpose: Purpose, outcome: Outcome) -> ContainerEvent {
    match purpose {
        Purpose::Probe(probe) => ContainerEvent::ProbeDone {
            probe,
            result: match outcome {
                Outcome::Success => ProbeResult::Success,
                Outcome::Warning(message) => ProbeResult::Warning { message },
                Outcome::Failure(message) => ProbeResult::Failure { message },
                Outcome::Error(message) => ProbeResult::Error { message },
                Outcome::ContainerEnds => ProbeResult::ContainerEnds,
            },
        },
        Purpose::Hook(hook) => ContainerEvent::HookDone {
            hook,
            result: match outcome {
                Outcome::Success | Outcome::Warning(_) => HookResult::Success,
                Outcome::Failure(message) => HookResult::Failure { message },
                Outcome::Error(message) => HookResult::Error { message },
                Outcome::ContainerEnds => HookResult::ContainerEnds,
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use barepod_engine::event::{Hook, Probe};

    use super::*;
    use crate::plan::process::handler::Call;

    fn exec() -> Handler {
        Handler::Exec { command: vec!["is-up".into(), "-q".into()] }
    }

    fn network() -> Handler {
        Handler::Network(Call::Tcp { host: "10.0.0.1".into(), port: 80 })
    }

    /// R6.10.
    #[test]
    fn what_a_program_says() {
        for (exit, output, want) in [
            (Exit::Code(0), "fine\n", Outcome::Success),
            (Exit::Code(3), "no\nroom\n", Outcome::Failure("no\nroom".into())),
            (Exit::Code(3), " \n", Outcome::Failure("command \"is-up -q\" exited with 3".into())),
            (Exit::Signal(9), "", Outcome::Failure("command \"is-up -q\" was ended by signal 9".into())),
            (Exit::Unknown, "", Outcome::Failure("command \"is-up -q\" ended, nobody knows how".into())),
        ] {
            assert_eq!(exec().program_ended(exit, output.as_bytes()), want, "{exit:?} {output:?}");
        }
    }

    /// Only a program goes with its container, and only one that failed is asked about.
    #[test]
    fn who_is_to_blame() {
        let failure = || Outcome::Failure("no".into());
        let error = || Outcome::Error("no".into());
        for (handler, outcome, container_ends, want) in [
            (exec(), failure(), true, Outcome::ContainerEnds),
            (exec(), exec().late(1), true, Outcome::ContainerEnds),
            (exec(), failure(), false, failure()),
            (exec(), error(), true, error()),
            (exec(), Outcome::Success, true, Outcome::Success),
            (network(), failure(), true, failure()),
        ] {
            assert_eq!(handler.blamed(outcome.clone(), || container_ends), want, "{handler} {outcome:?}");
        }
        let unasked = exec().blamed(Outcome::Success, || panic!("asked about a success"));
        assert_eq!(unasked, Outcome::Success);
    }

    /// R6.11, R7.1, R7.2: a hook's failure names what was done.
    #[test]
    fn what_the_engine_is_told() {
        let failure = |why: &str| Outcome::Failure(why.into());
        let (probe, hook) = (Purpose::Probe(Probe::Liveness), Purpose::Hook(Hook::PreStop));
        let message = |handler: Handler, purpose, outcome| match handler.answer(purpose, outcome) {
            ContainerEvent::ProbeDone {
                result:
                    ProbeResult::Failure { message } | ProbeResult::Error { message } | ProbeResult::Warning { message },
                ..
            }
            | ContainerEvent::HookDone {
                result: HookResult::Failure { message } | HookResult::Error { message },
                ..
            } => Some(message),
            _ => None,
        };
        for (handler, purpose, outcome, want) in [
            (network(), probe, failure("refused"), Some("refused")),
            (network(), hook, failure("refused"), Some("tcp-socket 10.0.0.1:80: refused")),
            (network(), hook, Outcome::Error("no room".into()), Some("tcp-socket 10.0.0.1:80: no room")),
            (exec(), hook, failure("printed"), Some("exec [is-up -q]: printed")),
            (exec(), hook, failure("command \"is-up -q\" exited with 3"), Some("command \"is-up -q\" exited with 3")),
            (network(), probe, Outcome::Warning("odd".into()), Some("odd")),
            (network(), hook, Outcome::Warning("odd".into()), None),
            (exec(), hook, Outcome::ContainerEnds, None),
        ] {
            assert_eq!(message(handler, purpose, outcome.clone()).as_deref(), want, "{outcome:?}");
        }
    }
}
