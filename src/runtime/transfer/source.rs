//! The walk through the source: what is found is sent in the order in which it can be made.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::context::Context;
use super::look_up::{self, Root};
use super::outcome::{Copied, TransferError, Trouble};
use super::wire::{self, Data, Record};
use crate::runtime::tree::{Enter, Place, Visitor, Walk};

/// Of a path so many names at its beginning and at its end are shown.
const SHOWN: usize = 4;

/// Sends a file, or a folder with all that is in it. The last word says what of it could not be read, and how many such there were.
pub(super) fn send(
    context: &Context<'_>,
    root: &Root<'_>,
    from: &Path,
    skipped: &mut dyn FnMut(&Trouble),
) -> Result<(), TransferError> {
    let shown = from.display().to_string();
    let top = root.open(from).map_err(|errno| context.at(&shown, errno))?;
    let found = rustix::fs::fstat(&top).map_err(|errno| context.at(&shown, errno))?;
    let mut source = Source { context, shown, names: Vec::new(), next: CString::default(), lost: None, skipped };
    let unread = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => {
            let sent = source.regular(&top, Vec::new());
            sent.map_err(|errno| source.why(errno))?;
            None
        }
        FileType::Directory => source.folder(&top, &found)?,
        _ => return Err(TransferError::At(context.trouble(source.shown, "it is neither a file nor a folder"))),
    };
    let copied = Copied { unread, ..Copied::default() };
    source.send(&Record::Done(copied), None).map_err(|errno| source.why(errno))
}

#[derive(Clone, Copy)]
enum Lost {
    Interrupted,
    /// The other side has gone.
    Other,
}

struct Source<'a> {
    context: &'a Context<'a>,
    /// What somebody has called it.
    shown: String,
    /// Of the folders on the way down.
    names: Vec<CString>,
    /// Of the folder that is entered next.
    next: CString,
    /// Why nothing more can be sent.
    lost: Option<Lost>,
    skipped: &'a mut dyn FnMut(&Trouble),
}

impl Source<'_> {
    fn folder(&mut self, top: &OwnedFd, found: &Stat) -> Result<Option<(Trouble, u64)>, TransferError> {
        let failed = |shown: &str, errno: Errno| self.context.at(shown, errno);
        let folder = look_up::readable(top).map_err(|errno| failed(&self.shown, errno))?;
        let mut walk = Walk::below(folder).map_err(|cause| self.context.at(&self.shown, cause))?;
        self.entered(found);
        let mut budget = usize::MAX;
        let over = walk.advance(self, &mut budget);
        if self.lost.is_some() {
            return Err(self.why(Errno::PIPE));
        }
        let below = |path: &Path| Path::new(&self.shown).join(path).display().to_string();
        over.map_err(|fault| self.context.at(&below(&fault.path), fault.cause))?;
        let faults = walk.faults();
        let trouble = |cause: Errno| std::io::Error::from(cause).to_string();
        let unread = faults.map(|(fault, count)| {
            (self.context.trouble(below(&fault.path), trouble(fault.cause)), u64::try_from(count).unwrap_or(u64::MAX))
        });
        self.send(&Record::Up, None).map_err(|errno| self.why(errno))?;
        Ok(unread)
    }

    fn send(&mut self, record: &Record, file: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        if self.lost.is_none() && !self.context.wait(PollFlags::OUT) {
            self.lost = Some(Lost::Interrupted);
        }
        if self.lost.is_some() {
            return Err(Errno::PIPE);
        }
        wire::send(&self.context.socket, record, file).inspect_err(|_| self.lost = Some(Lost::Other))
    }

    /// What a failure is.
    fn why(&self, errno: Errno) -> TransferError {
        match self.lost {
            None => self.context.at(&self.shown, errno),
            Some(Lost::Interrupted) => TransferError::Interrupted,
            Some(Lost::Other) => TransferError::Died,
        }
    }

    /// By its place, which is sure to be a regular file: nothing else is ever opened.
    fn regular(&mut self, place: &OwnedFd, name: Vec<u8>) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(format!("/proc/self/fd/{}", place.as_raw_fd()), flags, Mode::empty())?;
        let data = Data::of(&rustix::fs::fstat(&file)?);
        self.send(&Record::File { name, data }, Some(file.as_fd()))
    }

    fn skip(&mut self, name: &std::ffi::CStr, what: &str) {
        let names = self.names.iter().map(CString::as_c_str).chain([name]);
        let mut below: Vec<String> = names.skip(1).map(|name| name.to_string_lossy().into_owned()).collect();
        // A record has room for so much of a deep path.
        if below.len() > 2 * SHOWN {
            below.splice(SHOWN..below.len() - SHOWN, ["...".to_owned()]);
        }
        let path = Path::new(&self.shown).join(below.join("/")).display().to_string();
        (self.skipped)(&self.context.trouble(path, what));
    }
}

impl Visitor for Source<'_> {
    fn ends(&self, _: Errno) -> bool {
        self.lost.is_some()
    }

    fn file(&mut self, at: &Place<'_>) -> Result<bool, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV;
        let place = match rustix::fs::openat2(at.parent, at.name, flags, Mode::empty(), inside) {
            Err(Errno::XDEV) => {
                self.skip(at.name, "it is another mount");
                return Ok(false);
            }
            opened => opened?,
        };
        let found = rustix::fs::fstat(&place)?;
        let name = at.name.to_bytes().to_vec();
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => return Err(Errno::ISDIR),
            FileType::RegularFile => self.regular(&place, name)?,
            FileType::Symlink => {
                let to = rustix::fs::readlinkat(&place, c"", Vec::new())?.into_bytes();
                self.send(&Record::Link { name, to, data: Data::of(&found) }, None)?;
            }
            FileType::Fifo => self.skip(at.name, "it is a FIFO"),
            FileType::Socket => self.skip(at.name, "it is a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => self.skip(at.name, "it is a device"),
            FileType::Unknown => self.skip(at.name, "nobody knows what it is"),
        }
        Ok(false)
    }

    fn before(&mut self, at: &Place<'_>) -> Result<Enter, Errno> {
        self.next = at.name.to_owned();
        if self.lost.is_some() { Err(Errno::PIPE) } else { Ok(Enter::Yes) }
    }

    fn entered(&mut self, found: &Stat) {
        let name = std::mem::take(&mut self.next);
        // Where it can't be sent the walk ends with its next step.
        let _ = self.send(&Record::Folder { name: name.to_bytes().to_vec(), data: Data::of(found) }, None);
        self.names.push(name);
    }

    fn passed(&mut self, errno: Errno) {
        if errno == Errno::XDEV {
            let name = std::mem::take(&mut self.next);
            self.skip(&name, "it is another mount");
        }
    }

    fn after(&mut self, _: &Place<'_>, _: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.names.pop();
        self.send(&Record::Up, None)?;
        Ok(false)
    }

    fn restarted(&mut self) {
        self.names.truncate(1);
        let _ = self.send(&Record::Again, None);
    }
}
