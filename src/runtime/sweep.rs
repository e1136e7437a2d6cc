//! Removes what a pod left whose supervisor is dead: processes, cgroups, mounts, files. Knows only where they are; it
//! trusts no record of what was made, so it also finds what died halfway.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MntFlags, umount2};

use super::cgroup::{CgroupError, Hierarchies};
use super::tree;

/// What went wrong on the way; the sweep went on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SweepError {
    #[error("sweep: {0}")]
    Cgroup(#[from] CgroupError),
    #[error("sweep: {call} {path}: {cause}")]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    /// Nothing failed, and yet it is there.
    #[error("sweep: {path} is still there")]
    Still { path: PathBuf },
}

/// What to sweep.
#[derive(Clone, Debug)]
pub struct SweepRequest<'a> {
    /// The pod's cgroup, relative to the hierarchies' roots; empty: it had none.
    pub cgroup: &'a Path,
    /// Folders that go entirely: attempts, sandbox files, volumes, upper layers. What the user is to keep seeing
    /// (status, events, logs) must not be below them.
    pub folders: &'a [PathBuf],
    /// How long processes may take to die after SIGKILL.
    pub patience: Duration,
}

/// Whether nothing of it is there: not by what removals have said, but by looking.
pub fn is_clean(request: &SweepRequest<'_>) -> bool {
    first_left(request).is_none()
}

fn first_left(request: &SweepRequest<'_>) -> Option<PathBuf> {
    let cgroups = match Hierarchies::discover() {
        Ok(hierarchies) if !request.cgroup.as_os_str().is_empty() => hierarchies.folders(request.cgroup),
        Ok(_) | Err(_) => Vec::new(),
    };
    cgroups.into_iter().chain(request.folders.iter().cloned()).find(|path| path.symlink_metadata().is_ok())
}

/// Sweeps; returns what is left then, and why. Safe to repeat, and with nothing left it does nothing.
#[must_use = "what is left behind must be known to the ledger"]
pub fn sweep(request: &SweepRequest<'_>) -> Vec<SweepError> {
    let errors = sweep_all(request);
    match first_left(request) {
        // What failed on the way has gone by another.
        None => Vec::new(),
        Some(path) if errors.is_empty() => vec![SweepError::Still { path }],
        Some(_) => errors,
    }
}

fn sweep_all(request: &SweepRequest<'_>) -> Vec<SweepError> {
    let mut errors = Vec::new();
    match Hierarchies::discover() {
        // It had none: its processes have ended with its supervisor.
        _ if request.cgroup.as_os_str().is_empty() => {}
        Ok(hierarchies) => sweep_cgroups(&hierarchies, request, &mut errors),
        Err(error) => errors.push(error.into()),
    }
    for folder in request.folders {
        unmount_below(folder, &mut errors);
        // Mounts that couldn't be undone stay: removal never enters them.
        if let Err(cause) = tree::remove(folder) {
            errors.push(SweepError::Io { call: "remove", path: folder.clone(), cause });
        }
    }
    errors
}

fn sweep_cgroups(hierarchies: &Hierarchies, request: &SweepRequest<'_>, errors: &mut Vec<SweepError>) {
    if let Err(error) = hierarchies.end(request.cgroup, request.patience) {
        errors.push(error.into());
    }
    errors.extend(hierarchies.remove_pod(request.cgroup).into_iter().map(SweepError::from));
}

fn unmount_below(folder: &Path, errors: &mut Vec<SweepError>) {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let mut points: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(super::mount::unescape(point)))
        .filter(|point| point.starts_with(folder))
        .collect();
    // The latest first: it may be on top of an earlier one.
    points.reverse();
    for point in points {
        if let Err(errno) = umount2(&point, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            errors.push(SweepError::Io { call: "umount", path: point, cause: errno.into() });
        }
    }
}
