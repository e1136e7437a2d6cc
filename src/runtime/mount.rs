//! mount_setattr(2), which no crate of ours wraps, and the way in which mountinfo writes paths.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::mount::MsFlags;

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

/// Cuts a mount and those below it off from what is mounted at their sources from now on.
pub(crate) fn make_private(root: impl AsFd) -> io::Result<()> {
    let attributes = MountAttr { set: 0, clear: 0, propagation: libc::MS_PRIVATE, user_namespace: 0 };
    apply(root, &attributes, libc::AT_RECURSIVE)
}

/// Gives a mount those attributes that the flags of mount(2) stand for.
pub(crate) fn add_flags(root: impl AsFd, flags: MsFlags) -> io::Result<()> {
    const SAME: [(MsFlags, u64); 5] = [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
        (MsFlags::MS_NODIRATIME, libc::MOUNT_ATTR_NODIRATIME),
    ];
    // One of them at most; which comes first is as the kernel has it.
    const ATIME: [(MsFlags, u64); 3] = [
        (MsFlags::MS_STRICTATIME, libc::MOUNT_ATTR_STRICTATIME),
        (MsFlags::MS_NOATIME, libc::MOUNT_ATTR_NOATIME),
        (MsFlags::MS_RELATIME, libc::MOUNT_ATTR_RELATIME),
    ];
    let given = |(flag, _): &&(MsFlags, u64)| flags.contains(*flag);
    let set = SAME.iter().filter(given).fold(0, |all, (_, attribute)| all | attribute);
    let (set, clear) = match ATIME.iter().find(given) {
        Some((_, attribute)) => (set | attribute, libc::MOUNT_ATTR__ATIME),
        None => (set, 0),
    };
    apply(root, &MountAttr { set, clear, propagation: 0, user_namespace: 0 }, 0)
}

/// Gives a mount and those below it attributes (`MOUNT_ATTR_*`) and takes others away.
pub(crate) fn change_all(root: impl AsFd, set: u64, clear: u64) -> io::Result<()> {
    apply(root, &MountAttr { set, clear, propagation: 0, user_namespace: 0 }, libc::AT_RECURSIVE)
}

/// mountinfo writes blanks, tabs, newlines and backslashes as `\ooo` (proc(5)).
pub(crate) fn unescape(text: &str) -> std::ffi::OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'\\'
            && let Some(code) =
                tail.get(..3).and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok())
        {
            bytes.push(code);
            rest = &tail[3..];
        } else {
            bytes.push(*first);
        }
    }
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
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
    apply(root, attributes, 0)
}

fn apply(root: impl AsFd, attributes: &MountAttr, flags: i32) -> io::Result<()> {
    // SAFETY: the path is an empty C string, the struct lives through the call and has the size that is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            root.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            std::ptr::from_ref(attributes),
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn mountinfo_is_unescaped() {
        for (text, plain) in [("/a", "/a"), ("/a\\040b", "/a b"), ("/a\\134", "/a\\"), ("/a\\9", "/a\\9")] {
            assert_eq!(super::unescape(text), plain);
        }
    }
}
