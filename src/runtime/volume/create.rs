//! Makes one volume or finds it, brings it up to date, and lets go of it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::error::VolumeError;
use super::{config, group};
use crate::plan::{HostPathKind, IdRange, VolumePlan, VolumeSource};
use crate::runtime::{files, image};

/// Makes one volume (R10.5). `folder` is where emptyDirs live, one subfolder each. What is made for the pod alone belongs
/// to its users: those of the host, or of `ids`. Returns where the volume is.
pub fn create(plan: &VolumePlan, folder: &Path, ids: Option<IdRange>) -> Result<PathBuf, VolumeError> {
    let owners = owners(plan, ids);
    let made = folder.join(&plan.name);
    let error = |call, path: &Path| {
        let (volume, path) = (plan.name.clone(), path.to_owned());
        move |cause| VolumeError::Io { volume, call, path, cause }
    };
    match &plan.source {
        VolumeSource::EmptyDir { .. } | VolumeSource::Memory { .. } | VolumeSource::HugePages { .. } => {
            empty_dir(plan, made, owners)
        }
        VolumeSource::Files { files } => {
            files::make_folders(&made, 0o700).map_err(error("mkdir", &made))?;
            // Of an attempt before this one.
            unmount(&made).map_err(error("umount", &made))?;
            config::create(&made, files, owners).map_err(|(call, path, cause)| error(call, &path)(cause))?;
            Ok(made)
        }
        VolumeSource::Image { image } => {
            let failed = |cause| VolumeError::Image { volume: plan.name.clone(), cause: Box::new(cause) };
            Ok(image::open(image).map_err(failed)?.rootfs)
        }
        VolumeSource::Claim { path, change } => {
            let found = host_path(plan, path, HostPathKind::Directory)?;
            if let Some(group) = plan.fs_group {
                group::apply(&found, group, *change).map_err(|(call, path, cause)| error(call, &path)(cause))?;
            }
            Ok(found)
        }
        VolumeSource::HostPath { path, kind } => host_path(plan, &Path::new("/").join(path), *kind),
    }
}

/// An emptyDir lives as long as the pod: one that is there already, from a sandbox before this one, is left as it is.
fn empty_dir(plan: &VolumePlan, made: PathBuf, owners: config::Owners) -> Result<PathBuf, VolumeError> {
    let in_memory = !matches!(plan.source, VolumeSource::EmptyDir { .. });
    if made.is_dir() && (!in_memory || is_mount(&made)) {
        return Ok(made);
    }
    fill_empty_dir(plan, &made, owners).inspect_err(|_| {
        // One that is made halfway must not be found.
        let _ = unmount(&made);
        let _ = fs::remove_dir(&made);
    })?;
    Ok(made)
}

