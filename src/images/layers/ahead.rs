//! Decompression in a thread of its own, some blocks ahead of who reads.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::images::compression::{Compression, Decompressed};
use crate::images::digest::{Algorithm, Digest, Hashed, Hasher};

/// The length of a block, and how many of them may wait.
const BLOCK: usize = 256 << 10;
const WAITING: usize = 8;

/// What comes from the thread.
enum Piece {
    /// Before all else.
    Begins(Compression),
    Block(Vec<u8>),
    Failed(io::Error),
    /// All was read.
    End,
}

/// Which of the two threads hashes the archive. Each hash takes as long as half of what gzip needs, and both are to be busy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hashing {
    Decompresses,
    Takes,
    /// What was read is the archive.
    Neither,
}

impl From<Compression> for Hashing {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip => Self::Takes,
            Compression::Zstd => Self::Decompresses,
            Compression::None => Self::Neither,
        }
    }
}

/// What was read, once all was.
pub(super) struct All {
    /// The digest of the decompressed archive.
    pub(super) archive: Digest,
    /// Digest and size of what it was decompressed from.
    pub(super) compressed: Digest,
    pub(super) compressed_size: u64,
}

/// Has `take` read what `reader` gives, decompressed. `take` must read to the end.
pub(super) fn decompress<T, E>(
    reader: impl Read + Send,
    take: impl FnOnce(&mut Ahead) -> Result<T, E>,
) -> Result<(T, All), E> {
    std::thread::scope(|scope| {
        let (to, from) = sync_channel(WAITING);
        let (empty, empties) = channel();
        let thread = scope.spawn(move || feed(reader, &to, &empties));
        let mut ahead = Ahead { from, empty, block: Vec::new(), at: 0, has_ended: false, hasher: None };
        let taken = take(&mut ahead);
        let here = ahead.hasher.take().map(Hasher::finish);
        // The thread ends where nobody waits for more.
        drop(ahead);
        let read = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let taken = taken?;
        let (there, (compressed, compressed_size)) = read.expect("who takes all has had all");
        let archive = here.or(there).unwrap_or_else(|| compressed.clone());
        Ok((taken, All { archive, compressed, compressed_size }))
    })
}

/// The digest of the archive, where this thread makes it, and that of what was read, with its size. `None`: it failed, or
/// nobody takes it any more.
#[allow(clippy::type_complexity, reason = "for the one caller above")]
fn feed(
    reader: impl Read,
    to: &SyncSender<Piece>,
    empties: &Receiver<Vec<u8>>,
) -> Option<(Option<Digest>, (Digest, u64))> {
    let mut reader = match Decompressed::new(Hashed::new(reader, Algorithm::Sha256)) {
        Ok(reader) => reader,
        Err(error) => {
            to.send(Piece::Failed(error)).ok()?;
            return None;
        }
    };
    let hashing = Hashing::from(reader.compression());
    let mut hasher = (hashing == Hashing::Decompresses).then(|| Hasher::new(Algorithm::Sha256));
    to.send(Piece::Begins(reader.compression())).ok()?;
    loop {
        let mut block = empties.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let mut length = 0;
        let read = loop {
            if length == BLOCK {
                break Ok(());
            }
            match reader.read(&mut block[length..]) {
                Ok(0) => break Ok(()),
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let is_full = length == BLOCK;
        block.truncate(length);
        if let Some(hasher) = &mut hasher {
            hasher.update(&block);
        }
        to.send(Piece::Block(block)).ok()?;
        match read {
            Ok(()) if is_full => {}
            Ok(()) => {
                to.send(Piece::End).ok()?;
                return Some((hasher.map(Hasher::finish), reader.into_inner().finish()));
            }
            Err(error) => {
                to.send(Piece::Failed(error)).ok()?;
                return None;
            }
        }
    }
}

/// Reads what the thread has.
pub(super) struct Ahead {
    from: Receiver<Piece>,
    /// Blocks that were read go back.
    empty: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
    has_ended: bool,
    /// Where the archive is hashed here.
    hasher: Option<Hasher>,
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if self.has_ended {
                return Ok(0);
            }
            match self.from.recv() {
                Ok(Piece::Begins(compression)) => {
                    let is_mine = Hashing::from(compression) == Hashing::Takes;
                    self.hasher = is_mine.then(|| Hasher::new(Algorithm::Sha256));
                }
                Ok(Piece::Block(block)) => {
                    if let Some(hasher) = &mut self.hasher {
                        hasher.update(&block);
                    }
                    let empty = std::mem::replace(&mut self.block, block);
                    self.at = 0;
                    // The thread may have ended.
                    let _ = self.empty.send(empty);
                }
                Ok(Piece::End) => self.has_ended = true,
                Ok(Piece::Failed(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("the thread that decompresses has ended")),
            }
        }
        let length = buffer.len().min(self.block.len() - self.at);
        buffer[..length].copy_from_slice(&self.block[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
