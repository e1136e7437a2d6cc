//! Memory of pods that isn't to be reclaimed (v2): what a cgroup asks for counts only as far as its parents do (the
//! kernel's cgroup-v2.rst, memory.min), so the cgroup that all pods are in has their sum, as the kubelet's has.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{CgroupError, Hierarchies, PODS, below, children, error, is_absent, text};
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
            let mut sum = 0_u64;
            for child in children(&folder)? {
                sum = sum.saturating_add(protected(&child, file)?);
            }
            if protected(&folder, file)? != sum {
                let path = folder.join(file);
                let text = if sum == u64::MAX { "max".to_owned() } else { sum.to_string() };
                fs::write(&path, text).map_err(error("write", &path))?;
            }
        }
        Ok(())
    }

    /// After a pod has gone, whether it asked for something or not: where there is a sum it is made anew.
    pub(super) fn uncover_protection(&self, pod: &Path) -> Result<(), CgroupError> {
        let Some(folder) = self.folder_of_pods(pod) else { return Ok(()) };
        for file in FILES {
            if protected(&folder, file)? > 0 {
                // Another pod's end may have removed it meanwhile.
                return self
                    .cover_protection(pod)
                    .or_else(|error| if is_absent(&folder) { Ok(()) } else { Err(error) });
            }
        }
        Ok(())
    }
}

/// What a cgroup asks for by this file; nothing where it has none, or has gone.
fn protected(folder: &Path, file: &str) -> Result<u64, CgroupError> {
    let text = text(&folder.join(file))?.unwrap_or_default();
    Ok(if text.trim() == "max" { u64::MAX } else { text.trim().parse().unwrap_or(0) })
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
        // A pod that can't be read (here: it has a folder in the file's place) has its part all the same.
        fs::create_dir_all(folder.join("podc/memory.min")).unwrap();
        assert!(hierarchies.cover_protection(Path::new("/x/barepod/poda")).is_err());
        assert_eq!(read(), ["100", "0"]);
    }
}
