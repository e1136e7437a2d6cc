//! Files into a running container and out of it (`barepod cp`), without a program in it.
//!
//! Two processes share the work: this one is on the box's side, and a copy of it on the container's. That one has the
//! container's root as a mere descriptor, which the pod's supervisor handed over, and is root in the user namespace that the
//! container's files belong to; it is in no other namespace of the container's. One of the two walks the source and sends what it
//! finds, files as open descriptors ([`source`]); the other makes the same below the target ([`target`]).
//!
//! What is in a container may be hostile and may change at any moment. A path in it is looked up within its root
//! (openat2(2), RESOLVE_IN_ROOT), and below the source and the target no link is followed and no path is joined. A file is
//! opened only once it is sure to be a regular one: devices and FIFOs are never opened.
#![allow(unsafe_code)]

mod contents;
mod context;
mod look_up;
mod outcome;
mod source;
mod target;
#[cfg(test)]
mod tests;
mod wire;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::DumpableBehavior;

use crate::runtime::{spawn, visit};
use context::Context;
use look_up::Root;
pub use outcome::{Copied, Owner, Side, TransferError, Trouble};
use wire::Record;

/// What is copied, and where to.
#[derive(Debug)]
pub struct Transfer<'a> {
    /// The user namespace of the container.
    pub user: BorrowedFd<'a>,
    /// The container's root.
    pub root: BorrowedFd<'a>,
    /// Which way.
    pub direction: Direction,
    /// The source, and the target. In a container they begin at its root.
    pub from: PathBuf,
    /// Likewise.
    pub to: PathBuf,
    /// Whose the copies are.
    pub owner: Owner,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the box into the container.
    In,
    /// From the container to the box.
    Out,
}

/// Copies. `skipped` is told what is left out, as it is neither a file nor a folder nor a link, or is another mount. To be
/// called while this process has one thread, and with those signals blocked that `interrupts` tells of: it is asked again and
/// again, in both processes, and when `signals` can be read.
///
/// # Errors
/// The first thing that could not be made. What was copied before stays; no file is there in part.
pub fn transfer(
    what: &Transfer<'_>,
    signals: BorrowedFd<'_>,
    interrupts: &dyn Fn() -> bool,
    skipped: &mut dyn FnMut(&Trouble),
) -> Result<Copied, TransferError> {
    let failed = |call| move |cause| TransferError::Io { call, cause };
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| failed("socketpair")(errno.into()))?;
    let owner = what.owner;
    let child = match spawn::fork().map_err(failed("fork"))? {
        None => {
            drop(ours);
            inside(what, theirs, signals, interrupts);
            // SAFETY: ends this copy without running what the original has registered for its own end.
            unsafe { libc::_exit(0) }
        }
        Some(child) => child,
    };
    drop(theirs);
    let context = Context { socket: ours, side: Side::Box, owner, interrupts, signals };
    let done = match what.direction {
        Direction::Out => target::receive(&context, &Root::Box, &what.to, base(&what.from), skipped),
        Direction::In => send_all(&context, &what.from, skipped),
    };
    // A target ends when its source has gone. A source has nothing to tidy up, whatever keeps it.
    drop(context);
    if what.direction == Direction::Out {
        let _ = spawn::signal(&child.pidfd, libc::SIGKILL);
    }
    spawn::await_end(&child.pidfd);
    done
}

fn send_all(context: &Context<'_>, from: &Path, skipped: &mut dyn FnMut(&Trouble)) -> Result<Copied, TransferError> {
    match source::send(context, &Root::Box, from, skipped) {
        // The other side has gone, and has said why.
        Err(TransferError::Died) => {}
        sent => sent?,
    }
    match context.receive()? {
        // With what could not be read on this side: the other was told.
        (Record::Done(done), _) => Ok(done),
        (Record::Failed(trouble), _) => Err(TransferError::At(trouble)),
        _ => Err(TransferError::Died),
    }
}

/// The whole life of the process on the container's side.
fn inside(what: &Transfer<'_>, socket: OwnedFd, signals: BorrowedFd<'_>, interrupts: &dyn Fn() -> bool) {
    let peer = socket.try_clone().ok();
    let ends = || interrupts() || peer.as_ref().is_some_and(wire::has_hung_up);
    let interrupts: &dyn Fn() -> bool = match what.direction {
        // Who sends stays until it is told that all is done.
        Direction::In => &ends,
        Direction::Out => interrupts,
    };
    let context = Context { socket, side: Side::Container, owner: what.owner, interrupts, signals };
    let root = Root::Container(what.root);
    let last = match enter(what.user) {
        Err(cause) => Record::Failed(context.trouble("/", format!("enter its user namespace: {cause}"))),
        Ok(()) => match what.direction {
            Direction::In => match target::receive(&context, &root, &what.to, base(&what.from), &mut |_| {}) {
                Ok(copied) => Record::Done(copied),
                Err(error) => Record::Failed(context.told(error)),
            },
            Direction::Out => {
                let mut skipped = |trouble: &Trouble| {
                    let _ = wire::send(&context.socket, &Record::Skipped(trouble.clone()), None);
                };
                match source::send(&context, &root, &what.from, &mut skipped) {
                    // Its last word was `Done`.
                    Ok(_) => return,
                    Err(error) => Record::Failed(context.told(error)),
                }
            }
        },
    };
    let _ = wire::send(&context.socket, &last, None);
}

/// Into the user namespace of the container, as its root.
fn enter(user: BorrowedFd<'_>) -> io::Result<()> {
    // What the box's side has open is here too: no process of the container may look into this one.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    visit::enter_users(user)?;
    // A change of user may give that back.
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The name that a copy has in a folder; `None`: what is in the source is copied, not the source.
fn base(from: &Path) -> Option<&OsStr> {
    let text = from.as_os_str().as_bytes();
    if text.ends_with(b"/.") || text == b"." { None } else { from.file_name() }
}
