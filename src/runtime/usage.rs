//! How much of a disk folders use: measured by a helper process, as walking a tree takes as long as it takes. What is
//! counted is what du counts: blocks, each file once however many names it has; other filesystems are not entered and
//! links are not followed. Files that are gone while it walks don't count; files without a name, open in some process
//! alone, aren't seen, as they aren't by a kubelet without project quotas.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::runtime::spawn::{self, Inquiry};
use crate::runtime::tree::{self, Place, Visitor, Walk};

/// `argv[0]` of the helper.
const NAME: &str = "barepod:usage";
/// How often a tree is walked in which folders are moved meanwhile.
const TRIES: usize = 5;
/// What stat counts in.
const BLOCK: u64 = 512;

/// A measurement under way. Dropping it ends it.
#[derive(Debug)]
pub struct Measurement(Inquiry);

impl Measurement {
    /// Begins one of these groups of folders; what isn't there uses nothing.
    ///
    /// # Errors
    /// Where there is no helper process to be had.
    pub fn begin(groups: &[Vec<PathBuf>]) -> io::Result<Self> {
        Inquiry::begin(NAME, &groups, None).map(Self)
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// Bytes per group; an error where the helper died; `None`: not known yet.
    pub fn outcome(&mut self) -> Option<io::Result<Vec<u64>>> {
        self.0.outcome()
    }
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        spawn::serve(NAME, |groups: Vec<Vec<PathBuf>>| measure(&groups))
    }
}

fn measure(groups: &[Vec<PathBuf>]) -> Vec<u64> {
    // Whoever uses the disk for something goes first.
    let _ = rustix::process::nice(10);
    groups.iter().map(|group| group.iter().map(|folder| usage(folder)).sum()).collect()
}

/// Bytes that a folder and all in it use. What can't be read is left out: the tree changes while it is walked. Where
/// something was moved out of the walk's way meanwhile it is walked again, and the most that was found counts.
fn usage(path: &Path) -> u64 {
    let mut most = 0;
    for _ in 0..TRIES {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(root) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return most };
        let mut count = Count::default();
        if let Ok(found) = rustix::fs::fstat(&root) {
            count.add(&found);
        }
        let whole = Walk::below(root).is_ok_and(|mut walk| walk.advance(&mut count, &mut usize::MAX.clone()).is_ok());
        most = most.max(count.used);
        if whole && !count.disturbed {
            break;
        }
    }
    most
}

#[derive(Default)]
struct Count {
    used: u64,
    /// What was counted, by whatever name: a file that is renamed meanwhile comes twice.
    seen: HashSet<(u64, u64)>,
    /// Whether folders have changed their places.
    disturbed: bool,
}

impl Count {
    fn add(&mut self, found: &Stat) {
        if self.seen.insert(tree::identity(found)) {
            let blocks = u64::try_from(found.st_blocks).unwrap_or(0);
            self.used = self.used.saturating_add(blocks.saturating_mul(BLOCK));
        }
    }
}

impl Visitor for Count {
    fn ends(&self, _: Errno) -> bool {
        false
    }

    fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno> {
        let found = rustix::fs::statat(at.parent, at.name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT);
        // A file that is gone counts nothing.
        if let Ok(found) = found {
            self.add(&found);
        }
        Ok(false)
    }

    fn entered(&mut self, found: &Stat) {
        self.add(found);
    }

    fn passed(&mut self, why: Errno) {
        // Gone, or moved to where the walk has been already; a mount counts nothing.
        self.disturbed |= why == Errno::NOENT;
    }

    fn restarted(&mut self) {
        self.disturbed = true;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn blocks(path: &Path) -> u64 {
        fs::symlink_metadata(path).unwrap().blocks() * BLOCK
    }

    /// Holes count nothing, names of one file count once, links aren't followed.
    #[test]
    fn what_counts_is_what_is_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(&outside, vec![1; 1 << 20]).unwrap();
        fs::write(tree.join("a/b/file"), vec![1; 100_000]).unwrap();
        fs::hard_link(tree.join("a/b/file"), tree.join("again")).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("link")).unwrap();
        std::os::unix::fs::symlink("/", tree.join("root")).unwrap();
        File::create(tree.join("hole")).unwrap().set_len(1 << 40).unwrap();
        let files = ["", "a", "a/b", "a/b/file", "link", "root", "hole"];
        assert_eq!(usage(&tree), files.iter().map(|file| blocks(&tree.join(file))).sum::<u64>());
        assert_eq!(usage(&dir.path().join("nothing")), 0);
        assert_eq!(usage(&tree.join("a/b/file")), 0, "only folders are measured");
        assert_eq!(usage(&tree.join("root")), 0, "a folder that became a link is none");
    }

    /// Deeper than paths can be written and than descriptors are held.
    #[test]
    fn nothing_hides_in_the_depth() {
        let dir = tempfile::tempdir().unwrap();
        let mut at = rustix::fs::open(dir.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let name = "d".repeat(60);
        for _ in 0..300 {
            rustix::fs::mkdirat(&at, name.as_str(), Mode::RWXU).unwrap();
            // Beside each folder on the way something that is counted on the way back.
            rustix::fs::mkdirat(&at, "beside", Mode::RWXU).unwrap();
            let file = rustix::fs::openat(&at, "beside/f", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
            File::from(file).write_all(&[1; 5000]).unwrap();
            at = rustix::fs::openat(&at, name.as_str(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let file = rustix::fs::openat(&at, "hidden", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
        let mut file = File::from(file);
        file.write_all(&vec![1; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        let used = usage(dir.path());
        assert!(used >= (1 << 20) + 300 * 5000, "{used}");
        tree::remove(&dir.path().join(&name)).unwrap();
    }

    /// Somebody moves a deep folder to and fro all the time, as fast as can be. Between the readings of two folders it may go
    /// from one that wasn't read yet to one that was, which no walk sees; but most measurements have it all, and one is enough.
    #[test]
    fn nothing_hides_by_moving() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        let deep: PathBuf = std::iter::repeat_n("d", 40).collect();
        fs::create_dir_all(tree.join(&deep)).unwrap();
        // Beside folders on the way down, so that it comes after the way back from them.
        for level in 0..20 {
            let beside: PathBuf = std::iter::repeat_n("d", level).collect();
            fs::create_dir_all(tree.join(&beside).join("beside/far")).unwrap();
            fs::write(tree.join(&beside).join("beside/far/file"), vec![1; 100_000]).unwrap();
        }
        let still = usage(tree);
        assert!(still >= 20 * 100_000);
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (here, there) = (tree.join("d/d"), tree.join("moved"));
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = fs::rename(&here, &there);
                    let _ = fs::rename(&there, &here);
                }
            });
            // Names come and go, and with them a block of a folder.
            let whole = (0..40).filter(|_| usage(tree) + 100_000 > still).count();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(whole > 20, "{whole} of 40");
        });
    }
}
