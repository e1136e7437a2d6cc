//! Walks a tree of folders of any depth and width: the one walk by which trees are removed, measured, and given to
//! others. What is in a tree may be hostile, and may change at any moment: links are never followed, mounts are not
//! entered, and every step goes through the descriptor of the folder before it, never through a joined path.
//!
//! The way down is a list, not the stack, and few of its folders are open at once. One that was closed is opened again
//! from the folder below it (`..`), and where that was moved meanwhile by its handle, which no rename changes. A walk can
//! be left after any entry and gone on with later. Start reading at [`Walk::advance`].

mod each;
mod handle;
mod level;
mod names;
mod remove;
#[cfg(test)]
mod tests;

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use level::{Folder, Level, kind_of, open};
use names::Names;

pub(crate) use each::visit_below;
pub(crate) use level::identity;
pub(crate) use remove::{Clearing, Progress, Removal, Step, helper_main_if_asked, remove, remove_empty};

/// How many folders are open at once.
const OPEN: usize = 16;
/// How often a walk begins anew because a folder that it was in can't be found again.
const RESTARTS: u32 = 100;
/// How many names of a path are shown at its beginning and at its end.
const SHOWN: usize = 4;

/// What is done with what a walk comes across. Where it fails, the walk goes on behind that, or ends.
pub(crate) trait Visitor {
    /// Whether the walk ends with this failure.
    fn ends(&self, failure: Errno) -> bool;
    /// Anything but a folder. Whether it is gone now.
    fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno>;
    /// A folder that comes next.
    fn before(&mut self, _: &Place<'_>) -> Result<Enter, Errno> {
        Ok(Enter::Yes)
    }
    /// It was opened, and is what the walk says it is.
    fn entered(&mut self, _: &Stat) {}
    /// It is a mount, or gone: it will not be entered.
    fn passed(&mut self, _: Errno) {}
    /// All that is in a folder was visited. Whether it is gone now; where the answer is that it isn't empty and something has
    /// gone, it is read once more.
    fn after(&mut self, _: &Place<'_>, _folder: BorrowedFd<'_>) -> Result<bool, Errno> {
        Ok(false)
    }
    /// The walk begins anew.
    fn restarted(&mut self) {}
}

/// Where something is.
pub(crate) struct Place<'a> {
    /// The folder that it is in, open for reading or as a mere place (O_PATH).
    pub(crate) parent: BorrowedFd<'a>,
    /// Its name there.
    pub(crate) name: &'a CStr,
}

/// Whether a folder is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enter {
    Yes,
    /// It stays, with what is in it.
    No,
    /// It is gone.
    Gone,
}

/// What failed, with its path below the place where the walk began.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) path: PathBuf,
    pub(crate) cause: Errno,
}

enum Start {
    /// At one name in the first level.
    Name(CString),
    /// With all that is in the first level.
    All,
}

/// A walk, as far as it is.
pub(crate) struct Walk {
    /// The first is where the walk began; it is never closed, and no visitor hears of it.
    levels: Vec<Level>,
    start: Start,
    restarts: u32,
    /// The first failure that didn't end the walk, and how many there were.
    fault: Option<Fault>,
    faults: usize,
}

impl Walk {
    /// Through what has this name in a folder, whatever it is.
    pub(crate) fn at(folder: OwnedFd, name: &OsStr) -> io::Result<Self> {
        let name = CString::new(name.as_bytes())?;
        let mut walk = Self::from(Level::of(folder, c"".to_owned())?, Start::Name(name));
        walk.begin()?;
        Ok(walk)
    }

    /// Through all that is below a folder.
    pub(crate) fn below(folder: OwnedFd) -> io::Result<Self> {
        let mut walk = Self::from(Level::of(folder, c"".to_owned())?, Start::All);
        walk.begin()?;
        Ok(walk)
    }

    fn from(first: Level, start: Start) -> Self {
        Self { levels: vec![first], start, restarts: 0, fault: None, faults: 0 }
    }

    fn begin(&mut self) -> Result<(), Errno> {
        self.levels.truncate(1);
        let Some(first) = self.levels.first_mut() else { return Ok(()) };
        first.waiting = Names::default();
        match &self.start {
            Start::Name(name) => first.waiting.push(name),
            Start::All => first.read_again()?,
        }
        Ok(())
    }

    /// Goes on, by at most `budget` entries; true: it is over. An error has ended it.
    pub(crate) fn advance(&mut self, visitor: &mut impl Visitor, budget: &mut usize) -> Result<bool, Fault> {
        while *budget > 0 {
            let Some(level) = self.levels.last_mut() else { return Ok(true) };
            *budget -= 1;
            if level.reader.is_some() {
                self.read(visitor)?;
            } else if let Some(name) = level.waiting.pop() {
                self.descend(name, visitor)?;
            } else {
                self.ascend(visitor)?;
            }
        }
        Ok(self.levels.is_empty())
    }

    /// The first failure that didn't end the walk, and how many there were.
    pub(crate) fn faults(&mut self) -> Option<(Fault, usize)> {
        Some((self.fault.take()?, self.faults))
    }

