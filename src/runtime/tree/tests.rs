#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::handle::Handle;
use super::*;

/// Folders inside one another below `dir`, each named `d`, beside each a file.
fn chain(dir: &Path, depth: usize) {
    let mut at = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, c"d", Mode::RWXU).unwrap();
        rustix::fs::openat(&at, c"f", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, c"d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

fn in_pieces(path: &Path, piece: usize) -> usize {
    let mut removal = Removal::of(path).unwrap();
    for pieces in 1.. {
        match removal.advance(&mut piece.clone()).unwrap() {
            Progress::More => {}
            Progress::Done => return pieces,
            Progress::Large => panic!("nothing is large"),
        }
    }
    unreachable!()
}

#[test]
fn removal_does_not_follow_links_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (keep, gone) = (dir.path().join("keep"), dir.path().join("gone"));
    fs::create_dir_all(gone.join("a/b")).unwrap();
    fs::create_dir(&keep).unwrap();
    fs::write(keep.join("precious"), "x").unwrap();
    symlink(&keep, gone.join("a/link")).unwrap();
    assert!(in_pieces(&gone, 1) > 3);
    assert!(!gone.exists() && keep.join("precious").exists());
    remove(&gone).unwrap();
    symlink(&keep, &gone).unwrap();
    remove(&gone).unwrap();
    assert!(fs::symlink_metadata(&gone).is_err() && keep.join("precious").exists());
    remove(&dir.path().join("no/such/folder")).unwrap();
}

/// Far deeper than paths, descriptors and stacks go, in pieces that are much shorter than the way down.
#[test]
fn no_depth_is_too_deep() {
    let dir = tempfile::tempdir().unwrap();
    let (deep, depth) = (dir.path().join("deep"), 3_000);
    fs::create_dir(&deep).unwrap();
    chain(&deep, depth);
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    let mut removal = Removal::of(&deep).unwrap();
    let mut pieces = 0;
    while removal.advance(&mut 20).unwrap() == Progress::More {
        pieces += 1;
        // Other tests of this process have theirs.
        assert!(pieces % 500 > 0 || open() < before + 10 * OPEN);
    }
    assert!(pieces < depth, "{pieces}");
    assert!(!deep.exists());
}

#[test]
fn no_folder_is_too_wide() {
    let dir = tempfile::tempdir().unwrap();
    let wide = dir.path().join("wide");
    for folder in 0..3000 {
        fs::create_dir_all(wide.join(format!("folder-{folder}"))).unwrap();
        File::create(wide.join(format!("file-{folder}"))).unwrap();
        File::create(wide.join(format!("folder-{folder}/file"))).unwrap();
    }
    assert!(in_pieces(&wide, 100) > 50);
    assert!(!wide.exists());
}

/// What can't go doesn't keep the rest, is named, and isn't tried for ever.
#[test]
fn what_stays_is_told_and_the_rest_goes() {
    if !rustix::process::geteuid().is_root() {
        crate::skips::skip("a mount in the tree needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let held = tree.join("a/b/c/d/e/f/g/h/i/j/held");
    fs::create_dir_all(&held).unwrap();
    for folder in ["a/x/y", "a/b/x", "z"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    // In a mount namespace of this thread's own.
    let tree = &tree;
    let told = std::thread::scope(|scope| {
        let work = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
            let flags = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
            nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
            nix::mount::mount(Some("t"), &held, Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>).unwrap();
            fs::write(held.join("precious"), "x").unwrap();
            let told = remove(tree).unwrap_err().to_string();
            assert!(held.join("precious").exists());
            told
        };
        scope.spawn(work).join().unwrap()
    });
    assert!(told.contains("a/b/c/[4 more folders]/h/i/j/held") && told.contains("busy"), "{told}");
    let left: Vec<_> = walkdir::WalkDir::new(tree).into_iter().map(|entry| entry.unwrap().into_path()).collect();
    assert_eq!(left.len(), 12, "{left:?}");
    remove(tree).unwrap();
}

#[test]
fn a_large_file_is_not_for_those_who_are_in_a_hurry() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let file = File::create(tree.join("large")).unwrap();
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 100 << 20).is_err() {
        crate::skips::skip("this file system can't reserve space");
        return;
    }
    assert_eq!(Removal::of(&tree).unwrap().advance(&mut 100).unwrap(), Progress::Large);
    remove(&tree).unwrap();
    assert!(!tree.exists());
}

