//! What this process does about a signal where it has no handler for it. Exists because std says nothing about that.
#![allow(unsafe_code)]

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Whether a signal is ignored. At the start of a process: whoever started it has seen to that (nohup; a shell without
/// job control that puts a command into the background), and it is to stay so.
pub fn is_ignored(signal: i32) -> bool {
    // SAFETY: zeros are a valid sigaction, which the call fills in; nothing is changed.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}

/// From now on these signals are read, without waiting, and do nothing else. One that is ignored stays so (nohup). To be called
/// before any thread is there: they have the same mask.
///
/// # Errors
/// As sigprocmask(2), signalfd(2).
pub fn read_instead(signals: &[Signal]) -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    for signal in signals.iter().filter(|signal| !is_ignored(**signal as i32)) {
        mask.add(*signal);
    }
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Ignores a signal from now on. Helpers start with the default (`spawn`), and so do containers.
pub fn ignore(signal: i32) {
    // SAFETY: no function of ours is installed that would have to be safe in a handler.
    unsafe {
        libc::signal(signal, libc::SIG_IGN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_known() {
        // Nobody else in this test binary has anything to do with it.
        assert!(!is_ignored(libc::SIGXFSZ));
        ignore(libc::SIGXFSZ);
        assert!(is_ignored(libc::SIGXFSZ));
    }
}