fn fill_empty_dir(plan: &VolumePlan, made: &Path, owners: config::Owners) -> Result<(), VolumeError> {
    let error = |call| {
        let (volume, path) = (plan.name.clone(), made.to_owned());
        move |cause| VolumeError::Io { volume, call, path, cause }
    };
    if let Some(parent) = made.parent() {
        files::make_folders(parent, 0o711).map_err(error("mkdir"))?;
    }
    files::make_folders(made, 0o755).map_err(error("mkdir"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let sized = |size: Option<u64>| size.map(|size| format!(",size={size}")).unwrap_or_default();
    let mode = match &plan.source {
        VolumeSource::Memory { mode, size_limit } => {
            let options = format!("mode=1777{}", sized(*size_limit));
            mount(Some("tmpfs"), made, Some("tmpfs"), flags, Some(options.as_str()))
                .map_err(|errno| error("mount tmpfs")(errno.into()))?;
            // A tmpfs has this mode by itself, and the kubelet leaves it as it is.
            mode.unwrap_or(0o1777)
        }
        VolumeSource::HugePages { mode, page, size_limit } => {
            let options = format!("pagesize={}{}", page.0, sized(*size_limit));
            mount(Some("hugetlbfs"), made, Some("hugetlbfs"), flags, Some(options.as_str()))
                .map_err(|errno| error("mount hugetlbfs")(errno.into()))?;
            mode.unwrap_or(0o777)
        }
        VolumeSource::EmptyDir { mode, .. } => mode.unwrap_or(0o777),
        _ => 0o777,
    };
    std::os::unix::fs::chown(made, owners.user, owners.group.or(owners.user)).map_err(error("chown"))?;
    // The group's rights win over the mode asked for, as in the kubelet.
    let mode = if owners.group.is_some() { mode | group::FOLDERS } else { mode };
    fs::set_permissions(made, Permissions::from_mode(mode)).map_err(error("chmod"))
}

/// Whose a volume's files are, as the host sees them.
fn owners(plan: &VolumePlan, ids: Option<IdRange>) -> config::Owners {
    let group = plan.fs_group.map(|group| ids.and_then(|ids| ids.host(group)).unwrap_or(group));
    config::Owners { user: ids.map(|ids| ids.first), group, ids }
}

/// Gives a volume of files other contents, in place of those it was created with.
pub fn update(plan: &VolumePlan, folder: &Path, ids: Option<IdRange>) -> Result<(), VolumeError> {
    let VolumeSource::Files { files } = &plan.source else { return Ok(()) };
    config::replace(&folder.join(&plan.name), files, owners(plan, ids)).map_err(|(call, path, cause)| VolumeError::Io {
        volume: plan.name.clone(),
        call,
        path,
        cause,
    })
}

/// Has a volume of the pod's own show in all places where it is mounted as shared what is mounted in any of them. The
/// host's are shared with the host, or not, by whoever mounted them.
pub fn share(plan: &VolumePlan, place: &Path) -> Result<(), VolumeError> {
    let error = |call| {
        let (volume, path) = (plan.name.clone(), place.to_owned());
        move |errno: nix::Error| VolumeError::Io { volume, call, path, cause: errno.into() }
    };
    match plan.source {
        VolumeSource::EmptyDir { .. } => {
            // It may be one already, of a sandbox before this one.
            unshare(place);
            mount(Some(place), place, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(error("bind"))?;
        }
        VolumeSource::Memory { .. } | VolumeSource::HugePages { .. } | VolumeSource::Files { .. } => {}
        VolumeSource::HostPath { .. } | VolumeSource::Claim { .. } | VolumeSource::Image { .. } => return Ok(()),
    }
    mount(None::<&str>, place, None::<&str>, MsFlags::MS_SHARED, None::<&str>).map_err(error("mount --make-shared"))
}

fn host_path(plan: &VolumePlan, path: &Path, kind: HostPathKind) -> Result<PathBuf, VolumeError> {
    let error = |call| {
        let (volume, path) = (plan.name.clone(), path.to_owned());
        move |cause| VolumeError::Io { volume, call, path, cause }
    };
    let found = match fs::metadata(path) {
        Ok(found) => Some(found),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(error("stat")(cause)),
    };
    let make_file = || {
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o644)))
    };
    match (kind, &found) {
        // Without a type containerd makes what is missing as a folder.
        (HostPathKind::Any | HostPathKind::DirectoryOrCreate, None) => {
            files::make_folders(path, 0o755).map_err(error("mkdir"))?;
            return Ok(path.to_owned());
        }
        (HostPathKind::FileOrCreate, None) => {
            make_file().map_err(error("create"))?;
            return Ok(path.to_owned());
        }
        _ => {}
    }
    let is = |check: fn(&fs::Metadata) -> bool| found.as_ref().is_some_and(check);
    let (fits, wanted) = match kind {
        HostPathKind::Any => (true, "anything"),
        HostPathKind::DirectoryOrCreate | HostPathKind::Directory => (is(fs::Metadata::is_dir), "a directory"),
        HostPathKind::FileOrCreate | HostPathKind::File => (is(fs::Metadata::is_file), "a file"),
        HostPathKind::Socket => (is(|found| found.file_type().is_socket()), "a socket file"),
        HostPathKind::CharDevice => (is(|found| found.file_type().is_char_device()), "a character device"),
        HostPathKind::BlockDevice => (is(|found| found.file_type().is_block_device()), "a block device"),
    };
    if fits {
        Ok(path.to_owned())
    } else {
        Err(VolumeError::WrongKind { volume: plan.name.clone(), path: path.to_owned(), wanted })
    }
}

