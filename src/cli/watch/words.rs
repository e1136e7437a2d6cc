//! How a container's end is put into words.

use std::fmt;
use std::time::Duration;

use barepod_engine::event::Exit;

use crate::cli::phrases::span;
use crate::supervisor::SignalSent;

/// Why a container is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The pod ends, or begins anew.
    Pod,
    Liveness,
    Startup,
    PostStart,
    Resize,
    /// Nobody said.
    Unsaid,
}

impl StopReason {
    /// From the message of the event Killing.
    pub fn of(message: &str) -> Self {
        let said = [
            ("Stopping container", Self::Pod),
            ("failed liveness probe", Self::Liveness),
            ("failed startup probe", Self::Startup),
            ("FailedPostStartHook", Self::PostStart),
            ("resize requires restart", Self::Resize),
        ];
        said.into_iter().find(|(words, _)| message.contains(words)).map_or(Self::Unsaid, |(_, why)| why)
    }

    /// Behind `is being stopped` and `stopped`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Pod | Self::Unsaid => "",
            Self::Liveness => " for its failed liveness probe",
            Self::Startup => " for its failed startup probe",
            Self::PostStart => " for its failed postStart hook",
            Self::Resize => " for its new resources",
        }
    }
}

/// How a container ended: `exited 0, stopped on request (34 ms)`.
#[derive(Clone, Copy, Debug)]
pub struct ContainerEnd {
    pub exit: Exit,
    pub oom: bool,
    /// For how long it ran.
    pub ran: Option<Duration>,
    /// What it was sent before, so that it ends.
    pub sent: Option<SignalSent>,
    pub why: StopReason,
    /// Whether somebody has asked for the pod's end.
    pub requested: bool,
}

impl ContainerEnd {
    /// The OOM killer sends SIGKILL, but not only it. What it has killed before may be another process of the container,
    /// which lived on.
    fn was_killed_for_memory(&self) -> bool {
        self.oom && matches!(self.exit, Exit::Signal(9)) && self.sent != Some(SignalSent::Kill)
    }
}

impl fmt::Display for ContainerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let was_killed = self.was_killed_for_memory();
        match self.exit {
            Exit::Signal(_) if was_killed => f.write_str("was killed: out of memory")?,
            Exit::Code(code) => write!(f, "exited {code}")?,
            Exit::Signal(signal) => write!(f, "ended by {}", signal_name(signal))?,
            Exit::Unknown => f.write_str("ended, nobody saw how")?,
        }
        match (self.sent, self.why) {
            // Whatever ended it, it was nobody here.
            (None, _) => {}
            (Some(SignalSent::Kill), _) => f.write_str(", killed by barepod")?,
            (Some(SignalSent::Stop), StopReason::Pod | StopReason::Unsaid) if self.requested => {
                f.write_str(", stopped on request")?
            }
            (Some(SignalSent::Stop), why) => write!(f, ", stopped{}", why.in_words())?,
        }
        if self.oom && !was_killed {
            f.write_str("; one of its processes was killed for lack of memory")?;
        }
        self.ran.map_or(Ok(()), |ran| write!(f, " ({})", span(ran)))
    }
}

fn signal_name(signal: u8) -> String {
    nix::sys::signal::Signal::try_from(i32::from(signal))
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only who was told to stop was stopped, and on request only where somebody asked.
    #[test]
    fn ends_read_well() {
        let how = |exit, sent, why, requested| {
            ContainerEnd { exit, oom: false, ran: Some(Duration::from_millis(34)), sent, why, requested }.to_string()
        };
        let term = Exit::Signal(15);
        for (exit, sent, why, requested, want) in [
            (Exit::Code(1), None, StopReason::Unsaid, false, "exited 1 (34 ms)"),
            // Somebody else's SIGTERM, while it waited for its turn to be stopped.
            (term, None, StopReason::Pod, true, "ended by SIGTERM (34 ms)"),
            (term, Some(SignalSent::Stop), StopReason::Pod, true, "ended by SIGTERM, stopped on request (34 ms)"),
            (Exit::Code(0), Some(SignalSent::Stop), StopReason::Pod, false, "exited 0, stopped (34 ms)"),
            (
                term,
                Some(SignalSent::Stop),
                StopReason::Liveness,
                false,
                "ended by SIGTERM, stopped for its failed liveness probe (34 ms)",
            ),
            (
                Exit::Signal(9),
                Some(SignalSent::Kill),
                StopReason::Pod,
                true,
                "ended by SIGKILL, killed by barepod (34 ms)",
            ),
        ] {
            assert_eq!(how(exit, sent, why, requested), want);
        }
    }

    /// The OOM killer ended a container only where SIGKILL did, and barepod didn't send it.
    #[test]
    fn only_who_was_killed_for_memory_is_said_to_be() {
        let how = |exit, sent| {
            let requested = sent == Some(SignalSent::Stop);
            ContainerEnd {
                exit,
                oom: true,
                ran: Some(Duration::from_millis(34)),
                sent,
                why: StopReason::Pod,
                requested,
            }
            .to_string()
        };
        let note = "; one of its processes was killed for lack of memory (34 ms)";
        assert_eq!(how(Exit::Signal(9), None), "was killed: out of memory (34 ms)");
        for (exit, sent, want) in [
            (Exit::Code(0), None, "exited 0"),
            (Exit::Code(3), None, "exited 3"),
            // A shell hands on how its child ended.
            (Exit::Code(137), None, "exited 137"),
            (Exit::Code(0), Some(SignalSent::Stop), "exited 0, stopped on request"),
            (Exit::Signal(15), None, "ended by SIGTERM"),
            (Exit::Signal(9), Some(SignalSent::Kill), "ended by SIGKILL, killed by barepod"),
            (Exit::Unknown, None, "ended, nobody saw how"),
        ] {
            assert_eq!(how(exit, sent), format!("{want}{note}"));
        }
    }

    /// As the engine writes them.
    #[test]
    fn why_a_container_is_stopped() {
        assert_eq!(StopReason::of("Stopping container web"), StopReason::Pod);
        assert_eq!(StopReason::of("Container web failed liveness probe, will be restarted"), StopReason::Liveness);
        assert_eq!(StopReason::of("Init container web failed startup probe"), StopReason::Startup);
        assert_eq!(StopReason::of("FailedPostStartHook"), StopReason::PostStart);
        assert_eq!(StopReason::of("Container web resize requires restart"), StopReason::Resize);
    }

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
