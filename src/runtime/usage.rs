//! How much of a disk folders use: measured by a helper process, as walking a tree takes as long as it takes. What is
//! counted is what du counts: blocks, each file once however many names it has; other filesystems are not entered and
//! links are not followed. Files that are gone while it walks don't count; files without a name, open in some process
//! alone, aren't seen, as they aren't by a kubelet without project quotas.

use std::collections::HashSet;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::runtime::spawn::{self, Inquiry};

/// `argv[0]` of the helper.
const NAME: &str = "barepod:usage";
/// How many folders are open at once; those above are opened again by their `..` when it is their turn.
const OPEN: usize = 64;
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

/// A folder on the way down.
struct Level {
    /// `None`: closed, to keep few open.
    folder: Option<OwnedFd>,
    identity: (u64, u64),
    /// Folders in it that are still to be walked.
    waiting: Vec<std::ffi::CString>,
}

/// Bytes that a folder and all in it use. What can't be read is left out: the tree changes while it is walked.
fn usage(path: &Path) -> u64 {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(root) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return 0 };
    let mut walk = Walk { used: 0, seen: HashSet::new() };
    let Ok(first) = walk.enter(root) else { return walk.used };
    let mut levels = vec![first];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.waiting.pop() else {
            let left = levels.pop().and_then(|level| level.folder);
            if !reopen(&mut levels, left) {
                break;
            }
            continue;
        };
        let Some(folder) = &level.folder else { break };
        // Neither a mount nor what was put there instead meanwhile.
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let opened = rustix::fs::openat2(folder, name.as_c_str(), flags, Mode::empty(), inside);
        let Ok(next) = opened.and_then(|opened| walk.enter(opened)) else { continue };
        levels.push(next);
        let depth = levels.len();
        if depth > OPEN {
            levels[depth - 1 - OPEN].folder = None;
        }
    }
    walk.used
}

/// Makes the folder that is now the last one open again, from the one below it. `false`: there is none, or that was
/// moved meanwhile, and nobody knows where it is.
fn reopen(levels: &mut [Level], below: Option<OwnedFd>) -> bool {
    let Some(level) = levels.last_mut() else { return false };
    if level.folder.is_some() {
        return true;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Some(below) = below else { return false };
    let Ok(folder) = rustix::fs::openat(&below, c"..", flags, Mode::empty()) else { return false };
    let same = rustix::fs::fstat(&folder).is_ok_and(|stat| identity(&stat) == level.identity);
    level.folder = same.then_some(folder);
    same
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

struct Walk {
    used: u64,
    /// Files that have more names than one.
    seen: HashSet<(u64, u64)>,
}

impl Walk {
    /// Counts a folder and the files in it.
    fn enter(&mut self, folder: OwnedFd) -> Result<Level, Errno> {
        let own = rustix::fs::fstat(&folder)?;
        self.count(&own);
        let mut waiting = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let Ok(entry) = entry else { break };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) else {
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                waiting.push(name.to_owned());
            } else if stat.st_nlink < 2 || self.seen.insert(identity(&stat)) {
                self.count(&stat);
            }
        }
        Ok(Level { folder: Some(folder), identity: identity(&own), waiting })
    }

    fn count(&mut self, stat: &Stat) {
        let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
        self.used = self.used.saturating_add(blocks.saturating_mul(BLOCK));
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
        crate::runtime::files::remove_tree(&dir.path().join(&name), &mut usize::MAX.clone()).unwrap();
    }
}
