//! Writes what containers print from their pipes into files in CRI format (R10.9), and reads those files back as lines.
//!
//! Nothing here waits or polls: the supervisor calls [`ContainerLog::pump`] when a pipe is readable. Start reading there.
mod file;
mod follow;
mod read;
mod tail;

pub use barepod_lines::Tag;
pub use file::{News, attempts, path_of};
pub use follow::{Follower, Looked};
pub use read::{Options as ReadOptions, copy};
pub use tail::tail;

use std::os::fd::BorrowedFd;
use std::path::Path;

use barepod_lines::{Heads, Splitter};
use nix::errno::Errno;

use file::RotatingFile;

/// Bytes read from a pipe per pump: a flood is served in turns with everything else.
pub const BUDGET: usize = 256 * 1024;
/// A read of so much says that a pipe of the usual 64 KiB runs full: it gets one of [`BUDGET`] bytes.
const FLOOD: usize = 32 * 1024;
/// Longest text of an entry; what is longer is split (R10.9).
const MAX_LINE: usize = 16 * 1024;
/// Room for the entries of what a pump reads, in lines of 60 bytes and longer; shorter ones take several writes.
const ROOM: usize = 432 * 1024;
/// A line longer than this is shown as several: a container that never ends its line must not eat the supervisor's memory.
const MAX_SHOWN: usize = 256 * 1024;

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

/// What pumps read into, and write from: one for all containers of a pod.
#[derive(Debug)]
pub struct Buffers {
    /// Bytes that a pump reads at most, up to [`BUDGET`].
    pub most: usize,
    /// Zeroed memory costs nothing until it is read into.
    read: Vec<u8>,
    entries: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { most: BUDGET, read: vec![0; BUDGET], entries: vec![0; ROOM] }
    }
}

impl Buffers {
    /// What the last pump has read.
    pub fn read_last(&self, pump: Pump) -> &[u8] {
        &self.read[..pump.bytes]
    }
}

/// Receives lines for people. The file has a long line in entries of 16 KiB; who watches gets it in one piece, without its
/// newline ([`Tag::Full`]), so that no other container's line comes into its middle. One above 256 KiB comes in pieces of that
/// size, and what the stream ends with without a newline comes as [`Tag::Partial`].
pub type Show<'a> = &'a mut dyn FnMut(Stream, &[u8], Tag);

/// The log of one attempt of one container.
#[derive(Debug)]
pub struct ContainerLog {
    file: RotatingFile,
    stdout: StreamState,
    stderr: StreamState,
}

/// What is remembered of one of the two streams between reads.
#[derive(Debug)]
struct StreamState {
    logged: Splitter,
    shown: Splitter,
    /// Whether its pipe was made larger, as far as that is allowed.
    widened: bool,
}

impl Default for StreamState {
    fn default() -> Self {
        Self { logged: Splitter::new(MAX_LINE), shown: Splitter::new(MAX_SHOWN), widened: false }
    }
}

impl ContainerLog {
    /// Makes `<pod_logs>/<container>/<attempt>.log`, or goes on with it; logs of earlier attempts but the last go. Where it
    /// can't be made the pipes are read all the same, and it is tried again: see [`news`](Self::news).
    pub fn create(pod_logs: &Path, container: &str, attempt: u32, now: jiff::Timestamp) -> Self {
        let folder = pod_logs.join(container);
        // First: where the disk is full, they make room.
        file::forget_history(&folder, attempt);
        let file = RotatingFile::open(&path_of(&folder, attempt), now);
        Self { file, stdout: StreamState::default(), stderr: StreamState::default() }
    }

    /// The file that is written now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Reads what is in the (non-blocking) pipe, at most [`Buffers::most`], and writes it to the file, in one write unless the
    /// lines are short. All entries have the time `now`. `show`: where somebody watches.
    ///
    /// # Errors
    /// [`Error::Pipe`]. A full or failing disk is no error: see [`ContainerLog::news`].
    pub fn pump(
        &mut self,
        stream: Stream,
        pipe: BorrowedFd<'_>,
        now: jiff::Timestamp,
        buffers: &mut Buffers,
        show: Option<Show<'_>>,
    ) -> Result<Pump, Error> {
        let most = buffers.most.min(BUDGET);
        let pump = fill(stream, pipe, &mut buffers.read[..most])?;
        if pump.bytes >= FLOOD && self.widens(stream) {
            // A terminal has no size, and an ordinary user with many large pipes gets no more: then it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(pipe, BUDGET);
        }
        self.take(stream, pump, now, buffers, show);
        Ok(pump)
    }

    /// Writes what stands without a newline, when its stream is given up.
    pub fn end(&mut self, stream: Stream, now: jiff::Timestamp, buffers: &mut Buffers, show: Option<Show<'_>>) {
        self.take(stream, Pump { bytes: 0, eof: true }, now, buffers, show);
    }

    /// What was read last goes to the file, and to who watches.
    fn take(
        &mut self,
        stream: Stream,
        pump: Pump,
        now: jiff::Timestamp,
        buffers: &mut Buffers,
        show: Option<Show<'_>>,
    ) {
        let (file, StreamState { logged, shown, .. }) = self.parts(stream);
        let Buffers { read, entries, .. } = buffers;
        let bytes = &read[..pump.bytes];
        let heads = Heads::new(&format!("{now:.9} {} ", stream.name()));
        let mut write = |entries: &[u8]| file.append(entries, now);
        logged.push_entries(bytes, &heads, entries, &mut write);
        if pump.eof {
            logged.finish_entries(&heads, entries, &mut write);
        }
        let Some(show) = show else { return };
        let mut show = |text: &[u8], tag: Tag| show(stream, text, tag);
        shown.push(bytes, &mut show);
        if pump.eof {
            shown.finish(&mut show);
        }
    }

    fn parts(&mut self, stream: Stream) -> (&mut RotatingFile, &mut StreamState) {
        let state = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
        (&mut self.file, state)
    }

    /// Whether the stream's pipe is to be made larger: once.
    fn widens(&mut self, stream: Stream) -> bool {
        !std::mem::replace(&mut self.parts(stream).1.widened, true)
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
