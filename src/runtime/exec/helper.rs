//! The helper: what needs the host's view and privileges, then into the container's namespaces, then one fork.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use oci_spec::runtime::Process;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::ThreadNameSpaceType as Namespaces;

use super::failure::{Failure, step};
use super::fork::{fork, fork_into};
use super::messages::{Descriptors, FDS, Report, Request, tell};
use super::{cgroup, identity, program};
use crate::runtime::{files, lsm, seccomp, spawn};

/// `argv[0]` of the helper.
pub(super) const NAME: &str = "barepod-exec";

pub(super) fn run() -> ! {
    spawn::settle(NAME, FDS);
    let fds = Descriptors::from_array(std::array::from_fn(|index| spawn::inherited(index as i32)));
    let mut report = File::from(fds.report);
    let fds = Inputs {
        request: fds.request,
        init: fds.init,
        filter: fds.filter.into(),
        stdio: program::Stdio { stdin: fds.stdin, stdout: fds.stdout, stderr: fds.stderr },
    };
    let code = match enter(fds, &mut report) {
        Ok(()) => 0,
        Err(failure) => {
            tell(&mut report, &Report::Failed(failure));
            1
        }
    };
    // No destructors: nothing here needs them.
    std::process::exit(code)
}

/// What the helper was given, beside its report.
struct Inputs {
    request: OwnedFd,
    init: OwnedFd,
    filter: File,
    stdio: program::Stdio,
}

fn enter(fds: Inputs, report: &mut File) -> Result<(), Failure> {
    // First of all: from the moment this process is in the container's namespaces, its processes could look into it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(step("prctl PR_SET_DUMPABLE"))?;
    let request: Request = spawn::read_request(fds.request).map_err(step("read the request"))?;
    let filter = request.filtered.then(|| seccomp::Program::read(&fds.filter)).transpose();
    let filter = filter.map_err(step("read the seccomp filter"))?;
    drop(fds.filter);
    adopt_oom_score(&request)?;
    identity::raise_limits(&request.process)?;
    own_output(&request, &fds.stdio)?;
    let cgroups = request.cgroups.open();
    let (birth, mut joins) = cgroups.map_err(|(path, cause)| step(&path.display().to_string())(cause))?;
    let namespaces = namespaces_to_join(request.pid)?;
    // Without a mount namespace of its own the container's root is only its init's.
    let root = if namespaces.contains(Namespaces::MOUNT) { None } else { Some(open_root(request.pid)?) };
    let attributes = attributes(&request.process)?;
    if spawn::has_ended(&fds.init) {
        return Err(Failure::Gone);
    }
    // First into the cgroup, then into the namespaces: where cgroup2 is mounted with `nsdelegate`, as systemd does, a
    // process in the container's cgroup namespace is born where its parent is or not at all (cgroup-v2.rst, "Delegation
    // Containment").
    if let Some(leaf) = &birth
        && let Some(pid) = fork_into(leaf.as_fd()).map_err(step("clone3 into the container's cgroup"))?
    {
        tell(report, &Report::Entering { pid });
        return Ok(());
    }
    drop(birth);
    cgroup::join(&mut joins).map_err(step("write to a cgroup's tasks"))?;
    drop(joins);
    set_namespaces(fds.init.as_fd(), namespaces)?;
    drop(fds.init);
    let (gate, opener) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(step("pipe"))?;
    let ready = program::give_up_rights(program::Task { request, filter, stdio: fds.stdio, root, attributes })?;
    // Under the container's seccomp filter, perhaps. What follows is what `program` has asked it for.
    let Some(pid) = fork().map_err(step("clone"))? else {
        drop(opener);
        ready.become_program(gate.into(), report)
    };
    // Told before the gate opens: a supervisor that doesn't know the process couldn't reap it.
    tell(report, &Report::Forked { pid });
    File::from(opener).write_all(b"!").map_err(step("write"))
}

/// The process' own, else the init's. Lowering it needs CAP_SYS_RESOURCE on the host: where we lack that, the init
/// was left where we are too.
fn adopt_oom_score(request: &Request) -> Result<(), Failure> {
    let path = format!("/proc/{}/oom_score_adj", request.pid);
    let inits = fs::read_to_string(&path).map_err(step(&path))?;
    let score = request.process.oom_score_adj().map_or_else(|| inits.trim().to_owned(), |score| score.to_string());
    let adopted = fs::write("/proc/self/oom_score_adj", &score);
    adopted.or_else(|_| fs::write("/proc/self/oom_score_adj", inits.trim())).map_err(step("oom_score_adj"))
}

