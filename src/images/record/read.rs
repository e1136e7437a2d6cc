//! Reads records. Whatever is in the file's place: memory is bounded, and what isn't as it was written is an error.

use std::io::{BufRead, ErrorKind, Read};

use super::entry::{Entry, Kind};
use super::error::RecordError;
use super::text;
use crate::images::digest::{Algorithm, Digest, Hasher};

/// What the first line begins with: which format it is, and its version.
const MAGIC: &str = "barepod-layer-record 1 ";
/// How long the first line is, with its end.
pub(super) const HEADER: usize = MAGIC.len() + "entries= ".len() + 20 + "bytes= ".len() + 20 + "sha256=\n".len() + 64;
/// The longest line that is read: a tar's extended header, of which attributes come, has at most 1 MiB.
const LONGEST: u64 = 4 << 20;

/// What a record says of itself and of the whole tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many entries there are.
    pub entries: u64,
    /// The sum of the sizes of all files; one with several names counts for each.
    pub bytes: u64,
    /// Of all lines but the header.
    pub digest: Digest,
}

impl Header {
    /// Reads the first line.
    ///
    /// # Errors
    /// It can't be read, or isn't one.
    pub fn read(reader: &mut impl Read) -> Result<Self, RecordError> {
        let mut line = [0; HEADER];
        reader.read_exact(&mut line).map_err(|cause| match cause.kind() {
            ErrorKind::UnexpectedEof => RecordError::Header,
            _ => RecordError::Read(cause),
        })?;
        Self::of(&line).ok_or(RecordError::Header)
    }

    fn of(line: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.strip_prefix(MAGIC)?.split(' ');
        let mut field = |name: &str| fields.next()?.strip_prefix(name);
        let (entries, bytes) = (field("entries=")?.parse().ok()?, field("bytes=")?.parse().ok()?);
        let digest = format!("sha256:{}", field("sha256=")?).parse().ok()?;
        Some(Self { entries, bytes, digest })
    }

    pub(super) fn line(&self) -> String {
        let Self { entries, bytes, digest } = self;
        format!("{MAGIC}entries={entries:020} bytes={bytes:020} sha256={}\n", digest.hex())
    }

    /// Counts an entry.
    pub(super) fn count(&mut self, entry: &Entry) {
        self.entries += 1;
        if let Kind::File { size, .. } = entry.kind {
            self.bytes = self.bytes.saturating_add(size);
        }
    }
}

/// Reads a record's entries one by one; at their end they are held against the header.
pub struct Reader<R> {
    reader: R,
    header: Header,
    hasher: Option<Hasher>,
    seen: Header,
    line: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// As [`Header::read`].
    pub fn new(mut reader: R) -> Result<Self, RecordError> {
        let header = Header::read(&mut reader)?;
        let seen = Header { entries: 0, bytes: 0, digest: header.digest.clone() };
        Ok(Self { reader, header, hasher: Some(Hasher::new(Algorithm::Sha256)), seen, line: Vec::new() })
    }

    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next entry; `None` at the end of a whole record.
    ///
    /// # Errors
    /// It can't be read, or is damaged. What was read so far can't be trusted then.
    pub fn advance(&mut self) -> Result<Option<Entry>, RecordError> {
        let Some(hasher) = &mut self.hasher else { return Ok(None) };
        self.line.clear();
        (&mut self.reader).take(LONGEST).read_until(b'\n', &mut self.line).map_err(RecordError::Read)?;
        if self.line.is_empty() {
            self.seen.digest = self.hasher.take().map_or_else(|| self.seen.digest.clone(), Hasher::finish);
            return if self.seen == self.header { Ok(None) } else { Err(RecordError::Sums) };
        }
        hasher.update(&self.line);
        // In the middle of a line, or of one that is far too long.
        let line = self.line.strip_suffix(b"\n").ok_or("has no end");
        let damaged = |why| RecordError::Line { line: self.seen.entries + 2, why };
        let entry = line.and_then(text::entry).map_err(damaged)?;
        self.seen.count(&entry);
        Ok(Some(entry))
    }
}
