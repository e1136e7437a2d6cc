//! Which exit code a failure has.

use super::CliError;
use crate::cli::exit_code::Exit;

impl CliError {
    /// What the command exits with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Manifest(_)
            | Self::UnknownClaim { .. }
            | Self::Plan(_)
            | Self::Read { .. }
            | Self::Usage(_)
            | Self::Words(_)
            | Self::ExitCodeFile { .. }
            | Self::NoSuchContainer { .. } => Exit::Usage,
            Self::Node(_)
            | Self::Cpus(_)
            | Self::Supervisor(_)
            | Self::Rootless(_)
            | Self::Network(_)
            | Self::Signals(_)
            | Self::Journal(_)
            | Self::OpenFiles { .. }
            | Self::NoCgroups { .. }
            | Self::Detach(_)
            | Self::Socket { .. }
            | Self::NeverReady
            | Self::Killed => Exit::Own,
            Self::Store(
                crate::store::Error::LongName { .. }
                | crate::store::Error::LongRoot { .. }
                | crate::store::Error::Foreign { .. },
            ) => Exit::Usage,
            Self::Store(
                crate::store::Error::Running { .. }
                | crate::store::Error::Busy { .. }
                | crate::store::Error::NotFound { .. }
                | crate::store::Error::Ambiguous { .. }
                | crate::store::Error::Job(_),
            ) => Exit::Failure,
            Self::Store(_) => Exit::Own,
            Self::Exec { exit, .. } => *exit,
            Self::Control(_)
            | Self::Write { .. }
            | Self::Output(_)
            | Self::NoStatus(_)
            | Self::NotYet(_)
            | Self::CutOff(_)
            | Self::NotSwept { .. }
            | Self::Unreadable { .. }
            | Self::UnreadableYet { .. }
            | Self::Stuck { .. }
            | Self::Unsupervised(_)
            | Self::NotRunning { .. }
            | Self::Image { .. }
            | Self::Systemd(_)
            | Self::NoContainer { .. }
            | Self::Ended(_)
            | Self::Copy { .. }
            | Self::NotAllCopied { .. }
            | Self::NotReached { .. }
            | Self::NoPort { .. }
            | Self::Listen { .. }
            | Self::NoLog { .. }
            | Self::WhichLog { .. }
            | Self::Log { .. }
            | Self::StillRunning(_)
            | Self::Resize { .. }
            | Self::Refused { .. }
            | Self::Template(_)
            | Self::Watch(_)
            | Self::NoneToWaitFor
            | Self::StopsOn(_)
            | Self::WaitedTooLong(_)
            | Self::Never { .. }
            | Self::Format { .. } => Exit::Failure,
        }
    }

    /// What `run` exits with: what isn't a container's is 125, or 2 where nothing was begun.
    pub fn exit_of_run(&self) -> Exit {
        match self.exit() {
            Exit::Failure => Exit::Own,
            other @ (Exit::Success | Exit::Usage | Exit::Own | Exit::Pod(_)) => other,
        }
    }
}
