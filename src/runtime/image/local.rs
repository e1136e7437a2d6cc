//! Images on file systems of the kernel's own, whose looking up holds nobody up.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::opened::{GROUP, PASSWD};
use super::search::complete;
use super::{Found, ImageError, InStore, Refusal, UnknownKeys, open_if};
use crate::images::store::Place;
use crate::images::trust::{self, Policy};
use crate::plan::ImageSource;

/// File systems that need nobody but the kernel and a disk. Not overlay: what it shows may be on any other.
const KERNELS_OWN: [&str; 15] = [
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "ramfs", "rootfs", "squashfs",
    "tmpfs", "vfat", "xfs",
];

/// The mounts of file systems of the kernel's own, as this process' mount namespace has them. The table of mounts is read
/// again only after the kernel has told of a change (proc(5), /proc/pid/mounts), as each container's start needs it.
#[derive(Debug, Default)]
pub struct LocalFileSystems {
    table: Option<File>,
    ids: Vec<u64>,
}

impl LocalFileSystems {
    /// What was found where nobody has to be waited for; `None`: that isn't known. `policy`: the file that says what is trusted, in the
    /// place of this box's.
    pub fn find(
        &mut self,
        source: &ImageSource,
        store: &Place,
        policy: Option<&Path>,
        keys: UnknownKeys,
        profile: Option<&Path>,
    ) -> Option<Result<Found, Refusal>> {
        self.refresh()?;
        let policy = match source {
            ImageSource::Stored(_) => self.policy(policy)?,
            ImageSource::Bundle(_) | ImageSource::Rootfs(_) => None,
        };
        let store = InStore { store, policy: policy.as_ref() };
        let image = match open_if(source, Some(store), &|path| self.at_hand(path).is_some()) {
            Ok(image) => image,
            Err(ImageError::NotAtHand { .. }) => return None,
            Err(error) => return Some(Err(error.into())),
        };
        let root = self.at_hand(&image.rootfs)?;
        if image.accounts.is_none() {
            for name in [PASSWD, GROUP] {
                self.at_hand_in(root.as_fd(), Path::new(name))?;
            }
        }
        if let Some(profile) = profile {
            self.at_hand(profile)?;
        }
        Some(complete(image, keys, profile))
    }

    /// What says what is trusted; `None`: that isn't known.
    fn policy(&self, given: Option<&Path>) -> Option<Option<Policy>> {
        let set = |name: &str| std::env::var(name).ok();
        let files = given.map_or_else(|| trust::files(set), |path| vec![path.to_owned()]);
        for path in files {
            // No such file is at hand as well.
            self.checked(openat2(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED))?;
        }
        let policy = Policy::of_this_box(given, set).ok()?;
        // Keys that it names may be anywhere.
        policy.as_ref().is_none_or(Policy::accepts_everything).then_some(policy)
    }

    /// `None`: there is no table to be had.
    fn refresh(&mut self) -> Option<()> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if let Some(table) = &self.table
            && poll(&mut [PollFd::new(table, PollFlags::PRI)], Some(&now)) == Ok(0)
        {
            return Some(());
        }
        // Taken out: one that could not be read is opened anew. What changes after the look above is told by the next.
        let mut table = match self.table.take() {
            Some(table) => table,
            None => File::open("/proc/thread-self/mountinfo").ok()?,
        };
        let mut text = String::new();
        table.rewind().ok()?;
        table.read_to_string(&mut text).ok()?;
        self.ids = local(&text);
        self.table = Some(table);
        Some(())
    }

    /// What is at a path, if nothing but caches was needed to get there and nobody to be asked now.
    fn at_hand(&self, path: &Path) -> Option<OwnedFd> {
        self.checked(openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED))?
    }

    /// As [`at_hand`](Self::at_hand), inside of a root file system; nothing is at hand as well.
    fn at_hand_in(&self, root: BorrowedFd<'_>, path: &Path) -> Option<()> {
        let resolve = ResolveFlags::CACHED | ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        self.checked(openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)).map(|_| ())
    }

    /// `None`: it isn't. `Some(None)`: there is no such thing.
    fn checked(&self, found: Result<OwnedFd, Errno>) -> Option<Option<OwnedFd>> {
        match found {
            Ok(fd) => {
                // fdinfo knows without asking the file system, as fstat would.
                let text = fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", fd.as_raw_fd())).ok()?;
                let mount: u64 = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()?;
                self.ids.contains(&mount).then_some(Some(fd))
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Some(None),
            Err(_) => None,
        }
    }
}

