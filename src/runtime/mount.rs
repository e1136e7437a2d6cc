//! mount_setattr(2), which no crate of ours wraps.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Gives the mount that `root` is the root of more attributes (`MOUNT_ATTR_*`). EINVAL: it is the root of none. Needs
/// Linux 5.12.
pub(crate) fn add_attributes(root: impl AsFd, attributes: u64) -> io::Result<()> {
    set(root, &MountAttr { set: attributes, clear: 0, propagation: 0, user_namespace: 0 })
}

/// Has a mount that is nowhere yet show the ids on its file system as those that a user namespace maps them to
/// (`MOUNT_ATTR_IDMAP`); mounts below it stay. EINVAL: its file system can't be shown so.
pub(crate) fn map_ids(root: impl AsFd, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let namespace = namespace.as_raw_fd() as u64;
    set(root, &MountAttr { set: libc::MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, user_namespace: namespace })
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

fn set(root: impl AsFd, attributes: &MountAttr) -> io::Result<()> {
    // SAFETY: the path is an empty C string, the struct lives through the call and has the size that is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            root.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(attributes),
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
