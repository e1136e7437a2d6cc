//! Starts this same binary again as a short-lived helper, or makes a copy of this process ([`fork`]). Exists because std's
//! `Command` can neither put a child into a cgroup at birth nor give it a pid namespace. This module doesn't know what a
//! helper does.
#![allow(unsafe_code)]

mod child;
mod clone;
mod fork;
mod inquiry;

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::pipe::PipeFlags;

pub(crate) use child::{Child, await_end, has_ended, is_child, leave_child, open_pidfd, reap, reap_later, signal};
pub use child::{ExitStatus, reap_ended};
use clone::clone_until_exec;
pub(crate) use fork::fork;
pub(crate) use inquiry::{
    Inquiry, answer, ask, empty_request, read_request, read_some, request, serve, take_answer, write_request,
};

use super::rlimits;

/// The first descriptor number that a helper's own descriptors get: right behind stdin, stdout and stderr.
pub(crate) const FIRST_FD: RawFd = 3;

static HELPER_EXE: OnceLock<PathBuf> = OnceLock::new();

/// Names the binary that helpers run instead of this process' own. For test binaries, which aren't barepod.
/// The first call wins.
pub fn set_helper_exe(path: &Path) {
    let _ = HELPER_EXE.set(path.to_owned());
}

/// What kind of helper to start.
pub(crate) struct Spawn<'a> {
    /// `argv[0]`, by which the helper knows what it is.
    pub(crate) name: &'a str,
    /// The cgroup (a directory of the tracking hierarchy) it is born in.
    pub(crate) cgroup: Option<&'a Path>,
    /// Descriptors it gets, numbered from [`FIRST_FD`].
    pub(crate) fds: &'a [RawFd],
    /// Whether it is the first process of a new pid namespace.
    pub(crate) new_pid_namespace: bool,
    /// Whether it dies with the process that starts it.
    pub(crate) dies_with_parent: bool,
    pub(crate) environment: Environment,
}

/// The environment that a helper gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// None: what it does, and what becomes a container, doesn't depend on who runs barepod.
    Empty,
    /// This process', where that says how the outside is reached: proxies, logins, certificates.
    Ours,
}

/// Everything the child needs between clone and exec, made beforehand.
struct Prepared {
    exe: CString,
    name: CString,
    fds: Vec<OwnedFd>,
    null: File,
    procs: Option<File>,
    open_files: Option<libc::rlimit64>,
    parent: i32,
    tied: bool,
    /// For execve(2): pointers to the texts below, and a null pointer.
    environment: Vec<*const libc::c_char>,
    _texts: Vec<CString>,
}

/// Starts a helper. The kernel's refusal is the error.
pub(crate) fn spawn(what: &Spawn<'_>) -> io::Result<Child> {
    let exe = HELPER_EXE.get().map_or(Path::new("/proc/self/exe"), PathBuf::as_path);
    let above = FIRST_FD + what.fds.len() as RawFd;
    let fds = what.fds.iter().map(|fd| duplicate(*fd, above)).collect::<io::Result<Vec<_>>>()?;
    let cgroup = what.cgroup.map(File::open).transpose()?;
    let texts = match what.environment {
        Environment::Empty => Vec::new(),
        Environment::Ours => environment(),
    };
    let mut prepared = Prepared {
        exe: CString::new(exe.as_os_str().as_bytes())?,
        name: CString::new(what.name)?,
        fds,
        null: File::options().read(true).write(true).open("/dev/null")?,
        procs: None,
        open_files: rlimits::given_open_files(),
        parent: std::process::id() as i32,
        tied: what.dies_with_parent,
        environment: texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect(),
        _texts: texts,
    };
    let mut flags = libc::CLONE_PIDFD as u64;
    if what.new_pid_namespace {
        flags |= libc::CLONE_NEWPID as u64;
    }
    let cgroup = cgroup.as_ref().map(AsFd::as_fd);
    match clone_until_exec(flags, cgroup, &prepared, become_helper) {
        // A v1 hierarchy (EBADF) or a kernel before 5.7 (EINVAL, E2BIG): the child moves itself before it execs.
        Err(error)
            if cgroup.is_some() && matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL | libc::E2BIG)) =>
        {
            // v1: a single thread that moves itself makes the kernel wait for nobody.
            let open = |dir: &Path| {
                let mut options = File::options();
                options.write(true);
                options.open(dir.join("tasks")).or_else(|_| options.open(dir.join("cgroup.procs")))
            };
            prepared.procs = what.cgroup.map(open).transpose()?;
            clone_until_exec(flags, None, &prepared, become_helper)
        }
        other => other,
    }
}

