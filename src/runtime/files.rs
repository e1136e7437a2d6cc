//! Making files where others may have put symbolic links or mounts. Every step goes through the
//! descriptor of the folder before it, never through a joined path.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

/// The text of a file that need not be there, such as one that a kernel may lack; `None`: it isn't. What can't be read is an
/// error: it may say the opposite of what its absence says.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is a pipe that has no name: whoever has it can do nothing but read, write and own the pipe. A FIFO is a file.
pub(crate) fn is_pipe(fd: impl AsFd) -> io::Result<bool> {
    const PIPEFS: i64 = 0x5049_5045;
    let is_fifo = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::Fifo;
    #[allow(clippy::unnecessary_cast, reason = "its type differs between architectures")]
    Ok(is_fifo && rustix::fs::fstatfs(&fd)?.f_type as i64 == PIPEFS)
}

/// Makes a folder and its parents, as [`make_within_umask`] with mode 0777.
pub(crate) fn make_all(path: &Path) -> io::Result<()> {
    make_within_umask(path, 0o777)
}

/// Makes a folder and its parents, what is new with this mode as far as the umask lets it. One that is there already is no
/// error; something else in its place is, and what can't be looked at (std's `create_dir_all` says of that that it exists).
pub(crate) fn make_within_umask(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    or_is_there(std::fs::DirBuilder::new().recursive(true).mode(mode).create(path), path)
}

/// Makes a folder and its parents with exactly `mode` on what is new, else as [`make_within_umask`].
pub(crate) fn make_folders(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    match path.metadata() {
        Ok(found) if found.is_dir() => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // Something else is in its place, which is said below, or nothing.
        Ok(_) | Err(_) => {}
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folders(parent, mode)?;
    }
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        // The umask doesn't count.
        Ok(()) => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)),
        made => or_is_there(made, path),
    }
}

/// What mkdir(2) has said, where a folder that is there already is as good as a new one. It says the same of anything else
/// that has the name: of a file, and of a link that leads nowhere or to a file.
fn or_is_there(made: io::Result<()>, path: &Path) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match path.metadata() {
            Ok(found) if found.is_dir() => Ok(()),
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            // Something else, or a folder that has been taken away since.
            Ok(_) | Err(_) => Err(error),
        },
        made => made,
    }
}

/// Makes a folder, and its parents, that is its owner's alone, also where it was there with another mode.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const MODE: u32 = 0o700;
    make_folders(path, MODE)?;
    if path.metadata()?.permissions().mode() & 0o7777 != MODE {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    }
    Ok(())
}

/// Why a `subPath` leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubPathFault {
    /// A symbolic link or `..` leads out of the volume.
    Escapes,
    /// The kernel refused.
    Refused(i32),
}

/// Resolves `path` below the folder `volume`: links may be followed inside it but not out of it (CVE-2017-1002101),
/// and what is returned is the thing itself, so that nothing can be swapped afterwards (CVE-2021-25741). What
/// doesn't exist is made, one step at a time, if `create`: folders with the mode of the volume's root, so that whoever can
/// use the volume can use them (the kubelet's SafeMakeDir). The umask is to let that pass. A group is handed on by a root
/// that has its set-group-id bit.
pub(crate) fn open_below(volume: &Path, path: &Path, create: Create) -> Result<OwnedFd, SubPathFault> {
    let mode = match create {
        Create::Nothing => 0,
        Create::Folders { .. } => {
            let found = rustix::fs::stat(volume).map_err(|error| SubPathFault::Refused(error.raw_os_error()))?;
            found.st_mode & 0o1777
        }
    };
    walk(volume, path, ResolveFlags::BENEATH, create, mode)
}

/// What is at a path of the root file system at `root`, links being followed as in a container.
pub(crate) fn open_in_root(root: &Path, path: &Path) -> Result<OwnedFd, SubPathFault> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    walk(root, relative, ResolveFlags::IN_ROOT, Create::Nothing, 0)
}

/// Makes `path` and its parents, mode 0755 and of this owner and group, inside the root file system at `root`: absolute
/// links lead from there, `..` stops there, as it will be for the container.
pub(crate) fn make_in_root(root: &Path, path: &Path, owner: u32) -> Result<(), SubPathFault> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    walk(root, relative, ResolveFlags::IN_ROOT, Create::Folders { owner }, 0o755).map(drop)
}

/// What something is mounted on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
}

/// Resolves `path` below the folder `volume` as [`open_below`] does, for something to be mounted there; what is missing
/// is made, of this owner and group.
pub(crate) fn mount_point(volume: &Path, path: &Path, kind: Kind, owner: u32) -> Result<OwnedFd, SubPathFault> {
    let folders = |path| walk(volume, path, ResolveFlags::BENEATH, Create::Folders { owner }, 0o755);
    let (Kind::File, Some(name)) = (kind, path.file_name()) else { return folders(path) };
    match walk(volume, path, ResolveFlags::BENEATH, Create::Nothing, 0) {
        Err(SubPathFault::Refused(libc::ENOENT)) => {}
        found => return found,
    }
    let refused = |error: Errno| SubPathFault::Refused(error.raw_os_error());
    let parent = folders(path.parent().unwrap_or(Path::new("")))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)).map_err(refused)?;
    if owner != 0 {
        give(&parent, name.as_ref(), owner).map_err(refused)?;
    }
    Ok(file)
}

