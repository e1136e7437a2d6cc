//! Where in the cgroup trees an exec goes: into the container's cgroup on every hierarchy, and on the one that can tell
//! processes apart best into a leaf of its own below that, for [`Exec::kill_tree`](super::Exec::kill_tree).

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::failure::{ExecError, io_error};
use crate::runtime::spawn;

/// Begins the name of each exec's leaf.
pub(super) const LEAF: &str = "_exec-";

/// Leaves in which something still was when their exec ended: a daemon that a probe has left, or a killed process
/// that isn't quite dead. Tried again at each new exec; gone with the container at the latest.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// One exec's place. Dropping it removes the leaf, now or later.
#[derive(Debug)]
pub(super) struct Place {
    entry: Entry,
}

/// What the helper makes and joins. Making a cgroup waits for whoever changes cgroups at that moment, on a busy v1 box for
/// tens of milliseconds: nothing for the supervisor to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Empty: there is none.
    leaf: PathBuf,
    kind: Leaf,
    joins: Vec<PathBuf>,
}

impl Entry {
    /// Whether a child of ours is in the leaf, dead or alive.
    pub(super) fn has(&self, pid: i32, pidfd: &OwnedFd) -> bool {
        let Some(name) = self.leaf.file_name().filter(|_| self.kind != Leaf::None) else { return true };
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let is_here = |line: &str| Path::new(line.strip_suffix(" (deleted)").unwrap_or(line)).file_name() == Some(name);
        // v1 doesn't say any more where a dead process was.
        text.lines().any(is_here) || (self.kind == Leaf::Freezer && spawn::has_ended(pidfd))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Leaf {
    Unified,
    Freezer,
    /// The container has no cgroup of its own.
    None,
}

impl Entry {
    /// Makes the leaf; gives it where a process can be born in it (v2), and the `tasks` files of the v1 cgroups
    /// to be joined, in this order.
    pub(super) fn open(&self) -> Result<(Option<File>, Vec<File>), (PathBuf, io::Error)> {
        if self.kind == Leaf::None {
            return Ok((None, Vec::new()));
        }
        let tasks = |path: PathBuf| File::options().write(true).open(&path).map_err(|cause| (path, cause));
        match fs::create_dir(&self.leaf) {
            // Left by a supervisor before this one.
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err((self.leaf.clone(), cause)),
            Ok(()) | Err(_) => {}
        }
        let birth = match self.kind {
            Leaf::Unified => Some(File::open(&self.leaf).map_err(|cause| (self.leaf.clone(), cause))?),
            Leaf::Freezer | Leaf::None => None,
        };
        let own = (self.kind == Leaf::Freezer).then_some(&self.leaf);
        let joins = own.into_iter().chain(&self.joins).map(|folder| tasks(folder.join("tasks")));
        Ok((birth, joins.collect::<Result<_, _>>()?))
    }
}

impl Place {
    /// For an exec into the container of this process.
    pub(super) fn find(pid: i32) -> Result<Self, ExecError> {
        remove_left();
        let read = |path: String| fs::read_to_string(&path).map_err(io_error("read", path));
        let (own, mounts) = (read("/proc/self/cgroup".into())?, read("/proc/self/mountinfo".into())?);
        let wanted = match fs::read_to_string(format!("/proc/{pid}/cgroup")) {
            Err(cause) if matches!(cause.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
                return Err(ExecError::NotRunning);
            }
            other => other.map_err(io_error("read", format!("/proc/{pid}/cgroup")))?,
        };
        if wanted == own {
            return Ok(Self { entry: Entry { leaf: PathBuf::new(), kind: Leaf::None, joins: Vec::new() } });
        }
        let Some(found) = find(&wanted, &own, &mounts) else {
            return Err(io_error("find", "the container's cgroup")(io::ErrorKind::NotFound.into()));
        };
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let leaf = found.parent.join(format!("{LEAF}{}-{number}", std::process::id()));
        Ok(Self { entry: Entry { leaf, kind: found.kind, joins: found.joins } })
    }

    /// For the helper.
    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// SIGKILL to everything in the leaf, and to what it is forking at this moment.
    pub(super) fn kill(&self) -> Result<(), ExecError> {
        if self.entry.kind == Leaf::None {
            return Ok(());
        }
        let leaf = &self.entry.leaf;
        let switch = leaf.join("cgroup.kill");
        match fs::write(&switch, "1") {
            Ok(()) => return Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && matches!(leaf.try_exists(), Ok(false)) => {
                return Ok(());
            }
            // v1, or a kernel before 5.14.
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
            Err(cause) => return Err(io_error("write", switch)(cause)),
        }
        // What is frozen doesn't fork, so that one look at the list is enough.
        self.freeze(Freeze::Frozen);
        let killed = kill_each(leaf);
        self.freeze(Freeze::Thawed);
        killed
    }

    fn freeze(&self, state: Freeze) {
        let (file, text) = match (self.entry.kind, state) {
            (Leaf::Unified, Freeze::Frozen) => ("cgroup.freeze", "1"),
            (Leaf::Unified, Freeze::Thawed) => ("cgroup.freeze", "0"),
            (Leaf::Freezer, Freeze::Frozen) => ("freezer.state", "FROZEN"),
            (Leaf::Freezer, Freeze::Thawed) => ("freezer.state", "THAWED"),
            (Leaf::None, _) => return,
        };
        let _ = fs::write(self.entry.leaf.join(file), text);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One that isn't there may still come: a killed helper finishes the system call that it is in.
        if self.entry.kind != Leaf::None && fs::remove_dir(&self.entry.leaf).is_err() {
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.entry.leaf));
        }
    }
}

