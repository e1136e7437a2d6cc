//! Volumes of files (R10.6), in memory, laid out as the kubelet does: the files are in a folder named after the time,
//! `..data` is a link to it, and what a program opens are links through `..data`. So all files would change at once,
//! and a program that watches `..data` works here as it does in a cluster.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::plan::{FilePlan, IdRange};
use crate::runtime::tree;

/// What went wrong: call, path, cause.
pub(super) type Failed = (&'static str, PathBuf, io::Error);

/// fsGroup may read, and enter folders: nobody writes to these.
const GROUP_READS: u32 = 0o440;
const GROUP_ENTERS: u32 = 0o2550;

/// Whom the files belong to; `None`: root, or the user's own group.
#[derive(Clone, Copy)]
pub(super) struct Owners {
    pub(super) user: Option<u32>,
    /// fsGroup: may read.
    pub(super) group: Option<u32>,
    /// What the container's ids are on the host; `None`: the same.
    pub(super) ids: Option<IdRange>,
}

impl Owners {
    fn own(self, path: &Path) -> io::Result<()> {
        chown(path, self.user, self.group.or(self.user))
    }

    /// A file that has an owner of its own.
    fn own_file(self, path: &Path, user: Option<u32>) -> io::Result<()> {
        let Some(user) = user else { return self.own(path) };
        let host = self.ids.map_or(Some(user), |ids| ids.host(user));
        let host = host.ok_or_else(|| io::Error::other(format!("user {user} is none of the pod's user namespace")))?;
        chown(path, Some(host), self.group.or(self.user))
    }
}

/// Mounts a tmpfs at the folder `at` and fills it.
pub(super) fn create(at: &Path, files: &[FilePlan], owners: Owners) -> Result<(), Failed> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let try_mount = |options| mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(options));
    // Secrets must not come to a swap device (kernel 6.4).
    try_mount("mode=0777,noswap")
        .or_else(|_| try_mount("mode=0777"))
        .map_err(|errno| failed("mount tmpfs", at)(errno.into()))?;
    fill(at, files, owners)?;
    owners.own(at).map_err(failed("chown", at))?;
    if owners.group.is_some() {
        fs::set_permissions(at, Permissions::from_mode(0o2777)).map_err(failed("chmod", at))?;
    }
    Ok(())
}

/// Puts other contents in the place of what `create` made: all at once, for whoever opens a file after that. The paths
/// must be the same. After a failure the old ones are there.
pub(super) fn replace(at: &Path, files: &[FilePlan], owners: Owners) -> Result<(), Failed> {
    let link = at.join("..data");
    let before = fs::read_link(&link).map_err(failed("readlink", &link))?;
    let filled = fill(at, files, owners);
    let after = fs::read_link(&link).map_err(failed("readlink", &link))?;
    // Of two folders one is in use. Others are places of mounts.
    for entry in fs::read_dir(at).map_err(failed("read", at))?.flatten() {
        let name = entry.file_name();
        let is_dated = std::os::unix::ffi::OsStrExt::as_bytes(name.as_os_str()).starts_with(b"..");
        let is_folder = is_dated && entry.file_type().is_ok_and(|kind| kind.is_dir());
        let in_use = Path::new(&name) == if filled.is_ok() { &after } else { &before };
        if is_folder && !in_use {
            let path = entry.path();
            tree::remove(&path).map_err(failed("remove", &path))?;
        }
    }
    filled
}

fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failed + use<> {
    let path = path.to_owned();
    move |cause| (call, path, cause)
}

/// Makes a new folder with the files and `..data` the link to it.
fn fill(at: &Path, files: &[FilePlan], owners: Owners) -> Result<(), Failed> {
    let now = jiff::Timestamp::now().strftime("..%Y_%m_%d_%H_%M_%S.%9f").to_string();
    let data = at.join(&now);
    folder(&data, owners).map_err(failed("mkdir", &data))?;
    for file in files {
        let path = data.join(&file.path);
        let mut parent = data.clone();
        for part in file.path.parent().into_iter().flat_map(Path::components) {
            parent.push(part);
            if !parent.is_dir() {
                folder(&parent, owners).map_err(failed("mkdir", &parent))?;
            }
        }
        write(&path, file, owners).map_err(failed("write", &path))?;
    }
    // Made beside and renamed over: at no time is there none.
    let (link, made) = (at.join("..data"), at.join("..data_tmp"));
    symlink(&now, &made).map_err(failed("symlink", &made))?;
    fs::rename(&made, &link).map_err(failed("rename", &link))?;
    for file in files {
        let Some(Component::Normal(first)) = file.path.components().next() else { continue };
        let link = at.join(first);
        match symlink(Path::new("..data").join(first), &link) {
            // Several files of one folder.
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(failed("symlink", &link))?,
        }
    }
    Ok(())
}

