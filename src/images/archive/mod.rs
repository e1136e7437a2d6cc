//! Tar archives, written ([`Writer`]) and read from a stream: ustar, GNU and PAX (POSIX.1-2001), with sparse files of all forms that GNU tar writes.
//!
//! The stream is hostile: nothing that it says of its own length is believed, names and tables have a longest length, and what is
//! read in all has a limit. (The crate `tar` reads names of any length into memory.) What is odd but does no harm is read
//! as GNU tar and Go's archive/tar, which wrote nearly every layer there is, read it. Start reading at [`Archive::advance`].

mod entry;
mod error;
mod header;
mod number;
mod pax;
mod skip;
mod sparse;
mod write;

#[cfg(test)]
pub(super) mod build;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

pub use entry::Entry;
pub use error::ArchiveError;
pub use header::Kind;
pub use write::{Writer, header};

use header::{Header, Type};
use number::BLOCK;
use pax::Extended;

/// How much is read at once.
const BUFFER: usize = 256 << 10;
/// The longest name in an entry of GNU's for that, and the longest header of PAX (with attributes; Go reads as much).
const LONGEST_NAME: u64 = 64 << 10;
const LONGEST_HEADER: u64 = 1 << 20;
/// How much may follow the end of an archive: tapes had blocks of some MiB, which are filled up.
const LONGEST_REST: usize = 64 << 20;

/// An archive that is read.
pub struct Archive<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What of the buffer is yet to be taken.
    start: usize,
    end: usize,
    /// How much was read, and how much may be.
    read: u64,
    limit: u64,
    /// What is yet to come of the present entry's content, and after that up to the next block.
    content: u64,
    padding: u64,
}

impl<R: Read> Archive<R> {
    /// Of which at most `limit` bytes are read.
    pub fn new(reader: R, limit: u64) -> Self {
        let buffer = vec![0; BUFFER];
        Self { reader, buffer, start: 0, end: 0, read: 0, limit, content: 0, padding: 0 }
    }

    /// The next entry; `None` at the end of the archive. What wasn't taken of the content of the one before is skipped.
    ///
    /// # Errors
    /// The stream can't be read, ends in the middle, is too long, or isn't a tar archive that is understood.
    pub fn advance(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut long = Extended::default();
        loop {
            self.skip_content()?;
            let at = self.position();
            let Some(block) = self.header_block()? else {
                return if long.is_empty() { Ok(None) } else { Err(ArchiveError::Ends { at }) };
            };
            let fault = |why| ArchiveError::Header { at, why };
            let header = Header::of(&block).map_err(fault)?;
            match header.kind {
                Type::Extended => {
                    let data = self.small_content(header.size, LONGEST_HEADER, at)?;
                    long.read(&data).map_err(fault)?;
                }
                Type::LongName => long.gnu_name = Some(self.name_content(header.size, at)?),
                Type::LongLink => long.gnu_link = Some(self.name_content(header.size, at)?),
                // For all that follows: in layers only a comment (`git archive`). containerd skips it as well.
                Type::Global => self.has_content(header.size),
                Type::Entry(_) | Type::Sparse => return self.entry(&block, &header, long, at).map(Some),
                Type::Unknown(letter) => {
                    let name = long.path().unwrap_or(header.name);
                    return Err(ArchiveError::Unknown { name: error::name(&name), letter: char::from(letter) });
                }
            }
        }
    }

    /// The next piece of the present entry's content as it is stored, which leaves the holes of sparse files out; `None`
    /// at its end.
    ///
    /// # Errors
    /// As for [`Archive::advance`].
    pub fn content(&mut self) -> Result<Option<&[u8]>, ArchiveError> {
        if self.content == 0 {
            return Ok(None);
        }
        if !self.fill()? {
            return Err(ArchiveError::Ends { at: self.position() });
        }
        let length = self.content.min((self.end - self.start) as u64);
        let piece = self.start..self.start + length as usize;
        self.start = piece.end;
        self.content -= length;
        Ok(Some(&self.buffer[piece]))
    }

    /// Reads what follows the end of the archive: it is part of the stream, whose digest is that of all of it.
    ///
    /// # Errors
    /// As for [`Archive::advance`].
    pub fn finish(mut self) -> Result<R, ArchiveError> {
        let mut length = 0;
        while self.fill()? {
            length += self.end - self.start;
            self.start = self.end;
            if length > LONGEST_REST {
                return Err(ArchiveError::Rest { limit: LONGEST_REST });
            }
        }
        Ok(self.reader)
    }

