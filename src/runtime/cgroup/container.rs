//! A container's cgroup: made and limited here; on v1 hierarchies joined and shown to the container from here as well.
//!
//! libcontainer can do all of that, but knows no field by which to say what was refused, and on v1 moves its process by pid and through `cgroup.procs`, once per hierarchy. For
//! that the kernel stops every fork and exit on the box, and the first such stop waits for an RCU grace period:
//! 10 ms per container, measured. A process that moves itself, as a single thread through `tasks`, stops nobody. So the
//! helper goes into the container's cgroup itself, and libcontainer, whose processes are born there, is shown a box
//! without hierarchies. On v2 there is no such way for a process that exists already: there libcontainer does its part.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use oci_spec::runtime::LinuxResources;
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::pod::copy_cpuset;
use super::{CgroupError, Hierarchies, below, error};
use crate::plan::CgroupVersion;
use crate::runtime::files;
use crate::runtime::mount::add_attributes;

/// Where libcontainer looks for hierarchies.
const ROOT: &str = "/sys/fs/cgroup";

/// Whether a container may write to what it sees of its cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As everywhere but in privileged containers.
    ReadOnly,
    /// Limits can be changed from inside.
    Writable,
}

impl Access {
    fn attributes(self) -> u64 {
        let always = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
        match self {
            Self::ReadOnly => always | libc::MOUNT_ATTR_RDONLY,
            Self::Writable => always,
        }
    }
}

/// What [`Hierarchies::show`] has prepared.
#[derive(Debug)]
pub(crate) struct View {
    /// A folder of the names, to be mounted first.
    pub(crate) base: PathBuf,
    /// A name, and what is to be mounted there.
    pub(crate) cgroups: Vec<(PathBuf, PathBuf)>,
}

