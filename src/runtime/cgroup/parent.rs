//! Below which cgroup this process may make others.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CgroupError, Hierarchies, below, error, has_file, text};
use crate::plan::{CgroupObstacle, CgroupVersion, Rights};
use crate::runtime::files;

const PROCS: &str = "cgroup.procs";

/// What of a cgroup may be written to by whom it is delegated to (v2; cgroup-v2.rst, "Delegation"): itself and two files.
const DELEGATED: [&str; 3] = ["", PROCS, "cgroup.subtree_control"];

/// Where a supervisor goes below it.
const ASIDE: &str = "supervisor";

/// What is set for every container (R9.3, R9.5).
const NEEDED: [&str; 2] = ["cpu", "memory"];

impl Hierarchies {
    /// The cgroup that systemd or another manager has delegated to this process (its own or, once it has moved out of
    /// the way, that one's parent), relative to the mount. Only on v2.
    fn delegated(&self, rights: Rights) -> Result<Option<PathBuf>, CgroupError> {
        let Some(root) = self.unified.as_ref().filter(|_| self.version == CgroupVersion::V2) else { return Ok(None) };
        Ok(own_v2_cgroup()?.and_then(|own| delegated(root, &own, rights)))
    }

    /// The cgroup below which this process may make others, on every hierarchy, if there is one; and what keeps it from the
    /// one that is delegated to it, where one is, or else from the root.
    ///
    /// # Errors
    /// Where that can't be seen.
    pub(crate) fn usable_parent(
        &self,
        rights: Rights,
    ) -> Result<(Option<PathBuf>, Option<CgroupObstacle>), CgroupError> {
        let root = PathBuf::from("/");
        let wanted = self.delegated(rights)?.unwrap_or_else(|| root.clone());
        let obstacle = self.obstacle(&wanted)?;
        let usable = match &obstacle {
            None => Some(wanted),
            Some(_) if wanted != root && self.obstacle(&root)?.is_none() => Some(root),
            Some(_) => None,
        };
        Ok((usable, obstacle))
    }

    /// What keeps this process from making cgroups below this one.
    fn obstacle(&self, parent: &Path) -> Result<Option<CgroupObstacle>, CgroupError> {
        let files: &[&str] = match self.version {
            CgroupVersion::V2 => &DELEGATED,
            CgroupVersion::V1 | CgroupVersion::None => &["", PROCS],
        };
        if !self.roots().all(|root| files.iter().all(|file| is_writable(&below(root, parent).join(file)))) {
            return Ok(Some(CgroupObstacle::NotWritable));
        }
        match &self.unified {
            Some(root) if self.version == CgroupVersion::V2 => keeps_from_handing_down(&below(root, parent), parent),
            _ => Ok(None),
        }
    }

    /// Moves this process out of the way below `parent`, in which no process may be that hands its controllers down
    /// (v2), before it becomes several processes.
    ///
    /// The kernel's refusal must not be waited for: some controllers (cpu) it lets a cgroup with processes hand down, which
    /// becomes threaded by that, and then no process can go to one below it.
    pub(crate) fn step_aside(&self, parent: &Path) -> Result<(), CgroupError> {
        let Some(root) = &self.unified else { return Ok(()) };
        let folder = below(root, parent);
        let is_in_the_way = own_v2_cgroup()?.is_some_and(|own| own == parent) && !is_box_root(&folder)?;
        if is_in_the_way { move_aside(&folder) } else { Ok(()) }
    }
}

/// Which of a process' own cgroup and the one above it is delegated to it.
///
/// What the kernel lets somebody write who isn't the box's root he was given: not every manager marks it (the user's own
/// systemd 252 doesn't). The box's root may write everything, so that for him the mark alone tells.
fn delegated(root: &Path, own: &Path, rights: Rights) -> Option<PathBuf> {
    let is_marked = |path: &&Path| is_delegated(&below(root, path));
    let is_given = |path: &&Path| {
        rights == Rights::UserNamespace && DELEGATED.iter().all(|file| is_writable(&below(root, path).join(file)))
    };
    // Ours is what `move_aside` has made, and the one above it what was delegated.
    let above = own.parent().filter(|_| own.ends_with(ASIDE));
    let given = above.filter(is_given).or_else(|| Some(own).filter(is_given));
    let all = [Some(own), own.parent()].into_iter().flatten();
    all.filter(is_marked).chain(given).find(|path| *path != Path::new("/")).map(Path::to_owned)
}

