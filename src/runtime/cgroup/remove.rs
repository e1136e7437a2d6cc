//! Cgroups with nothing left in them go, on every hierarchy.

use std::fs;
use std::io;
use std::path::Path;

use super::{CgroupError, Hierarchies, PODS, below, children};

impl Hierarchies {
    /// Removes a cgroup and those below it on every hierarchy, deepest first. Goes on after failures.
    pub(crate) fn remove(&self, cgroup: &Path) -> Vec<CgroupError> {
        let mut errors = Vec::new();
        for root in self.roots() {
            remove_tree(&below(root, cgroup), &mut errors);
        }
        errors
    }

    /// Removes a pod's cgroup, and the one that all pods are in if it was the last.
    pub(crate) fn remove_pod(&self, pod: &Path) -> Vec<CgroupError> {
        let mut errors = self.remove(pod);
        if let Some(pods) = pod.parent().filter(|path| path.ends_with(PODS)) {
            self.remove_if_empty(pods);
            errors.extend(self.uncover_protection(pod).err());
        }
        errors
    }

    /// Removes a cgroup's folders where nothing is in or below them; silently leaves the others.
    fn remove_if_empty(&self, cgroup: &Path) {
        for root in self.roots() {
            let _ = fs::remove_dir(below(root, cgroup));
        }
    }
}

/// Removes one folder of a cgroup with nothing in it or below. On v1 its limit of CPU time is taken off first: the
/// kernel forgets a removed one's some moments later, and until then would not let its parent have less than it had.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    const NONE: &str = "-1";
    let quota = folder.join("cpu.cfs_quota_us");
    if fs::read_to_string(&quota).is_ok_and(|text| text.trim() != NONE) {
        // Only a smaller pod would be refused for it, and says so.
        let _ = fs::write(&quota, NONE);
    }
    fs::remove_dir(folder)
}

fn remove_tree(folder: &Path, errors: &mut Vec<CgroupError>) {
    match remove_folder(folder) {
        Ok(()) => return,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return,
        Err(_) => {}
    }
    for child in children(folder) {
        remove_tree(&child, errors);
    }
    if let Err(cause) = fs::remove_dir(folder)
        && cause.kind() != io::ErrorKind::NotFound
    {
        errors.push(CgroupError::Io { call: "rmdir", path: folder.to_owned(), cause });
    }
}