    /// The next entry of the folder that is read.
    fn read(&mut self, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let (Some(reader), Folder::Open(folder)) = (&mut level.reader, &level.place) else { return Ok(()) };
        let entry = match reader.read() {
            None => {
                level.reader = None;
                return Ok(());
            }
            Some(Ok(entry)) => entry,
            Some(Err(errno)) => {
                level.reader = None;
                return self.failed(None, errno, visitor);
            }
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            return Ok(());
        }
        let kind = match entry.file_type() {
            FileType::Unknown => kind_of(folder.as_fd(), name),
            kind => Ok(kind),
        };
        let done = match kind {
            Ok(FileType::Directory) => {
                level.waiting.push(name);
                return Ok(());
            }
            Ok(_) => visitor.file(&Place { parent: folder.as_fd(), name }),
            Err(errno) => Err(errno),
        };
        match done {
            Ok(is_gone) => level.changed |= is_gone,
            // A folder has come into its place.
            Err(Errno::ISDIR) => level.waiting.push(name),
            Err(Errno::NOENT) => visitor.passed(Errno::NOENT),
            Err(errno) => {
                let name = name.to_owned();
                return self.failed(Some(&name), errno, visitor);
            }
        }
        Ok(())
    }

    /// Into a folder of the last level.
    fn descend(&mut self, name: CString, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let Some(Level { place: Folder::Open(parent), changed, .. }) = self.levels.last_mut() else { return Ok(()) };
        let at = Place { parent: parent.as_fd(), name: &name };
        match visitor.before(&at) {
            Ok(Enter::Yes) => {}
            Ok(Enter::No) => return Ok(()),
            Ok(Enter::Gone) => {
                *changed = true;
                return Ok(());
            }
            Err(errno) => return self.failed(Some(&name), errno, visitor),
        }
        let level = match open(at.parent, &name).and_then(|folder| Level::of(folder, name.clone())) {
            // Something else has come into its place.
            Err(Errno::NOTDIR | Errno::LOOP) => match visitor.file(&at) {
                Ok(is_gone) => {
                    *changed |= is_gone;
                    return Ok(());
                }
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return self.failed(Some(&name), errno, visitor),
            },
            Err(errno @ (Errno::NOENT | Errno::XDEV)) => {
                visitor.passed(errno);
                return Ok(());
            }
            opened => opened.and_then(|mut level| level.read_again().map(|()| level)),
        };
        match level {
            Ok(level) => {
                if let Ok(found) = level.stat() {
                    visitor.entered(&found);
                }
                self.levels.push(level);
            }
            Err(errno) => return self.failed(Some(&name), errno, visitor),
        }
        // The first one stays open: the walk begins anew there.
        if let Some(far) = self.levels.len().checked_sub(OPEN).filter(|far| *far > 0) {
            self.levels[far].close();
        }
        Ok(())
    }

    /// Out of the last level.
    fn ascend(&mut self, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let Some(mut level) = self.levels.pop() else { return Ok(()) };
        let Some(parent) = self.levels.last_mut() else { return Ok(()) };
        let Folder::Open(folder) = &level.place else { return Ok(()) };
        if let Err(errno) = parent.open_again(folder) {
            return self.restart(level.name, errno, visitor);
        }
        let Folder::Open(above) = &parent.place else { return Ok(()) };
        parent.failed |= level.failed;
        match visitor.after(&Place { parent: above.as_fd(), name: &level.name }, folder.as_fd()) {
            Ok(is_gone) => parent.changed |= is_gone,
            Err(Errno::NOENT) => visitor.passed(Errno::NOENT),
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.failed => {}
            // Entries that go while a folder is read may hide others from the reader.
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.changed => match level.read_again() {
                Ok(()) => self.levels.push(level),
                Err(errno) => return self.failed(Some(&level.name), errno, visitor),
            },
            Err(errno) => return self.failed(Some(&level.name), errno, visitor),
        }
        Ok(())
    }

    /// From the first level, as one on the way to the last was moved to nobody knows where.
    fn restart(&mut self, name: CString, errno: Errno, visitor: &mut impl Visitor) -> Result<(), Fault> {
        self.restarts += 1;
        if self.restarts > RESTARTS {
            return Err(Fault { path: self.path(Some(&name)), cause: errno });
        }
        visitor.restarted();
        self.begin().map_err(|cause| Fault { path: PathBuf::new(), cause })
    }

    /// Something in the last level could not be done.
    fn failed(&mut self, name: Option<&CStr>, cause: Errno, visitor: &impl Visitor) -> Result<(), Fault> {
        if let Some(level) = self.levels.last_mut() {
            level.failed = true;
        }
        if !visitor.ends(cause) && self.fault.is_some() {
            self.faults += 1;
            return Ok(());
        }
        let fault = Fault { path: self.path(name), cause };
        if visitor.ends(cause) {
            return Err(fault);
        }
        self.faults += 1;
        self.fault = Some(fault);
        Ok(())
    }

    /// The path of something in the last level, for people: of many names only the first and the last.
    fn path(&self, name: Option<&CStr>) -> PathBuf {
        let names: Vec<&CStr> = self.levels.iter().skip(1).map(|level| level.name.as_c_str()).chain(name).collect();
        let hidden = names.len().saturating_sub(2 * SHOWN);
        let mut path = PathBuf::new();
        for (at, name) in names.iter().enumerate() {
            if at == SHOWN && hidden > 0 {
                path.push(format!("[{hidden} more folders]"));
            }
            if at < SHOWN || at >= SHOWN + hidden {
                path.push(OsStr::from_bytes(name.to_bytes()));
            }
        }
        path
    }
}
