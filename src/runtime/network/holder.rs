//! The process that makes the pod's network namespace and is in it until pasta has connected it: this one has to stay in
//! the box's, where pasta is to be started, and Debian 12's pasta takes no other path of a namespace than a process'.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use caps::CapSet;
use nix::ifaddrs::getifaddrs;
use nix::sched::{CloneFlags, unshare};
use rustix::pipe::PipeFlags;

use super::copy::copy;
use super::error::{NetworkError, failed};
use super::interfaces::{addresses, loopback_up};
use crate::runtime::spawn;

/// Ended when it is dropped.
#[derive(Debug)]
pub(super) struct Holder {
    child: spawn::Child,
    ask: File,
    answer: File,
}

impl Holder {
    /// Returns when the namespace is there.
    pub(super) fn start() -> Result<Self, NetworkError> {
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed("pipe")(errno.into()));
        let (gate, ask) = pipe()?;
        let (answer, report) = pipe()?;
        let child = match copy().map_err(failed("fork"))? {
            Some(child) => child,
            None => {
                drop((ask, answer));
                hold(gate.into(), report.into())
            }
        };
        drop((gate, report));
        let mut holder = Self { child, ask: ask.into(), answer: answer.into() };
        match holder.errno().map_err(failed("the process that makes the network namespace"))? {
            None => Ok(holder),
            Some(cause) => Err(failed("make the network namespace")(cause)),
        }
    }

    /// Its network namespace, as long as it lives.
    pub(super) fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.child.pid))
    }

    /// The addresses that the namespace has now; the holder's last work.
    pub(super) fn addresses(mut self) -> Result<Vec<IpAddr>, NetworkError> {
        let mut text = String::new();
        let asked = self.ask.write_all(b"?").and_then(|()| self.errno());
        let failure = asked.map_err(failed("the process in the network namespace"))?;
        if let Some(cause) = failure {
            return Err(failed("look up the pod's addresses (getifaddrs)")(cause));
        }
        self.answer.read_to_string(&mut text).map_err(failed("the process in the network namespace"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// What the holder says first of each thing that it did: whether that failed, and why.
    fn errno(&mut self) -> io::Result<Option<io::Error>> {
        let mut errno = [0; 4];
        self.answer.read_exact(&mut errno)?;
        Ok(Some(i32::from_ne_bytes(errno)).filter(|errno| *errno != 0).map(io::Error::from_raw_os_error))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = spawn::signal(&self.child.pidfd, libc::SIGKILL);
        spawn::await_end(&self.child.pidfd);
    }
}

/// The holder's whole life: it ends with its parent at the latest, which shows at the gate.
fn hold(mut gate: File, mut report: File) -> ! {
    let told = report.write_all(&errno_of(&make()));
    if told.is_ok() && gate.read_exact(&mut [0]).is_ok() {
        let _ = report.write_all(&answer(&addresses(getifaddrs())));
    }
    // SAFETY: ends this copy without running what the original has registered for its own end.
    unsafe { libc::_exit(0) }
}

/// What [`Holder::errno`] reads.
fn errno_of<T>(done: &io::Result<T>) -> [u8; 4] {
    done.as_ref().err().map_or(0, |cause| cause.raw_os_error().unwrap_or(libc::EIO)).to_ne_bytes()
}

/// What [`Holder::addresses`] reads.
fn answer(found: &io::Result<Vec<IpAddr>>) -> Vec<u8> {
    let lines: Vec<String> = found.iter().flatten().map(ToString::to_string).collect();
    [&errno_of(found), lines.join("\n").as_bytes()].concat()
}

fn make() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    loopback_up()?;
    // pasta has given up what it doesn't need before it opens the namespace, and whoever has more than the one who looks
    // can't be looked at (ptrace(2), PTRACE_MODE_READ).
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(io::Error::other)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    /// No address and no answer are two things.
    #[test]
    fn that_the_addresses_could_not_be_looked_up_is_told() {
        let failed = answer(&addresses(Err(Errno::EMFILE)));
        assert_eq!(failed, libc::EMFILE.to_ne_bytes());
        let found = answer(&Ok(vec![[192, 0, 2, 7].into(), [192, 0, 2, 8].into()]));
        assert_eq!(found, [&[0; 4][..], b"192.0.2.7\n192.0.2.8"].concat());
    }
}
