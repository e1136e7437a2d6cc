//! Looks into an image without a mount: what its layers, one over the other, show at a path, as an overlay would.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fgetxattr, openat, readlinkat, statat};
use rustix::io::Errno;

/// How often a link leads to another.
const LINKS: usize = 40;
/// What makes a folder hide what lower layers have in it (overlayfs).
const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];

/// The roots of an image's layers.
#[derive(Debug)]
pub struct Merged {
    /// From the highest to the lowest.
    roots: Vec<OwnedFd>,
}

/// What is at a name of a folder.
enum Node {
    Nothing,
    /// In these layers, from the highest to the lowest.
    Folder(Vec<OwnedFd>),
    /// Anything else; in this folder.
    Other(OwnedFd, FileType),
}

impl Merged {
    /// Of these trees, from the highest to the lowest.
    ///
    /// # Errors
    /// As open(2).
    pub fn open<'a>(trees: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        let roots = trees.map(|tree| folder(CWD, tree.as_os_str()));
        Ok(Self { roots: roots.collect::<rustix::io::Result<_>>()? })
    }

    /// Whether the highest layer says that nothing below it is to be seen.
    #[must_use]
    pub fn hides_all_below(&self) -> bool {
        self.roots.first().is_some_and(|root| is_opaque(root.as_fd()))
    }

    /// The highest layer's folder at this path, where that is one. Links on the way aren't followed.
    ///
    /// # Errors
    /// As open(2).
    pub fn folder(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        let mut here = copies(&self.roots)?;
        for part in path.components() {
            let std::path::Component::Normal(name) = part else { continue };
            match step(&here, name)? {
                Node::Folder(next) => here = next,
                Node::Nothing | Node::Other(..) => return Ok(None),
            }
        }
        Ok(here.into_iter().next())
    }

    /// The text of a regular file of at most `limit` bytes, links followed inside the image; `None`: there is none.
    ///
    /// # Errors
    /// As open(2), read(2); what is larger, or leads in circles.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Option<String>> {
        let mut left: Vec<PathBuf> = vec![path.to_owned()];
        let mut way: Vec<Vec<OwnedFd>> = Vec::new();
        let mut links = 0;
        // Parts that have yet to be gone, the next one last.
        let mut parts: Vec<OsString> = Vec::new();
        while let Some(path) = left.pop() {
            if path.is_absolute() {
                way.clear();
            }
            parts.extend(path.components().rev().filter_map(|part| match part {
                std::path::Component::Normal(name) => Some(name.to_owned()),
                std::path::Component::ParentDir => Some("..".into()),
                _ => None,
            }));
            while let Some(name) = parts.pop() {
                if name == ".." {
                    way.pop();
                    continue;
                }
                match step(way.last().unwrap_or(&self.roots), &name)? {
                    Node::Nothing => return Ok(None),
                    Node::Folder(next) => way.push(next),
                    Node::Other(parent, FileType::Symlink) => {
                        links += 1;
                        if links > LINKS {
                            return Err(Errno::LOOP.into());
                        }
                        let target = readlinkat(&parent, name.as_os_str(), Vec::new())?;
                        left.push(PathBuf::from(OsString::from_vec(target.into_bytes())));
                        break;
                    }
                    Node::Other(parent, FileType::RegularFile) if parts.is_empty() => {
                        return text(parent.as_fd(), &name, limit).map(Some);
                    }
                    Node::Other(..) => return Ok(None),
                }
            }
        }
        Ok(None)
    }
}

fn text(parent: BorrowedFd<'_>, name: &OsStr, limit: u64) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = std::fs::File::from(openat(parent, name, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn folder(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn copies(folders: &[OwnedFd]) -> io::Result<Vec<OwnedFd>> {
    folders.iter().map(OwnedFd::try_clone).collect()
}

/// What a folder, merged of these, has at a name.
fn step(folders: &[OwnedFd], name: &OsStr) -> io::Result<Node> {
    let mut found = Vec::new();
    for parent in folders {
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let folder = folder(parent.as_fd(), name)?;
                let is_opaque = is_opaque(folder.as_fd());
                found.push(folder);
                if is_opaque {
                    break;
                }
            }
            // A whiteout, or something else below a folder.
            FileType::CharacterDevice if stat.st_rdev == 0 => break,
            _ if !found.is_empty() => break,
            kind => return Ok(Node::Other(parent.try_clone()?, kind)),
        }
    }
    Ok(if found.is_empty() { Node::Nothing } else { Node::Folder(found) })
}

fn is_opaque(folder: BorrowedFd<'_>) -> bool {
    OPAQUE.iter().any(|name| {
        let mut value = [0; 2];
        matches!(fgetxattr(folder, *name, &mut value[..]), Ok(1)) && value[0] == b'y'
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{XattrFlags, mknodat, setxattr};

    use super::*;

    /// What an overlay of the same layers would show: the highest wins, whiteouts and opaque folders hide, links stay inside.
    #[test]
    fn layers_are_seen_one_over_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let [low, high] = ["low", "high"].map(|name| dir.path().join(name));
        for folder in
            [low.join("etc/deep"), low.join("gone"), low.join("hidden/in"), high.join("etc"), high.join("hidden")]
        {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(low.join("etc/passwd"), "low").unwrap();
        fs::write(low.join("etc/group"), "group").unwrap();
        fs::write(low.join("gone/file"), "x").unwrap();
        fs::write(low.join("hidden/in/file"), "x").unwrap();
        fs::write(high.join("etc/passwd"), "high").unwrap();
        symlink("/etc/../../etc/absolute", high.join("etc/link")).unwrap();
        symlink("group", high.join("etc/absolute")).unwrap();
        symlink("circle", high.join("circle")).unwrap();
        let whiteout = mknodat(CWD, high.join("gone"), FileType::CharacterDevice, Mode::empty(), 0);
        let opaque = setxattr(high.join("hidden"), "trusted.overlay.opaque", b"y", XattrFlags::empty());
        if whiteout.is_err() || opaque.is_err() {
            crate::skips::skip("only root makes whiteouts");
            return;
        }
        let merged = Merged::open([high.as_path(), &low].into_iter()).unwrap();
        let read = |path: &str| merged.read(Path::new(path), 100).unwrap();
        assert_eq!(read("etc/passwd").as_deref(), Some("high"));
        assert_eq!(read("/etc/group").as_deref(), Some("group"));
        assert_eq!(read("etc/link").as_deref(), Some("group"));
        for path in ["gone/file", "gone", "hidden/in/file", "etc", "etc/none", "etc/passwd/x", "etc/deep"] {
            assert_eq!(read(path), None, "{path}");
        }
        assert_eq!(merged.read(Path::new("circle"), 100).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert!(merged.read(Path::new("etc/passwd"), 3).is_err());
        let is_folder = |path: &str| merged.folder(Path::new(path)).unwrap().is_some();
        assert!(is_folder("") && is_folder("etc/deep") && is_folder("hidden"));
        assert!(!is_folder("hidden/in") && !is_folder("gone") && !is_folder("etc/passwd"));
    }
}
