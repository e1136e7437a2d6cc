//! fsGroup on a volume that was there before the pod: the group and its rights on all that is in it, as the kubelet
//! gives them (pkg/volume/volume_linux.go). What is in it may be hostile: links are never followed, mounts not entered.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::config::Failed;
use crate::plan::GroupChange;
use crate::runtime::tree;

/// The group may read and write; enter folders, whose new files get it too.
const FILES: u32 = 0o660;
pub(super) const FOLDERS: u32 = 0o2770;

/// Gives all of the volume at `root` to the group, unless its root has it already and that is enough.
pub(super) fn apply(root: &Path, group: u32, change: GroupChange) -> Result<(), Failed> {
    let failed = |errno: Errno| ("open", root.to_owned(), io::Error::from(errno));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(CWD, root, flags, Mode::empty()).map_err(failed)?;
    let found = rustix::fs::fstat(&folder).map_err(failed)?;
    let fits = found.st_gid == group && found.st_mode & FOLDERS == FOLDERS;
    if change == GroupChange::OnRootMismatch && fits {
        return Ok(());
    }
    // The root last: that it fits says that the rest does.
    let mut one = |thing: BorrowedFd<'_>, found: &Stat| give(thing, found, group);
    tree::visit_below(folder.as_fd(), root, &mut one).map_err(|(path, cause)| ("fsGroup", path, cause))?;
    give(folder.as_fd(), &found, group).map_err(|cause| ("fsGroup", root.to_owned(), cause))
}

fn give(thing: BorrowedFd<'_>, found: &Stat, group: u32) -> io::Result<()> {
    let kind = FileType::from_raw_mode(found.st_mode);
    rustix::fs::chownat(thing, "", None, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)?;
    if kind == FileType::Symlink {
        return Ok(());
    }
    let rights = if kind == FileType::Directory { FOLDERS } else { FILES };
    // A change of owner takes set-user-id away, which this puts back, as the kubelet does.
    let mode = found.st_mode & 0o7777 | rights;
    // There is no fchmod on O_PATH before Linux 6.6.
    fs::set_permissions(format!("/proc/self/fd/{}", thing.as_raw_fd()), Permissions::from_mode(mode))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn all_of_it_gets_the_group_and_links_lead_nowhere() {
        if !rustix::process::geteuid().is_root() {
            crate::skips::skip("giving files to a group needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (volume, outside) = (dir.path().join("v"), dir.path().join("outside"));
        fs::create_dir_all(volume.join("a/b")).unwrap();
        fs::write(volume.join("a/b/f"), "").unwrap();
        fs::set_permissions(volume.join("a/b/f"), Permissions::from_mode(0o4711)).unwrap();
        fs::write(&outside, "").unwrap();
        symlink(&outside, volume.join("link")).unwrap();
        symlink(dir.path(), volume.join("a/folder")).unwrap();
        let facts = |path: &Path| fs::symlink_metadata(path).map(|found| (found.gid(), found.mode() & 0o7777)).unwrap();
        let before = (facts(&outside), facts(dir.path()));
        apply(&volume, 77, GroupChange::OnRootMismatch).unwrap();
        assert_eq!(facts(&volume), (77, 0o2775));
        assert_eq!(facts(&volume.join("a/b")), (77, 0o2775));
        assert_eq!(facts(&volume.join("a/b/f")), (77, 0o4771));
        assert_eq!(facts(&volume.join("link")).0, 77);
        assert_eq!((facts(&outside), facts(dir.path())), before);
        // Once the root has it, only `Always` looks further.
        fs::write(volume.join("new"), "").unwrap();
        std::os::unix::fs::chown(volume.join("new"), None, Some(5)).unwrap();
        apply(&volume, 77, GroupChange::OnRootMismatch).unwrap();
        assert_eq!(facts(&volume.join("new")).0, 5);
        apply(&volume, 77, GroupChange::Always).unwrap();
        assert_eq!(facts(&volume.join("new")).0, 77);
    }
}
