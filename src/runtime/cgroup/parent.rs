//! Below which cgroup this process may make others.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CgroupError, Hierarchies, below, error};
use crate::plan::CgroupVersion;

impl Hierarchies {
    /// The cgroup that systemd or another manager has delegated to this process (its own or, once it has moved out of
    /// the way, that one's parent), relative to the mount. Only on v2.
    fn delegated(&self) -> Option<PathBuf> {
        let own = own_v2_cgroup()?;
        let root = self.unified.as_ref()?;
        [Some(own.as_path()), own.parent()]
            .into_iter()
            .flatten()
            .find(|path| **path != *Path::new("/") && is_delegated(&below(root, path)))
            .map(Path::to_owned)
    }

    /// The cgroup below which this process may make others, on every hierarchy; `None`: there is none, as for an ordinary
    /// user to whom nothing is delegated, or in a container that can only read its cgroups.
    pub(crate) fn usable_parent(&self) -> Option<PathBuf> {
        let is_usable = |parent: &Path| {
            self.roots().all(|root| {
                let folder = below(root, parent);
                [&folder, &folder.join("cgroup.procs")].into_iter().all(|path| is_writable(path))
            })
        };
        let delegated = match self.version {
            CgroupVersion::V2 => self.delegated(),
            CgroupVersion::V1 | CgroupVersion::None => None,
        };
        delegated.into_iter().chain([PathBuf::from("/")]).find(|parent| is_usable(parent))
    }

    /// Moves this process out of the way below `parent`, in which no process may be that hands its controllers down
    /// (v2), before it becomes several processes.
    pub(crate) fn step_aside(&self, parent: &Path) -> Result<(), CgroupError> {
        match &self.unified {
            Some(root) if own_v2_cgroup().is_some_and(|own| own == parent) => move_aside(&below(root, parent)),
            _ => Ok(()),
        }
    }
}

fn own_v2_cgroup() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from)
}

/// Also where it is mounted read-only it isn't.
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

fn is_delegated(folder: &Path) -> bool {
    let mut value = [0_u8; 4];
    ["user.delegate", "trusted.delegate"]
        .into_iter()
        .any(|name| matches!(rustix::fs::getxattr(folder, name, &mut value[..]), Ok(1)) && value[0] == b'1')
}

pub(super) fn move_aside(folder: &Path) -> Result<(), CgroupError> {
    let aside = folder.join("supervisor");
    fs::create_dir_all(&aside).map_err(error("mkdir", &aside))?;
    let procs = aside.join("cgroup.procs");
    fs::write(&procs, "0").map_err(error("write", &procs))
}
