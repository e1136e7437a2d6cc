//! Looking for an image without being held up by it. Its files may be on a file system that somebody else answers for
//! (FUSE, NFS), or not: then a helper process looks, which can be ended. Where what is looked at is in the kernel's
//! caches and on a file system of the kernel's own, no time is lost by a look from here: a helper takes a millisecond.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::time::Timespec;
use serde::{Deserialize, Serialize};

use super::opened::{GROUP, PASSWD};
use super::{Image, ImageError, Trouble, open_if, pull};
use crate::images::platform::Platform;
use crate::images::progress::Progress;
use crate::images::store::Place;
use crate::images::trust;
use crate::plan::{ImageFacts, ImageSource, Logins};
use crate::runtime::seccomp;
use crate::runtime::spawn::{self, Inquiry};

/// `argv[0]` of the helper.
const NAME: &str = "barepod:image";

/// File systems that need nobody but the kernel and a disk. Not overlay: what it shows may be on any other.
const KERNELS_OWN: [&str; 15] = [
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "ramfs", "rootfs", "squashfs",
    "tmpfs", "vfat", "xfs",
];

/// An image that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// All that a container's config needs to know about it.
    pub facts: ImageFacts,
    /// Keys of its config that no OCI config has (`process.arg`), where they were asked for.
    pub unknown_keys: Vec<String>,
    /// The text of the container's own seccomp profile, where it has one: that may be on such a file system as well.
    pub profile: Option<Result<String, String>>,
    /// Bytes of its layers, packed, where it was pulled now.
    pub size: u64,
    /// Images that had to go to make room for it.
    pub removed: Vec<String>,
    /// What keeps the store from removing it ([`super::lease`]), where it is the store's.
    pub lease: Option<PathBuf>,
}

/// Why none was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of failure it is.
    pub trouble: Trouble,
    /// For people.
    pub message: String,
}

impl From<ImageError> for Refusal {
    fn from(error: ImageError) -> Self {
        Self { trouble: error.trouble(), message: error.message() }
    }
}

/// Whether keys that nobody knows are looked for. Not for every start: it reads the config twice more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownKeys {
    Wanted,
    Unwanted,
}

/// What is to be done about an image that the store doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want {
    /// Nothing.
    Look,
    /// It is brought, also where the store has one of this name that is older.
    Pull,
}

/// A search by a helper. Dropping it ends it.
#[derive(Debug)]
pub struct Search(Inquiry);

impl Search {
    /// Begins one; `logins`: for what is pulled.
    ///
    /// # Errors
    /// Where there is no helper process to be had.
    pub fn begin(
        source: &ImageSource,
        store: &Place,
        want: Want,
        logins: &Logins,
        keys: UnknownKeys,
        profile: Option<&Path>,
    ) -> io::Result<Self> {
        Inquiry::begin_outside(NAME, &(source, store, want, logins, keys, profile)).map(Self)
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// What was found; an error where the helper died; `None`: not known yet.
    pub fn outcome(&mut self) -> Option<io::Result<Result<Found, Refusal>>> {
        self.0.outcome()
    }
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        type Request = (ImageSource, Place, Want, Logins, UnknownKeys, Option<PathBuf>);
        spawn::serve(NAME, |(source, store, want, logins, keys, profile): Request| {
            let (size, removed) = match (&source, want) {
                (ImageSource::Stored(stored), Want::Pull) => {
                    let pulled = pull(stored, &store, &Platform::here(), &logins, &Progress::default(), None)?.1;
                    (pulled.size, pulled.removed)
                }
                _ => (0, Vec::new()),
            };
            complete(open_if(&source, Some(&store), &|_| true)?, keys, profile.as_deref()).map(|found| Found {
                size,
                removed,
                ..found
            })
        })
    }
}

fn complete(image: Image, keys: UnknownKeys, profile: Option<&Path>) -> Result<Found, Refusal> {
    let profile = profile.map(|path| seccomp::read_profile(path).map_err(|error| error.to_string()));
    let unknown_keys = match keys {
        UnknownKeys::Wanted => image.unknown_keys(),
        UnknownKeys::Unwanted => Vec::new(),
    };
    let lease = image.lease.clone();
    Ok(Found { facts: image.facts()?, unknown_keys, profile, size: 0, removed: Vec::new(), lease })
}

/// The mounts of file systems of the kernel's own, as this process' mount namespace has them. The table of mounts is read
/// again only after the kernel has told of a change (proc(5), /proc/pid/mounts), as each container's start needs it.
#[derive(Debug, Default)]
pub struct LocalFileSystems {
    table: Option<File>,
    ids: Vec<u64>,
}

impl LocalFileSystems {
    /// What was found where nobody has to be waited for; `None`: that isn't known.
    pub fn find(
        &mut self,
        source: &ImageSource,
        store: &Place,
        keys: UnknownKeys,
        profile: Option<&Path>,
    ) -> Option<Result<Found, Refusal>> {
        self.refresh()?;
        if let ImageSource::Stored(_) = source {
            // What says what is trusted is read too. No such file is at hand as well.
            let set = |name: &str| std::env::var(name).ok();
            for path in trust::files(set) {
                self.checked(openat2(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED))?;
            }
            // Keys that it names may be anywhere.
            if trust::Policy::of_this_box(None, set).ok()?.is_some_and(|policy| !policy.accepts_everything()) {
                return None;
            }
        }
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
        let at_once = local.find(&source, &none, UnknownKeys::Wanted, None).unwrap().unwrap();
        assert_eq!(at_once.unknown_keys, ["odd"]);
        assert_eq!(serde_json::to_value(&at_once).unwrap(), serde_json::to_value(&slowly).unwrap());
        assert_eq!(local.find(&source, &none, UnknownKeys::Unwanted, None).unwrap().unwrap().unknown_keys, [""; 0]);
        assert!(
            local
                .find(&ImageSource::Rootfs(bundle.join("rootfs")), &none, UnknownKeys::Unwanted, None)
                .unwrap()
                .is_ok()
        );
        fs::write(bundle.join("config.json"), "{").unwrap();
        assert_eq!(
            local.find(&source, &none, UnknownKeys::Wanted, None).unwrap().unwrap_err().trouble,
            Trouble::Unusable
        );
        // /proc isn't in the list.
        config("/proc/self");
        assert!(local.find(&source, &none, UnknownKeys::Wanted, None).is_none());
        fs::remove_file(bundle.join("config.json")).unwrap();
        symlink("/proc/version", bundle.join("config.json")).unwrap();
        assert!(local.find(&source, &none, UnknownKeys::Wanted, None).is_none());
        assert!(local.find(&ImageSource::Rootfs("/proc/self".into()), &none, UnknownKeys::Wanted, None).is_none());
        assert!(local.find(&ImageSource::Rootfs(dir.path().join("none")), &none, UnknownKeys::Wanted, None).is_none());
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
