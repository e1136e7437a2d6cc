//! Makes the record of a tree.

use std::collections::HashMap;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::os::fd::BorrowedFd;

use super::entry::Entry;
use super::error::RecordError;
use super::read::{HEADER, Header};
use super::text;
use super::tree::{self, Found, See};
use crate::images::digest::{Algorithm, Digest, Hasher};

/// What is known of the files of a tree: their SHA-256, by inode.
#[derive(Clone, Debug, Default)]
pub struct Contents(HashMap<u64, [u8; 32]>);

impl Contents {
    /// The file with this inode has just been written; whatever had the number before is gone.
    pub fn put(&mut self, inode: u64, sha256: [u8; 32]) {
        self.0.insert(inode, sha256);
    }
}

/// Writes the record of a tree: its folder, open for reading. Files whose content isn't known are read.
///
/// # Errors
/// What of the tree can't be read, or that the record can't be written.
pub fn write(folder: BorrowedFd<'_>, contents: &Contents, mut to: impl Write + Seek) -> Result<Header, RecordError> {
    to.write_all(&[b'\n'; HEADER]).map_err(RecordError::Write)?;
    let header = Header { entries: 0, bytes: 0, digest: Digest::of(b"") };
    let hasher = Hasher::new(Algorithm::Sha256);
    let to = BufWriter::with_capacity(256 << 10, to);
    let mut writer = Writer { to, contents, header, hasher, line: Vec::new(), fault: None };
    let seen = tree::see_all(folder, &mut writer);
    let Writer { to, mut header, hasher, fault, .. } = writer;
    if let Some(fault) = fault {
        return Err(fault);
    }
    seen?;
    header.digest = hasher.finish();
    let mut to = to.into_inner().map_err(|error| RecordError::Write(error.into_error()))?;
    to.seek(SeekFrom::Start(0)).and_then(|_| to.write_all(header.line().as_bytes())).map_err(RecordError::Write)?;
    to.flush().map_err(RecordError::Write)?;
    Ok(header)
}

struct Writer<'a, W: Write> {
    to: BufWriter<W>,
    contents: &'a Contents,
    header: Header,
    hasher: Hasher,
    line: Vec<u8>,
    fault: Option<RecordError>,
}

impl<W: Write> Writer<'_, W> {
    fn put(&mut self, entry: &Entry) -> Result<(), RecordError> {
        self.header.count(entry);
        self.line.clear();
        text::put(entry, &mut self.line);
        self.hasher.update(&self.line);
        self.to.write_all(&self.line).map_err(RecordError::Write)
    }
}

impl<W: Write> See for Writer<'_, W> {
    fn see(&mut self, found: &Found<'_>) -> bool {
        let known = self.contents.0.get(&found.stat.st_ino).copied();
        let entry = found.entry(known).map_err(|cause| found.fault(cause));
        let done = entry.and_then(|entry| self.put(&entry));
        self.fault = done.err();
        self.fault.is_none()
    }
}