fn clone_mount(source: &Path, target: &Path, access: Access) -> io::Result<()> {
    let clone = open_tree(CWD, source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    add_attributes(&clone, access.attributes())?;
    Ok(move_mount(&clone, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

impl Hierarchies {
    /// Makes a container's cgroup on every hierarchy that limits and sets all limits but that of processes, among which
    /// the helper would count (see [`Self::process_limit`]).
    pub(crate) fn make_container(&self, cgroup: &Path, resources: &LinuxResources) -> Result<(), CgroupError> {
        for (controllers, root) in &self.v1 {
            let path = below(root, cgroup);
            files::make_all(&path).map_err(error("mkdir", &path))?;
            if let Some(parent) = path.parent()
                && controllers.iter().any(|one| one == "cpuset")
            {
                copy_cpuset(parent, &path)?;
            }
        }
        if let Some(root) = self.unified.as_ref().filter(|_| self.version == CgroupVersion::V2) {
            let path = below(root, cgroup);
            files::make_all(&path).map_err(error("mkdir", &path))?;
        }
        let rules = resources.devices().as_deref().unwrap_or_default();
        self.write_device_rules(cgroup, rules)?;
        self.limit_container(cgroup, resources)
    }

    /// Moves this process, which must have one thread, into a cgroup on every v1 hierarchy.
    pub(crate) fn join(&self, cgroup: &Path) -> Result<(), CgroupError> {
        for (_, root) in &self.v1 {
            let tasks = below(root, cgroup).join("tasks");
            fs::write(&tasks, "0").map_err(error("write", &tasks))?;
        }
        Ok(())
    }

    /// Prepares below `folder` what a container is to find at `/sys/fs/cgroup`: its own cgroup of every v1 hierarchy, by
    /// the names the hierarchies have on the box. In a mount namespace of the caller's own.
    pub(crate) fn show(&self, cgroup: &Path, folder: &Path, access: Access) -> Result<View, CgroupError> {
        let base = folder.join("names");
        files::make_all(&base).map_err(error("mkdir", &base))?;
        mount(Some("tmpfs"), &base, Some("tmpfs"), MsFlags::empty(), Some("mode=755,size=64k"))
            .map_err(|errno| error("mount tmpfs", &base)(errno.into()))?;
        let mut view = View { base, cgroups: Vec::new() };
        for (number, (controllers, root)) in self.v1.iter().enumerate() {
            let Some(name) = root.file_name() else { continue };
            let place = view.base.join(name);
            fs::create_dir(&place).map_err(error("mkdir", &place))?;
            // cpu,cpuacct is known as cpu and as cpuacct too.
            for alias in controllers.iter().filter(|alias| name != alias.as_str()) {
                let link = view.base.join(alias);
                symlink(name, &link).map_err(error("symlink", &link))?;
            }
            // By a number: libcontainer takes a mount whose path ends in a controller's name for the hierarchy.
            let bind = folder.join(number.to_string());
            fs::create_dir(&bind).map_err(error("mkdir", &bind))?;
            let own = below(root, cgroup);
            clone_mount(&own, &bind, access).map_err(error("bind", &own))?;
            view.cgroups.push((PathBuf::from(name), bind));
        }
        open_tree(CWD, &view.base, OpenTreeFlags::OPEN_TREE_CLOEXEC)
            .map_err(io::Error::from)
            .and_then(|root| add_attributes(root, access.attributes()))
            .map_err(error("mount_setattr", &view.base))?;
        Ok(view)
    }

    /// For a container that has no cgroup of its own. libcontainer wants one all the same, but leaves a process where it
    /// is if it may not make one on v2, in a user namespace. So it is shown nothing but v2, in which it may do nothing.
    pub(crate) fn show_none() -> Result<(), CgroupError> {
        let root = Path::new(ROOT);
        unshare(CloneFlags::CLONE_NEWCGROUP)
            .map_err(|errno| error("unshare the cgroup namespace of", root)(errno.into()))?;
        match mount(Some("cgroup2"), root, Some("cgroup2"), MsFlags::MS_RDONLY, None::<&str>) {
            // On a pure v2 box it is there already.
            Err(nix::Error::EBUSY) => Ok(()),
            mounted => mounted.map_err(|errno| error("mount cgroup2", root)(errno.into())),
        }
    }

    /// Whether what `hide` and `show_none` do changes what is seen at a path or below.
    pub(crate) fn is_hidden_at(&self, path: &Path) -> bool {
        let points = self.v1.iter().map(|(_, point)| point.as_path()).chain([Path::new(ROOT)]);
        points.into_iter().any(|point| point.starts_with(path) || path.starts_with(point))
    }

    /// Takes all v1 hierarchies out of this process' mount namespace, which must be its own, so that libcontainer
    /// finds a box without any.
    pub(crate) fn hide(&self) -> Result<(), CgroupError> {
        let root = Path::new(ROOT);
        let elsewhere = self.v1.iter().map(|(_, point)| point.as_path()).filter(|point| !point.starts_with(root));
        for point in elsewhere.chain([root]) {
            // With all that is mounted below. EINVAL: nothing is mounted there.
            match umount2(point, MntFlags::MNT_DETACH) {
                Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
                Err(errno) => return Err(error("umount", point)(errno.into())),
            }
        }
        mount(Some("tmpfs"), root, Some("tmpfs"), MsFlags::empty(), Some("size=4k"))
            .map_err(|errno| error("mount tmpfs", root)(errno.into()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_known() {
        let v1 =
            vec![(vec!["cpu".to_owned()], "/cg/cpu".into()), (vec!["pids".to_owned()], "/sys/fs/cgroup/pids".into())];
        let hierarchies = Hierarchies { v1, ..Hierarchies::none() };
        for (path, hidden) in [
            ("/", true),
            ("/sys", true),
            ("/sys/fs/cgroup", true),
            ("/sys/fs/cgroup/pids/a", true),
            ("/cg", true),
            ("/cg/cpu/a", true),
            ("/cg/cpuacct", false),
            ("/sys/fs/bpf", false),
            ("/sys/fs/cgroups", false),
        ] {
            assert_eq!(hierarchies.is_hidden_at(Path::new(path)), hidden, "{path}");
        }
    }
}