fn folder(path: &Path, owners: Owners) -> io::Result<()> {
    fs::create_dir(path)?;
    owners.own(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755 | owners.group.map_or(0, |_| GROUP_ENTERS)))
}

fn write(path: &Path, plan: &FilePlan, owners: Owners) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&plan.content.0)?;
    // Before the mode: a change of owner may take bits away.
    owners.own_file(path, plan.user)?;
    file.set_permissions(Permissions::from_mode(plan.mode | owners.group.map_or(0, |_| GROUP_READS)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::plan::Content;

    #[test]
    fn files_are_laid_out_as_the_kubelet_does() {
        if !rustix::process::geteuid().is_root() {
            crate::skips::skip("mounting a tmpfs needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str, mode, text: &str| FilePlan {
            path: path.into(),
            mode,
            user: None,
            content: Content(text.as_bytes().to_vec()),
        };
        let mut files = [file("a", 0o644, "1"), file("d/b", 0o400, "2"), file("d/e/c", 0o600, "3")];
        files[2].user = Some(55);
        create(dir.path(), &files, Owners { user: None, group: Some(77), ids: None }).unwrap();
        let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().mode() & 0o7777;
        let link = |path: &str| fs::read_link(dir.path().join(path)).unwrap().display().to_string();
        assert_eq!((link("a"), link("d")), ("..data/a".into(), "..data/d".into()), "R10.6");
        assert!(link("..data").starts_with("..2"), "R10.6: {}", link("..data"));
        assert_eq!(fs::read_to_string(dir.path().join("d/e/c")).unwrap(), "3");
        assert_eq!((mode("a"), mode("d/b"), mode("d/e/c"), mode("d/e")), (0o644, 0o440, 0o640, 0o2755), "R10.6");
        assert_eq!((mode("."), mode("d")), (0o2777, 0o2755), "R10.6: fsGroup's, and what is made in it too");
        assert_eq!(["d/b", "d", "."].map(|path| fs::metadata(dir.path().join(path)).unwrap().gid()), [77; 3], "R10.6");
        assert_eq!(["d/e", "d/e/c", "a"].map(|path| fs::metadata(dir.path().join(path)).unwrap().uid()), [0, 55, 0]);
        let names = || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(names().len(), 4, "{:?}", names());
        // Others in their place: what was open stays as it was, and so does a place of a mount.
        let before = link("..data");
        fs::create_dir(dir.path().join("mount")).unwrap();
        let mut open = File::open(dir.path().join("a")).unwrap();
        replace(
            dir.path(),
            &[file("a", 0o644, "new"), files[1].clone(), files[2].clone()],
            Owners { user: None, group: Some(77), ids: None },
        )
        .unwrap();
        assert_ne!(link("..data"), before);
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "new");
        assert_eq!(io::read_to_string(&mut open).unwrap(), "1");
        assert_eq!((mode("d/b"), names().len()), (0o440, 5), "{:?}", names());
        // It can't be done: nothing has changed.
        let broken = [file("a", 0o644, "x"), file("a/b", 0o644, "y")];
        let now = link("..data");
        assert!(replace(dir.path(), &broken, Owners { user: None, group: None, ids: None }).is_err());
        assert_eq!(
            (fs::read_to_string(dir.path().join("a")).unwrap(), link("..data"), names().len()),
            ("new".into(), now, 5)
        );
        nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    }

    /// CVE-2025-9566: what a container with all rights has put in the place of files and folders.
    #[test]
    fn links_are_not_written_through() {
        if !rustix::process::geteuid().is_root() {
            crate::skips::skip("mounting a tmpfs needs root");
            return;
        }
        let outside = tempfile::tempdir().unwrap();
        let (gold, folder) = (outside.path().join("gold"), outside.path().join("..folder"));
        fs::create_dir(&folder).unwrap();
        fs::write(&gold, "gold").unwrap();
        fs::write(folder.join("a"), "gold").unwrap();
        for path in [&gold, &folder.join("a")] {
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }
        let files = |text: &str| {
            let content = Content(text.as_bytes().to_vec());
            [FilePlan { path: "a".into(), mode: 0o600, user: Some(55), content }]
        };
        let owners = Owners { user: None, group: Some(77), ids: None };
        for (name, to, works) in
            [("a", &gold, true), ("..data", &folder, true), ("..data_tmp", &folder, false), ("..other", &folder, true)]
        {
            let dir = tempfile::tempdir().unwrap();
            create(dir.path(), &files("1"), owners).unwrap();
            let _ = fs::remove_file(dir.path().join(name));
            symlink(to, dir.path().join(name)).unwrap();
            assert_eq!(replace(dir.path(), &files("2"), owners).is_ok(), works, "{name}");
            for path in [gold.clone(), folder.join("a")] {
                let after = fs::metadata(&path).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), "gold", "{name}");
                assert_eq!((after.uid(), after.gid(), after.mode() & 0o777), (0, 0, 0o644), "{name}");
            }
            nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
    }
}
