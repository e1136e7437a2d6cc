//! The pod's own cgroup, which those of its containers are in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{CgroupError, Hierarchies, below, error};
use crate::plan::{CgroupPlan, CgroupVersion};
use crate::runtime::files;

/// The pod's own cgroup.
#[derive(Debug)]
pub struct PodCgroup {
    hierarchies: Hierarchies,
    path: PathBuf,
}

impl PodCgroup {
    /// Makes it on every hierarchy and limits it (R9.2). Nothing of it remains after a failure.
    pub fn create(plan: &CgroupPlan, version: CgroupVersion) -> Result<Self, CgroupError> {
        let pod = Self { hierarchies: Hierarchies::of(version)?, path: plan.path.clone() };
        if version == CgroupVersion::None {
            return Ok(pod);
        }
        match pod.make().and_then(|()| pod.hierarchies.limit_pod(plan)) {
            Ok(()) => Ok(pod),
            Err(error) => {
                pod.hierarchies.remove_pod(&pod.path);
                Err(error)
            }
        }
    }

    fn make(&self) -> Result<(), CgroupError> {
        for (controllers, root) in &self.hierarchies.v1 {
            let path = below(root, &self.path);
            files::make_all(&path).map_err(error("mkdir", &path))?;
            if controllers.iter().any(|one| one == "cpuset") {
                inherit_cpuset(root, &self.path)?;
            }
        }
        match (&self.hierarchies.unified, self.hierarchies.version) {
            (Some(root), CgroupVersion::V1) => {
                let path = below(root, &self.path);
                files::make_all(&path).map_err(error("mkdir", &path))
            }
            (Some(root), CgroupVersion::V2) => enable_controllers(root, &self.path),
            (None, _) | (_, CgroupVersion::None) => Ok(()),
        }
    }

    /// The hierarchies it is on.
    pub fn hierarchies(&self) -> &Hierarchies {
        &self.hierarchies
    }

    /// Relative to the hierarchies' roots.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, and the folder all pods share if this was the last one.
    pub fn remove(self) -> Vec<CgroupError> {
        self.hierarchies.remove_pod(&self.path)
    }
}

/// A new v1 cpuset has no CPU and no memory node, and no process can join it: take over the parent's, from the top.
fn inherit_cpuset(root: &Path, cgroup: &Path) -> Result<(), CgroupError> {
    let mut parent = root.to_owned();
    for part in cgroup.strip_prefix("/").unwrap_or(cgroup) {
        let child = parent.join(part);
        copy_cpuset(&parent, &child)?;
        parent = child;
    }
    Ok(())
}

/// What is made below `child` from then on has them from the beginning (cgroup-v1/cpusets.txt, `cgroup.clone_children`): each write
/// of `cpuset.cpus` makes the kernel walk all cpusets of the box, which with hundreds of pods is most of a start.
pub(super) fn copy_cpuset(parent: &Path, child: &Path) -> Result<(), CgroupError> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (parent.join(name), child.join(name));
        if fs::read_to_string(&to).map_err(error("read", &to))?.trim().is_empty() {
            let value = fs::read_to_string(&from).map_err(error("read", &from))?;
            fs::write(&to, value.trim()).map_err(error("write", &to))?;
            // Nobody has set it: the folder is ours, and new.
            let handed_down = child.join("cgroup.clone_children");
            fs::write(&handed_down, "1").map_err(error("write", &handed_down))?;
        }
    }
    Ok(())
}

/// v2: makes the path and hands every controller down to the pod's children. Controllers that can't be handed down
/// (a parent lacks them, or realtime processes hold `cpu`) are left: a limit that needs one says so when it is set.
fn enable_controllers(root: &Path, cgroup: &Path) -> Result<(), CgroupError> {
    let mut folder = root.to_owned();
    hand_down(&folder)?;
    for part in cgroup.strip_prefix("/").unwrap_or(cgroup) {
        folder.push(part);
        match fs::create_dir(&folder) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                return Err(CgroupError::Io { call: "mkdir", path: folder, cause });
            }
            _ => hand_down(&folder)?,
        }
    }
    Ok(())
}

fn hand_down(folder: &Path) -> Result<(), CgroupError> {
    let list = folder.join("cgroup.controllers");
    let switch = folder.join("cgroup.subtree_control");
    let available = fs::read_to_string(&list).map_err(error("read", &list))?;
    let enabled = fs::read_to_string(&switch).map_err(error("read", &switch))?;
    for controller in available.split_whitespace().filter(|name| !enabled.split_whitespace().any(|one| one == *name)) {
        let word = format!("+{controller}");
        match fs::write(&switch, &word) {
            // Somebody's process has come to be in it since it was looked at.
            Err(cause) if cause.raw_os_error() == Some(libc::EBUSY) => return Err(error("write", &switch)(cause)),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_new_cpuset_takes_its_parents_over_and_hands_it_down() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str, cpus: &str| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            for (file, text) in [("cpuset.cpus", cpus), ("cpuset.mems", cpus), ("cgroup.clone_children", "0")] {
                fs::write(folder.join(file), text).unwrap();
            }
            folder
        };
        let read = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let (parent, new, others) = (folder("parent", "0-1\n"), folder("new", "\n"), folder("others", "1\n"));
        for child in [&new, &others] {
            copy_cpuset(&parent, child).unwrap();
        }
        assert_eq!((read(&new, "cpuset.cpus"), read(&new, "cgroup.clone_children")), ("0-1".into(), "1".into()));
        // What somebody has set is theirs.
        assert_eq!((read(&others, "cpuset.cpus"), read(&others, "cgroup.clone_children")), ("1\n".into(), "0".into()));
    }
}
