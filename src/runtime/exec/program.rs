//! From the container's door to the program. Runs in the container's namespaces: every path here is the container's, and
//! hostile; but not in its pid namespace, before all rights are given up.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::Process;
use rustix::fs::{CWD, Mode, OFlags};

use super::failure::{Failure, step};
use super::fork::SIBLING;
use super::messages::{Report, Request, Streams, tell};
use super::{identity, terminal};
use crate::runtime::capabilities::{CapabilityError, Sets};
use crate::runtime::program::{self, Program};
use crate::runtime::{keyring, lsm, seccomp};

pub(super) struct Stdio {
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// What is to be run, and how.
pub(super) struct Task {
    pub(super) request: Request,
    pub(super) filter: Option<seccomp::Program>,
    pub(super) stdio: Stdio,
    /// To be this process' root, where that doesn't come with the mount namespace.
    pub(super) root: Option<OwnedFd>,
    /// See [`lsm::attributes`]; where there is something to be chosen.
    pub(super) attributes: Option<OwnedFd>,
}

/// A process that may do what the container may and no more, and has nothing of the box open but its reports: what it
/// forks can be let into the container's pid namespace, where somebody with CAP_SYS_PTRACE may do with it as he likes.
pub(super) struct Ready {
    program: Program,
    remaining: Remaining,
    /// Whether its standard streams are a terminal, which is to be that of its session.
    at_terminal: bool,
}

/// What is still to be done when the process is in the container's pid namespace.
enum Remaining {
    Nothing,
    /// Putting the filter on, which takes no rights with no_new_privs.
    Filter(seccomp::Program),
    /// Putting the filter on with the right to do so, and then giving that up.
    FilterAndRights(seccomp::Program, Sets),
}

/// Everything that takes rights, done before the fork into the container's pid namespace: nobody in there can see this
/// process.
pub(super) fn give_up_rights(task: Task) -> Result<Ready, Failure> {
    let process = &task.request.process;
    let label = task.attributes.as_ref().zip(process.selinux_label().as_deref());
    keyring::leave(label).map_err(step("session keyring"))?;
    if let Some(root) = &task.root {
        rustix::process::fchdir(root).map_err(step("fchdir"))?;
        rustix::process::chroot(".").map_err(step("chroot"))?;
    }
    let early = program::enter(process.cwd());
    set_stdio(&task)?;
    rustix::process::umask(Mode::from_raw_mode(process.user().umask().unwrap_or(0o022)));
    let sets = Sets::new(process.capabilities().as_ref()).map_err(refused)?;
    sets.drop_bounding().map_err(refused)?;
    identity::set_user(process.user())?;
    Sets::regain().map_err(refused)?;
    // A directory that only the user may enter (on NFS), or that root may and the user may not: both are allowed.
    if early.is_err() {
        enter(process.cwd())?;
    }
    let list = |texts: &Option<Vec<String>>| texts.clone().unwrap_or_default();
    let program = Program::new(&list(process.args()), &list(process.env()))
        .map_err(|_| Failure::Step { step: "an argument or variable contains a NUL byte".into(), errno: None })?;
    identity::set_limits(process)?;
    // A fork keeps what is chosen for the next execve.
    if let Some(attributes) = &task.attributes {
        confine(attributes, process)?;
    }
    close_on_exec()?;
    let no_new_privileges = process.no_new_privileges() == Some(true);
    // The rest of the task is descriptors of the box's: closed before anybody can see them.
    let at_terminal = matches!(task.request.streams, Streams::Terminal(_));
    let filter = task.filter;
    let remaining = match filter {
        Some(filter) if no_new_privileges => Remaining::Filter(filter),
        Some(filter) if allows_the_fork(&filter, at_terminal) => {
            filter.apply().map_err(step("seccomp"))?;
            Remaining::Nothing
        }
        Some(_) if sets.can_trace() => {
            let step = "seccomp: the container has CAP_SYS_PTRACE, and its profile forbids clone, setsid, read or write, \
                        which a program needs to get into it safely; allow them, or set allowPrivilegeEscalation: false";
            return Err(Failure::Step { step: step.to_owned(), errno: None });
        }
        Some(filter) => return Ok(Ready { program, remaining: Remaining::FilterAndRights(filter, sets), at_terminal }),
        None => Remaining::Nothing,
    };
    if no_new_privileges {
        rustix::thread::set_no_new_privs(true).map_err(step("prctl PR_SET_NO_NEW_PRIVS"))?;
    }
    sets.apply().map_err(refused)?;
    Ok(Ready { program, remaining, at_terminal })
}

/// Whether all that comes between the filter and the program's own calls goes with the filter, but for what changes
/// capabilities, and execve: these it had to allow always.
fn allows_the_fork(filter: &seccomp::Program, at_terminal: bool) -> bool {
    let terminal: (libc::c_long, &[u64]) = (libc::SYS_ioctl, &[0, libc::TIOCSCTTY]);
    let calls: [(libc::c_long, &[u64]); 5] = [
        (libc::SYS_clone, &[SIBLING]),
        (libc::SYS_setsid, &[]),
        (libc::SYS_read, &[]),
        (libc::SYS_write, &[]),
        (libc::SYS_exit_group, &[]),
    ];
    calls.iter().chain(at_terminal.then_some(&terminal)).all(|(call, arguments)| filter.allows(*call, arguments))
}

impl Ready {
    /// In the forked process: becomes the program, or says why not. `gate`: a byte comes once the supervisor has been told
    /// of this process; nothing, if that failed.
    pub(super) fn become_program(self, mut gate: File, report: &mut File) -> ! {
        let mut byte = [0];
        if !matches!(gate.read(&mut byte), Ok(1)) {
            std::process::exit(1);
        }
        let failure = match self.finish(report) {
            Ok(program) => Failure::Program(program.execute()),
            Err(failure) => failure,
        };
        tell(report, &Report::Failed(failure));
        std::process::exit(1)
    }

