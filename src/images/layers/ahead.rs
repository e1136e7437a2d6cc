//! Decompression in a thread of its own, some blocks ahead of who reads.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::images::compression::Decompressed;
use crate::images::digest::{Algorithm, Digest, Hashed};

/// The length of a block, and how many of them may wait.
const BLOCK: usize = 256 << 10;
const WAITING: usize = 8;

/// What comes from the thread.
enum Piece {
    Block(Vec<u8>),
    Failed(io::Error),
    /// All was read.
    End,
}

/// Has `take` read what `reader` gives, decompressed; with what it returns come the digest and the size of what was read
/// from `reader`. `take` must read to the end.
pub(super) fn decompress<T, E: From<crate::images::unpack::UnpackError>>(
    reader: impl Read + Send,
    take: impl FnOnce(&mut Ahead) -> Result<T, E>,
) -> Result<(T, (Digest, u64)), E> {
    std::thread::scope(|scope| {
        let (to, from) = sync_channel(WAITING);
        let (empty, empties) = channel();
        let thread = scope.spawn(move || feed(reader, &to, &empties));
        let mut ahead = Ahead { from, empty, block: Vec::new(), at: 0, has_ended: false };
        let taken = take(&mut ahead);
        // It ends where nobody waits for more.
        drop(ahead);
        let read = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let taken = taken?;
        let read = read.expect("who takes all has had all");
        Ok((taken, read))
    })
}

/// `None`: it failed, or nobody takes it any more.
fn feed(reader: impl Read, to: &SyncSender<Piece>, empties: &Receiver<Vec<u8>>) -> Option<(Digest, u64)> {
    let mut reader = match Decompressed::new(Hashed::new(reader, Algorithm::Sha256)) {
        Ok(reader) => reader,
        Err(error) => {
            to.send(Piece::Failed(error)).ok()?;
            return None;
        }
    };
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
        to.send(Piece::Block(block)).ok()?;
        match read {
            Ok(()) if is_full => {}
            Ok(()) => {
                to.send(Piece::End).ok()?;
                return Some(reader.into_inner().finish());
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
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if self.has_ended {
                return Ok(0);
            }
            match self.from.recv() {
                Ok(Piece::Block(block)) => {
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
