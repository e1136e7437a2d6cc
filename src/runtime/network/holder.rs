//! The process that makes the pod's network namespace and is in it until pasta has connected it: this one has to stay in
//! the box's, where pasta is to be started, and Debian 12's pasta takes no other path of a namespace than a process'.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use caps::CapSet;
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
        let mut errno = [0; 4];
        holder.answer.read_exact(&mut errno).map_err(failed("the process that makes the network namespace"))?;
        match i32::from_ne_bytes(errno) {
            0 => Ok(holder),
            errno => Err(failed("make the network namespace")(io::Error::from_raw_os_error(errno))),
        }
    }

    /// Its network namespace, as long as it lives.
    pub(super) fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.child.pid))
    }

    /// The addresses that the namespace has now; the holder's last work.
    pub(super) fn addresses(mut self) -> Result<Vec<IpAddr>, NetworkError> {
        let mut text = String::new();
        let told = self.ask.write_all(b"?").and_then(|()| self.answer.read_to_string(&mut text));
        told.map_err(failed("the process in the network namespace"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
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
    let made = make();
    let errno = made.err().map_or(0, |cause| cause.raw_os_error().unwrap_or(libc::EIO));
    let told = report.write_all(&errno.to_ne_bytes());
    if told.is_ok() && gate.read_exact(&mut [0]).is_ok() {
        let text: Vec<String> = addresses().iter().map(ToString::to_string).collect();
        let _ = report.write_all(text.join("\n").as_bytes());
    }
    // SAFETY: ends this copy without running what the original has registered for its own end.
    unsafe { libc::_exit(0) }
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