    fn entry(&mut self, block: &[u8; BLOCK], header: &Header, long: Extended, at: u64) -> Result<Entry, ArchiveError> {
        let fault = |why| ArchiveError::Header { at, why };
        let kind = if let Type::Entry(kind) = header.kind { kind } else { Kind::File };
        // Some writers give others the size of what they lead to, which doesn't follow.
        let mut stored = if kind == Kind::File { long.size.unwrap_or(header.size) } else { 0 };
        self.has_content(stored);
        let holes = match (header.kind == Type::Sparse, long.sparse_in_content()) {
            (true, _) => {
                // Its table goes on before the content.
                self.has_content(0);
                let mut table = sparse::Table::in_header(block).map_err(fault)?;
                while table.goes_on {
                    let more = self.block()?.ok_or(ArchiveError::Ends { at })?;
                    table.more(&more).map_err(fault)?;
                }
                self.has_content(stored);
                Some(table.finish())
            }
            (false, true) => {
                let mut table = sparse::Text::default();
                while !table.is_whole() {
                    let more = self.block()?.ok_or(ArchiveError::Ends { at })?;
                    stored = stored.checked_sub(BLOCK as u64).ok_or_else(|| fault(sparse::WRONG))?;
                    table.more(&more).map_err(fault)?;
                }
                self.has_content(stored);
                Some((table.finish(), long.real_size.ok_or_else(|| fault(sparse::WRONG))?))
            }
            (false, false) => long.sparse_in_header().map_err(fault)?,
        };
        let (pieces, size) = match holes {
            None => (None, stored),
            Some((pieces, size)) => {
                sparse::check(&pieces, stored, size).map_err(fault)?;
                (Some(pieces), size)
            }
        };
        entry::of(header, kind, long, pieces, size).map_err(fault)
    }

    /// That content of this length follows.
    fn has_content(&mut self, length: u64) {
        self.content = length;
        self.padding = length.wrapping_neg() % BLOCK as u64;
    }

    fn skip_content(&mut self) -> Result<(), ArchiveError> {
        while self.content()?.is_some() {}
        self.content = std::mem::take(&mut self.padding);
        // The last one may have none: umoci's insert doesn't end its archives, and Go reads them.
        while self.content > 0 && self.fill()? {
            self.content()?;
        }
        self.content = 0;
        Ok(())
    }

    /// All of an entry's content.
    fn small_content(&mut self, length: u64, longest: u64, at: u64) -> Result<Vec<u8>, ArchiveError> {
        if length > longest {
            return Err(ArchiveError::Header { at, why: "has a name or extended header that is far too long" });
        }
        self.has_content(length);
        let mut all = Vec::new();
        while let Some(piece) = self.content()? {
            all.extend(piece);
        }
        Ok(all)
    }

    fn name_content(&mut self, length: u64, at: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut name = self.small_content(length, LONGEST_NAME, at)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    /// The next header; `None` at the end, which is two blocks of zeros, or that of the stream.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let at = self.position();
        match self.block()? {
            Some(block) if block == [0; BLOCK] => match self.block()? {
                Some(next) if next != [0; BLOCK] => {
                    Err(ArchiveError::Header { at, why: "is empty, and is not the last one" })
                }
                _ => Ok(None),
            },
            block => Ok(block),
        }
    }

    /// `None` where the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut block = [0; BLOCK];
        let mut length = 0;
        while length < BLOCK {
            if !self.fill()? {
                return if length == 0 { Ok(None) } else { Err(ArchiveError::Ends { at: self.position() }) };
            }
            let piece = (BLOCK - length).min(self.end - self.start);
            block[length..length + piece].copy_from_slice(&self.buffer[self.start..self.start + piece]);
            self.start += piece;
            length += piece;
        }
        Ok(Some(block))
    }

    /// Whether there is something in the buffer, once it was read.
    fn fill(&mut self) -> Result<bool, ArchiveError> {
        while self.start == self.end {
            match self.reader.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    self.read += length as u64;
                    (self.start, self.end) = (0, length);
                    if self.read > self.limit {
                        return Err(ArchiveError::Large { limit: self.limit });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Read(error)),
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }
}