fn walk(volume: &Path, path: &Path, links: ResolveFlags, create: Create, mode: u32) -> Result<OwnedFd, SubPathFault> {
    let refused = |error: Errno| SubPathFault::Refused(error.raw_os_error());
    let root = rustix::fs::openat(CWD, volume, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(refused)?;
    let inside = links | ResolveFlags::NO_MAGICLINKS;
    let mut so_far = PathBuf::new();
    let mut found = root;
    let base = found.try_clone().map_err(|error| SubPathFault::Refused(error.raw_os_error().unwrap_or(libc::EIO)))?;
    for part in path.components() {
        let Component::Normal(part) = part else {
            if part == Component::CurDir {
                continue;
            }
            return Err(SubPathFault::Escapes);
        };
        so_far.push(part);
        // From the root each time: a link in the middle may lead anywhere inside, which BENEATH judges from there.
        let next = rustix::fs::openat2(&base, &so_far, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside);
        found = match next {
            Ok(fd) => fd,
            Err(Errno::XDEV) => return Err(SubPathFault::Escapes),
            Err(Errno::NOENT) => {
                let Create::Folders { owner } = create else { return Err(refused(Errno::NOENT)) };
                match rustix::fs::mkdirat(&found, part, Mode::from_raw_mode(mode)) {
                    Ok(()) if owner != 0 => {
                        give(&found, part.as_ref(), owner).map_err(refused)?;
                    }
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(refused(error)),
                }
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
                rustix::fs::openat(&found, part, flags, Mode::empty()).map_err(refused)?
            }
            Err(error) => return Err(refused(error)),
        };
    }
    Ok(found)
}

/// Gives what this process has just made in a folder to somebody, with the group but for one that the folder hands on.
fn give(folder: &OwnedFd, name: &Path, owner: u32) -> Result<(), Errno> {
    let inherited = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_gid != 0;
    let group = (!inherited).then(|| Gid::from_raw(owner));
    rustix::fs::chownat(folder, name, Some(Uid::from_raw(owner)), group, AtFlags::SYMLINK_NOFOLLOW)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// Of this user, and of the group of the same number.
    Folders {
        owner: u32,
    },
    Nothing,
}

/// Binds what a descriptor stands for (a file or a folder, with the mounts below it) to `target`, which is made.
pub(crate) fn bind(source: &OwnedFd, target: &Path) -> io::Result<()> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(source)?.st_mode);
    if kind == FileType::Directory {
        make_folders(target, 0o700)?;
    } else {
        std::fs::File::create(target)?;
    }
    let name = format!("/proc/self/fd/{}", source.as_raw_fd());
    let flags = nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_REC;
    nix::mount::mount(Some(name.as_str()), target, None::<&str>, flags, None::<&str>)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn sub_paths_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let volume = dir.path().join("volume");
        fs::create_dir_all(volume.join("real")).unwrap();
        symlink("real", volume.join("inner")).unwrap();
        symlink("../", volume.join("up")).unwrap();
        symlink("/etc", volume.join("abs")).unwrap();
        let open = |path: &str, create| open_below(&volume, Path::new(path), create).map(drop);
        assert_eq!(open("inner", Create::Nothing), Ok(()));
        assert_eq!(open("up", Create::Folders { owner: 0 }), Err(SubPathFault::Escapes));
        assert_eq!(open("abs/passwd", Create::Folders { owner: 0 }), Err(SubPathFault::Escapes));
        assert_eq!(open("real/../../x", Create::Folders { owner: 0 }), Err(SubPathFault::Escapes));
        assert_eq!(open("new/deep", Create::Nothing), Err(SubPathFault::Refused(libc::ENOENT)));
        assert_eq!(open("inner/new/deep", Create::Folders { owner: 0 }), Ok(()));
        assert!(volume.join("real/new/deep").is_dir());
        // What is new is for whoever the volume is for, as far as the umask lets that pass.
        let mode = |path: &Path| fs::metadata(path).map(|found| found.permissions().mode() & 0o7777).unwrap();
        fs::set_permissions(&volume, fs::Permissions::from_mode(0o1711)).unwrap();
        assert_eq!(open("narrow/er", Create::Folders { owner: 0 }), Ok(()));
        assert_eq!(["narrow", "narrow/er"].map(|path| mode(&volume.join(path))), [0o1711; 2]);
    }

    /// Who finds something else where a folder is to be would fail later, and not know why; so says each way of making one.
    #[test]
    fn only_a_folder_is_taken_for_one() {
        type Make = fn(&Path) -> io::Result<()>;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let makers: [(&str, Make); 2] =
            [("within", |path| make_within_umask(path, 0o711)), ("exactly", |path| make_folders(path, 0o711))];
        fs::write(at("file"), "").unwrap();
        symlink("none", at("dangling")).unwrap();
        symlink("file", at("to-file")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (name, make) in makers {
            let (new, inner) = (at(name), at(name).join("a/b"));
            for _ in 0..2 {
                make(&inner).unwrap();
            }
            symlink(name, at("link")).unwrap();
            make(&at("link/c")).unwrap();
            make(&at("link")).unwrap();
            fs::remove_file(at("link")).unwrap();
            let modes =
                [&new, &inner, &new.join("c")].map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o7777);
            assert_eq!(modes, [0o711; 3], "{name}");
            for (other, errno) in [
                ("file", libc::EEXIST),
                ("to-file", libc::EEXIST),
                ("dangling", libc::EEXIST),
                ("loop", libc::ELOOP),
                ("file/below", libc::ENOTDIR),
            ] {
                assert_eq!(make(&at(other)).unwrap_err().raw_os_error(), Some(errno), "{name} {other}");
            }
            assert!(make(&at(&"n".repeat(300))).is_err());
        }
    }
}
