//! Which cpus cgroups may use: where some containers have cpus for themselves, all others are kept off these.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CgroupError, Hierarchies, children, error, has_file, has_gone, text};
use crate::plan::CgroupVersion;
use crate::plan::CpuSet;
use crate::plan::cpus::Exclusive;

const CONTROLLER: &str = "cpuset";
const CPUS: &str = "cpuset.cpus";

impl Hierarchies {
    /// The cpus that processes in a cgroup can run on.
    ///
    /// # Errors
    /// Where the box has no cpuset controller for it, or that can't be seen.
    pub(crate) fn cpuset(&self, cgroup: &Path) -> Result<CpuSet, CgroupError> {
        let missing = || CgroupError::MissingController { what: CONTROLLER, path: cgroup.to_owned() };
        let folder = self.controller_folder(CONTROLLER, cgroup).ok_or_else(missing)?;
        let files = match self.version {
            CgroupVersion::None => return Err(missing()),
            CgroupVersion::V1 => ["cpuset.effective_cpus", CPUS],
            CgroupVersion::V2 => ["cpuset.cpus.effective", "cpuset.cpus.effective"],
        };
        for file in files {
            if let Some(text) = text(&folder.join(file))? {
                return CpuSet::parse(&text).map_err(|_| missing());
            }
        }
        Err(missing())
    }

    /// Keeps a pod to its own cpus and the shared ones, and those of its containers that have none to the shared ones. A pod
    /// that isn't there (any more) is left.
    pub(crate) fn confine(&self, pod: &Path, own: &Exclusive, shared: &CpuSet) -> Result<(), CgroupError> {
        let missing = || CgroupError::MissingController { what: CONTROLLER, path: pod.to_owned() };
        let folder = self.controller_folder(CONTROLLER, pod).ok_or_else(missing)?;
        if !has_file(&folder)? {
            return Ok(());
        }
        let target = own.values().fold(shared.clone(), |all, cpus| all.with(cpus));
        let others = || {
            let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let apart = |folder: &PathBuf| name(folder).is_none_or(|name| !own.contains_key(&name));
            Ok::<Vec<PathBuf>, CgroupError>(children(&folder)?.into_iter().filter(apart).collect())
        };
        match self.version {
            // What is above a cgroup holds for it too.
            CgroupVersion::V2 => {
                write(&folder, &target)?;
                let apart = if own.is_empty() { Vec::new() } else { others()? };
                apart.iter().try_for_each(|folder| write(folder, shared))
            }
            // No cgroup may have a cpu that the one above hasn't: that one grows before and shrinks after.
            CgroupVersion::V1 => {
                let path = folder.join(CPUS);
                let text = fs::read_to_string(&path).map_err(error("read", &path))?;
                let now = CpuSet::parse(&text).unwrap_or_default();
                write(&folder, &now.with(&target))?;
                others()?.iter().try_for_each(|folder| write(folder, shared))?;
                write(&folder, &target)
            }
            CgroupVersion::None => Err(missing()),
        }
    }
}

/// One that goes meanwhile needs nothing.
fn write(folder: &Path, cpus: &CpuSet) -> Result<(), CgroupError> {
    let path = folder.join(CPUS);
    match fs::write(&path, cpus.to_string()) {
        Err(cause) if has_gone(&cause) => Ok(()),
        written => written.map_err(error("write", &path)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn world(version: CgroupVersion) -> (tempfile::TempDir, Hierarchies) {
        let root = tempfile::tempdir().unwrap();
        for folder in ["pod", "pod/web", "pod/log"] {
            fs::create_dir(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join(CPUS), "0-3\n").unwrap();
        }
        let point = root.path().to_owned();
        let hierarchies = match version {
            CgroupVersion::V1 => Hierarchies { version, v1: vec![(vec![CONTROLLER.to_owned()], point)], unified: None },
            CgroupVersion::V2 => Hierarchies { version, v1: Vec::new(), unified: Some(point) },
            CgroupVersion::None => Hierarchies::none(),
        };
        (root, hierarchies)
    }

    #[test]
    fn others_are_kept_off_exclusive_cpus() {
        let set = |text: &str| CpuSet::parse(text).unwrap();
        for version in [CgroupVersion::V1, CgroupVersion::V2] {
            let (root, hierarchies) = world(version);
            let read = |name: &str| fs::read_to_string(root.path().join(name).join(CPUS)).unwrap().trim().to_owned();
            let all = || [read("pod"), read("pod/web"), read("pod/log")];
            let own = Exclusive::from([("web".to_owned(), set("2"))]);
            hierarchies.confine(Path::new("/pod"), &own, &set("0,3")).unwrap();
            assert_eq!(all(), ["0,2-3", "0-3", "0,3"], "what web has is written when it is made");
            hierarchies.confine(Path::new("/pod"), &Exclusive::new(), &set("0")).unwrap();
            let inherited = if version == CgroupVersion::V1 { ["0", "0", "0"] } else { ["0", "0-3", "0,3"] };
            assert_eq!(all(), inherited);
            hierarchies.confine(Path::new("/gone"), &own, &set("0")).unwrap();
        }
    }

    #[test]
    fn a_box_without_cpusets_is_told() {
        let (root, mut hierarchies) = world(CgroupVersion::V2);
        fs::write(root.path().join("pod/cpuset.cpus.effective"), "0-2\n").unwrap();
        assert_eq!(hierarchies.cpuset(Path::new("/pod")).unwrap().to_string(), "0-2");
        let error = hierarchies.cpuset(Path::new("/")).unwrap_err().to_string();
        assert_eq!(error, "the cgroup at / has no cpuset controller");
        // One that can't be read (here: it is a folder) is there all the same.
        fs::remove_file(root.path().join("pod/cpuset.cpus.effective")).unwrap();
        fs::create_dir(root.path().join("pod/cpuset.cpus.effective")).unwrap();
        assert!(matches!(hierarchies.cpuset(Path::new("/pod")), Err(CgroupError::Io { call: "read", .. })));
        hierarchies.unified = None;
        assert!(hierarchies.cpuset(Path::new("/pod")).is_err());
    }
}
