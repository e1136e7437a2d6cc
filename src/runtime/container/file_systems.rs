//! New file systems in memory and on disks, and others (mqueue ...) whose place is in a volume: made by the helper, nowhere
//! yet, so that they can be put at their place by descriptor as bind mounts are. libcontainer makes all others.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsmount, fsopen};

use super::failure::{Failure, Stage};
use super::trees::within;
use super::users::Users;
use super::{asked, options};

/// They show the namespaces of the process that makes them, and some of the container's are not there yet.
const OF_NAMESPACES: [&str; 4] = ["proc", "sysfs", "cgroup", "cgroup2"];

/// What this process may make for a user namespace: nothing that the namespace's root may not make itself, and its owners
/// are known.
const FOR_USERS: [&str; 2] = ["tmpfs", "mqueue"];

/// Makes what a mount of a config names, without the attributes of its options, which are not of its file system. A tmpfs
/// that doesn't say its mode has that of the folder that it covers, as in runc.
pub(super) fn make(
    mount: &Mount,
    spec: &Spec,
    users: Option<&Users>,
    covered: Option<u32>,
) -> Result<OwnedFd, Failure> {
    let kind = mount.typ().as_deref().unwrap_or_default();
    let failed = |cause: &str| Failure::new(Stage::Binds, mount.destination().display(), cause);
    if OF_NAMESPACES.contains(&kind) {
        return Err(failed(&format!(
            "a file system of type {kind:?} can't be made in a volume, where others may exchange its place meanwhile; \
             mount it outside of volumes"
        )));
    }
    if users.is_some() && !FOR_USERS.contains(&kind) {
        return Err(failed(&format!(
            "with hostUsers: false no file system of type {kind:?} can be made in a volume; mount it outside of volumes"
        )));
    }
    let context = match ipc_namespace(spec).filter(|_| kind == "mqueue") {
        // It is of the namespace in which it is opened.
        Some(namespace) => within(&namespace, CloneFlags::CLONE_NEWIPC, || open(kind))?,
        None => open(kind),
    };
    let mut options = options::of_file_system(mount).map_err(|error| failed(&error))?;
    if let Some(mode) = covered.filter(|_| kind == "tmpfs" && !options.iter().any(|one| one.starts_with("mode="))) {
        options.push(format!("mode={mode:o}"));
    }
    if let Some(users) = users.filter(|_| kind == "tmpfs") {
        options = owned(options, users).map_err(|option| failed(&format!("{option}: no such id in the container")))?;
    }
    let source = mount.source().as_deref().unwrap_or(Path::new(kind)).to_string_lossy();
    context.and_then(|context| mounted(&context, &source, &options)).map_err(|errno| {
        let failure = Failure::io(Stage::Binds, mount.destination().display(), errno);
        Failure { cause: asked::with_kernels_reason(mount, failure.cause), ..failure }
    })
}

fn open(kind: &str) -> rustix::io::Result<OwnedFd> {
    fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
}

fn mounted(context: &OwnedFd, source: &str, options: &[String]) -> rustix::io::Result<OwnedFd> {
    asked::configure(context, source, options)?;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// The kernel takes owners as ids of who makes the file system, a config means the container's. `Err`: an option whose id
/// the container doesn't have.
fn owned(options: Vec<String>, users: &Users) -> Result<Vec<String>, String> {
    let root = users.root();
    // What the config says comes later, and wins.
    let mut all = vec![format!("uid={root}"), format!("gid={root}")];
    for option in options {
        let id = option.split_once('=').filter(|(name, _)| matches!(*name, "uid" | "gid"));
        all.push(match id {
            Some((name, id)) => {
                let host = id.parse().ok().and_then(|id| users.host(id)).ok_or_else(|| option.clone())?;
                format!("{name}={host}")
            }
            None => option,
        });
    }
    Ok(all)
}

/// The pod's; none where it uses the host's.
pub(super) fn ipc_namespace(spec: &Spec) -> Option<PathBuf> {
    let mut all = spec.linux().as_ref()?.namespaces().iter().flatten();
    all.find(|one| one.typ() == LinuxNamespaceType::Ipc)?.path().clone()
}