/// Makes the program's stdout and stderr its user's, so that it can open /dev/stdout anew. Best effort, as in runc:
/// it may be a terminal or file that isn't ours.
fn own_output(request: &Request, stdio: &program::Stdio) -> Result<(), Failure> {
    let path = format!("/proc/{}/uid_map", request.pid);
    let map = fs::read_to_string(&path).map_err(step(&path))?;
    if let Some(uid) = host_id(&map, request.process.user().uid()) {
        for fd in [&stdio.stdout, &stdio.stderr] {
            if files::is_pipe(fd).unwrap_or(false) {
                let _ = std::os::unix::fs::fchown(fd, Some(uid), None);
            }
        }
    }
    Ok(())
}

/// What a user id in a user namespace is outside, by the text of its uid_map.
fn host_id(map: &str, id: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
        let (inside, outside, length) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let offset = id.checked_sub(inside).filter(|offset| *offset < length)?;
        outside.checked_add(offset)
    })
}

/// The container's namespaces that aren't ours: joining one's own user namespace is an error (EINVAL), joining
/// others of one's own is useless.
fn namespaces_to_join(pid: i32) -> Result<Namespaces, Failure> {
    const ALL: [(&str, Namespaces); 8] = [
        ("user", Namespaces::USER),
        ("mnt", Namespaces::MOUNT),
        ("pid", Namespaces::PROCESS_ID),
        ("net", Namespaces::NETWORK),
        ("ipc", Namespaces::INTER_PROCESS_COMMUNICATION),
        ("uts", Namespaces::HOST_NAME_AND_NIS_DOMAIN_NAME),
        ("cgroup", Namespaces::CONTROL_GROUP),
        ("time", Namespaces::TIME),
    ];
    let mut namespaces = Namespaces::empty();
    for (name, flag) in ALL {
        // A kind that this kernel doesn't have has no file, in neither place.
        let Ok(ours) = fs::metadata(format!("/proc/self/ns/{name}")) else { continue };
        let path = format!("/proc/{pid}/ns/{name}");
        match fs::metadata(&path) {
            Ok(theirs) if (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()) => {}
            Ok(_) => namespaces |= flag,
            Err(cause) if matches!(cause.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
                return Err(Failure::Gone);
            }
            Err(cause) => return Err(step(&path)(cause)),
        }
    }
    Ok(namespaces)
}

/// For what the process has to choose (AppArmor, SELinux).
fn attributes(process: &Process) -> Result<Option<OwnedFd>, Failure> {
    let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let chooses = is_given(process.apparmor_profile()) || is_given(process.selinux_label());
    chooses.then(lsm::attributes).transpose().map_err(step("/proc"))
}

fn open_root(pid: i32) -> Result<OwnedFd, Failure> {
    let path = format!("/proc/{pid}/root");
    rustix::fs::openat(CWD, Path::new(&path), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step(&path))
}

/// All at once: the kernel checks our privileges over each namespace with the credentials from before, and takes the
/// user namespace's credentials for all of them (Linux 5.8).
fn set_namespaces(init: BorrowedFd<'_>, namespaces: Namespaces) -> Result<(), Failure> {
    if namespaces.is_empty() {
        return Ok(());
    }
    // SAFETY: a system call on numbers. rustix has no setns with a pidfd that takes a set with the user namespace.
    let result = unsafe { libc::setns(init.as_raw_fd(), namespaces.bits() as i32) };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(()),
        cause if cause.raw_os_error() == Some(libc::ESRCH) => Err(Failure::Gone),
        cause => Err(step("setns")(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_mapped_by_the_uid_map() {
        let map = "         0     100000       1000\n      2000     300000          1\n";
        let cases = [(0, Some(100_000)), (999, Some(100_999)), (1000, None), (2000, Some(300_000)), (2001, None)];
        for (inside, outside) in cases {
            assert_eq!(host_id(map, inside), outside, "{inside}");
        }
        assert_eq!(host_id("0 0 4294967295", 65534), Some(65534));
    }
}
