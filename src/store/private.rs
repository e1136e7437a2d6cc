//! Who may look into the folders that pods are in: their owner. A container's root can put a set-user-id program into its
//! root file system, or anything into a volume that all may write to, and no user of the box is to reach either
//! (CVE-2021-41091's kind); a container gets at its own by mounts, whatever the folders above them say.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::error::{Error, io_error};
use super::folder::make_dir;
use super::layout::{Layout, SYSTEM_LOGS};

const PRIVATE: u32 = 0o700;
/// The kubelet's /var/log/pods: group root, and none else.
const LOGS: u32 = 0o750;

/// Makes the folders that pods' folders are in; those that an earlier barepod made open to all are closed.
pub(super) fn enclose(layout: &Layout) -> Result<(), Error> {
    close(&layout.pods_dir(), PRIVATE)?;
    close(&layout.data, PRIVATE)?;
    // A kubelet's logs may be in there, too, for whoever reads them; a pod's own folder in it is closed anyway.
    if layout.logs == Path::new(SYSTEM_LOGS) && layout.logs.try_exists().unwrap_or(true) {
        return Ok(());
    }
    close(&layout.logs, LOGS)
}

fn close(folder: &Path, mode: u32) -> Result<(), Error> {
    if let Some(parent) = folder.parent() {
        make_dir(parent, 0o755)?;
    }
    make_dir(folder, mode)?;
    let found = fs::symlink_metadata(folder).map_err(io_error(folder, "stat"))?;
    // What a link leads to may be there for others as well. Each pod's own folder in it is closed.
    if !found.is_dir() || found.mode() & 0o7777 & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(found.mode() & mode)).map_err(io_error(folder, "chmod"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What an earlier barepod made is closed; what a link leads to is left alone; the root itself may be anything.
    #[test]
    fn folders_are_made_closed_and_open_ones_are_closed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let layout = Layout::at(&root);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        fs::create_dir_all(&layout.data).unwrap();
        fs::set_permissions(&layout.data, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        enclose(&layout).unwrap();
        assert_eq!([&layout.pods_dir(), &layout.data, &layout.logs].map(|path| mode(path)), [0o700, 0o700, 0o750]);
        assert_eq!(mode(&root), 0o755);
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(&layout.data, &elsewhere).unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &layout.data).unwrap();
        enclose(&layout).unwrap();
        assert_eq!(mode(&elsewhere), 0o755);
    }
}
