//! Decompression in a thread of its own, some blocks ahead of who reads; and the archive's digest in another.
//!
//! Decompressing by zstd, hashing the archive, and writing its files while they are hashed take about as long each: on a box with
//! two processors all are busy, whichever of the three is behind.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::images::compression::{Compression, Decompressed};
use crate::images::digest::{Algorithm, Digest, Hashed, Hasher};

/// The length of a block, and how many of them may wait for who reads, and for who hashes.
const BLOCK: usize = 256 << 10;
const WAITING: usize = 8;

/// What comes from the thread that decompresses.
enum Piece {
    Block(Arc<Vec<u8>>),
    Failed(io::Error),
    /// All was read.
    End,
}

/// What was read, once all was.
pub(super) struct All {
    /// The digest of the decompressed archive.
    pub(super) archive: Digest,
    /// Digest and size of what it was decompressed from.
    pub(super) compressed: Digest,
    pub(super) compressed_size: u64,
}

/// What the thread that decompresses has read.
struct Packed {
    compression: Compression,
    digest: Digest,
    size: u64,
}

/// Has `take` read what `reader` gives, decompressed. `take` must read to the end.
pub(super) fn decompress<T, E>(
    reader: impl Read + Send,
    take: impl FnOnce(&mut Ahead) -> Result<T, E>,
) -> Result<(T, All), E> {
    std::thread::scope(|scope| {
        let (to, from) = sync_channel(WAITING);
        let (to_hash, hashed) = sync_channel(WAITING);
        let (empty, empties) = channel();
        let also_empty = empty.clone();
        let reads = scope.spawn(move || feed(reader, &to, &to_hash, &empties));
        let hashes = scope.spawn(move || hash(&hashed, &also_empty));
        let mut ahead = Ahead { from, empty, block: Arc::default(), at: 0, has_ended: false };
        let taken = take(&mut ahead);
        // The threads end where nobody waits for more.
        drop(ahead);
        let packed = reads.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let archive = hashes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let taken = taken?;
        let Packed { compression, digest: compressed, size: compressed_size } =
            packed.expect("who takes all has had all");
        let archive = if compression == Compression::None { compressed.clone() } else { archive };
        Ok((taken, All { archive, compressed, compressed_size }))
    })
}

/// Hands on what is in `reader`; to be hashed as well, unless it is the archive itself. `None`: it failed, or nobody takes it any more.
fn feed(
    reader: impl Read,
    to: &SyncSender<Piece>,
    to_hash: &SyncSender<Arc<Vec<u8>>>,
    empties: &Receiver<Vec<u8>>,
) -> Option<Packed> {
    let mut reader = match Decompressed::new(Hashed::new(reader, Algorithm::Sha256)) {
        Ok(reader) => reader,
        Err(error) => {
            to.send(Piece::Failed(error)).ok()?;
            return None;
        }
    };
    let compression = reader.compression();
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
        let block = Arc::new(block);
        if compression != Compression::None {
            to_hash.send(Arc::clone(&block)).ok()?;
        }
        to.send(Piece::Block(block)).ok()?;
        match read {
            Ok(()) if is_full => {}
            Ok(()) => {
                to.send(Piece::End).ok()?;
                let (digest, size) = reader.into_inner().finish();
                return Some(Packed { compression, digest, size });
            }
            Err(error) => {
                to.send(Piece::Failed(error)).ok()?;
                return None;
            }
        }
    }
}

/// The digest of all that comes.
fn hash(blocks: &Receiver<Arc<Vec<u8>>>, empty: &Sender<Vec<u8>>) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for block in blocks {
        hasher.update(&block);
        give_back(block, empty);
    }
    hasher.finish()
}

/// The last who has a block gives it back, to be filled again.
fn give_back(block: Arc<Vec<u8>>, empty: &Sender<Vec<u8>>) {
    if let Some(block) = Arc::into_inner(block) {
        // The thread that decompresses may have ended.
        let _ = empty.send(block);
    }
}

/// Reads what the thread has.
pub(super) struct Ahead {
    from: Receiver<Piece>,
    /// Blocks that were read go back.
    empty: Sender<Vec<u8>>,
    block: Arc<Vec<u8>>,
    at: usize,
    has_ended: bool,
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if self.has_ended {
                return Ok(0);
            }
            match self.from.recv() {
                Ok(Piece::Block(block)) => {
                    give_back(std::mem::replace(&mut self.block, block), &self.empty);
                    self.at = 0;
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
