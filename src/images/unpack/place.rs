//! Where entries go: their parent folders, found or made without ever leaving the root.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::error::{Fault, words};
use super::state::{Folder, Parent, Stop, Unpacker};

/// The longest path, with a zero byte at its end (PATH_MAX).
const LONGEST: usize = 4096;
/// How many symbolic links may be in one path, as for the kernel.
const MOST_LINKS: u32 = 40;

/// The names in a path, which is taken as one from the root: `..` leads up, at most to there.
pub(super) fn names(path: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names
}

/// How overlays hide what the layers below have.
pub(super) fn is_whiteout(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && found.st_rdev == 0
}

/// What is done where a folder is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Fail,
}

const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Unpacker<'_> {
    /// The folder for an entry; what is missing of it is made.
    pub(super) fn find_or_make(&mut self, above: &[&[u8]]) -> Result<Parent, Stop> {
        self.find_with(above, Missing::Make)
    }

    /// A folder that is there.
    pub(super) fn find(&mut self, above: &[&[u8]]) -> Result<Parent, Stop> {
        self.find_with(above, Missing::Fail)
    }

    fn find_with(&mut self, above: &[&[u8]], missing: Missing) -> Result<Parent, Stop> {
        let mut path = above.join(&b'/');
        if path.len() >= LONGEST {
            return Err(Fault::Long { longest: LONGEST - 1 }.into());
        }
        let as_it_is: &[u8] = if path.is_empty() { b"." } else { &path };
        let found = match self.open(self.root, as_it_is) {
            Ok(folder) => (folder, path.len()),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => self.step_by_step(above, missing)?,
            Err(errno) => return Err(Fault::system("open the folder that it is in")(errno).into()),
        };
        if !path.is_empty() {
            path.push(b'/');
        }
        Ok(Parent { path, length: found.1, folder: found.0 })
    }

    /// A folder at a path without links.
    fn open(&self, from: impl AsFd, path: &[u8]) -> Result<OwnedFd, Errno> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        rustix::fs::openat2(from, path, PLACE, Mode::empty(), inside)
    }

    /// Where something is missing or there are links; with the length of the path without these.
    fn step_by_step(&mut self, above: &[&[u8]], missing: Missing) -> Result<(OwnedFd, usize), Stop> {
        let system = Fault::system("open the folder that it is in");
        let mut coming: VecDeque<Vec<u8>> = above.iter().map(|name| name.to_vec()).collect();
        let mut way: Vec<Vec<u8>> = Vec::new();
        let mut here = self.open(self.root, b".").map_err(&system)?;
        let mut links = 0;
        while let Some(name) = coming.pop_front() {
            if name == b".." {
                way.pop();
                let path = way.join(&b'/');
                let path: &[u8] = if path.is_empty() { b"." } else { &path };
                here = self.open(self.root, path).map_err(&system)?;
                continue;
            }
            let length = way.iter().map(|name| name.len() + 1).sum::<usize>() + name.len();
            if length >= LONGEST {
                return Err(Fault::Long { longest: LONGEST - 1 }.into());
            }
            match self.open(&here, &name) {
                Ok(folder) => here = folder,
                Err(Errno::NOENT) if missing == Missing::Make => here = self.imply(&here, &name, length)?,
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    let found = rustix::fs::statat(&here, &name[..], AtFlags::SYMLINK_NOFOLLOW).map_err(&system)?;
                    if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(Fault::Links { most: MOST_LINKS }.into());
                        }
                        let target = rustix::fs::readlinkat(&here, &name[..], Vec::new()).map_err(&system)?;
                        if target.to_bytes().starts_with(b"/") {
                            way.clear();
                            here = self.open(self.root, b".").map_err(&system)?;
                        }
                        let parts = target.to_bytes().split(|byte| *byte == b'/');
                        let parts = parts.filter(|part| !matches!(*part, b"" | b"."));
                        parts.rev().for_each(|part| coming.push_front(part.to_vec()));
                        continue;
                    }
                    if !is_whiteout(&found) || missing == Missing::Fail {
                        way.push(name);
                        return Err(Fault::NoFolder { above: words(&way.join(&b'/')) }.into());
                    }
                    rustix::fs::unlinkat(&here, &name[..], AtFlags::empty()).map_err(&system)?;
                    let folder = self.imply(&here, &name, length)?;
                    self.hide_below(&here, &name)?;
                    here = folder;
                }
                Err(errno) => return Err(system(errno).into()),
            }
            way.push(name);
        }
        let length = way.iter().map(|name| name.len() + 1).sum::<usize>().saturating_sub(1);
        Ok((here, length))
    }

    /// Makes a folder that has no entry yet; its path has this length.
    fn imply(&mut self, parent: &OwnedFd, name: &[u8], length: usize) -> Result<OwnedFd, Stop> {
        self.count(length)?;
        let system = Fault::system("make the folder that it is in");
        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)).map_err(&system)?;
        let folder = self.open_folder(parent, name)?;
        let found = rustix::fs::fstat(&folder).map_err(&system)?;
        // Neither the umask nor what the parent hands on is to be seen.
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if (found.st_uid, found.st_gid) != (uid.as_raw(), gid.as_raw()) {
            rustix::fs::fchown(&folder, Some(uid), Some(gid)).map_err(&system)?;
        }
        if found.st_mode & 0o7777 != 0o755 {
            rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o755)).map_err(&system)?;
        }
        self.folders.insert(found.st_ino, Folder::Implied);
        Ok(self.open(parent, name).map_err(&system)?)
    }

    /// A folder, for reading: attributes can be changed through that.
    pub(super) fn open_folder(&self, parent: impl AsFd, name: &[u8]) -> Result<OwnedFd, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(Fault::system("open the folder"))
    }
}