#[derive(Clone, Copy)]
enum Freeze {
    Frozen,
    Thawed,
}

fn kill_each(leaf: &Path) -> Result<(), ExecError> {
    for pid in members(leaf)? {
        // A pid may have been reused since it was read, but not once a pidfd of it is open.
        if let Ok(pidfd) = spawn::open_pidfd(pid)
            && members(leaf)?.contains(&pid)
        {
            let _ = spawn::signal(&pidfd, libc::SIGKILL);
        }
    }
    Ok(())
}

/// Nobody where the leaf has gone.
fn members(leaf: &Path) -> Result<Vec<i32>, ExecError> {
    let file = leaf.join("cgroup.procs");
    let gone = |cause: &io::Error| matches!(cause.raw_os_error(), Some(libc::ENOENT | libc::ENODEV));
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(cause) if gone(&cause) => Ok(Vec::new()),
        Err(cause) => Err(io_error("read", file)(cause)),
    }
}

fn is_removed(folder: &Path) -> bool {
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(cause) => cause.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes the leaves of past execs in which nothing is any more. To be called now and then; cheap.
pub(super) fn remove_left() {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).retain(|folder| !is_removed(folder));
}

/// What [`find`] finds: where the leaf goes and what else to join.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    parent: PathBuf,
    kind: Leaf,
    joins: Vec<PathBuf>,
}

/// Finds a process' cgroups in this process' mounts, given the texts of its and our /proc/PID/cgroup and of
/// /proc/self/mountinfo. v1 hierarchies in which it is where we are need no joining.
fn find(wanted: &str, own: &str, mountinfo: &str) -> Option<Found> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(Mount::parse).collect();
    let mut found = Found { parent: PathBuf::new(), kind: Leaf::Freezer, joins: Vec::new() };
    let mut freezer = None;
    for line in wanted.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, cgroup) = (parts.next()?, parts.next()?);
        let Some(folder) = mounts.iter().find_map(|mount| mount.folder(controllers, Path::new(cgroup))) else {
            // A hierarchy that isn't mounted can't be joined; nothing can be limited on it either.
            continue;
        };
        if controllers.is_empty() {
            (found.parent, found.kind) = (folder, Leaf::Unified);
            continue;
        }
        let here = own.lines().any(|own| own == line);
        if controllers.split(',').any(|one| one == "freezer") {
            freezer = Some((folder.clone(), found.joins.len()));
        }
        if !here {
            found.joins.push(folder);
        }
    }
    if found.kind == Leaf::Freezer {
        let (folder, index) = freezer?;
        // The leaf takes the place of its parent.
        if found.joins.get(index) == Some(&folder) {
            found.joins.remove(index);
        }
        found.parent = folder;
    }
    Some(found)
}

