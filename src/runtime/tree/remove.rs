//! Removes trees: whole, a piece at a time, or by a helper process where that takes longer.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::{Enter, Fault, Place, Visitor, Walk};
use crate::runtime::spawn::{self, Inquiry};

/// `argv[0]` of the helper.
const NAME: &str = "barepod:clear";
/// How many entries go without a helper, and how many of them in one piece.
const AT_ONCE: usize = 200;
const A_PIECE: usize = 100;
/// A file with more than this (in blocks of 512 bytes) is left to a helper: the kernel gives its blocks back one by one.
const LARGE: i64 = (64 << 20) / 512;
/// How many folders are looked through for empty ones.
const LOOKED_THROUGH: usize = 10_000;

/// How a removal goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    /// There is a file whose removal takes long.
    Large,
    Done,
}

/// The removal of a file or a folder with everything in it; what isn't there is no error. Symbolic links are removed, not
/// followed; mounts are neither entered nor removed. It goes on after failures.
pub(crate) struct Removal {
    /// `None`: there is nothing.
    walk: Option<Walk>,
    remover: Remover,
}

impl std::fmt::Debug for Removal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Removal").finish_non_exhaustive()
    }
}

impl Removal {
    /// One that stops at a file whose removal takes long.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Self::begin(path, Remover { which: Which::AllButLarge })
    }

    fn begin(path: &Path, remover: Remover) -> io::Result<Self> {
        let Some(name) = path.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let walk = match rustix::fs::openat(CWD, path.parent().unwrap_or(Path::new("/")), flags, Mode::empty()) {
            Err(Errno::NOENT) => None,
            parent => Some(Walk::at(parent?, name)?),
        };
        Ok(Self { walk, remover })
    }

    /// Goes on, by at most `budget` entries.
    ///
    /// # Errors
    /// What is left, once everything else has gone.
    pub(crate) fn advance(&mut self, budget: &mut usize) -> io::Result<Progress> {
        let Some(walk) = &mut self.walk else { return Ok(Progress::Done) };
        match walk.advance(&mut self.remover, budget) {
            Ok(false) => Ok(Progress::More),
            Ok(true) => match walk.faults() {
                None => Ok(Progress::Done),
                Some((fault, all)) => Err(error(&fault, all)),
            },
            Err(Fault { cause: Errno::FBIG, .. }) => Ok(Progress::Large),
            Err(fault) => Err(error(&fault, 1)),
        }
    }
}

/// The kernel's refusal, with what it was about.
fn error(fault: &Fault, all: usize) -> io::Error {
    let cause = io::Error::from(fault.cause);
    // The first name is that of the tree itself, which the caller knows.
    let below: PathBuf = fault.path.iter().skip(1).collect();
    let more = if all > 1 { format!(", and {} more", all - 1) } else { String::new() };
    if below.as_os_str().is_empty() && more.is_empty() {
        return cause;
    }
    let at = if below.as_os_str().is_empty() { String::new() } else { format!("{}: ", below.display()) };
    io::Error::new(cause.kind(), format!("{at}{cause}{more}"))
}

/// Removes all of it, however long that takes: for processes that nobody waits for.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let mut removal = Removal::begin(path, Remover { which: Which::All })?;
    removal.advance(&mut usize::MAX.clone()).map(drop)
}

/// Removes the folders in `folder`, and itself, that hold nothing but such folders; what holds a file stays.
pub(crate) fn remove_empty(folder: &Path) {
    let removal = Removal::begin(folder, Remover { which: Which::EmptyFolders });
    // Not empty, not there, a mount: then it isn't for us to take away.
    let _ = removal.map(|mut removal| removal.advance(&mut LOOKED_THROUGH.clone()));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    AllButLarge,
    EmptyFolders,
}

struct Remover {
    which: Which,
}

impl Visitor for Remover {
    fn ends(&self, failure: Errno) -> bool {
        self.which == Which::AllButLarge && failure == Errno::FBIG
    }

    fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno> {
        match self.which {
            Which::All => {}
            Which::AllButLarge => {
                let found = rustix::fs::statat(at.parent, at.name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)?;
                if found.st_blocks > LARGE {
                    return Err(Errno::FBIG);
                }
            }
            Which::EmptyFolders => return Ok(false),
        }
        rustix::fs::unlinkat(at.parent, at.name, AtFlags::empty()).map(|()| true)
    }

