//! What a helper is asked, as JSON in a file in memory, and what it answers, as JSON through a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use rustix::fs::MemfdFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::child::{Child, ExitStatus, has_ended, reap, reap_later, signal};
use super::{Environment, Spawn, inherited, pipe, settle, spawn};

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

/// Starts a helper that is to [`answer`] a request, with the request as its first descriptor, the pipe for its answer as the
/// second, and `more`. `cgroup` makes the one that it is born in. Gives the helper, and our end of the pipe.
pub(crate) fn ask(
    name: &str,
    request: &impl Serialize,
    more: Option<RawFd>,
    cgroup: impl FnOnce() -> io::Result<Option<PathBuf>>,
) -> io::Result<(Child, File)> {
    ask_in(Environment::Empty, name, request, more, cgroup)
}

fn ask_in(
    environment: Environment,
    name: &str,
    request: &impl Serialize,
    more: Option<RawFd>,
    cgroup: impl FnOnce() -> io::Result<Option<PathBuf>>,
) -> io::Result<(Child, File)> {
    let request = self::request(request)?;
    let (report, end) = pipe()?;
    let fds: Vec<RawFd> = [request.as_raw_fd(), end.as_raw_fd()].into_iter().chain(more).collect();
    let cgroup = cgroup()?;
    let cgroup = cgroup.as_deref();
    let what = Spawn { name, cgroup, fds: &fds, new_pid_namespace: false, dies_with_parent: true, environment };
    Ok((spawn(&what)?, report))
}

/// The answer of a helper, which is reaped; how it ended where it gave none. `None`: it has not ended.
pub(crate) fn take_answer<T: DeserializeOwned>(helper: &Child, report: &mut File) -> Option<Result<T, ExitStatus>> {
    if !has_ended(&helper.pidfd) {
        return None;
    }
    let mut text = Vec::new();
    let _ = report.read_to_end(&mut text);
    let end = reap(&helper.pidfd).ok().flatten().unwrap_or(ExitStatus::Unknown);
    Some(serde_json::from_slice(&text).map_err(|_| end))
}

/// Reads what there is in a pipe that doesn't block. Whether that was all: nobody has its other end any more.
pub(crate) fn read_some(mut pipe: &File, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(number) => into.extend_from_slice(&buffer[..number]),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(cause) => return Err(cause),
        }
    }
}

/// A helper that was asked something and is to [`answer`]. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Inquiry {
    helper: Child,
    report: File,
    text: Vec<u8>,
}

impl Inquiry {
    /// Asks a helper, in this process' cgroup.
    pub(crate) fn begin(name: &str, request: &impl Serialize, more: Option<RawFd>) -> io::Result<Self> {
        let (helper, report) = ask(name, request, more, || Ok(None))?;
        Ok(Self { helper, report, text: Vec::new() })
    }

    /// As [`begin`](Self::begin), of a helper that reaches the outside as this process' environment says.
    pub(crate) fn begin_outside(name: &str, request: &impl Serialize) -> io::Result<Self> {
        let (helper, report) = ask_in(Environment::Ours, name, request, None, || Ok(None))?;
        Ok(Self { helper, report, text: Vec::new() })
    }

    /// Readable when [`outcome`](Self::outcome) may have something.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// The answer; an error where the helper died without one; `None`: not known yet.
    pub(crate) fn outcome<T: DeserializeOwned>(&mut self) -> Option<io::Result<T>> {
        match read_some(&self.report, &mut self.text) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(cause) => return Some(Err(cause)),
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
