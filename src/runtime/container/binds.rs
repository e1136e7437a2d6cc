//! Bind mounts whose source libcontainer can't open itself or would mount otherwise than the config says: in a user
//! namespace, and with a propagation of their own. libcontainer gives all mounts the propagation of the root and clones
//! what it finds at a source with the propagation that it has there. So each is bound to a place of the helper's first,
//! with the right owners and propagation, and that place becomes the source.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::AttemptDirs;
use super::failure::{Failure, Stage};
use super::users::Users;
use crate::plan::SharedMount;
use crate::runtime::mount::make_private;

/// How much of a tree of mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    One,
    All,
}

/// Prepares all bind mounts of a config, where one of them needs it.
pub(super) fn prepare(
    spec: &mut Spec,
    shared: &[SharedMount],
    users: Option<&Users>,
    dirs: &AttemptDirs,
) -> Result<(), Failure> {
    let slave = |mount: &Mount| depth(mount).is_some() && has(mount, "rslave");
    if users.is_none() && shared.is_empty() && !spec.mounts().iter().flatten().any(slave) {
        return Ok(());
    }
    let folder = dirs.mounts().join("binds");
    for (number, mount) in spec.mounts_mut().iter_mut().flatten().enumerate() {
        let mapped = mount.uid_mappings().is_some();
        mount.set_uid_mappings(None).set_gid_mappings(None);
        let Some(depth) = depth(mount) else { continue };
        let Some(source) = mount.source().clone() else { continue };
        let tree = match shared.iter().find(|one| one.mount == number) {
            Some(one) => elsewhere(&one.namespace, || shared_tree(&source))?,
            None => clone_tree(&source, depth)?,
        };
        if let Some(users) = users.filter(|_| mapped) {
            users.map(&tree, &source)?;
        }
        if !has(mount, "rslave") && !has(mount, "rshared") {
            make_private(&tree).map_err(|cause| Failure::io(Stage::Binds, source.display(), cause))?;
        }
        let target = folder.join(number.to_string());
        let failed = |cause| Failure::io(Stage::Binds, target.display(), cause);
        fs::create_dir_all(&folder).map_err(failed)?;
        if is_folder(&tree).map_err(failed)? {
            fs::create_dir(&target).map_err(failed)?;
        } else {
            File::create(&target).map_err(failed)?;
        }
        attach(&tree, &target)?;
        mount.set_source(Some(target));
    }
    Ok(())
}

fn has(mount: &Mount, name: &str) -> bool {
    mount.options().iter().flatten().any(|option| option == name)
}

fn depth(mount: &Mount) -> Option<Depth> {
    if has(mount, "rbind") {
        return Some(Depth::All);
    }
    (has(mount, "bind") || mount.typ().as_deref() == Some("bind")).then_some(Depth::One)
}

fn is_folder(tree: &OwnedFd) -> io::Result<bool> {
    let mode = rustix::fs::fstat(tree)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Directory)
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

/// Does something in another mount namespace; this process must have one thread.
fn elsewhere<T>(namespace: &Path, action: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let failed = |cause: io::Error| Failure::io(Stage::Binds, namespace.display(), cause);
    let home = File::open("/proc/self/ns/mnt").map_err(failed)?;
    let there = File::open(namespace).map_err(failed)?;
    setns(there.as_fd(), CloneFlags::CLONE_NEWNS).map_err(|errno| failed(errno.into()))?;
    let done = action();
    setns(home.as_fd(), CloneFlags::CLONE_NEWNS).map_err(|errno| failed(errno.into()))?;
    done
}

/// A copy of what is mounted at `source` that shows there what will be mounted in it, and the other way round.
fn shared_tree(source: &Path) -> Result<OwnedFd, Failure> {
    let failed = |cause| Failure::io(Stage::Binds, source.display(), cause);
    let real = fs::canonicalize(source).map_err(failed)?;
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(failed)?;
    match mount_of(&text, &real) {
        Some((_, Sharing::Shared)) => clone_tree(&real, Depth::All),
        Some((point, Sharing::Not)) => {
            // The kubelet's runtimes' words.
            let cause =
                format!("is mounted on {} but it is not a shared mount; mount --make-shared it", point.display());
            Err(Failure::new(Stage::Binds, real.display(), cause))
        }
        None => Err(Failure::new(Stage::Binds, real.display(), "is on no mount that can be seen")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    Shared,
    Not,
}

/// The mount that a path is on, by the text of a mountinfo (proc(5)).
fn mount_of(mountinfo: &str, path: &Path) -> Option<(PathBuf, Sharing)> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (own, _) = line.split_once(" - ")?;
        let mut fields = own.split(' ').skip(4);
        let point = PathBuf::from(crate::runtime::mount::unescape(fields.next()?));
        // Behind the options.
        let sharing =
            if fields.skip(1).any(|field| field.starts_with("shared:")) { Sharing::Shared } else { Sharing::Not };
        Some((point, sharing))
    });
    // The last of the longest: one may be on top of another.
    mounts.filter(|(point, _)| path.starts_with(point)).max_by_key(|(point, _)| point.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_a_path_is_found() {
        let text = "27 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
            30 27 0:5 / /a rw,relatime - tmpfs x rw\n31 27 0:6 / /a\\040b rw shared:2 master:3 - tmpfs x rw\n\
            32 30 0:7 / /a rw,relatime shared:9 - tmpfs x rw\n";
        let cases =
            [("/x", "/", Sharing::Shared), ("/a/c", "/a", Sharing::Shared), ("/a b/c", "/a b", Sharing::Shared)];
        for (path, point, sharing) in cases {
            assert_eq!(mount_of(text, Path::new(path)), Some((point.into(), sharing)), "{path}");
        }
        assert_eq!(mount_of("1 0 0:1 / / rw - x x rw\n", Path::new("/x")), Some(("/".into(), Sharing::Not)));
    }
}