    fn before(&mut self, at: &Place<'_>) -> Result<Enter, Errno> {
        match rustix::fs::unlinkat(at.parent, at.name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(Enter::Gone),
            Err(Errno::NOENT) => Ok(Enter::No),
            Err(Errno::NOTDIR) => self.file(at).map(|is_gone| if is_gone { Enter::Gone } else { Enter::No }),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Enter::Yes),
            Err(errno) => Err(errno),
        }
    }

    fn after(&mut self, at: &Place<'_>, _: BorrowedFd<'_>) -> Result<bool, Errno> {
        rustix::fs::unlinkat(at.parent, at.name, AtFlags::REMOVEDIR).map(|()| true)
    }
}

/// Folders that go without anybody waiting: what is small a piece at a time in this process, so that the caller can look
/// for what is urgent between the pieces, and what takes longer in a helper process.
#[derive(Debug)]
pub(crate) struct Clearing {
    folders: Vec<PathBuf>,
    now: Option<Removal>,
    left: usize,
    which: Which,
    helper: Option<Inquiry>,
    errors: Vec<(PathBuf, io::Error)>,
}

/// How a clearing goes on.
#[derive(Debug)]
pub(crate) enum Step {
    /// There is more to do, at once.
    More,
    /// The helper is at it.
    Wait,
    /// All has gone but these.
    Done(Vec<(PathBuf, io::Error)>),
}

impl Clearing {
    /// Of these, the last first.
    pub(crate) fn of(folders: Vec<PathBuf>) -> Self {
        Self { folders, now: None, left: AT_ONCE, which: Which::AllButLarge, helper: None, errors: Vec::new() }
    }

    /// Takes the next piece away, some tenths of a millisecond's work.
    pub(crate) fn advance(&mut self) -> Step {
        if let Some(helper) = &mut self.helper {
            let Some(answer) = helper.outcome::<Vec<(PathBuf, String)>>() else { return Step::Wait };
            self.helper = None;
            match answer {
                Ok(left) => self.errors.extend(left.into_iter().map(|(path, why)| (path, io::Error::other(why)))),
                Err(cause) => self.errors.extend(self.folders.last().map(|folder| (folder.clone(), cause))),
            }
            self.folders.clear();
        }
        let Some(folder) = self.folders.last() else { return Step::Done(std::mem::take(&mut self.errors)) };
        let mut budget = A_PIECE.min(self.left);
        let before = budget;
        let advanced = match self.now.take().map_or_else(|| Removal::begin(folder, Remover { which: self.which }), Ok) {
            Ok(mut removal) => {
                let advanced = removal.advance(&mut budget);
                self.now = Some(removal);
                advanced
            }
            Err(cause) => Err(cause),
        };
        self.left = self.left.saturating_sub(before - budget);
        match advanced {
            Ok(Progress::More) if self.left > 0 => return Step::More,
            Ok(Progress::More) => return self.ask_helper(),
            Ok(Progress::Large) => {
                // It was passed by: what goes on, here or in the helper, begins anew.
                self.now = None;
                return self.ask_helper();
            }
            Ok(Progress::Done) => {}
            Err(cause) => self.errors.push((folder.clone(), cause)),
        }
        self.now = None;
        self.folders.pop();
        Step::More
    }

    /// Where there is no process to be had, it goes on here, a piece at a time.
    fn ask_helper(&mut self) -> Step {
        match Inquiry::begin(NAME, &self.folders, None) {
            Ok(helper) => {
                self.now = None;
                self.helper = Some(helper);
            }
            Err(_) => {
                self.left = usize::MAX;
                self.which = Which::All;
                if let Some(removal) = &mut self.now {
                    removal.remover.which = Which::All;
                }
            }
        }
        Step::More
    }
}

/// To be called first thing in `main`: in a helper it does the helper's work and doesn't return.
pub(crate) fn helper_main_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        spawn::serve(NAME, |mut folders: Vec<PathBuf>| {
            folders.reverse();
            let left = folders.into_iter().filter_map(|folder| {
                let cause = remove(&folder).err()?;
                Some((folder, cause.to_string()))
            });
            left.collect::<Vec<(PathBuf, String)>>()
        })
    }
}
