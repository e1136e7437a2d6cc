//! Copies of this process that hear no signals.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::runtime::spawn::{self, Child};

/// Makes a copy of this process, which has one thread; `None` in the copy. There all signals stay blocked: it has this
/// process' handlers, and what they tell is told to this process.
pub(super) fn copy() -> io::Result<Option<Child>> {
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let forked = spawn::fork();
    if !matches!(forked, Ok(None)) {
        // It can't fail: the kernel refuses only what is no way to set a mask (pthread_sigmask(3)).
        let _ = before.thread_set_mask();
    }
    forked
}
