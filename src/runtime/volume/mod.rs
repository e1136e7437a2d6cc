//! Makes the pod's volumes and says where each is. Mounting them into containers is the container's; whether a
//! failure is retried is the engine's.

mod config;
mod elsewhere;
mod group;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::plan::{HostPathKind, IdRange, VolumePlan, VolumeSource};
use crate::runtime::{files, image};

pub use elsewhere::{Search, helper_main_if_asked};

/// Why a volume can't be had. The words behind `hostPath type check failed` are the kubelet's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VolumeError {
    #[error("volume {volume:?}: {call} {path}: {cause}")]
    Io { volume: String, call: &'static str, path: PathBuf, cause: io::Error },
    #[error("volume {volume:?}: {cause}")]
    Image { volume: String, cause: Box<image::ImageError> },
    #[error("volume {volume:?}: hostPath type check failed: {path} is not {wanted}")]
    WrongKind { volume: String, path: PathBuf, wanted: &'static str },
    /// One of the others, as a helper has told it.
    #[error("{message}")]
    Elsewhere { message: String },
}

/// Whether a volume is found by a [`Search`] and not to be made here, where nothing may take its time.
pub fn is_elsewhere(plan: &VolumePlan) -> bool {
    elsewhere::is_elsewhere(plan)
}

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
        VolumeSource::EmptyDir { .. } => {
            files::make_folders(&made, 0o755).map_err(error("mkdir", &made))?;
        }
        VolumeSource::Memory { size_limit } => {
            files::make_folders(&made, 0o755).map_err(error("mkdir", &made))?;
            let options = size_limit.map_or_else(|| "mode=0777".to_owned(), |size| format!("mode=0777,size={size}"));
            mount(Some("tmpfs"), &made, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options.as_str()))
                .map_err(|errno| error("mount tmpfs", &made)(errno.into()))?;
        }
        VolumeSource::HugePages { page, size_limit } => {
            files::make_folders(&made, 0o755).map_err(error("mkdir", &made))?;
            let mut options = format!("pagesize={}", page.0);
            if let Some(size) = size_limit {
                options += &format!(",size={size}");
            }
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("hugetlbfs"), &made, Some("hugetlbfs"), flags, Some(options.as_str()))
                .map_err(|errno| error("mount hugetlbfs", &made)(errno.into()))?;
        }
        VolumeSource::Files { files } => {
            files::make_folders(&made, 0o700).map_err(error("mkdir", &made))?;
            // Of an attempt before this one.
            unmount(&made).map_err(error("umount", &made))?;
            config::create(&made, files, owners).map_err(|(call, path, cause)| error(call, &path)(cause))?;
            return Ok(made);
        }
        VolumeSource::Image { image } => {
            let failed = |cause| VolumeError::Image { volume: plan.name.clone(), cause: Box::new(cause) };
            return Ok(image::open(image).map_err(failed)?.rootfs);
        }
        VolumeSource::Claim { path, change } => {
            let found = host_path(plan, path, HostPathKind::Directory)?;
            if let Some(group) = plan.fs_group {
                group::apply(&found, group, *change).map_err(|(call, path, cause)| error(call, &path)(cause))?;
            }
            return Ok(found);
        }
        VolumeSource::HostPath { path, kind } => return host_path(plan, &Path::new("/").join(path), *kind),
    }
    let mut mode = 0o777;
    std::os::unix::fs::chown(&made, owners.user, owners.group.or(owners.user)).map_err(error("chown", &made))?;
    if owners.group.is_some() {
        mode |= 0o2000;
    }
    fs::set_permissions(&made, Permissions::from_mode(mode)).map_err(error("chmod", &made))?;
    Ok(made)
}

/// Whose a volume's files are, as the host sees them.
fn owners(plan: &VolumePlan, ids: Option<IdRange>) -> config::Owners {
    let group = plan.fs_group.map(|group| ids.and_then(|ids| ids.host(group)).unwrap_or(group));
    config::Owners { user: ids.map(|ids| ids.first), group }
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

/// Removes what `create` made, at most `budget` files of it; false: there are more. A hostPath stays.
pub fn remove(plan: &VolumePlan, folder: &Path, budget: &mut usize) -> Result<bool, VolumeError> {
    let made = folder.join(&plan.name);
    let error = |call, cause| VolumeError::Io { volume: plan.name.clone(), call, path: made.clone(), cause };
    match plan.source {
        VolumeSource::HostPath { .. } | VolumeSource::Claim { .. } | VolumeSource::Image { .. } => return Ok(true),
        VolumeSource::Memory { .. } | VolumeSource::HugePages { .. } | VolumeSource::Files { .. } => {
            unmount(&made).map_err(|cause| error("umount", cause))?;
        }
        VolumeSource::EmptyDir { .. } => {
            // A shared one is a mount, with what containers mounted in it.
            let flags = nix::mount::MntFlags::MNT_DETACH | nix::mount::MntFlags::UMOUNT_NOFOLLOW;
            let _ = nix::mount::umount2(&made, flags);
        }
    }
    files::remove_tree(&made, budget).map_err(|cause| error("remove", cause))
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

    #[test]
    fn an_empty_dir_is_open_to_all_whatever_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let plan = VolumePlan { name: "v".into(), source: VolumeSource::EmptyDir { size_limit: None }, fs_group: None };
        let made = create(&plan, dir.path(), None).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o7777, 0o777, "R10.5");
        assert!(remove(&plan, dir.path(), &mut 10).unwrap());
        assert!(!made.exists());
    }
}
