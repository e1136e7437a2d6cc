//! Forks whose child is a child of the supervisor (CLONE_PARENT), which watches and reaps it.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Forks a sibling, a child of the supervisor, into a cgroup (v2). `None`: this is it.
pub(super) fn fork_into(cgroup: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    // The kernel's struct clone_args up to `cgroup`; a sibling's exit signal is its parent's and must be 0 here.
    let mut arguments = [0_u64; 11];
    arguments[0] = SIBLING | CLONE_INTO_CGROUP;
    arguments[10] = cgroup.as_raw_fd() as u64;
    // SAFETY: without CLONE_VM the child has its own copy of memory and goes on here, like fork; this process has one
    // thread, so that all of std works in the child. No safe wrapper knows CLONE_PARENT and CLONE_INTO_CGROUP.
    forked(unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)) })
}

/// Flags of a fork whose child is the supervisor's.
pub(super) const SIBLING: u64 = libc::CLONE_PARENT as u64;

/// Forks a sibling, by the call that filters of seccomp allow (of clone3 they can't see the flags).
pub(super) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: as `fork_into`.
    forked(unsafe { libc::syscall(libc::SYS_clone, SIBLING, 0, 0, 0, 0) })
}

fn forked(pid: libc::c_long) -> io::Result<Option<i32>> {
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid as i32)),
    }
}