#[test]
fn empty_folders_go_and_what_holds_a_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join("empty/empty/empty")).unwrap();
    fs::create_dir_all(tree.join("held/empty")).unwrap();
    fs::write(tree.join("held/file"), "").unwrap();
    remove_empty(&tree);
    assert!(!tree.join("empty").exists() && !tree.join("held/empty").exists() && tree.join("held/file").exists());
    fs::remove_file(tree.join("held/file")).unwrap();
    remove_empty(&tree);
    assert!(!tree.exists());
}

/// Somebody moves folders out of the way while they are walked: each file is seen all the same.
#[test]
fn a_walk_finds_back_from_what_was_moved() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join("aside")).unwrap();
    chain(&tree, 200);
    fs::write(tree.join("d/d/last"), "").unwrap();
    let deep: PathBuf = std::iter::repeat_n("d", 30).collect();
    struct Mover<'a> {
        tree: &'a Path,
        deep: &'a Path,
        visits: usize,
        files: HashSet<(u64, u64)>,
        restarts: usize,
    }
    impl Visitor for Mover<'_> {
        fn ends(&self, _: Errno) -> bool {
            true
        }
        fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno> {
            self.visits += 1;
            self.files.insert(identity(&rustix::fs::statat(at.parent, at.name, AtFlags::empty()).unwrap()));
            // Far below it: when the walk comes back it is elsewhere.
            if self.visits == 150 {
                fs::rename(self.tree.join(self.deep), self.tree.join("aside/moved")).unwrap();
            }
            Ok(false)
        }
        fn restarted(&mut self) {
            self.restarts += 1;
        }
    }
    let mut mover = Mover { tree: &tree, deep: &deep, visits: 0, files: HashSet::new(), restarts: 0 };
    let root = rustix::fs::open(&tree, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut walk = Walk::below(root).unwrap();
    assert!(walk.advance(&mut mover, &mut usize::MAX.clone()).unwrap());
    assert!(mover.visits > 150 && mover.files.len() == 201, "{} files, {} restarts", mover.files.len(), mover.restarts);
    if Handle::of(&rustix::fs::open(&tree, OFlags::RDONLY, Mode::empty()).unwrap())
        .is_some_and(|handle| handle.open(File::open(&tree).unwrap().as_fd()).is_ok())
    {
        assert_eq!(mover.restarts, 0);
    }
}

/// A tree that is torn about while it goes: the removal ends, and follows nothing out of it.
#[test]
fn a_removal_ends_while_others_rename() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    for branch in 0..4 {
        fs::create_dir_all(tree.join(format!("{branch}"))).unwrap();
        chain(&tree.join(format!("{branch}")), 300);
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = fs::rename(tree.join("0/d/d"), tree.join("1/moved"));
                let _ = fs::rename(tree.join("1/moved"), tree.join("0/d/d"));
                let _ = symlink(&outside, tree.join("2/d/l"));
            }
        });
        let first = remove(&tree);
        over.store(true, Ordering::Relaxed);
        // What came into a folder that had been read is left, or nothing.
        assert!(first.is_ok() || tree.exists());
    });
    remove(&tree).unwrap();
    assert!(!tree.exists() && outside.join("precious").exists());
}

#[test]
fn all_below_a_folder_is_visited_and_a_folder_last() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::write(dir.path().join("a/b/f"), "x").unwrap();
    symlink("/", dir.path().join("a/l")).unwrap();
    let root = rustix::fs::openat(CWD, dir.path(), OFlags::PATH, Mode::empty()).unwrap();
    let mut sizes = Vec::new();
    let mut visit = |_: BorrowedFd<'_>, found: &Stat| {
        sizes.push(FileType::from_raw_mode(found.st_mode));
        Ok(())
    };
    visit_below(root.as_fd(), dir.path(), &mut visit).unwrap();
    assert_eq!(sizes.len(), 4);
    assert_eq!(sizes[2..], [FileType::Directory; 2]);
    let mut refuse = |_: BorrowedFd<'_>, _: &Stat| Err(io::ErrorKind::PermissionDenied.into());
    let (path, _) = visit_below(root.as_fd(), dir.path(), &mut refuse).unwrap_err();
    assert!(path.starts_with(dir.path().join("a")), "{}", path.display());
}

#[test]
fn names_come_back_in_turn() {
    let mut names = Names::default();
    for name in [c"a", c"bc", c"d"] {
        names.push(name);
    }
    let all: Vec<_> = std::iter::from_fn(|| names.pop()).collect();
    assert_eq!(all, [c"d".to_owned(), c"bc".to_owned(), c"a".to_owned()]);
}
