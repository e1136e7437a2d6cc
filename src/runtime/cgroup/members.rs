//! What is in a cgroup: found, counted, killed, waited for.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::{CgroupError, Hierarchies, children, error, has_gone, is_absent, processes};
use crate::plan::CgroupVersion;
use crate::runtime::{files, spawn};

impl Hierarchies {
    /// Makes a cgroup in the tracking hierarchy only, for processes that are to be born in it.
    /// `None`: nobody tracks.
    pub(crate) fn track(&self, cgroup: &Path) -> Result<Option<PathBuf>, CgroupError> {
        if self.version == CgroupVersion::None {
            return Ok(None);
        }
        let path = self.tracking(cgroup);
        files::make_all(&path).map_err(error("mkdir", &path))?;
        Ok(Some(path))
    }

    /// Sends SIGKILL to everything in a cgroup and below it.
    pub(crate) fn kill(&self, cgroup: &Path) -> Result<(), CgroupError> {
        if self.version == CgroupVersion::None {
            return Ok(());
        }
        let path = self.tracking(cgroup);
        let switch = path.join("cgroup.kill");
        match fs::write(&switch, "1") {
            Ok(()) => return Ok(()),
            // Also one that was removed after it was opened.
            Err(cause) if has_gone(&cause) && is_absent(&path) => return Ok(()),
            // v1, or a kernel before 5.14: one by one.
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
            Err(cause) => return Err(CgroupError::Io { call: "write", path: switch, cause }),
        }
        // One that can't be killed keeps no other from it.
        let killed = self.members(cgroup)?.into_iter().map(|pid| self.kill_member(cgroup, pid));
        killed.fold(Ok(()), Result::and)
    }

    /// A pid from a cgroup's file may end and be reused before the signal: a pidfd opened first and membership checked again
    /// through it closes that gap.
    fn kill_member(&self, cgroup: &Path, pid: i32) -> Result<(), CgroupError> {
        let path = self.tracking(cgroup);
        let pidfd = match spawn::open_pidfd(pid) {
            Err(cause) if cause.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            opened => opened.map_err(error("pidfd_open a process in", &path))?,
        };
        match self.members(cgroup)?.contains(&pid) {
            true => spawn::signal(&pidfd, libc::SIGKILL).map_err(error("kill a process in", &path)),
            false => Ok(()),
        }
    }

    /// Pids in a cgroup and below it. Zombies don't count.
    ///
    /// # Errors
    /// Where one that is there can't be looked into (no more open files): somebody may be in it.
    pub(crate) fn members(&self, cgroup: &Path) -> Result<Vec<i32>, CgroupError> {
        let mut pids = Vec::new();
        let mut folders = if self.version == CgroupVersion::None { vec![] } else { vec![self.tracking(cgroup)] };
        while let Some(folder) = folders.pop() {
            pids.extend(processes(&folder.join("cgroup.procs"))?);
            folders.extend(children(&folder)?);
        }
        Ok(pids)
    }

    /// Kills what is in a cgroup and waits until it is empty, at most for `limit`.
    pub(crate) fn end(&self, cgroup: &Path, limit: Duration) -> Result<(), CgroupError> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let events = File::open(self.tracking(cgroup).join("cgroup.events")).ok();
            let waited = started.elapsed();
            let killed = match self.members(cgroup) {
                Ok(pids) if pids.is_empty() => return Ok(()),
                members => members.and_then(|_| self.kill(cgroup)),
            };
            if waited >= limit {
                // What failed may succeed in a moment, and whoever is in it end by itself: until now.
                killed?;
                let pids = self.members(cgroup)?;
                return if pids.is_empty() {
                    Ok(())
                } else {
                    Err(CgroupError::StillPopulated { path: cgroup.to_owned(), waited, pids })
                };
            }
            // v1 has no events file; and a freshly born child of a killed process shows only by looking again.
            let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) };
            let mut watched: Vec<PollFd<'_>> = events.iter().map(|file| PollFd::new(file, PollFlags::PRI)).collect();
            let _ = poll(&mut watched, Some(&timeout));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// How many processes the kernel's OOM killer has ended in a cgroup so far.
    pub(crate) fn oom_kills(&self, cgroup: &Path) -> u64 {
        let Some(folder) = self.controller_folder("memory", cgroup) else { return 0 };
        let file = if self.version == CgroupVersion::V1 { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A cgroup that can't be looked into is not an empty one.
    #[test]
    fn members_that_cant_be_read_are_no_none() {
        let root = tempfile::tempdir().unwrap();
        let unified = Some(root.path().to_owned());
        let hierarchies = Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified };
        let (pod, below) = (root.path().join("p"), root.path().join("p/below"));
        assert_eq!(hierarchies.members(Path::new("/p")).unwrap(), [0; 0], "it has gone");
        fs::create_dir_all(&below).unwrap();
        fs::write(pod.join("cgroup.procs"), "7\n").unwrap();
        fs::write(below.join("cgroup.procs"), "9\n").unwrap();
        assert_eq!(hierarchies.members(Path::new("/p")).unwrap(), [7, 9]);
        fs::remove_file(below.join("cgroup.procs")).unwrap();
        fs::create_dir(below.join("cgroup.procs")).unwrap();
        assert!(hierarchies.members(Path::new("/p")).is_err());
        assert!(hierarchies.end(Path::new("/p"), Duration::ZERO).is_err());
    }

    /// Who can't be killed now may be in a moment, or end by itself.
    #[test]
    fn a_kill_that_fails_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let unified = Some(root.path().to_owned());
        let hierarchies = Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified };
        fs::create_dir_all(root.path().join("p/cgroup.kill")).unwrap();
        fs::write(root.path().join("p/cgroup.procs"), "7\n").unwrap();
        let (limit, began) = (Duration::from_millis(20), Instant::now());
        let refused = hierarchies.end(Path::new("/p"), limit).unwrap_err();
        assert!(matches!(refused, CgroupError::Io { call: "write", .. }), "{refused}");
        assert!(began.elapsed() >= limit);
    }
}
