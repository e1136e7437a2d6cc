//! Makes a process that shares its parent's memory until it executes a program, as vfork does: nothing is copied that
//! would be thrown away at once, and the child runs first, on a CPU that is there already. Exists because neither std
//! nor a crate combines that with a cgroup, a pid namespace and a pidfd from birth on.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::child::Child;

/// The kernel's `struct clone_args`, clone(2).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The child's stack, in bytes: for some frames that make system calls.
const STACK: usize = 64 * 1024;

/// Clones with `flags` (`CLONE_NEW*`), in the cgroup whose directory is given. The child runs `entry(data)` while the
/// calling thread waits, until it executes a program or ends. All signals are blocked in it; its handlers are still the
/// parent's, so `entry` must not let one in that has any. Errors are those of clone3(2).
///
/// `entry` may make system calls and must leave the rest alone: memory is the parent's, and another thread may hold any
/// lock.
pub(super) fn clone_until_exec<T>(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    data: &T,
    entry: extern "C" fn(&T) -> !,
) -> io::Result<Child> {
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArgs {
        flags: flags | (libc::CLONE_PIDFD | libc::CLONE_VFORK) as u64,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    let blocked = BlockedSignals::all()?;
    // SAFETY: `entry` promises to touch nothing but its data, which outlives the child's stay in this memory.
    let pid = unsafe { clone3(&mut arguments, data, entry) };
    drop(blocked);
    if pid < 0 {
        return Err(io::Error::from_raw_os_error(-pid as i32));
    }
    // SAFETY: clone3 stored a fresh descriptor here, because of CLONE_PIDFD.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid: pid as i32, pidfd })
}

/// The child has a stack of its own: on its parent's it would overwrite the frames that the parent returns to.
///
/// # Safety
/// Whatever `entry` does to memory happens to this process.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3<T>(arguments: &mut CloneArgs, data: &T, entry: extern "C" fn(&T) -> !) -> i64 {
    // In units of 16 bytes, as the ABI aligns stacks.
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / 16);
    arguments.flags |= libc::CLONE_VM as u64;
    arguments.stack = stack.as_mut_ptr() as u64;
    arguments.stack_size = STACK as u64;
    let result;
    // SAFETY: the parent comes back with nothing changed but what is declared. The child starts on its own empty stack,
    // with the parent's registers, and never comes back: `entry` doesn't return. The stack outlives it, as the parent
    // sleeps until then (CLONE_VFORK).
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") std::ptr::from_mut(arguments),
            in("rsi") size_of::<CloneArgs>(),
            in("r12") std::ptr::from_ref(data),
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// Elsewhere the child gets a copy of memory: slower, and the same to everybody else.
///
/// # Safety
/// `entry` runs in a fork: it must not need a lock that another thread may hold.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn clone3<T>(arguments: &mut CloneArgs, data: &T, entry: extern "C" fn(&T) -> !) -> i64 {
    // SAFETY: like fork; the child goes on at the return of this call, with its own copy of everything.
    match unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_mut(arguments), size_of::<CloneArgs>()) } {
        0 => entry(data),
        -1 => -i64::from(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
        pid => pid,
    }
}

/// While it lives, this thread hears no signals: the child would run the handlers for its parent.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn all() -> io::Result<Self> {
        // SAFETY: both sets are plain data that the calls fill in.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) {
                0 => Ok(Self { before }),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the mask is the one that the kernel gave.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
