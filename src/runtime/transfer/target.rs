//! What the other side sends, made below the target. Each step goes through the descriptor of a folder; a file has another name
//! until it is whole.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::super::random;
use super::contents::{self, Broken};
use super::context::Context;
use super::look_up::{self, NEITHER, Root};
use super::outcome::{Copied, Owner, TransferError, Trouble};
use super::wire::{Data, Record};

/// Folders in each other: each is open.
const DEEPEST: usize = 500;
/// The name of what isn't whole yet. Nothing else is made under it, as one thing is made after the other.
const UNFINISHED: &str = ".barepod-cp-";

/// Makes all that comes. `base` is the name of the source, which its copy has in a folder that is there.
pub(super) fn receive(
    context: &Context<'_>,
    root: &Root<'_>,
    to: &Path,
    base: Option<&OsStr>,
    skipped: &mut dyn FnMut(&Trouble),
) -> Result<Copied, TransferError> {
    let unfinished = CString::new(format!("{UNFINISHED}{}", random::uuid().simple())).unwrap_or_default();
    let mut target = Target { context, levels: Vec::new(), top: None, copied: Copied::default(), unfinished };
    loop {
        let (record, file) = context.receive()?;
        match record {
            Record::Done(copied) => {
                target.copied.add_unread(copied.unread);
                return Ok(target.copied);
            }
            Record::Failed(trouble) => return Err(TransferError::At(trouble)),
            Record::Skipped(trouble) => skipped(&trouble),
            Record::Again => {
                while target.levels.len() > 1 {
                    target.up()?;
                }
            }
            Record::Up => target.up()?,
            Record::Folder { data, .. } if target.levels.is_empty() => {
                target.top(root, to, base, data).map_err(|errno| target.at(to, errno))?;
            }
            Record::Folder { name, data } => target.folder(&checked(name)?, data)?,
            Record::File { name, data } => {
                let file = file.ok_or(TransferError::Died)?;
                let (folder, name) = match target.levels.last() {
                    Some(level) => {
                        (level.folder.try_clone().map_err(|cause| context.at(&shown(to), cause))?, checked(name)?)
                    }
                    None => match root.place(to, false, base) {
                        Ok((folder, Some(name))) => (folder, name),
                        Ok((_, None)) => return Err(target.at(to, Errno::ISDIR)),
                        Err(errno) => return Err(target.at(to, errno)),
                    },
                };
                target.file(folder.as_fd(), &name, &file, data, to)?;
            }
            Record::Link { name, to: leads, data } => target.link(&checked(name)?, leads, data)?,
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A name of one thing in a folder, and no way out of that.
fn checked(name: Vec<u8>) -> Result<CString, TransferError> {
    match CString::new(name) {
        Ok(name) if !name.is_empty() && name != *c"." && name != *c".." && !name.to_bytes().contains(&b'/') => Ok(name),
        Ok(_) | Err(_) => Err(TransferError::Died),
    }
}

struct Target<'a> {
    context: &'a Context<'a>,
    /// Those that the walk is in.
    levels: Vec<Level>,
    /// The first of them, by which a source is known that has its own target in it.
    top: Option<(u64, u64)>,
    copied: Copied,
    unfinished: CString,
}

struct Level {
    folder: OwnedFd,
    path: PathBuf,
    /// What the folder is to be when all is in it; `None`: it was there.
    data: Option<Data>,
}

impl Target<'_> {
    fn at(&self, path: &Path, errno: Errno) -> TransferError {
        let what = match errno {
            Errno::NOTDIR => "it is not a folder".to_owned(),
            Errno::ISDIR => "it is a folder".to_owned(),
            NEITHER => "it is neither a file nor a folder".to_owned(),
            Errno::BUSY => "something is mounted there".to_owned(),
            other => std::io::Error::from(other).to_string(),
        };
        TransferError::At(self.context.trouble(shown(path), what))
    }

    /// The path of something in the last folder, for people.
    fn path(&self, name: &CStr) -> PathBuf {
        let name = name.to_string_lossy().into_owned();
        self.levels.last().map_or_else(|| PathBuf::from(&name), |level| level.path.join(&name))
    }

    fn top(&mut self, root: &Root<'_>, to: &Path, base: Option<&OsStr>, data: Data) -> Result<(), Errno> {
        let level = match root.place(to, true, base)? {
            (folder, None) => Level { folder, path: to.to_owned(), data: None },
            (folder, Some(name)) => self.made(folder.as_fd(), &name, to.to_owned(), data)?,
        };
        self.top = Some(Data::of(&rustix::fs::fstat(&level.folder)?).identity);
        self.levels.push(level);
        Ok(())
    }

    fn folder(&mut self, name: &CStr, data: Data) -> Result<(), TransferError> {
        let path = self.path(name);
        let Some(above) = self.levels.last() else { return Err(TransferError::Died) };
        if self.top == Some(data.identity) {
            return Err(TransferError::At(self.context.trouble(shown(&path), "a folder can't be copied into itself")));
        }
        if self.levels.len() >= DEEPEST {
            let what = format!("more than {DEEPEST} folders in each other are not copied");
            return Err(TransferError::At(self.context.trouble(shown(&path), what)));
        }
        let above = above.folder.try_clone().map_err(|cause| self.context.at(&shown(&path), cause))?;
        let level = self.made(above.as_fd(), name, path.clone(), data).map_err(|errno| self.at(&path, errno))?;
        self.levels.push(level);
        Ok(())
    }

    /// A folder that is new, or there.
    fn made(&mut self, above: BorrowedFd<'_>, name: &CStr, path: PathBuf, data: Data) -> Result<Level, Errno> {
        let is_new = match rustix::fs::mkdirat(above, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let folder = match rustix::fs::openat2(above, name, flags, Mode::empty(), inside) {
            // A link to a folder is none: it may lead anywhere.
            Err(Errno::LOOP) => return Err(Errno::NOTDIR),
            opened => opened?,
        };
        // Somebody may have put another folder into the place of the new one: nothing of that is given away.
        let is_new =
            is_new && rustix::fs::fstat(&folder)?.st_uid == rustix::process::geteuid().as_raw() && is_empty(&folder)?;
        self.copied.made += u64::from(is_new);
        Ok(Level { folder, path, data: is_new.then_some(data) })
    }

    fn up(&mut self) -> Result<(), TransferError> {
        let Some(level) = self.levels.pop() else { return Err(TransferError::Died) };
        match level.data {
            Some(data) => self.finish(level.folder.as_fd(), data).map_err(|errno| self.at(&level.path, errno)),
            None => Ok(()),
        }
    }

    fn file(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        from: &OwnedFd,
        data: Data,
        to: &Path,
    ) -> Result<(), TransferError> {
        let path = if self.levels.is_empty() { to.to_owned() } else { self.path(name) };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(folder, &self.unfinished, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(made.map_err(|errno| self.at(&path, errno))?);
        let whole = contents::copy(from, &file, data.size, self.context.interrupts).and_then(|()| {
            self.finish(file.as_fd(), data)?;
            Ok(self.put(folder, name)?)
        });
        if let Err(broken) = whole {
            let _ = rustix::fs::unlinkat(folder, &self.unfinished, AtFlags::empty());
            return match broken {
                Broken::Interrupted => Err(TransferError::Interrupted),
                Broken::Read(errno) => {
                    let what = format!("read what is copied there: {}", std::io::Error::from(errno));
                    self.copied.add_unread(Some((self.context.trouble(shown(&path), what), 1)));
                    Ok(())
                }
                Broken::Write(errno) => Err(self.at(&path, errno)),
            };
        }
        self.copied.made += 1;
        Ok(())
    }

    fn link(&mut self, name: &CStr, leads: Vec<u8>, data: Data) -> Result<(), TransferError> {
        let path = self.path(name);
        let Some(level) = self.levels.last() else { return Err(TransferError::Died) };
        let folder = level.folder.as_fd();
        let leads = CString::new(leads).map_err(|_| TransferError::Died)?;
        let made = rustix::fs::symlinkat(&leads, folder, &self.unfinished);
        made.map_err(|errno| self.at(&path, errno))?;
        let whole = self.finish_link(folder, data).and_then(|given| self.put(folder, name).map(|()| given));
        let given = match whole {
            Ok(given) => given,
            Err(errno) => {
                let _ = rustix::fs::unlinkat(folder, &self.unfinished, AtFlags::empty());
                return Err(self.at(&path, errno));
            }
        };
        self.copied.not_given += u64::from(!given);
        self.copied.made += 1;
        Ok(())
    }

    /// Owner and times of the link that isn't whole yet; whether it could be given to its owner. By a descriptor that is sure to
    /// be a link's: somebody in the container may have put a file into its place by now, which is nobody's to give away.
    fn finish_link(&self, folder: BorrowedFd<'_>, data: Data) -> Result<bool, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = rustix::fs::openat(folder, &self.unfinished, flags, Mode::empty())?;
        if look_up::kind(&link)? != FileType::Symlink {
            return Err(Errno::AGAIN);
        }
        let given = self.owner(data).is_none_or(|(uid, gid)| {
            rustix::fs::chownat(&link, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH).is_ok()
        });
        rustix::fs::utimensat(&link, c"", &times(data), AtFlags::EMPTY_PATH)?;
        Ok(given)
    }

    /// What is whole gets its name. The kernel refuses to replace a mount point only of this process's mount namespace; in
    /// others it takes the mount away.
    fn put(&self, folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(folder, name, flags, Mode::empty(), inside) {
            Ok(there)
                if !matches!(
                    look_up::kind(&there)?,
                    FileType::RegularFile | FileType::Symlink | FileType::Directory
                ) =>
            {
                Err(NEITHER)
            }
            // Of a folder the kernel says that it is one.
            Ok(_) | Err(Errno::NOENT) => rustix::fs::renameat(folder, &self.unfinished, folder, name),
            Err(Errno::XDEV) => Err(Errno::BUSY),
            Err(errno) => Err(errno),
        }
    }

    fn owner(&self, data: Data) -> Option<(Uid, Gid)> {
        let (uid, gid) = match self.context.owner {
            Owner::Maker => return None,
            Owner::Given(uid, gid) => (uid, gid),
            Owner::Kept => (data.uid, data.gid),
        };
        Some((Uid::from_raw(uid), Gid::from_raw(gid)))
    }

    /// Owner, mode and times of a file or folder, in this order: a change of owner takes bits of the mode away.
    fn finish(&mut self, thing: BorrowedFd<'_>, data: Data) -> Result<(), Errno> {
        let mut mode = data.mode;
        let given = self.owner(data).is_none_or(|(uid, gid)| rustix::fs::fchown(thing, Some(uid), Some(gid)).is_ok());
        self.copied.not_given += u64::from(!given);
        // A program that somebody in a container has made must not become one with the rights of whoever copies it.
        if self.context.owner != Owner::Kept || !given {
            mode &= 0o777;
        }
        rustix::fs::fchmod(thing, Mode::from_raw_mode(mode))?;
        rustix::fs::futimens(thing, &times(data))
    }
}

fn is_empty(folder: &OwnedFd) -> Result<bool, Errno> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn times(data: Data) -> Timestamps {
    let time = |(tv_sec, tv_nsec)| Timespec { tv_sec, tv_nsec };
    Timestamps { last_access: time(data.accessed), last_modification: time(data.modified) }
}
