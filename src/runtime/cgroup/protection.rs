//! Memory of pods that isn't to be reclaimed (v2): what a cgroup asks for counts only as far as its parents do (the
//! kernel's cgroup-v2.rst, memory.min), so the cgroup that all pods are in has their sum, as the kubelet's has.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{CgroupError, Hierarchies, PODS, below, children, error};
use crate::plan::CgroupVersion;

const FILES: [&str; 2] = ["memory.min", "memory.low"];

impl Hierarchies {
    /// The folder that all pods are in with the one at `pod`, where it is barepod's own.
    fn folder_of_pods(&self, pod: &Path) -> Option<PathBuf> {
        let root = self.unified.as_ref().filter(|_| self.version == CgroupVersion::V2)?;
        let folder = pod.parent().filter(|folder| folder.ends_with(PODS))?;
        Some(below(root, folder))
    }

    /// Gives the cgroup of all pods the sum of what they ask for.
    pub(super) fn cover_protection(&self, pod: &Path) -> Result<(), CgroupError> {
        let Some(folder) = self.folder_of_pods(pod) else { return Ok(()) };
        // Other supervisors do the same: who is last sees all of them.
        let lock = File::open(&folder).and_then(|folder| folder.lock().map(|()| folder));
        let _lock = lock.map_err(error("lock", &folder))?;
        for file in FILES {
            let of = |folder: &Path| fs::read_to_string(folder.join(file)).unwrap_or_default();
            let sum = children(&folder)?.iter().map(|child| bytes(&of(child))).fold(0, u64::saturating_add);
            if bytes(&of(&folder)) != sum {
                let path = folder.join(file);
                let text = if sum == u64::MAX { "max".to_owned() } else { sum.to_string() };
                fs::write(&path, text).map_err(error("write", &path))?;
            }
        }
        Ok(())
    }

    /// After a pod has gone, whether it asked for something or not: where there is a sum it is made anew.
    pub(super) fn uncover_protection(&self, pod: &Path) -> Result<(), CgroupError> {
        let has = |folder: &PathBuf| {
            FILES.iter().any(|file| fs::read_to_string(folder.join(file)).is_ok_and(|text| bytes(&text) > 0))
        };
        let Some(folder) = self.folder_of_pods(pod).filter(has) else { return Ok(()) };
        // Another pod's end may have removed it meanwhile.
        self.cover_protection(pod).or_else(|error| if folder.exists() { Err(error) } else { Ok(()) })
    }
}

fn bytes(text: &str) -> u64 {
    if text.trim() == "max" { u64::MAX } else { text.trim().parse().unwrap_or(0) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_pods() {
        let root = tempfile::tempdir().unwrap();
        let hierarchies =
            Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified: Some(root.path().to_owned()) };
        let folder = root.path().join("x/barepod");
        for (cgroup, min, low) in [("", "0", "0"), ("poda", "100", "0"), ("podb", "28", "max")] {
            fs::create_dir_all(folder.join(cgroup)).unwrap();
            fs::write(folder.join(cgroup).join("memory.min"), min).unwrap();
            fs::write(folder.join(cgroup).join("memory.low"), low).unwrap();
        }
        let read = || FILES.map(|file| fs::read_to_string(folder.join(file)).unwrap());
        hierarchies.uncover_protection(Path::new("/x/barepod/poda")).unwrap();
        assert_eq!(read(), ["0", "0"], "nothing to uncover");
        hierarchies.cover_protection(Path::new("/x/barepod/poda")).unwrap();
        assert_eq!(read(), ["128", "max"]);
        fs::remove_dir_all(folder.join("podb")).unwrap();
        hierarchies.uncover_protection(Path::new("/x/barepod/podb")).unwrap();
        assert_eq!(read(), ["100", "0"]);
        hierarchies.cover_protection(Path::new("/elsewhere/poda")).unwrap();
    }
}
