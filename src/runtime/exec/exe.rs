//! Keeps the host's binary out of reach of the containers that helpers go into (CVE-2019-5736): helpers run from a
//! clone of it that can't be written to, whoever opens it and however.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::{CWD, MemfdFlags, SealFlags};
use rustix::mount::{OpenTreeFlags, open_tree};

use super::failure::{ExecError, io_error};
use crate::runtime::{mount, spawn};

/// Above the numbers that `spawn` gives to a helper, so that they don't overwrite it between fork and exec.
const LOWEST_FD: RawFd = 512;
/// As much, for a process that may not have so many open files.
const LOWEST_OF_FEW: RawFd = 16;
const EXE: &str = "/proc/self/exe";

/// Makes every helper that this process starts from now on run from a clone of its binary that can't be written to:
/// on a detached read-only mount, where the kernel and the privileges allow it (Linux 5.12, CAP_SYS_ADMIN), else in a
/// sealed memfd, which costs the binary's size in memory. To be called once by a supervisor before it makes its first
/// container; [`Exec::begin`](super::Exec::begin) calls it too. Later calls do nothing.
pub fn protect_exe() -> Result<(), ExecError> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_none() {
        let exe = read_only_clone().or_else(|_| sealed_copy()).map_err(io_error("clone", EXE))?;
        let high = rustix::io::fcntl_dupfd_cloexec(&exe, LOWEST_FD)
            .or_else(|_| rustix::io::fcntl_dupfd_cloexec(&exe, LOWEST_OF_FEW))
            .map_err(|errno| io_error("fcntl", EXE)(errno.into()))?;
        // Open as long as this process lives: each helper is executed through it.
        let path = PathBuf::from(format!("/proc/self/fd/{}", high.into_raw_fd()));
        spawn::set_helper_exe(&path);
        let _ = DONE.set(());
    }
    Ok(())
}

pub(super) fn read_only_clone() -> io::Result<OwnedFd> {
    let tree = open_tree(CWD, EXE, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    mount::add_attributes(&tree, libc::MOUNT_ATTR_RDONLY)?;
    Ok(tree)
}

pub(super) fn sealed_copy() -> io::Result<OwnedFd> {
    const MFD_EXEC: u32 = 0x10;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 don't know MFD_EXEC, later ones may want to hear it.
    let memory = rustix::fs::memfd_create("barepod", flags | MemfdFlags::from_bits_retain(MFD_EXEC))
        .or_else(|_| rustix::fs::memfd_create("barepod", flags))?;
    let mut copy = File::from(memory);
    io::copy(&mut File::open(EXE)?, &mut copy)?;
    rustix::fs::fcntl_add_seals(&copy, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    // A descriptor that is open for writing forbids execve (ETXTBSY).
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    let path = std::ffi::CString::new(path)?;
    // SAFETY: opens a path of ours; the new descriptor is checked and owned by nobody else.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}
