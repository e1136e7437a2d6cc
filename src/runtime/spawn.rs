//! Starts this same binary again as a short-lived helper. Exists because std's `Command` can neither put a child
//! into a cgroup at birth nor give it a pid namespace. This module doesn't know what a helper does.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clone::clone_until_exec;
use super::limits;

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
    pub(crate) pid_namespace: PidNamespace,
    /// Whether it dies with the process that starts it.
    pub(crate) tie: Tie,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PidNamespace {
    Same,
    New,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    DiesWithParent,
    Outlives,
}

/// A started helper. Dropping it neither kills nor reaps it.
#[derive(Debug)]
pub(crate) struct Child {
    /// Also its process group: everything it forks before a setsid can be reaped by it.
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
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
}

/// Starts a helper. The kernel's refusal is the error.
pub(crate) fn spawn(what: &Spawn<'_>) -> io::Result<Child> {
    let exe = HELPER_EXE.get().map_or(Path::new("/proc/self/exe"), PathBuf::as_path);
    let above = FIRST_FD + what.fds.len() as RawFd;
    let fds = what.fds.iter().map(|fd| duplicate(*fd, above)).collect::<io::Result<Vec<_>>>()?;
    let cgroup = what.cgroup.map(File::open).transpose()?;
    let mut prepared = Prepared {
        exe: CString::new(exe.as_os_str().as_bytes())?,
        name: CString::new(what.name)?,
        fds,
        null: File::options().read(true).write(true).open("/dev/null")?,
        procs: None,
        open_files: limits::given_open_files(),
        parent: std::process::id() as i32,
        tied: what.tie == Tie::DiesWithParent,
    };
    let mut flags = libc::CLONE_PIDFD as u64;
    if what.pid_namespace == PidNamespace::New {
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
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
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
        libc::execve(prepared.exe.as_ptr(), arguments.as_ptr(), environment.as_ptr());
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

/// A file in memory for what a helper is asked to do. Any length, and writing it waits for nobody.
pub(crate) fn empty_request() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("request", MemfdFlags::CLOEXEC)?.into())
}

/// Writes a request, for [`read_request`].
pub(crate) fn write_request(file: &mut File, request: &impl Serialize) -> io::Result<()> {
    file.write_all(&serde_json::to_vec(request).map_err(io::Error::other)?)
}

/// A request that is known from the start.
pub(crate) fn request(request: &impl Serialize) -> io::Result<File> {
    let mut file = empty_request()?;
    write_request(&mut file, request)?;
    Ok(file)
}

/// In the helper: what is asked.
pub(crate) fn read_request<T: DeserializeOwned>(file: OwnedFd) -> io::Result<T> {
    let mut file = File::from(file);
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// In the helper: tells what it has found out, which is its end.
pub(crate) fn answer(report: OwnedFd, answer: &impl Serialize) -> ! {
    let written = File::from(report).write_all(&serde_json::to_vec(answer).unwrap_or_default());
    std::process::exit(i32::from(written.is_err()))
}

/// The whole life of a helper that does nothing but answer one request, given as [`Inquiry`] does.
pub(crate) fn serve<T: DeserializeOwned, A: Serialize>(name: &str, work: impl FnOnce(T) -> A) -> ! {
    settle(name, 2);
    let (request, report) = (inherited(0), inherited(1));
    let Ok(request) = read_request(request) else { std::process::exit(1) };
    answer(report, &work(request))
}

/// A helper that was asked something and is to [`answer`]. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Inquiry {
    helper: Child,
    report: File,
    text: Vec<u8>,
}

impl Inquiry {
    /// Starts a helper, with the request as its first descriptor, the pipe for its answer as the second, and `more`.
    pub(crate) fn begin(name: &str, request: &impl Serialize, more: Option<RawFd>) -> io::Result<Self> {
        let request = self::request(request)?;
        let (report, end) = pipe()?;
        let fds: Vec<RawFd> = [request.as_raw_fd(), end.as_raw_fd()].into_iter().chain(more).collect();
        let what = Spawn { name, cgroup: None, fds: &fds, pid_namespace: PidNamespace::Same, tie: Tie::DiesWithParent };
        Ok(Self { helper: spawn(&what)?, report, text: Vec::new() })
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// The answer; an error where the helper died without one; `None`: not known yet.
    pub(crate) fn outcome<T: DeserializeOwned>(&mut self) -> Option<io::Result<T>> {
        let mut buffer = [0; 4096];
        loop {
            match self.report.read(&mut buffer) {
                Ok(0) => break,
                Ok(number) => self.text.extend_from_slice(&buffer[..number]),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return None,
                Err(cause) => return Some(Err(cause)),
            }
        }
        Some(serde_json::from_slice(&self.text).map_err(|_| io::Error::other("the helper process died")))
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        // It has ended or is about to; its process group is reaped with what else is to be reaped.
        let _ = signal(&self.helper.pidfd, libc::SIGKILL);
        reap_later(self.helper.pid);
    }
}

/// Takes over a descriptor that the parent put there.
pub(crate) fn inherited(index: RawFd) -> OwnedFd {
    // SAFETY: `spawn` gave the helper this descriptor and only its main function takes it, once.
    let fd = unsafe { OwnedFd::from_raw_fd(FIRST_FD + index) };
    let _ = rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC);
    fd
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ExitStatus {
    /// Exited with this code.
    Code(i32),
    /// Ended by this signal.
    Signal(i32),
    /// Somebody else reaped it.
    Unknown,
}

/// Reaps the child behind a pidfd if it has ended. `None`: it hasn't. A child somebody else reaped is an error (ECHILD).
pub(crate) fn reap(pidfd: &OwnedFd) -> io::Result<Option<ExitStatus>> {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t)
}

