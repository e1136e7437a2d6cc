//! What the kernel's security modules call processes and files (AppArmor's profiles, SELinux' labels), as far as a
//! container's own process has to choose it: proc_pid_attr(5).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::tree;

/// The host's /proc, for [`choose_profile`] and [`choose_label`] in a process that has left for a container: what the
/// container has at /proc may be anything, also a file whose writing harms the box (CVE-2025-52881).
pub(crate) fn attributes() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, "/proc", flags, Mode::empty())?)
}

/// From the execve on, this process is under the AppArmor profile. The module's own folder is there since Linux 5.8.
pub(crate) fn choose_profile(attributes: &OwnedFd, profile: &str) -> io::Result<()> {
    let file = open(attributes, "self/attr/apparmor/exec").or_else(|_| open(attributes, "self/attr/exec"))?;
    File::from(file).write_all(format!("exec {profile}").as_bytes())
}

/// From the execve on, this process has the SELinux label. EINVAL: the policy doesn't know it.
pub(crate) fn choose_label(attributes: &OwnedFd, label: &str) -> io::Result<()> {
    File::from(open(attributes, "self/attr/exec")?).write_all(label.as_bytes())
}

/// Keys and keyrings that this process makes until its execve have the label.
pub(crate) fn choose_key_label(attributes: &OwnedFd, label: &str) -> io::Result<()> {
    File::from(open(attributes, "self/attr/keycreate")?).write_all(label.as_bytes())
}

fn open(attributes: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(attributes, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Gives a file, or a folder with all that is in it, the SELinux label. What is in it may be hostile: links are never
/// followed, mounts not entered. A file system that holds no labels is left as it is.
pub(crate) fn relabel(path: &Path, label: &str) -> Result<(), (PathBuf, io::Error)> {
    let at = |cause: Errno| (path.to_owned(), io::Error::from(cause));
    let root = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(at)?;
    let found = rustix::fs::fstat(&root).map_err(at)?;
    let mut give = |thing: BorrowedFd<'_>, _: &Stat| give_label(thing, label);
    if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
        tree::visit_below(root.as_fd(), path, &mut give)?;
    }
    give_label(root.as_fd(), label).map_err(|cause| (path.to_owned(), cause))
}

/// Gives the thing that a descriptor stands for (a file, a folder, the root of a mount) the SELinux label.
pub(crate) fn give_label(thing: BorrowedFd<'_>, label: &str) -> io::Result<()> {
    // By its name in /proc, as no descriptor of O_PATH has attributes; what it is a link to stays out of it.
    let name = format!("/proc/self/fd/{}", thing.as_raw_fd());
    match rustix::fs::setxattr(name, "security.selinux", label.as_bytes(), XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}
