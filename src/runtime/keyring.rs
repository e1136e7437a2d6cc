//! Session keyrings (session-keyring(7)): what runs in a container has one of its own.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use super::lsm;

/// Leaves the session keyring that this process has from the supervisor, whose keys could be read, for a new one without
/// a name, which has the SELinux label of the container's processes, if there is one (the labels' folder is
/// [`lsm::attributes`]). The kernel forgets at the execve that keys get the label.
pub(crate) fn leave(label: Option<(&OwnedFd, &str)>) -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    if let Some((attributes, label)) = label {
        lsm::choose_key_label(attributes, label)?;
    }
    // SAFETY: with a null name the kernel makes an anonymous keyring; nothing is read from memory.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) };
    match io::Error::last_os_error() {
        _ if result >= 0 => Ok(()),
        // A kernel without keys, or a box that lets nobody use them: there is nothing to protect.
        cause if matches!(cause.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => Ok(()),
        cause => Err(cause),
    }
}
