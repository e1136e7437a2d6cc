//! Writes what containers print from their pipes into files in CRI format (R10.9), and reads those files back as lines.
//!
//! Nothing here waits or polls: the supervisor calls [`ContainerLog::pump`] when a pipe is readable. Start reading there.
mod file;
mod follow;
mod read;
mod shown;
mod split;
mod tail;

pub use file::{News, attempts, path_of};
pub use follow::{Follower, Looked};
pub use read::{Options as ReadOptions, copy};
pub use split::Tag;
pub use tail::tail;

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;

use file::RotatingFile;
use shown::Shown;
use split::{Encoder, Splitter};

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

/// What can go wrong with a container's pipe. What goes wrong with its file is [`News`], and ends nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    stdout: StreamState,
    stderr: StreamState,
    /// What was read last and what became of it: here so that a busy log makes no new memory.
    buffer: Vec<u8>,
    entries: Vec<u8>,
}

/// What is remembered of one of the two streams between reads.
#[derive(Debug, Default)]
struct StreamState {
    splitter: Splitter,
    shown: Shown,
}

impl ContainerLog {
    /// Makes `<pod_logs>/<container>/<attempt>.log`, or goes on with it; logs of earlier attempts but the last go. Where it
    /// can't be made the pipes are read all the same, and it is tried again: see [`news`](Self::news).
    pub fn create(pod_logs: &Path, container: &str, attempt: u32, now: jiff::Timestamp) -> Self {
        let folder = pod_logs.join(container);
        // First: where the disk is full, they make room.
        file::forget_history(&folder, attempt);
        let file = RotatingFile::open(&path_of(&folder, attempt), now);
        // Zeroed memory costs nothing until it is read into.
        let buffer = vec![0; BUDGET];
        Self { file, stdout: StreamState::default(), stderr: StreamState::default(), buffer, entries: Vec::new() }
    }

    /// The file that is written now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Reads what is in the (non-blocking) pipe, at most 64 KiB, and writes it to the file in one write. Each line goes to
    /// `line` whole, without its newline ([`Tag::Full`]); one above 256 KiB in pieces of that size, and what the stream ends with
    /// without one, as [`Tag::Partial`]. All carry the time `now`.
    ///
    /// # Errors
    /// [`Error::Pipe`]. A full or failing disk is no error: see [`ContainerLog::news`].
    pub fn pump(
        &mut self,
        stream: Stream,
        pipe: BorrowedFd<'_>,
        now: jiff::Timestamp,
        line: &mut dyn FnMut(Stream, &[u8], Tag),
    ) -> Result<Pump, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = fill(stream, pipe, &mut buffer);
        if let Ok(pump) = read {
            self.take(stream, &buffer[..pump.bytes], now, line);
        }
        self.buffer = buffer;
        let pump = read?;
        if pump.eof {
            self.end(stream, now, line);
        }
        Ok(pump)
    }

    /// What a pump has just read.
    pub fn read_last(&self, pump: Pump) -> &[u8] {
        &self.buffer[..pump.bytes]
    }

    fn take(&mut self, stream: Stream, bytes: &[u8], now: jiff::Timestamp, line: &mut dyn FnMut(Stream, &[u8], Tag)) {
        self.write(stream, now, line, |splitter, emit| splitter.push(bytes, emit));
    }

    /// Writes what stands without a newline, when its stream has ended or is given up.
    pub fn end(&mut self, stream: Stream, now: jiff::Timestamp, line: &mut dyn FnMut(Stream, &[u8], Tag)) {
        self.write(stream, now, line, |splitter, emit| splitter.finish(emit));
        let half = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
        half.shown.finish(&mut |text, tag| line(stream, text, tag));
    }

    fn write(
        &mut self,
        stream: Stream,
        now: jiff::Timestamp,
        line: &mut dyn FnMut(Stream, &[u8], Tag),
        split: impl FnOnce(&mut Splitter, &mut dyn FnMut(&[u8], Tag)),
    ) {
        let Self { file, stdout, stderr, entries, .. } = self;
        let StreamState { splitter, shown } = if stream == Stream::Stdout { stdout } else { stderr };
        entries.clear();
        let encoder = Encoder::new(now, stream);
        split(splitter, &mut |text, tag| {
            encoder.append(entries, tag, text);
            shown.push(text, tag, &mut |text, tag| line(stream, text, tag));
        });
        file.append(entries, now);
        // A pipe full of empty lines makes forty times as much of itself.
        entries.shrink_to(2 * BUDGET);
    }

    /// Bytes of log file that could not be written (full or failing disk). The container is not told.
    pub fn lost(&self) -> u64 {
        self.file.lost()
    }

    /// Whether writing the file has begun to fail, or works again, since this was asked last.
    pub fn news(&mut self) -> Option<News> {
        self.file.news()
    }
}

/// Reads what there is, as far as `buffer` goes. An error after some bytes were read comes again with the next read.
fn fill(stream: Stream, pipe: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Pump, Error> {
    let mut bytes = 0;
    while bytes < buffer.len() {
        match nix::unistd::read(pipe, &mut buffer[bytes..]) {
            // A terminal that was hung up says EIO.
            Ok(0) | Err(Errno::EIO) => return Ok(Pump { bytes, eof: true }),
            Ok(read) => bytes += read,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => break,
            Err(_) if bytes > 0 => break,
            Err(errno) => return Err(Error::Pipe { stream, errno }),
        }
    }
    Ok(Pump { bytes, eof: false })
}

#[cfg(test)]
mod tests;
