//! The root file system of one attempt, and the parts of volumes it gets, mounted in the helper's own mount namespace.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
};

use crate::plan::RootAccess;

/// Makes this process's mounts its own: they end with the last process that has them, and the host never sees them.
pub fn isolate() -> rustix::io::Result<()> {
    // SAFETY: no thread shares this process's file system state: a helper has one thread.
    #[allow(unsafe_code, deprecated)]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS)?;
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
}

/// Mounts the root file system at `target`: an overlay on `lower`, or `lower` itself where nothing is to be written.
pub fn mount_root(lower: &Path, data: &Path, target: &Path, access: RootAccess) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    match access {
        RootAccess::ReadOnly => {
            rustix::mount::mount_bind(lower, target)?;
            // A bind mount takes read-only at a second call only.
            rustix::mount::mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, c"")?;
        }
        RootAccess::Writable => {
            let (upper, work) = (data.join("upper"), data.join("work"));
            std::fs::create_dir_all(&upper)?;
            std::fs::create_dir_all(&work)?;
            // The upper layer's root is what the container sees as its root: it looks like the image's.
            let lower_mode = rustix::fs::stat(lower)?.st_mode;
            rustix::fs::chmod(&upper, Mode::from_raw_mode(lower_mode & 0o7777))?;
            overlay(lower, &upper, &work, target)?;
        }
    }
    Ok(())
}

fn overlay(lower: &Path, upper: &Path, work: &Path, target: &Path) -> io::Result<()> {
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let set = |key: &str, path: &Path| {
        let value = if key == "lowerdir" { escaped(path.as_os_str()) } else { path.as_os_str().as_bytes().to_vec() };
        rustix::mount::fsconfig_set_string(&context, key, OsStr::from_bytes(&value))
    };
    set("lowerdir", lower)?;
    set("upperdir", upper)?;
    set("workdir", work)?;
    rustix::mount::fsconfig_create(&context)?;
    let mount = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    rustix::mount::move_mount(&mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// In `lowerdir` a colon parts layers and a backslash escapes.
fn escaped(path: &OsStr) -> Vec<u8> {
    path.as_bytes().iter().flat_map(|&byte| if matches!(byte, b':' | b'\\') { vec![b'\\', byte] } else { vec![byte] }).collect()
}

/// Takes a mount away again.
pub fn unmount(target: &Path) {
    let _ = rustix::mount::unmount(target, UnmountFlags::DETACH);
}

/// Binds the part `path` of the volume at `root` to `target`. Links are followed inside the volume only; what doesn't
/// exist is made as a folder, step by step and without following anything (CVE-2017-1002101, CVE-2021-25741).
pub fn bind_sub_path(root: &Path, path: &Path, target: &Path) -> io::Result<()> {
    let volume = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let part = match resolve(&volume, path) {
        Err(Errno::NOENT) => make(volume, path)?,
        other => other?,
    };
    let is_folder = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&part)?.st_mode).is_dir();
    if is_folder {
        std::fs::create_dir_all(target)?;
    } else {
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::File::create(target)?;
    }
    // By descriptor: what the name means may have changed since it was looked up.
    let source = PathBuf::from(format!("/proc/self/fd/{}", part.as_raw_fd()));
    Ok(rustix::mount::mount_bind_recursive(source, target)?)
}

fn resolve(volume: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(volume, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how) {
            // A rename raced with the look-up of a "..": again.
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
}

fn make(volume: OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let mut folder = volume;
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        // The kubelet's mode for what it makes.
        match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o750)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
        folder = rustix::fs::openat2(&folder, name, flags, Mode::empty(), ResolveFlags::BENEATH)?;
    }
    Ok(folder)
}
