//! What a helper is asked, as JSON in a file in memory, and what it answers, as JSON through a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::MemfdFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::child::{Child, reap_later, signal};
use super::{PidNamespace, Spawn, Tie, inherited, pipe, settle, spawn};

/// A file in memory for what a helper is asked to do. Any length, and writing it waits for nobody.
pub(crate) fn empty_request() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("request", MemfdFlags::CLOEXEC)?.into())
}

/// Writes a request, for [`read_request`].
pub(crate) fn write_request(file: &mut File, request: &impl Serialize) -> io::Result<()> {
    file.write_all(&serde_json::to_vec(request).map_err(io::Error::other)?)
}

/// A request that is known from the start.
pub(crate) fn request(request: &impl Serialize) -> io::Result<File> {
    let mut file = empty_request()?;
    write_request(&mut file, request)?;
    Ok(file)
}

/// In the helper: what is asked.
pub(crate) fn read_request<T: DeserializeOwned>(file: OwnedFd) -> io::Result<T> {
    let mut file = File::from(file);
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// In the helper: tells what it has found out, which is its end.
pub(crate) fn answer(report: OwnedFd, answer: &impl Serialize) -> ! {
    let written = File::from(report).write_all(&serde_json::to_vec(answer).unwrap_or_default());
    std::process::exit(i32::from(written.is_err()))
}

/// The whole life of a helper that does nothing but answer one request, given as [`Inquiry`] does.
pub(crate) fn serve<T: DeserializeOwned, A: Serialize>(name: &str, work: impl FnOnce(T) -> A) -> ! {
    settle(name, 2);
    let (request, report) = (inherited(0), inherited(1));
    let Ok(request) = read_request(request) else { std::process::exit(1) };
    answer(report, &work(request))
}

/// A helper that was asked something and is to [`answer`]. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Inquiry {
    helper: Child,
    report: File,
    text: Vec<u8>,
}

impl Inquiry {
    /// Starts a helper, with the request as its first descriptor, the pipe for its answer as the second, and `more`.
    pub(crate) fn begin(name: &str, request: &impl Serialize, more: Option<RawFd>) -> io::Result<Self> {
        let request = self::request(request)?;
        let (report, end) = pipe()?;
        let fds: Vec<RawFd> = [request.as_raw_fd(), end.as_raw_fd()].into_iter().chain(more).collect();
        let what = Spawn { name, cgroup: None, fds: &fds, pid_namespace: PidNamespace::Same, tie: Tie::DiesWithParent };
        Ok(Self { helper: spawn(&what)?, report, text: Vec::new() })
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// The answer; an error where the helper died without one; `None`: not known yet.
    pub(crate) fn outcome<T: DeserializeOwned>(&mut self) -> Option<io::Result<T>> {
        let mut buffer = [0; 4096];
        loop {
            match self.report.read(&mut buffer) {
                Ok(0) => break,
                Ok(number) => self.text.extend_from_slice(&buffer[..number]),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return None,
                Err(cause) => return Some(Err(cause)),
            }
        }
        Some(serde_json::from_slice(&self.text).map_err(|_| io::Error::other("the helper process died")))
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        // It has ended or is about to; its process group is reaped with what else is to be reaped.
        let _ = signal(&self.helper.pidfd, libc::SIGKILL);
        reap_later(self.helper.pid);
    }
}