/// A cgroup mount.
struct Mount<'a> {
    root: &'a Path,
    point: &'a Path,
    /// v1: the super block's options; `None`: v2.
    options: Option<&'a str>,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (Path::new(left.next()?), Path::new(left.next()?));
        let mut right = right.split(' ');
        let options = match right.next()? {
            "cgroup2" => None,
            "cgroup" => Some(right.nth(1)?),
            _ => return None,
        };
        Some(Self { root, point, options })
    }

    /// Where a cgroup of these controllers (v2: none) is in this mount.
    fn folder(&self, controllers: &str, cgroup: &Path) -> Option<PathBuf> {
        let is_mine = match self.options {
            None => controllers.is_empty(),
            Some(options) => {
                !controllers.is_empty()
                    && controllers.split(',').all(|one| options.split(',').any(|option| option == one))
            }
        };
        if !is_mine {
            return None;
        }
        Some(self.point.join(cgroup.strip_prefix(self.root).ok()?))
    }
}

/// Moves this process, of one thread, into the cgroups whose `tasks` these are.
///
/// By thread, and by itself: the kernel then needn't keep all forks and exits of the box from happening meanwhile, for
/// which it waits until each CPU has seen it, milliseconds a hierarchy (`cgroup_attach_lock`, Linux 5.17 and newer).
pub(super) fn join(tasks: &mut [File]) -> io::Result<()> {
    tasks.iter_mut().try_for_each(|file| file.write_all(b"0"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 30 0:29 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
34 30 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
35 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    fn texts(found: &Found) -> (String, Vec<String>) {
        let text = |path: &PathBuf| path.display().to_string();
        (text(&found.parent), found.joins.iter().map(text).collect())
    }

    #[test]
    fn a_leaf_is_on_v2_where_there_is_one() {
        let wanted = "3:cpu,cpuacct:/p/c\n2:pids:/p/c\n1:freezer:/p/c\n4:name=systemd:/\n0::/p/c\n";
        let own = "3:cpu,cpuacct:/\n2:pids:/p/c\n1:freezer:/\n4:name=systemd:/\n0::/\n";
        let found = find(wanted, own, HYBRID).unwrap();
        assert_eq!(found.kind, Leaf::Unified);
        let joins = vec!["/sys/fs/cgroup/cpu/p/c".to_owned(), "/sys/fs/cgroup/freezer/p/c".to_owned()];
        assert_eq!(texts(&found), ("/sys/fs/cgroup/unified/p/c".to_owned(), joins));
    }

    #[test]
    fn on_pure_v1_the_leaf_is_in_freezer() {
        let v1: Vec<&str> = HYBRID.lines().filter(|line| !line.contains("cgroup2")).collect();
        let wanted = "1:freezer:/p/c\n3:cpu,cpuacct:/p/c\n";
        let own = "1:freezer:/\n3:cpu,cpuacct:/\n";
        let found = find(wanted, own, &v1.join("\n")).unwrap();
        assert_eq!(found.kind, Leaf::Freezer);
        assert_eq!(texts(&found), ("/sys/fs/cgroup/freezer/p/c".into(), vec!["/sys/fs/cgroup/cpu/p/c".into()]));
    }

    #[test]
    fn on_pure_v2_there_is_nothing_else_to_join() {
        let v2 = "35 30 0:31 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let found = find("0::/outer/p/c\n", "0::/outer/me\n", v2).unwrap();
        assert_eq!(texts(&found), ("/sys/fs/cgroup/p/c".into(), vec![]));
    }
}
