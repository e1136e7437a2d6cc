//! The exit codes of every command, in one place (docs/exit-codes.md).

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
    /// The pod's: 0, a main's or init's code, 128+n for a signal, 124 where its time ran out.
    Pod(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Own => 125,
            Self::Pod(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
