//! The way into a running container: probes and hooks run a program in it as if the container had
//! started it itself. Exists because libcontainer's own exec leaves out the user namespace, the seccomp filter,
//! limits and groups; what is joined here is compared with the container's init field by field in the tests.
//!
//! What it does not do: decide, wait, or keep time. A caller that wants a time-out has its own timer and calls
//! [`Exec::kill_tree`].
//!
//! How a program gets in:
//! 1. [`Exec::begin`] starts a helper: this binary again, with another `argv[0]`.
//! 2. The helper makes a cgroup for this one exec below the container's and does what else needs the host's privileges
//!    (raise limits, OOM score, open cgroups). On v2 it forks into that cgroup (CLONE_INTO_CGROUP), as nobody could from
//!    within the container's cgroup namespace. It joins all namespaces in one `setns(2)` with the container's pidfd, and
//!    becomes the container's user, with its capabilities and its filter.
//! 3. It forks: only a child is in a joined pid namespace. With CLONE_PARENT that child is the supervisor's own. The child
//!    executes the program.
//!
//! *CAP_SYS_PTRACE.* A container that has it can do with every process of its pid namespace what that process could do
//! itself, whether it is dumpable or not. So rights are given up, and the box's descriptors closed, before the fork; the
//! forked process can do what the container can, and what it reports is believed only as far as it is of itself. (Where
//! runc goes in, it has all rights there for a while.)
//!
//! *Killed as a tree.* Whatever the program starts stays in the exec's own cgroup, daemonised or not, so that ending it
//! is exact: `cgroup.kill` on v2 and hybrid; on pure v1 a child of the container's freezer cgroup is frozen, killed
//! and thawed. All the container's limits hold inside, as it lies below the container's cgroup.
//!
//! *CVE-2019-5736.* A container can make its own program's interpreter `/proc/self/exe`, and so get hold of the binary
//! that came into it, on the host's disk. Against that: helpers run from a clone of the binary on a mount that is
//! read-only and in no namespace ([`protect_exe`]), or from a sealed memfd where that can't be; they
//! are not dumpable before they join, so that nothing inside can read their memory, descriptors or links; and every
//! descriptor of theirs closes on exec. CVE-2024-21626 (a working directory outside): the directory is entered after
//! the root has changed and must be reachable from it.

mod capture;
mod cgroup;
mod exe;
mod failure;
mod fork;
mod helper;
mod identity;
mod messages;
mod program;
mod running;
mod terminal;
#[cfg(test)]
mod tests;

use std::os::fd::{BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;

use crate::runtime::seccomp::Filter;

pub use crate::runtime::spawn::ExitStatus;
pub use exe::protect_exe;
pub use failure::{ExecError, Failure};
pub use running::{Exec, Progress};
pub use terminal::TerminalSize;

/// What to run, and where.
#[derive(Debug)]
pub struct ExecRequest<'a> {
    /// The container's init, in this process' pid namespace.
    pub pid: i32,
    /// The same by pidfd: what is joined is sure to be the container, even if its init ends meanwhile.
    pub init: BorrowedFd<'a>,
    /// The container's own process with other `args`. `terminal` is refused: a terminal is asked for by
    /// [`Stdio::Terminal`]. So are the settings that libcontainer doesn't know or this box can't hold up (scheduler, I/O
    /// priority, CPU affinity).
    pub process: &'a Process,
    /// The container's seccomp filter.
    pub filter: Option<&'a Filter>,
    /// The program's descriptors 0, 1 and 2.
    pub stdio: Stdio,
}

/// Where a program reads from and writes to.
#[derive(Debug)]
pub enum Stdio {
    /// Nothing to read; stdout and stderr together into [`Exec::output`], of which the first `limit` bytes are kept
    /// and the rest is thrown away, so that a program that talks too much isn't held up.
    Capture {
        /// Bytes.
        limit: usize,
    },
    /// These. They are closed here once the program has them. For /dev/stdout to be opened anew in the container they
    /// become its user's.
    Given {
        /// Descriptor 0; `None`: the container's /dev/null.
        stdin: Option<OwnedFd>,
        /// Descriptor 1.
        stdout: OwnedFd,
        /// Descriptor 2.
        stderr: OwnedFd,
    },
    /// A terminal of the container's own devpts, which the program is at. It is hung up (SIGHUP) once nobody has its master
    /// open any more.
    Terminal {
        /// A unix socket: the master is sent here in a message of one byte (SCM_RIGHTS).
        to: OwnedFd,
        /// Its size at first.
        size: TerminalSize,
    },
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == helper::NAME) {
        helper::run()
    }
}
