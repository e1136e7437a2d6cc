//! Images that go because nobody has used them for long, or because the disk is full.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::images::catalogue::Catalogue;
use crate::images::disk::Marks;

/// A disk of its own, which other processes don't see.
pub(super) struct Small(tempfile::TempDir);

impl Small {
    /// `None`: this box lets nobody mount one.
    pub(super) fn new(options: &str) -> Option<Self> {
        if unshare(CloneFlags::CLONE_NEWNS).is_err() {
            crate::skips::skip("only root has mount namespaces of its own");
            return None;
        }
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let dir = tempfile::tempdir().unwrap();
        mount(Some("small"), dir.path(), Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
        Some(Self(dir))
    }

    /// It has other options from now on, and what is on it.
    pub(super) fn resize(&self, options: &str) {
        mount(None::<&str>, self.path(), None::<&str>, MsFlags::MS_REMOUNT, Some(options)).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).unwrap();
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn lease(store: &Store, manifest: &Digest) -> PathBuf {
    store.dir.join("layout/leases").join(manifest.hex())
}

/// As if it had been pulled, and used, so long ago.
pub(super) fn last_used(store: &Store, entry: &Entry, age: Duration) {
    let then = SystemTime::now() - age;
    let path = store.catalogue.summary_path(&entry.manifest);
    let mut summary: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    summary["pulled"] = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().into();
    fs::write(&path, summary.to_string()).unwrap();
    assert!(!store.catalogue.is_leased(&entry.manifest));
    File::options().write(true).open(lease(store, &entry.manifest)).unwrap().set_modified(then).unwrap();
}

/// A pod's use, a pull of what is there already, and an end without a word make an image young; to be looked at doesn't.
#[test]
fn images_go_by_their_last_use() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let entries = ["new", "asked", "used", "using", "killed", "old"].map(|name| {
        let made = image(name, 100);
        let entry = pull(&store, name, &made).unwrap().entry;
        if name != "new" {
            last_used(&store, &entry, 2 * HOUR);
        }
        (made, entry)
    });
    let [(new, _), (asked, _), (_, used), (_, using), (_, killed), (made_old, old)] = &entries;
    let lease_on = |entry: &Entry| Catalogue::lease(&store.catalogue.summary_path(&entry.manifest)).unwrap().unwrap();
    assert_eq!(store.prune_unused(3 * HOUR).unwrap(), [""; 0]);
    // The same image by another name goes with it, or stays with it.
    assert!(pull(&store, "old again", made_old).unwrap().is_new);
    last_used(&store, old, 2 * HOUR);
    assert!(!pull(&store, "asked", asked).unwrap().is_new);
    drop(lease_on(used));
    let held = lease_on(using);
    // Its supervisor was killed: the lock is gone, and nothing was noted.
    std::mem::forget(lease_on(killed));
    let fds: Vec<_> = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path()).collect();
    let of_killed = fds.iter().find(|fd| fs::read_link(fd).is_ok_and(|path| path == lease(&store, &killed.manifest)));
    let number: i32 = of_killed.unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
    nix::unistd::close(number).unwrap();
    for entry in [using, killed] {
        let file = File::options().write(true).open(lease(&store, &entry.manifest)).unwrap();
        file.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
    }
    assert!(store.catalogue.seems_used(&using.manifest) && !store.catalogue.seems_used(&killed.manifest));
    assert_eq!(store.prune_unused(HOUR).unwrap(), ["old", "old again"]);
    drop(held);
    assert_eq!(store.prune_unused(HOUR).unwrap(), [""; 0]);
    assert!(!pull(&store, "new", new).unwrap().is_new);
    assert_eq!(store.prune_unused(Duration::ZERO).unwrap().len(), 5);
    store.sweep().unwrap();
    assert_eq!(folders(&store), 0);
}

