//! Where the things of one attempt of a container are: folders, cgroups.

use std::path::{Path, PathBuf};

use super::oci_hooks::{Later, Point, Running};
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::tree;

/// Where an attempt's things go. Both folders are the attempt's alone and vanish with it.
#[derive(Clone, Debug)]
pub struct AttemptDirs {
    /// Small things: FIFOs, libcontainer's state, what the plan's `files` name.
    pub state: PathBuf,
    /// On a disk that can hold an overlay's upper layer.
    pub data: PathBuf,
}

impl AttemptDirs {
    /// Where the helper mounts the root file system and what else it needs, in its own mount namespace; outside of that
    /// an empty folder.
    pub(super) fn mounts(&self) -> PathBuf {
        self.state.join("mounts")
    }
}

/// Where a container's things are.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) dirs: AttemptDirs,
    pub(super) hierarchies: Hierarchies,
    pub(super) cgroup: PathBuf,
    pub(super) helper_cgroup: Option<PathBuf>,
    /// What is to run of the bundle's hooks, once it is known.
    pub(super) hooks: Option<Later>,
}

impl Place {
    /// The cgroup the helper is born in.
    pub(super) fn birth(&self) -> &Path {
        self.helper_cgroup.as_deref().unwrap_or(&self.cgroup)
    }

    pub(super) fn cgroups(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.cgroup).chain(&self.helper_cgroup)
    }

    /// Where the bundle's hooks run: beside the container, whose limits aren't theirs. One for each point: what is born
    /// in a cgroup that was ever killed (cgroup.kill) is killed by some kernels (6.18) as well.
    pub(super) fn hook_cgroup(&self, point: Point) -> PathBuf {
        let name = match point {
            Point::Poststart => "poststart",
            Point::Poststop => "poststop",
        };
        self.cgroup.with_file_name(format!("_{name}-{}", self.id))
    }

    /// Starts the bundle's hooks of this point; `None`: there are none. `pid`: the container's, while it has one.
    pub(super) fn begin_hooks(&self, point: Point, pid: Option<i32>) -> Option<Result<Running, String>> {
        let hooks = self.hooks.as_ref()?;
        hooks.begin(point, &self.id, pid, || self.hierarchies.track(&self.hook_cgroup(point)))
    }

    pub(super) fn kill(&self) {
        for cgroup in self.cgroups() {
            let _ = self.hierarchies.kill(cgroup);
        }
        if self.hooks.is_some() {
            let _ = self.hierarchies.kill(&self.hook_cgroup(Point::Poststart));
        }
    }

    /// Removes what there is where nothing was started.
    pub(super) fn clear(&self) {
        for cgroup in self.cgroups() {
            self.hierarchies.remove(cgroup);
        }
        for folder in [&self.dirs.state, &self.dirs.data] {
            let _ = tree::remove(folder);
        }
    }
}
