//! Why a profile can't be made a filter.

use std::io;
use std::path::PathBuf;

use oci_spec::runtime::Arch;

/// Why a profile can't be made a filter.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// There is nobody here to answer.
    #[error("seccomp profile: action SCMP_ACT_NOTIFY is not supported; use SCMP_ACT_ERRNO")]
    Notify,
    /// Not one that this binary's kernel runs.
    #[error("seccomp profile: architecture {name:?} is not supported; take it out")]
    Architecture {
        /// As the profile has it.
        name: Arch,
    },
    /// System calls have six.
    #[error("seccomp profile: there is no argument {index}; arguments count from 0 to 5")]
    Argument {
        /// As the profile has it.
        index: usize,
    },
    /// More than the kernel takes.
    #[error("seccomp profile: it makes a filter of {instructions} instructions, the kernel takes {most}")]
    TooLong {
        /// What it would have.
        instructions: usize,
        /// The kernel's limit.
        most: usize,
    },
    /// A profile's file.
    #[error("{path}: {cause}")]
    Read {
        /// On the host.
        path: PathBuf,
        /// The kernel's answer, or what is there instead.
        cause: io::Error,
    },
    /// The memfd.
    #[error("seccomp profile: memfd: {0}")]
    Memory(#[from] io::Error),
}
