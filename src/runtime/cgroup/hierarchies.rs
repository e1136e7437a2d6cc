//! Which hierarchies are mounted here, and where a cgroup is in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CgroupError, below, error};
use crate::plan::CgroupVersion;

/// The mounted hierarchies that pods use. v1's named ones (systemd's) are left out: nothing is limited there, and
/// containers stay what their supervisor's service is.
#[derive(Clone, Debug)]
pub struct Hierarchies {
    pub(super) version: CgroupVersion,
    /// v1: controllers and mount point.
    pub(super) v1: Vec<(Vec<String>, PathBuf)>,
    pub(super) unified: Option<PathBuf>,
}

impl Hierarchies {
    /// Reads this process' mounts.
    pub fn discover() -> Result<Self, CgroupError> {
        let path = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(path).map_err(error("read", path))?;
        Self::parse(&text).ok_or(CgroupError::NoControllers)
    }

    fn parse(mountinfo: &str) -> Option<Self> {
        let mut v1: Vec<(Vec<String>, PathBuf)> = Vec::new();
        let mut unified = None;
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(point) = left.split(' ').nth(4).map(PathBuf::from) else { continue };
            let mut right = right.split(' ');
            match right.next() {
                Some("cgroup2") if unified.is_none() => unified = Some(point),
                Some("cgroup") => {
                    let options = right.nth(1).unwrap_or_default();
                    let controllers: Vec<String> =
                        options.split(',').filter(|word| CONTROLLERS.contains(word)).map(str::to_owned).collect();
                    if !controllers.is_empty() && !v1.iter().any(|(known, _)| *known == controllers) {
                        v1.push((controllers, point));
                    }
                }
                _ => {}
            }
        }
        let version = if v1.is_empty() { CgroupVersion::V2 } else { CgroupVersion::V1 };
        (unified.is_some() || !v1.is_empty()).then_some(Self { version, v1, unified })
    }

    /// None that this process may use: nothing is limited or told apart by them.
    pub(crate) fn none() -> Self {
        Self { version: CgroupVersion::None, v1: Vec::new(), unified: None }
    }

    /// Those of this version, [`discover`](Self::discover)ed unless there are none.
    pub(crate) fn of(version: CgroupVersion) -> Result<Self, CgroupError> {
        match version {
            CgroupVersion::None => Ok(Self::none()),
            CgroupVersion::V1 | CgroupVersion::V2 => Self::discover(),
        }
    }

    /// Where the controllers are.
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// A cgroup's folder in the tracking hierarchy.
    pub(crate) fn tracking(&self, cgroup: &Path) -> PathBuf {
        below(self.tracking_root(), cgroup)
    }

    fn tracking_root(&self) -> &Path {
        match (&self.unified, self.v1_mount("freezer"), self.v1.first()) {
            (Some(root), _, _) | (None, Some(root), _) | (None, None, Some((_, root))) => root,
            (None, None, None) => Path::new("/sys/fs/cgroup"),
        }
    }

    pub(super) fn v1_mount(&self, controller: &str) -> Option<&PathBuf> {
        self.v1.iter().find(|(controllers, _)| controllers.iter().any(|one| one == controller)).map(|(_, point)| point)
    }

    /// A cgroup's folder in the hierarchy that has this controller, or would have it; `None`: this box has none.
    pub(super) fn controller_folder(&self, controller: &str, cgroup: &Path) -> Option<PathBuf> {
        let root = match self.version {
            CgroupVersion::V1 => self.v1_mount(controller),
            CgroupVersion::V2 => self.unified.as_ref(),
            CgroupVersion::None => None,
        };
        root.map(|root| below(root, cgroup))
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        self.v1.iter().map(|(_, point)| point).chain(self.unified.as_ref())
    }

    /// A cgroup's folders on all hierarchies.
    pub(crate) fn folders(&self, cgroup: &Path) -> Vec<PathBuf> {
        self.roots().map(|root| below(root, cgroup)).collect()
    }
}

const CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "pids",
    "devices",
    "freezer",
    "blkio",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HYBRID: &str = "30 1 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
    const PURE: &str = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";

    #[test]
    fn v2_tracks_wherever_it_is_mounted() {
        let cases = [
            (HYBRID, CgroupVersion::V1, "/sys/fs/cgroup/unified/barepod/p"),
            (PURE, CgroupVersion::V2, "/sys/fs/cgroup/barepod/p"),
            (HYBRID.rsplit_once('\n').unwrap().0, CgroupVersion::V1, "/sys/fs/cgroup/freezer/barepod/p"),
        ];
        for (text, version, tracking) in cases {
            let hierarchies = Hierarchies::parse(text).unwrap();
            assert_eq!(hierarchies.version(), version);
            assert_eq!(hierarchies.tracking(Path::new("/barepod/p")), Path::new(tracking));
        }
        assert!(Hierarchies::parse("30 1 0:26 / / rw - ext4 /dev/vda rw").is_none());
    }

    #[test]
    fn named_hierarchies_are_left_alone() {
        let hierarchies = Hierarchies::parse(HYBRID).unwrap();
        assert!(!hierarchies.roots().any(|root| root.ends_with("systemd")));
    }
}
