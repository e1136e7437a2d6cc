//! Trees of mounts by descriptor: copied, put somewhere, and what is only seen or made in another namespace.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::failure::{Failure, Stage};

/// How much of a tree of mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    One,
    All,
}

/// A copy of the mount at `source`, nowhere yet.
pub(super) fn clone_tree(source: &Path, depth: Depth) -> Result<OwnedFd, Failure> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if depth == Depth::All {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, source, flags).map_err(|cause| Failure::io(Stage::Binds, source.display(), cause))
}

/// Puts it somewhere.
pub(super) fn attach(tree: &OwnedFd, target: &Path) -> Result<(), Failure> {
    move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|cause| Failure::io(Stage::Binds, target.display(), cause))
}

/// Does something in another namespace of this kind, mount or IPC; this process must have one thread.
pub(super) fn within<T>(namespace: &Path, kind: CloneFlags, action: impl FnOnce() -> T) -> Result<T, Failure> {
    let failed = |cause: io::Error| Failure::io(Stage::Binds, namespace.display(), cause);
    let home = if kind == CloneFlags::CLONE_NEWIPC { "/proc/self/ns/ipc" } else { "/proc/self/ns/mnt" };
    let home = File::open(home).map_err(failed)?;
    let there = File::open(namespace).map_err(failed)?;
    setns(there.as_fd(), kind).map_err(|errno| failed(errno.into()))?;
    let done = action();
    setns(home.as_fd(), kind).map_err(|errno| failed(errno.into()))?;
    Ok(done)
}
