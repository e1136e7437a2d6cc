//! Folders that the upper layer of a container has from the start, in a user namespace: those in which mount points
//! will have to be made. Where the root file system belongs to a user whom the namespace doesn't have (the box's root,
//! as a rule) its root could make nothing in them: in a folder of the upper layer it can, and sees what is below as before.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::failure::{Failure, Stage};
use super::places;

/// What the kernel calls a user whom the namespace doesn't have, by default (/proc/sys/kernel/overflowuid).
const OVERFLOW: u32 = 65534;

/// Makes them for these mount points.
pub(super) fn make_folders<'a>(
    lower: &File,
    upper: &Path,
    points: impl Iterator<Item = &'a PathBuf>,
) -> Result<(), Failure> {
    let failed = |cause| Failure::io(Stage::RootFs, upper.display(), cause);
    let root = real(lower.as_raw_fd()).map_err(failed)?;
    for point in points {
        // A link may lead to what isn't there.
        let image = lower.try_clone().map_err(failed)?;
        let Some(point) = places::in_image(image.into(), point) else { continue };
        let point = point.strip_prefix("/").unwrap_or(&point);
        if inside(lower, point).is_some() {
            continue;
        }
        let Some(deepest) = point.ancestors().skip(1).find_map(|path| inside(lower, path)) else { continue };
        let place = real(deepest.as_raw_fd()).map_err(failed)?;
        let Ok(place) = place.strip_prefix(&root) else { continue };
        let mut so_far = PathBuf::new();
        for part in place.components() {
            so_far.push(part);
            copy_folder(&root.join(&so_far), &upper.join(&so_far)).map_err(failed)?;
        }
    }
    Ok(())
}

/// What is at a path of the root file system, links being followed as the container would.
fn inside(lower: &File, path: &Path) -> Option<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let links = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(lower, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), links).ok()
}

fn real(fd: i32) -> std::io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{fd}"))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    match fs::DirBuilder::new().mode(0o700).create(to) {
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let owner = |id| if id == OVERFLOW { 0 } else { id };
    std::os::unix::fs::chown(to, Some(owner(found.uid())), Some(owner(found.gid())))?;
    fs::set_permissions(to, fs::Permissions::from_mode(found.mode() & 0o7777))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_which_something_is_to_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let (lower, upper) = (dir.path().join("lower"), dir.path().join("upper"));
        for path in ["etc/there", "run/deep", "proc"] {
            fs::create_dir_all(lower.join(path)).unwrap();
        }
        fs::set_permissions(lower.join("run"), fs::Permissions::from_mode(0o711)).unwrap();
        std::os::unix::fs::symlink("/run", lower.join("link")).unwrap();
        fs::create_dir(&upper).unwrap();
        let points = ["/etc/there", "/proc", "/link/deep/new/point", "/etc/hosts", "/new"].map(PathBuf::from);
        make_folders(&File::open(&lower).unwrap(), &upper, points.iter()).unwrap();
        let made: Vec<String> = walkdir::WalkDir::new(&upper)
            .sort_by_file_name()
            .into_iter()
            .map(|entry| entry.unwrap().path().strip_prefix(&upper).unwrap().display().to_string())
            .collect();
        assert_eq!(made, ["", "etc", "run", "run/deep"]);
        assert_eq!(fs::metadata(upper.join("run")).unwrap().mode() & 0o7777, 0o711);
    }
}
