//! The exit codes of every command, in one place (design.md, section 3).

use std::process::ExitCode;

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to.
    Success,
    /// It could not: no such pod, not allowed in this state.
    Failure,
    /// A usage error or an invalid manifest; nothing was started.
    Usage,
    /// barepod's own failure.
    Own,
    /// The pod's: 0, a main's or init's code, 128+n for a signal.
    Pod(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Own => 125,
            Exit::Pod(code) => code,
        })
    }
}
