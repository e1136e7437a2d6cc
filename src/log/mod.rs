//! What containers say: pipes to files in CRI format (R10.9), and those files back to lines.
//!
//! It neither waits nor polls: the supervisor calls [`ContainerLog::pump`] when a pipe is readable. Start there.
mod file;
mod read;
mod split;

pub use read::{Options as ReadOptions, copy, tail};

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;

use file::RotatingFile;
use split::Splitter;

/// Bytes read from a pipe per pump: a flood is served in turns with everything else.
const BUDGET: usize = 64 * 1024;

/// Which of a container's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// As CRI names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What can go wrong. Neither ends the log: the container goes on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log file can't be made or opened.
    #[error("{}: {call}: {source}", .path.display())]
    Io {
        /// On what.
        path: std::path::PathBuf,
        /// Doing what.
        call: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A container's pipe can't be read.
    #[error("read {} of a container: {errno}", .stream.name())]
    Pipe {
        /// Which.
        stream: Stream,
        /// Why.
        errno: Errno,
    },
}

/// What a pump found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pump {
    /// Bytes read.
    pub bytes: usize,
    /// Whether the stream has ended; it then is not to be pumped again.
    pub eof: bool,
}

/// The log of one attempt of one container.
#[derive(Debug)]
pub struct ContainerLog {
    file: RotatingFile,
    stdout: Splitter,
    stderr: Splitter,
}

impl ContainerLog {
    /// Makes `<pod_logs>/<container>/<attempt>.log`, or goes on with it.
    pub fn create(pod_logs: &Path, container: &str, attempt: u32) -> Result<Self, Error> {
        let path = pod_logs.join(container).join(format!("{attempt}.log"));
        let file = RotatingFile::open(&path)?;
        Ok(Self { file, stdout: Splitter::default(), stderr: Splitter::default() })
    }

    /// The file that is written now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Reads what is in the (non-blocking) pipe, at most 64 KiB, and writes it to the file in one write. Each whole
    /// line, or part of one above 16 KiB, goes to `line` without its newline. All carry the time `now`.
    ///
    /// # Errors
    /// [`Error::Pipe`]. A full or failing disk is no error: see [`ContainerLog::dropped`].
    pub fn pump(
        &mut self,
        stream: Stream,
        pipe: BorrowedFd<'_>,
        now: jiff::Timestamp,
        line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Pump, Error> {
        let mut buffer = vec![0; BUDGET];
        let mut bytes = 0;
        let mut eof = false;
        while bytes < BUDGET {
            match nix::unistd::read(pipe, &mut buffer[bytes..]) {
                Ok(0) => {
                    eof = true;
                    break;
                }
                Ok(read) => bytes += read,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(Error::Pipe { stream, errno }),
            }
        }
        self.take(stream, &buffer[..bytes], now, line);
        if eof {
            self.end(stream, now, line);
        }
        Ok(Pump { bytes, eof })
    }

    fn take(&mut self, stream: Stream, bytes: &[u8], now: jiff::Timestamp, line: &mut dyn FnMut(Stream, &[u8])) {
        let Self { file, stdout, stderr } = self;
        let splitter = if stream == Stream::Stdout { stdout } else { stderr };
        let mut out = Vec::new();
        splitter.push(bytes, &mut |text, tag| {
            split::encode(&mut out, now, stream, tag, text);
            line(stream, text);
        });
        file.append(&out, now);
    }

    /// Writes what stands without a newline, when its stream has ended or is given up.
    pub fn end(&mut self, stream: Stream, now: jiff::Timestamp, line: &mut dyn FnMut(Stream, &[u8])) {
        let Self { file, stdout, stderr } = self;
        let splitter = if stream == Stream::Stdout { stdout } else { stderr };
        let mut out = Vec::new();
        splitter.finish(&mut |text, tag| {
            split::encode(&mut out, now, stream, tag, text);
            line(stream, text);
        });
        file.append(&out, now);
    }

    /// Bytes of log file that could not be written (full or failing disk). The container is not told.
    pub fn dropped(&self) -> u64 {
        self.file.dropped()
    }
}

#[cfg(test)]
mod tests;
