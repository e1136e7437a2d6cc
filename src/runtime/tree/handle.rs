//! What a folder is for its file system (name_to_handle_at(2)): it can be opened by that wherever it was moved to, by
//! those who may (CAP_DAC_READ_SEARCH), and on file systems that know such handles. Elsewhere there is none.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// The longest that there are (MAX_HANDLE_SZ).
const LONGEST: usize = 128;

/// The kernel's `struct file_handle` with room for the longest.
#[repr(C)]
struct Raw {
    bytes: u32,
    kind: i32,
    handle: [u8; LONGEST],
}

pub(super) struct Handle {
    kind: i32,
    handle: Box<[u8]>,
}

impl Handle {
    pub(super) fn of(folder: &OwnedFd) -> Option<Self> {
        let mut raw = Raw { bytes: LONGEST as u32, kind: 0, handle: [0; LONGEST] };
        let mut mount = 0_i32;
        // SAFETY: both pointers are to memory that lives through the call; `bytes` is the room behind the struct's head.
        let done = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                folder.as_raw_fd(),
                c"".as_ptr(),
                &raw mut raw,
                &raw mut mount,
                libc::AT_EMPTY_PATH,
            )
        };
        let handle = raw.handle.get(..raw.bytes as usize).filter(|_| done == 0)?;
        Some(Self { kind: raw.kind, handle: handle.into() })
    }

    /// Opens it for reading; `same` is any folder of its mount.
    pub(super) fn open(&self, same: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let mut raw = Raw { bytes: self.handle.len() as u32, kind: self.kind, handle: [0; LONGEST] };
        raw.handle[..self.handle.len()].copy_from_slice(&self.handle);
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: the pointer is to memory that lives through the call, as long as its `bytes` say.
        let fd = unsafe { libc::syscall(libc::SYS_open_by_handle_at, same.as_raw_fd(), &raw mut raw, flags) };
        if fd < 0 {
            return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::STALE));
        }
        // SAFETY: the descriptor was just made and nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }
}