/// Who uses an image, or brings it by hand, between the look for unused ones and its removal keeps it.
#[test]
fn images_that_are_asked_for_meanwhile_stay() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = ["asked", "by hand", "unused"].map(|name| {
        let made = image(name, 100);
        last_used(&store, &pull(&store, name, &made).unwrap().entry, 2 * HOUR);
        made
    });
    let unused = store.unused(HOUR).unwrap();
    assert_eq!(unused.len(), 3);
    assert!(!pull(&store, "asked", &made[0]).unwrap().is_new);
    store.keep_for_good("by hand").unwrap();
    let mut gone = Vec::new();
    unused.iter().for_each(|one| _ = store.forget_unused(one, &mut gone).unwrap());
    assert_eq!(gone, ["unused"]);
}

/// The one whose last use is longest ago goes first, and no more than is needed; what a pod uses, and what is young, stays.
#[test]
fn a_full_disk_is_emptied() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=16m") else { return };
    let store = Store::at(&small.path().join("images"));
    let marks = Marks { high: 60, low: 40 };
    assert_eq!(store.prune_to(marks, HOUR).unwrap(), None, "there is no store");
    let entries = [("c", 2), ("a", 5), ("d", 2), ("b", 4), ("young", 0)].map(|(name, hours)| {
        let entry = pull(&store, name, &image(name, 2 << 20)).unwrap().entry;
        last_used(&store, &entry, hours * HOUR);
        entry
    });
    let held = Catalogue::lease(&store.catalogue.summary_path(&entries[1].manifest)).unwrap().unwrap();
    assert_eq!(store.prune_to(Marks { high: 90, low: 10 }, HOUR).unwrap(), None, "it isn't that full");
    // 10 of 16 MiB and a little; 6.4 are the low mark.
    let done = store.prune_to(marks, HOUR).unwrap().unwrap();
    assert_eq!((done.names, done.is_enough, done.is_busy), (vec!["b".to_owned(), "c".to_owned()], true, false));
    let done = store.prune_to(Marks { high: 20, low: 10 }, HOUR).unwrap().unwrap();
    assert_eq!((done.names, done.is_enough), (vec!["d".to_owned()], false), "{:?}", done.disk);
    let names: Vec<String> = store.catalogue.list().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!((names, folders(&store)), (vec!["a".to_owned(), "young".to_owned()], 2));
    drop(held);
}

/// Where no file can be made any more images go all the same: those that no pod has ever used, too.
#[test]
fn a_disk_without_any_inode_is_emptied() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=64m,nr_inodes=80") else { return };
    let store = Store::at(&small.path().join("images"));
    let entries = ["one", "two"].map(|name| pull(&store, name, &image(name, 100)).unwrap().entry);
    let full = (0..).map(|number| small.path().join(format!("file{number}"))).find_map(|path| File::create(path).err());
    assert_eq!(full.unwrap().kind(), std::io::ErrorKind::StorageFull);
    let held = Catalogue::lease(&store.catalogue.summary_path(&entries[0].manifest)).unwrap().unwrap();
    assert_eq!(store.prune_unused(Duration::ZERO).unwrap(), ["two"]);
    assert!(store.sweep().unwrap());
    assert_eq!(folders(&store), 1);
    drop(held);
    while File::create(small.path().join(format!("more{}", fs::read_dir(small.path()).unwrap().count()))).is_ok() {}
    assert_eq!(store.prune_unused(Duration::ZERO).unwrap(), ["one"]);
    assert!(store.sweep().unwrap());
    assert_eq!(folders(&store), 0);
}

/// Nothing is removed beside a pull; and files that are small and many fill a disk as well.
#[test]
fn a_disk_without_inodes_is_emptied() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=64m,nr_inodes=500") else { return };
    let store = Store::at(small.path());
    let files: Vec<String> = (0..300).map(|number| format!("file{number}")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|name| (name.as_str(), "")).collect();
    let entry = pull(&store, "many", &Made::of(&[layer(&files, &[])], json!({}))).unwrap().entry;
    last_used(&store, &entry, HOUR);
    let marks = Marks { high: 50, low: 40 };
    let busy = store.turns.pulling().unwrap();
    let done = store.prune_to(marks, Duration::ZERO).unwrap().unwrap();
    assert_eq!((done.names, done.is_enough, done.is_busy), (vec![], false, true));
    drop(busy);
    let done = store.prune_to(marks, Duration::ZERO).unwrap().unwrap();
    assert_eq!((done.names, done.is_enough, done.is_busy), (vec!["many".to_owned()], true, false));
}