/// Their ids, from lines like `36 35 98:0 / /mnt rw shared:1 - ext4 /dev/sda1 rw` (proc(5)).
fn local(mountinfo: &str) -> Vec<u64> {
    let id = |line: &str| {
        let (mount, system) = line.split_once(" - ")?;
        let own = KERNELS_OWN.contains(&system.split(' ').next()?);
        own.then(|| mount.split(' ').next()?.parse().ok())?
    };
    mountinfo.lines().filter_map(id).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    use super::super::Trouble;
    use super::*;

    #[test]
    fn file_systems_that_others_answer_for_are_not_the_kernels_own() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            36 22 0:30 / /mnt/a\\040b rw shared:1 master:2 - fuse.sshfs me@there rw\n\
            37 22 0:31 / /mnt/nfs rw - nfs4 there:/ rw,vers=4.2\n\
            38 22 0:32 / /run rw shared:5 - tmpfs tmpfs rw\n\
            39 22 0:33 / /merged rw - overlay overlay rw,lowerdir=/mnt/nfs\n\
            40 22 0:34 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\nnonsense\n";
        assert_eq!(local(mounts), [22, 38]);
    }

    /// R5.16: what has just been read is at hand, and found to be what a helper would find; what isn't there, or is behind
    /// a file system that isn't the kernel's own, is left to one.
    #[test]
    fn what_is_at_hand_is_found_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join("bundle");
        fs::create_dir_all(bundle.join("rootfs/etc")).unwrap();
        fs::write(bundle.join("rootfs/etc/passwd"), "me:x:7:7::/:\n").unwrap();
        let config = |root: &str| {
            let text = format!(r#"{{"ociVersion": "1.2.0", "root": {{"path": {root:?}}}, "odd": 1}}"#);
            fs::write(bundle.join("config.json"), text).unwrap();
        };
        config("rootfs");
        let source = ImageSource::Bundle(bundle.clone());
        let none = Place::alone(Path::new("/none"));
        let mut local = LocalFileSystems::default();
        local.refresh().unwrap();
        if local.at_hand(&bundle).is_none() {
            crate::skips::skip("the temporary folder is on a file system that isn't the kernel's own");
            return;
        }
        let slowly = complete(super::super::open(&source).unwrap(), UnknownKeys::Wanted, None).unwrap();
        let at_once = local.find(&source, &none, None, UnknownKeys::Wanted, None).unwrap().unwrap();
        assert_eq!(at_once.unknown_keys, ["odd"]);
        assert_eq!(serde_json::to_value(&at_once).unwrap(), serde_json::to_value(&slowly).unwrap());
        assert_eq!(
            local.find(&source, &none, None, UnknownKeys::Unwanted, None).unwrap().unwrap().unknown_keys,
            [""; 0]
        );
        assert!(
            local
                .find(&ImageSource::Rootfs(bundle.join("rootfs")), &none, None, UnknownKeys::Unwanted, None)
                .unwrap()
                .is_ok()
        );
        fs::write(bundle.join("config.json"), "{").unwrap();
        assert_eq!(
            local.find(&source, &none, None, UnknownKeys::Wanted, None).unwrap().unwrap_err().trouble,
            Trouble::Unusable
        );
        // /proc isn't in the list.
        config("/proc/self");
        assert!(local.find(&source, &none, None, UnknownKeys::Wanted, None).is_none());
        fs::remove_file(bundle.join("config.json")).unwrap();
        symlink("/proc/version", bundle.join("config.json")).unwrap();
        assert!(local.find(&source, &none, None, UnknownKeys::Wanted, None).is_none());
        assert!(
            local.find(&ImageSource::Rootfs("/proc/self".into()), &none, None, UnknownKeys::Wanted, None).is_none()
        );
        assert!(
            local.find(&ImageSource::Rootfs(dir.path().join("none")), &none, None, UnknownKeys::Wanted, None).is_none()
        );
    }

    /// The table is read again when something has been mounted, and only then.
    #[test]
    fn mounts_to_come_are_known() {
        let dir = tempfile::tempdir().unwrap();
        if unshare(CloneFlags::CLONE_NEWNS).is_err() {
            crate::skips::skip("only root has mount namespaces of its own");
            return;
        }
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let mut local = LocalFileSystems::default();
        local.refresh().unwrap();
        local.ids.push(u64::MAX);
        local.refresh().unwrap();
        assert!(local.ids.contains(&u64::MAX), "it was read again, though nothing was mounted");
        mount(Some("new"), dir.path(), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        assert!(local.at_hand(dir.path()).is_none());
        local.refresh().unwrap();
        assert!(local.at_hand(dir.path()).is_some());
        assert!(!local.ids.contains(&u64::MAX));
    }
}
