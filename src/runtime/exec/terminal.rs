//! A terminal for a program in a container: of the container's own devpts, so that its name means something in there
//! (`tty`, `ps`), opened by the helper when it is in the container's mount namespace.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, step};
use crate::runtime::record;

/// In characters; 0: unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Height.
    pub rows: u16,
    /// Width.
    pub columns: u16,
}

const PTMX: &str = "/dev/pts/ptmx";
/// f_type of a devpts (magic.h).
const DEVPTS: i64 = 0x1cd1;

/// Opens a new one, gives the slave, and sends the master through the socket `to`.
pub(super) fn open(size: TerminalSize, user: u32, to: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Looked at before it is opened: a container can put there what it likes.
    let place = rustix::fs::openat(CWD, PTMX, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(step(PTMX))?;
    let is_devpts = rustix::fs::fstatfs(&place).map_err(step(PTMX))?.f_type as i64 == DEVPTS;
    if !is_devpts {
        let step = format!("a terminal: {PTMX} is not on a devpts; mount one at /dev/pts, or leave out -t");
        return Err(Failure::Step { step, errno: None });
    }
    let master = rustix::fs::openat(CWD, PTMX, flags, Mode::empty()).map_err(step(PTMX))?;
    if rustix::fs::fstatfs(&master).map_err(step(PTMX))?.f_type as i64 != DEVPTS {
        return Err(Failure::Step { step: format!("a terminal: {PTMX} was changed meanwhile"), errno: None });
    }
    rustix::pty::unlockpt(&master).map_err(step("ioctl TIOCSPTLCK"))?;
    // By the master and not by its name, which a mount may hide.
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .map_err(step("ioctl TIOCGPTPEER"))?;
    let winsize = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&slave, winsize).map_err(step("ioctl TIOCSWINSZ"))?;
    // The user's, who may open /dev/tty by its name; its group is as the mount's `gid=` says. A user whom the container's
    // user namespace doesn't know can't have it.
    let _ = rustix::fs::fchown(&slave, Some(rustix::fs::Uid::from_raw(user)), None);
    record::send(to, b"t", &[master.as_fd()]).map_err(step("sendmsg"))?;
    Ok(slave)
}
