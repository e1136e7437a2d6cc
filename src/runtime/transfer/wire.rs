//! What one side sends to the other: records, each whole, files with their descriptor.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Stat;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::outcome::{Copied, Trouble};
use crate::runtime::record;

/// The longest record: the target of a link has at most 4095 bytes, each as a number of at most three digits.
const LONGEST: usize = 32 * 1024;

/// A step of a walk through the source. Names of what is at the top don't matter.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// Into a folder.
    Folder { name: Vec<u8>, data: Data },
    /// Out of it again.
    Up,
    /// A regular file, whose descriptor comes along.
    File { name: Vec<u8>, data: Data },
    /// A symbolic link.
    Link { name: Vec<u8>, to: Vec<u8>, data: Data },
    /// The walk begins anew in the folder at the top.
    Again,
    /// Something is left out.
    Skipped(Trouble),
    /// That was all.
    Done(Copied),
    /// It goes no further.
    Failed(Trouble),
}

/// What is kept of a thing beside what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) accessed: (i64, i64),
    pub(super) modified: (i64, i64),
    /// Device and inode, which tell a thing from all others of the box.
    pub(super) identity: (u64, u64),
}

impl Data {
    pub(super) fn of(found: &Stat) -> Self {
        Self {
            mode: found.st_mode & 0o7777,
            uid: found.st_uid,
            gid: found.st_gid,
            size: u64::try_from(found.st_size).unwrap_or(0),
            accessed: (found.st_atime, found.st_atime_nsec.cast_signed()),
            modified: (found.st_mtime, found.st_mtime_nsec.cast_signed()),
            identity: (found.st_dev, found.st_ino),
        }
    }
}

pub(super) fn send(socket: &OwnedFd, record: &Record, file: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    let text = serde_json::to_vec(record).map_err(|_| Errno::INVAL)?;
    record::send(socket, &text, file.as_slice())
}

/// Whether the other side has gone.
pub(super) fn has_hung_up(socket: &OwnedFd) -> bool {
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut polled = [PollFd::new(socket, PollFlags::empty())];
    matches!(poll(&mut polled, Some(&now)), Ok(1)) && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// The next record; `None`: the other side has ended.
pub(super) fn receive(socket: &OwnedFd) -> Result<Option<(Record, Option<OwnedFd>)>, Errno> {
    let Some((text, mut files)) = record::receive(socket, LONGEST)? else { return Ok(None) };
    let file = files.pop();
    if !files.is_empty() {
        return Err(Errno::MSGSIZE);
    }
    serde_json::from_slice(&text).map(|record| Some((record, file))).map_err(|_| Errno::BADMSG)
}