/// Takes a volume's mounts away. Gives the folder that is to be removed then; a hostPath and its like stay.
pub fn release(plan: &VolumePlan, folder: &Path) -> Result<Option<PathBuf>, VolumeError> {
    let made = folder.join(&plan.name);
    match plan.source {
        VolumeSource::HostPath { .. } | VolumeSource::Claim { .. } | VolumeSource::Image { .. } => return Ok(None),
        VolumeSource::Memory { .. } | VolumeSource::HugePages { .. } | VolumeSource::Files { .. } => {
            unmount(&made).map_err(|cause| VolumeError::Io {
                volume: plan.name.clone(),
                call: "umount",
                path: made.clone(),
                cause,
            })?;
        }
        VolumeSource::EmptyDir { .. } => unshare(&made),
    }
    Ok(Some(made))
}

/// A shared emptyDir is a mount, with what containers mounted in it.
fn unshare(place: &Path) {
    let flags = nix::mount::MntFlags::MNT_DETACH | nix::mount::MntFlags::UMOUNT_NOFOLLOW;
    let _ = nix::mount::umount2(place, flags);
}

fn unmount(path: &Path) -> io::Result<()> {
    if is_mount(path) {
        nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH)?;
    }
    Ok(())
}

fn is_mount(path: &Path) -> bool {
    let device = |path: &Path| fs::symlink_metadata(path).map(|found| found.dev()).ok();
    path.parent().is_some_and(|parent| device(path).is_some() && device(path) != device(parent))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn host(path: &Path, kind: HostPathKind) -> VolumePlan {
        VolumePlan { name: "v".into(), source: VolumeSource::HostPath { path: path.to_owned(), kind }, fs_group: None }
    }

    #[test]
    fn host_paths_are_checked_and_made() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("file"), dir.path().join("folder"));
        fs::write(&file, "").unwrap();
        fs::create_dir(&folder).unwrap();
        let new = |name: &str| dir.path().join(name);
        let cases = [
            (host(&file, HostPathKind::File), None),
            (host(&folder, HostPathKind::Directory), None),
            (host(&new("made/deep"), HostPathKind::DirectoryOrCreate), None),
            (host(&new("made/file"), HostPathKind::FileOrCreate), None),
            (host(&file, HostPathKind::Directory), Some("is not a directory")),
            (host(&folder, HostPathKind::FileOrCreate), Some("is not a file")),
            (host(&new("none"), HostPathKind::Socket), Some("is not a socket file")),
            (host(Path::new("/dev/null"), HostPathKind::CharDevice), None),
            (host(&file, HostPathKind::BlockDevice), Some("is not a block device")),
            (host(&new("no/parent"), HostPathKind::FileOrCreate), Some("No such file")),
        ];
        for (plan, refusal) in cases {
            let result = create(&plan, dir.path(), None).map_err(|error| error.to_string());
            match refusal {
                None => assert!(result.is_ok(), "R10.5: {plan:?}: {result:?}"),
                Some(words) => {
                    assert!(result.as_ref().is_err_and(|text| text.contains(words)), "R10.5: {plan:?}: {result:?}")
                }
            }
        }
        assert_eq!(fs::metadata(new("made/file")).unwrap().permissions().mode() & 0o7777, 0o644, "R10.5");
    }

    /// Open to all unless the manifest says otherwise; the group that fsGroup gives always gets at it.
    #[test]
    fn an_empty_dir_has_its_mode_whatever_the_umask() {
        let cases = [
            (None, None, 0o777),
            (Some(0), None, 0),
            (Some(0o750), None, 0o750),
            (Some(0o1777), None, 0o1777),
            (None, Some(7), 0o2777),
            (Some(0o1700), Some(7), 0o3770),
        ];
        for (mode, fs_group, wanted) in cases {
            let dir = tempfile::tempdir().unwrap();
            let source = VolumeSource::EmptyDir { mode, size_limit: None };
            let plan = VolumePlan { name: "v".into(), source, fs_group };
            let made = create(&plan, dir.path(), None).unwrap();
            assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o7777, wanted, "R10.5: {plan:?}");
            assert_eq!(release(&plan, dir.path()).unwrap(), Some(made));
        }
    }
}