    fn finish(self, report: &mut File) -> Result<Program, Failure> {
        rustix::process::setsid().map_err(step("setsid"))?;
        if self.at_terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).map_err(step("ioctl TIOCSCTTY"))?;
        }
        tell(report, &Report::AboutToExec);
        let put_on = |filter: &seccomp::Program| filter.apply().map_err(step("seccomp"));
        match &self.remaining {
            Remaining::Nothing => {}
            Remaining::Filter(filter) => put_on(filter)?,
            Remaining::FilterAndRights(filter, sets) => {
                put_on(filter)?;
                sets.apply().map_err(refused)?;
            }
        }
        Ok(self.program)
    }
}

/// Under the container's AppArmor profile and SELinux label from the execve on.
fn confine(attributes: &OwnedFd, process: &Process) -> Result<(), Failure> {
    if let Some(profile) = process.apparmor_profile() {
        lsm::choose_profile(attributes, profile).map_err(step(&format!("AppArmor profile {profile}")))?;
    }
    if let Some(label) = process.selinux_label() {
        lsm::choose_label(attributes, label).map_err(step(&format!("SELinux label {label}")))?;
    }
    Ok(())
}

fn refused(error: CapabilityError) -> Failure {
    match error {
        CapabilityError::Call { call, cause } => step(call)(cause),
        unknown @ CapabilityError::Unknown { .. } => Failure::Step { step: unknown.to_string(), errno: None },
    }
}

fn enter(directory: &Path) -> Result<(), Failure> {
    program::enter(directory)
        .map_err(|errno| Failure::WorkingDirectory { path: directory.to_owned(), errno: errno.raw_os_error() })
}

fn set_stdio(task: &Task) -> Result<(), Failure> {
    let stdio = &task.stdio;
    let (opened, streams);
    match task.request.streams {
        Streams::All => streams = [&stdio.stdin, &stdio.stdout, &stdio.stderr],
        Streams::Output => {
            opened = nothing()?;
            streams = [&opened, &stdio.stdout, &stdio.stderr];
        }
        Streams::Terminal(size) => {
            opened = terminal::open(size, task.request.process.user().uid(), stdio.stdin.as_fd())?;
            streams = [&opened; 3];
        }
    }
    for (from, to) in streams.into_iter().zip(0..) {
        // SAFETY: 0, 1 and 2 are /dev/null since the helper's start and owned by nobody; all of ours lie above.
        if unsafe { libc::dup2(from.as_raw_fd(), to) } < 0 {
            return Err(step("dup2")(io::Error::last_os_error()));
        }
    }
    Ok(())
}

/// The container's /dev/null (through the host's, a container could change the host's mode and owner), or a pipe that
/// has ended, where the container has put something else there.
fn nothing() -> Result<OwnedFd, Failure> {
    let is_null = |fd: &OwnedFd| {
        rustix::fs::fstat(fd).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::CharacterDevice
                && stat.st_rdev == rustix::fs::makedev(1, 3)
        })
    };
    // Looked at before it is opened: opening a FIFO or a device can do things.
    let open =
        |flags: OFlags| rustix::fs::openat(CWD, "/dev/null", flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    if open(OFlags::PATH).is_ok_and(|fd| is_null(&fd))
        && let Ok(fd) = open(OFlags::RDWR | OFlags::NONBLOCK)
        && is_null(&fd)
    {
        let _ = rustix::fs::fcntl_setfl(&fd, OFlags::empty());
        return Ok(fd);
    }
    let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(step("pipe"))?;
    Ok(read)
}

fn close_on_exec() -> Result<(), Failure> {
    // SAFETY: only sets a flag; nothing is closed now.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(step("close_range")(io::Error::last_os_error())) }
}
