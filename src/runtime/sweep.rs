//! Removes what a pod left whose supervisor is dead: processes, cgroups, mounts, files. Knows only where they are; it
//! trusts no record of what was made, so it also finds what died halfway.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MntFlags, umount2};

use super::cgroup::{CgroupError, Hierarchies};
use super::process::Recorded;
use super::tree;

/// What went wrong on the way; the sweep went on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SweepError {
    #[error("sweep: {0}")]
    Cgroup(#[from] CgroupError),
    #[error("sweep: {call} {path}: {cause}")]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    /// What connected the pod with the outside.
    #[error("sweep: end process {pid}: {cause}")]
    Process { pid: u32, cause: io::Error },
    /// Nothing failed, and yet it is there.
    #[error("sweep: {path} is still there")]
    Still { path: PathBuf },
}

/// What to sweep.
#[derive(Debug)]
pub struct SweepRequest<'a> {
    /// The pod's cgroup, relative to the hierarchies' roots; empty: it had none.
    pub cgroup: &'a Path,
    /// Folders that go entirely: attempts, sandbox files, volumes, upper layers. What the user is to keep seeing
    /// (status, events, logs) must not be below them.
    pub folders: &'a [PathBuf],
    /// What connects the pod's network with others; `None`: nothing does.
    pub network: Option<Recorded<'a>>,
    /// How long processes may take to die after SIGKILL.
    pub patience: Duration,
}

/// Whether nothing of it is there: not by what removals have said, but by looking.
pub fn is_clean(request: &SweepRequest<'_>) -> bool {
    let hierarchies = hierarchies(request);
    matches!(first_left(request, &hierarchies), Ok(None))
        && request.network.as_ref().is_none_or(|process| process.is_gone())
}

/// Those that the pod's cgroup may be in. Where none is mounted nothing can be in one, and a pod without a cgroup needs none:
/// its processes have ended with its supervisor.
fn hierarchies(request: &SweepRequest<'_>) -> Result<Option<Hierarchies>, CgroupError> {
    if request.cgroup.as_os_str().is_empty() {
        return Ok(None);
    }
    match Hierarchies::discover() {
        Err(CgroupError::NoControllers) => Ok(None),
        hierarchies => hierarchies.map(Some),
    }
}

/// The first that is there; an error where that can't be seen, which is no better than one that is.
fn first_left(
    request: &SweepRequest<'_>,
    hierarchies: &Result<Option<Hierarchies>, CgroupError>,
) -> Result<Option<PathBuf>, SweepError> {
    let cgroups = match hierarchies {
        Ok(hierarchies) => hierarchies.iter().flat_map(|one| one.folders(request.cgroup)).collect(),
        // What couldn't be found out may be by now.
        Err(_) => Hierarchies::discover()?.folders(request.cgroup),
    };
    for path in cgroups.into_iter().chain(request.folders.iter().cloned()) {
        match path.symlink_metadata() {
            Ok(_) => return Ok(Some(path)),
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(cause) => return Err(SweepError::Io { call: "stat", path, cause }),
        }
    }
    Ok(None)
}

/// Sweeps; returns what is left then, and why. Safe to repeat, and with nothing left it does nothing.
#[must_use = "what is left behind must be known to the ledger"]
pub fn sweep(request: &SweepRequest<'_>) -> Vec<SweepError> {
    let hierarchies = hierarchies(request);
    let mut errors = sweep_all(request, &hierarchies);
    // Looked at last: what can't be ended is left whatever else is gone.
    let network = request.network.as_ref().and_then(|process| {
        process.end(request.patience).err().map(|cause| SweepError::Process { pid: process.pid, cause })
    });
    match first_left(request, &hierarchies) {
        // What failed on the way has gone by another.
        Ok(None) => errors.clear(),
        Ok(Some(path)) if errors.is_empty() => errors.push(SweepError::Still { path }),
        Ok(Some(_)) => {}
        // What nobody could look at may be there.
        Err(error) => errors.push(error),
    }
    errors.extend(network);
    errors
}

fn sweep_all(request: &SweepRequest<'_>, hierarchies: &Result<Option<Hierarchies>, CgroupError>) -> Vec<SweepError> {
    let mut errors = Vec::new();
    if let Ok(Some(hierarchies)) = hierarchies {
        sweep_cgroups(hierarchies, request, &mut errors);
    }
    unmount_below(request.folders, &mut errors);
    for folder in request.folders {
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

/// With one look at the table of mounts, which can be long.
fn unmount_below(folders: &[PathBuf], errors: &mut Vec<SweepError>) {
    const TABLE: &str = "/proc/thread-self/mountinfo";
    if folders.is_empty() {
        return;
    }
    let text = fs::read_to_string(TABLE).unwrap_or_else(|cause| {
        errors.push(SweepError::Io { call: "read", path: TABLE.into(), cause });
        String::new()
    });
    let mut points: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(super::mount::unescape(point)))
        .filter(|point| folders.iter().any(|folder| point.starts_with(folder)))
        .collect();
    // The latest first: it may be on top of an earlier one.
    points.reverse();
    for point in points {
        if let Err(errno) = umount2(&point, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            errors.push(SweepError::Io { call: "umount", path: point, cause: errno.into() });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What can't be looked at may be there: nobody says that nothing is left.
    #[test]
    fn what_cant_be_seen_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let request =
            |folders| SweepRequest { cgroup: Path::new(""), folders, network: None, patience: Duration::ZERO };
        let gone = [dir.path().join("gone"), dir.path().join("gone/below")];
        assert!(is_clean(&request(&gone)) && sweep(&request(&gone)).is_empty());
        let unseen = [dir.path().join("n".repeat(300))];
        assert!(!is_clean(&request(&unseen)));
        assert!(!sweep(&request(&unseen)).is_empty());
        let there = [dir.path().join("there")];
        fs::create_dir(&there[0]).unwrap();
        assert!(!is_clean(&request(&there)));
        assert!(sweep(&request(&there)).is_empty() && is_clean(&request(&there)));
    }
}