fn own_v2_cgroup() -> Result<Option<PathBuf>, CgroupError> {
    let text = text(Path::new("/proc/self/cgroup"))?.unwrap_or_default();
    Ok(text.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from))
}

/// Whether it is the one above all others (v2), which may hand controllers down whoever is in it. It alone has no type, also
/// where others are the root of a cgroup namespace.
pub(super) fn is_box_root(folder: &Path) -> Result<bool, CgroupError> {
    Ok(!has_file(&folder.join("cgroup.type"))?)
}

/// What keeps a cgroup (v2) from handing down to pods what limits them, once this process has left it.
fn keeps_from_handing_down(folder: &Path, cgroup: &Path) -> Result<Option<CgroupObstacle>, CgroupError> {
    if is_box_root(folder)? {
        return Ok(None);
    }
    let text = text(&folder.join("cgroup.controllers"))?.unwrap_or_default();
    let missing: Vec<&str> =
        NEEDED.into_iter().filter(|name| !text.split_whitespace().any(|one| one == *name)).collect();
    if !missing.is_empty() {
        let missing = missing.into_iter().map(str::to_owned).collect();
        return Ok(Some(CgroupObstacle::Controllers { cgroup: cgroup.to_owned(), missing }));
    }
    // Others' processes are not this one's to move. Of another pid namespace they read as 0.
    let own = std::process::id().to_string();
    let procs = folder.join(PROCS);
    let is_alone = match fs::read_to_string(&procs) {
        Ok(pids) => pids.lines().all(|pid| pid == own),
        // A threaded cgroup has others by its nature.
        Err(cause) if cause.raw_os_error() == Some(libc::EOPNOTSUPP) => false,
        Err(cause) => return Err(error("read", &procs)(cause)),
    };
    Ok((!is_alone).then(|| CgroupObstacle::Occupied { cgroup: cgroup.to_owned() }))
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

fn move_aside(folder: &Path) -> Result<(), CgroupError> {
    let aside = folder.join(ASIDE);
    files::make_all(&aside).map_err(error("mkdir", &aside))?;
    let procs = aside.join(PROCS);
    fs::write(&procs, "0").map_err(error("write", &procs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Run as root, which may write to everything: what is missing can't be written to.
    #[test]
    fn what_can_be_written_to_was_given() {
        let root = tempfile::tempdir().unwrap();
        for (folder, files) in [("s", &DELEGATED[1..]), ("s/supervisor", &DELEGATED[1..]), ("t", &[]), ("t/u", &[])] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            for file in files {
                fs::write(root.path().join(folder).join(file), "").unwrap();
            }
        }
        for (own, rights, expected) in [
            ("/s", Rights::UserNamespace, Some("/s")),
            ("/s/supervisor", Rights::UserNamespace, Some("/s")),
            ("/t/u", Rights::UserNamespace, None),
            ("/", Rights::UserNamespace, None),
            ("/s", Rights::Box, None),
        ] {
            let found = delegated(root.path(), Path::new(own), rights);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{own} {rights:?}");
        }
    }

    /// What can't be read (here: what is a folder) says neither that a cgroup is fit for pods nor that it isn't.
    #[test]
    fn what_keeps_from_handing_down_is_seen_or_unknown() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str| root.path().join(name);
        let cgroup = || PathBuf::from("/s");
        let look = || keeps_from_handing_down(root.path(), &cgroup());
        assert_eq!(look().unwrap(), None, "the box's root");
        fs::write(file("cgroup.type"), "domain").unwrap();
        let lacks = |missing: &[&str]| {
            let missing = missing.iter().map(ToString::to_string).collect();
            Some(CgroupObstacle::Controllers { cgroup: cgroup(), missing })
        };
        assert_eq!(look().unwrap(), lacks(&["cpu", "memory"]));
        fs::write(file("cgroup.controllers"), "memory pids").unwrap();
        assert_eq!(look().unwrap(), lacks(&["cpu"]));
        fs::write(file("cgroup.controllers"), "cpu memory").unwrap();
        fs::create_dir(file(PROCS)).unwrap();
        assert!(look().is_err());
        fs::remove_dir(file(PROCS)).unwrap();
        for (pids, expected) in [
            (format!("{}\n", std::process::id()), None),
            ("0\n".to_owned(), Some(CgroupObstacle::Occupied { cgroup: cgroup() })),
        ] {
            fs::write(file(PROCS), pids).unwrap();
            assert_eq!(look().unwrap(), expected);
        }
        fs::remove_file(file("cgroup.controllers")).unwrap();
        fs::create_dir(file("cgroup.controllers")).unwrap();
        assert!(look().is_err());
    }
}