/// Whether the process behind a pidfd is a child of this one that nobody has reaped.
pub(crate) fn is_child(pidfd: &OwnedFd) -> bool {
    waited(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOWAIT).is_ok()
}

/// Reaps the ended members of a helper's process group. True: none is left.
pub(crate) fn reap_group(group: i32) -> bool {
    loop {
        match wait(libc::P_PGID, group as libc::id_t) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

fn wait(kind: libc::idtype_t, id: libc::id_t) -> io::Result<Option<ExitStatus>> {
    waited(kind, id, 0)
}

fn waited(kind: libc::idtype_t, id: libc::id_t, more: libc::c_int) -> io::Result<Option<ExitStatus>> {
    // SAFETY: siginfo_t is plain data for which zeros are valid; waitid fills it in. __WALL, which rustix and nix
    // don't offer for waitid, is needed because libcontainer's processes have no exit signal.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL | more;
        if libc::waitid(kind, id, &raw mut info, options) != 0 {
            return Err(io::Error::last_os_error());
        }
        if info.si_pid() == 0 {
            return Ok(None);
        }
        let status = info.si_status();
        Ok(Some(if info.si_code == libc::CLD_EXITED { ExitStatus::Code(status) } else { ExitStatus::Signal(status) }))
    }
}

/// Opens a pidfd for a child of ours that nobody has reaped.
pub(crate) fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: any number is allowed: real-time signals are stop signals too, and the kernel refuses what isn't one.
    let signal = unsafe { Signal::from_raw_unchecked(signal) };
    match rustix::process::pidfd_send_signal(pidfd, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// Whether the process behind a pidfd has ended, reaped or not.
pub(crate) fn has_ended(pidfd: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&now)), Ok(1))
}

/// Waits for a child that is on its way out, reaps it, and tells how it ended.
pub(crate) fn await_end(pidfd: &OwnedFd) -> ExitStatus {
    use rustix::event::{PollFd, PollFlags, poll};
    while poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
    reap(pidfd).ok().flatten().unwrap_or(ExitStatus::Unknown)
}

/// A child, or children, whose helper is gone from our books and who may still have to be reaped. Until then a dead member
/// of a container's pid namespace keeps that container's init from ending.
enum Unreaped {
    /// The members of a process group.
    Group(i32),
    /// A child that was told of, and that could not be held by a pidfd. It is ended where it is who was told of.
    Child { pid: i32, is_it: Box<dyn Fn(&OwnedFd) -> bool + Send> },
}

impl Unreaped {
    /// Whether there is nothing to be reaped any more.
    fn is_gone(&self) -> bool {
        match self {
            Self::Group(group) => reap_group(*group),
            Self::Child { pid, is_it } => match open_pidfd(*pid) {
                Ok(pidfd) if is_child(&pidfd) && is_it(&pidfd) => {
                    let _ = signal(&pidfd, libc::SIGKILL);
                    !matches!(reap(&pidfd), Ok(None))
                }
                Ok(_) => true,
                Err(cause) => cause.raw_os_error() == Some(libc::ESRCH),
            },
        }
    }
}

static TO_BE_REAPED: Mutex<Vec<Unreaped>> = Mutex::new(Vec::new());

fn leave(one: Unreaped) {
    if !one.is_gone() {
        TO_BE_REAPED.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
}

/// Leaves a helper's process group to [`reap_ended`].
pub(crate) fn reap_later(group: i32) {
    leave(Unreaped::Group(group));
}

/// Leaves a child of which no pidfd could be had to [`reap_ended`], which ends it once `is_it` says that it is the one.
pub(crate) fn leave_child(pid: i32, is_it: impl Fn(&OwnedFd) -> bool + Send + 'static) {
    leave(Unreaped::Child { pid, is_it: Box::new(is_it) });
}

/// Reaps what failed and aborted creations left. To be called now and then, best at each SIGCHLD; cheap.
pub fn reap_ended() {
    TO_BE_REAPED.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| !one.is_gone());
}