/// `NAME=VALUE` of all that this process has.
fn environment() -> Vec<CString> {
    let one = |(name, value): (OsString, OsString)| {
        // Neither can have a NUL in it: they came to us by exec.
        CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')).ok()
    };
    std::env::vars_os().filter_map(one).collect()
}

/// One that doesn't stand where a helper's own descriptors go.
fn duplicate(fd: RawFd, above: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC touches no memory; the new descriptor is ours alone. No safe call takes a RawFd.
    let new = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `new` was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Runs in the child, in its parent's memory, with all signals blocked: system calls only.
extern "C" fn become_helper(prepared: &Prepared) -> ! {
    let arguments = [prepared.name.as_ptr(), std::ptr::null()];
    // SAFETY: system calls on memory that lives until exec; `prepared`'s descriptors are above those that
    // dup2 puts them at, and what stands there itself (null, procs) has been used before.
    unsafe {
        libc::setpgid(0, 0);
        // What was meant for the supervisor's process group and came to both is the supervisor's alone.
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP] {
            libc::signal(signal, libc::SIG_IGN);
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if prepared.tied {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != prepared.parent {
                libc::_exit(1);
            }
        }
        if let Some(procs) = &prepared.procs
            && libc::write(procs.as_raw_fd(), c"0".as_ptr().cast(), 1) != 1
        {
            libc::_exit(126);
        }
        if let Some(given) = &prepared.open_files {
            let none = std::ptr::null_mut::<libc::rlimit64>();
            libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, std::ptr::from_ref(given), none);
        }
        for low in 0..3 {
            libc::dup2(prepared.null.as_raw_fd(), low);
        }
        for (index, fd) in prepared.fds.iter().enumerate() {
            libc::dup2(fd.as_raw_fd(), FIRST_FD + index as RawFd);
        }
        libc::execve(prepared.exe.as_ptr(), arguments.as_ptr(), prepared.environment.as_ptr());
        libc::_exit(127)
    }
}

/// First thing in a helper: forget what Rust's start-up and the parent left (SIGPIPE ignored, descriptors, directory).
pub(crate) fn settle(name: &str, descriptors: RawFd) {
    let _ = rustix::process::chdir("/");
    // What OCI runtimes give a container that says nothing about it.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let name = CString::new(name).unwrap_or_default();
    let _ = rustix::thread::set_name(&name);
    // SAFETY: dispositions and descriptors of this process, before it has a second thread; nothing in it owns a
    // descriptor from `FIRST_FD + descriptors` on yet.
    unsafe {
        // The kernel's struct: handler 0 (SIG_DFL), no flags, no restorer, empty mask. Not through glibc, which
        // refuses to touch the two signals that it uses itself.
        let default = [0_u64; 4];
        for signal in 1..=64_i32 {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), 8_usize);
        }
        libc::close_range((FIRST_FD + descriptors) as u32, u32::MAX, 0);
    }
}

/// A pipe from a helper: our end, which doesn't block, and the helper's.
pub(crate) fn pipe() -> io::Result<(File, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read.into(), write))
}

/// Takes over a descriptor that the parent put there.
pub(crate) fn inherited(index: RawFd) -> OwnedFd {
    // SAFETY: `spawn` gave the helper this descriptor and only its main function takes it, once.
    let fd = unsafe { OwnedFd::from_raw_fd(FIRST_FD + index) };
    let _ = rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC);
    fd
}
