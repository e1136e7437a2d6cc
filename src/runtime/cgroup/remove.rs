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

/// Deepest first. A privileged container may have nested them deeper than this process has room for on its stack.
fn remove_tree(folder: &Path, errors: &mut Vec<CgroupError>) {
    let mut folders = vec![(folder.to_owned(), Below::Unknown)];
    while let Some((folder, below)) = folders.pop() {
        let removed = match below {
            Below::Unknown => remove_folder(&folder),
            Below::Tried => fs::remove_dir(&folder),
        };
        match removed {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(_) if below == Below::Unknown => {
                let inner = children(&folder).unwrap_or_else(|error| {
                    errors.push(error);
                    Vec::new()
                });
                folders.push((folder, Below::Tried));
                folders.extend(inner.into_iter().map(|child| (child, Below::Unknown)));
            }
            Err(cause) => errors.push(CgroupError::Io { call: "rmdir", path: folder, cause }),
        }
    }
}

/// What is known of the cgroups below one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Unknown,
    /// All that could be removed has been.
    Tried,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The folder of the first hierarchy that a cgroup of this test's own can be made in.
    fn own(name: &str) -> Option<std::path::PathBuf> {
        let hierarchies = Hierarchies::discover().ok()?;
        let name = format!("barepod-test-{name}-{}", std::process::id());
        let folders: Vec<_> = hierarchies.roots().map(|root| root.join(&name)).collect();
        folders.into_iter().find(|folder| fs::create_dir(folder).is_ok())
    }

    fn nested(top: &Path, levels: usize) -> std::path::PathBuf {
        let mut deepest = top.to_owned();
        for _ in 0..levels {
            deepest.push("c");
            fs::create_dir(&deepest).unwrap();
        }
        deepest
    }

    #[test]
    fn no_cgroup_is_nested_too_deep() {
        let Some(top) = own("nested") else { return crate::skips::skip("no cgroup can be made here") };
        nested(&top, 200);
        fs::create_dir(top.join("c/beside")).unwrap();
        let mut errors = Vec::new();
        remove_tree(&top, &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(!top.exists());
        remove_tree(&top, &mut errors);
        assert!(errors.is_empty(), "it is gone already: {errors:?}");
    }

    /// What keeps one from being removed keeps those above it, and none beside it. Each is told of once, the deepest first.
    #[test]
    fn removal_goes_on_after_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let deepest = nested(dir.path(), 2);
        fs::write(deepest.join("cgroup.procs"), "1\n").unwrap();
        fs::create_dir(dir.path().join("c/beside")).unwrap();
        let mut errors = Vec::new();
        remove_tree(dir.path(), &mut errors);
        let path = |error: &CgroupError| match error {
            CgroupError::Io { path, .. } => path.clone(),
            other => panic!("{other}"),
        };
        let paths: Vec<_> = errors.iter().map(path).collect();
        assert_eq!(paths, [deepest, dir.path().join("c"), dir.path().to_owned()]);
        assert!(!dir.path().join("c/beside").exists());
    }
}
