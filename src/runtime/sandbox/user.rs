//! The pod's own user namespace (`hostUsers: false`, KEP-127), and the namespaces that belong to it: what the container's
//! root may do, it may do to these only. Made by a child that then ends, as a process that enters a user namespace can't
//! come back; the supervisor keeps their descriptors. Which ids it has was decided elsewhere.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::sched::CloneFlags;
use rustix::pipe::PipeFlags;

use super::error::SandboxError;
use crate::plan::IdRange;
use crate::runtime::spawn;

/// New namespaces and the process that holds them until they are opened.
#[derive(Debug)]
pub(super) struct NewNamespaces {
    pub(super) user: File,
    holder: Holder,
}

impl NewNamespaces {
    /// One of them by its name in /proc/PID/ns.
    pub(super) fn open(&self, name: &'static str) -> Result<File, SandboxError> {
        self.holder.open(name)
    }
}

/// Makes a user namespace of these ids, for users and groups, and those of `others` by its root.
pub(super) fn create(ids: IdRange, others: CloneFlags) -> Result<NewNamespaces, SandboxError> {
    let failed = |step| move |cause| SandboxError::Users { step, cause };
    let (gate, opener) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed("pipe")(errno.into()))?;
    let (answer, report) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed("pipe")(errno.into()))?;
    let holder = Holder::start(&gate, &report, others).map_err(failed("clone3"))?;
    drop(report);
    let map = format!("0 {} {}", ids.first, ids.length);
    for file in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{}/{file}", holder.pid), &map).map_err(failed(file))?;
    }
    File::from(opener).write_all(b"!").map_err(failed("pipe"))?;
    let mut errno = [0; 4];
    File::from(answer).read_exact(&mut errno).map_err(failed("the process that makes it"))?;
    match i32::from_ne_bytes(errno) {
        0 => Ok(NewNamespaces { user: holder.open("user")?, holder }),
        errno => Err(failed("unshare")(io::Error::from_raw_os_error(errno))),
    }
}

/// A process that makes the namespaces and then does nothing.
#[derive(Debug)]
struct Holder {
    pid: i32,
    pidfd: OwnedFd,
}

impl Holder {
    /// In a user namespace. With a byte from `gate` it makes the others and reports an errno.
    fn start(gate: &OwnedFd, report: &OwnedFd, others: CloneFlags) -> io::Result<Self> {
        // The kernel's struct clone_args: flags, where to put the pidfd, ..., exit signal.
        let mut pidfd: i32 = -1;
        let mut arguments = [0_u64; 8];
        arguments[0] = (libc::CLONE_NEWUSER | libc::CLONE_PIDFD) as u64;
        arguments[1] = std::ptr::from_mut(&mut pidfd) as u64;
        arguments[4] = libc::SIGCHLD as u64;
        let parent = std::process::id() as i32;
        // SAFETY: without CLONE_VM the child has a copy of memory; it makes system calls only, so that a lock which
        // another thread holds doesn't matter, and it never returns. No safe wrapper makes namespaces and a pidfd.
        unsafe {
            match libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)) {
                -1 => Err(io::Error::last_os_error()),
                0 => hold(gate, report, others, parent),
                pid => Ok(Self { pid: pid as i32, pidfd: OwnedFd::from_raw_fd(pidfd) }),
            }
        }
    }

    fn open(&self, name: &'static str) -> Result<File, SandboxError> {
        File::open(format!("/proc/{}/ns/{name}", self.pid)).map_err(|cause| SandboxError::Users { step: name, cause })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = spawn::signal(&self.pidfd, libc::SIGKILL);
        spawn::await_end(&self.pidfd);
    }
}

/// The holder's whole life.
///
/// # Safety
/// Only in a child of a fork: it ends the process.
unsafe fn hold(gate: &OwnedFd, report: &OwnedFd, others: CloneFlags, parent: i32) -> ! {
    let mut errno = 0;
    // SAFETY: system calls on numbers and on this frame's own memory.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent || libc::read(gate.as_raw_fd(), (&raw mut errno).cast(), 1) != 1 {
            libc::_exit(1);
        }
        // What the root makes is the root's: mqueue's root folder, for one.
        let made = become_root().is_ok() && libc::unshare(others.bits()) == 0;
        errno = if made { 0 } else { *libc::__errno_location() };
        // A change of user takes it away.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            libc::_exit(1);
        }
        libc::write(report.as_raw_fd(), (&raw const errno).cast(), size_of_val(&errno));
        loop {
            libc::pause();
        }
    }
}

/// Does something with the file system rights of the namespace's root, in a process with one thread.
pub(super) fn as_root_of<T>(ids: IdRange, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let dumpable = rustix::process::dumpable_behavior()?;
    nix::unistd::seteuid(ids.first.into())?;
    let done = action();
    nix::unistd::seteuid(0.into()).expect("root may become root again");
    // A change of user takes it away.
    let _ = rustix::process::set_dumpable_behavior(dumpable);
    done
}

/// After having entered a user namespace: its root, with no other groups.
pub(super) fn become_root() -> io::Result<()> {
    // SAFETY: system calls on numbers; this process has one thread.
    let results = unsafe {
        [
            libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
            libc::syscall(libc::SYS_setresgid, 0, 0, 0),
            libc::syscall(libc::SYS_setresuid, 0, 0, 0),
        ]
    };
    if results.contains(&-1) { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_belongs_to_the_ids() {
        if !rustix::process::geteuid().is_root() {
            crate::skips::skip("mapping ids needs root");
            return;
        }
        let ids = IdRange { first: 7 << 24, length: IdRange::LENGTH };
        let made = create(ids, CloneFlags::CLONE_NEWUTS).unwrap();
        let map = |file: &str| {
            let text = fs::read_to_string(format!("/proc/{}/{file}", made.holder.pid)).unwrap();
            text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let wanted = ["0".to_owned(), ids.first.to_string(), ids.length.to_string()];
        assert_eq!((map("uid_map"), map("gid_map")), (wanted.to_vec(), wanted.to_vec()));
        let inode = |file: &File| std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
        assert_ne!(inode(&made.open("uts").unwrap()), inode(&File::open("/proc/self/ns/uts").unwrap()));
        let held = made.holder.pid;
        drop(made.holder);
        assert!(!std::path::Path::new(&format!("/proc/{held}")).exists());
    }
}
