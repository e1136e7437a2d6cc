//! Writes tar archives: plain headers (ustar), and extended ones (pax(1)) where these have no room. The same entries make the same
//! bytes.

use std::io::{self, Read, Write};

use super::entry::Entry;
use super::header::Kind;
use crate::images::record::Time;

const BLOCK: usize = 512;
/// The largest numbers of an old header's fields, which are octal.
const LARGEST_ID: u32 = 0o777_7777;
const LARGEST_SIZE: u64 = 0o777_7777_7777;
/// Bytes of a name.
const LONGEST_NAME: usize = 100;

/// An archive that is written.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> Self {
        Self { to }
    }

    /// Writes an entry, a file with `content`, of which there have to be as many bytes as the entry says.
    ///
    /// # Errors
    /// As write(2), or those of the content.
    pub fn put(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let records = records(entry);
        if !records.is_empty() {
            let block = header(b"PaxHeaders/0", b'x', 0o644, [0, 0], records.len() as u64, 0, b"", (0, 0));
            self.to.write_all(&block)?;
            self.to.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        let seconds = u64::try_from(entry.modified.seconds).unwrap_or(0).min(LARGEST_SIZE);
        let ids = [entry.uid, entry.gid].map(|id| if id > LARGEST_ID { 0 } else { id });
        let size = if entry.size > LARGEST_SIZE { 0 } else { entry.size };
        let block = header(&entry.name, flag(entry.kind), entry.mode, ids, size, seconds, &entry.link, entry.device);
        self.to.write_all(&block)?;
        let copied = io::copy(&mut content.take(entry.size), &mut self.to)?;
        if copied != entry.size {
            let short = format!("it has {copied} bytes in place of {}", entry.size);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, short));
        }
        self.pad(copied)
    }

    /// The end of the archive.
    ///
    /// # Errors
    /// As write(2).
    pub fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }

    /// What is written to.
    pub fn inner(&mut self) -> &mut W {
        &mut self.to
    }

    /// Fills up a block behind so many bytes.
    ///
    /// # Errors
    /// As write(2).
    pub fn pad(&mut self, length: u64) -> io::Result<()> {
        let over = (length % BLOCK as u64) as usize;
        if over > 0 { self.to.write_all(&[0; BLOCK][over..]) } else { Ok(()) }
    }
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::Character => b'3',
        Kind::Block => b'4',
        Kind::Folder => b'5',
        Kind::Fifo => b'6',
    }
}

/// What an old header has no room for.
fn records(entry: &Entry) -> Vec<u8> {
    let mut all = Vec::new();
    let mut put = |key: &[u8], value: &[u8]| {
        // A record begins with its length, of which that number is a part.
        let rest = key.len() + value.len() + 3;
        let length = (rest + 1..).find(|length| length - length.to_string().len() == rest).unwrap_or_default();
        all.extend(format!("{length} ").bytes().chain(key.iter().copied()).chain(*b"="));
        all.extend(value.iter().copied().chain(*b"\n"));
    };
    let is_long = |name: &[u8]| name.len() > LONGEST_NAME || !name.is_ascii();
    if is_long(&entry.name) {
        put(b"path", &entry.name);
    }
    if is_long(&entry.link) {
        put(b"linkpath", &entry.link);
    }
    for (key, id) in [("uid", entry.uid), ("gid", entry.gid)] {
        if id > LARGEST_ID {
            put(key.as_bytes(), id.to_string().as_bytes());
        }
    }
    if entry.size > LARGEST_SIZE {
        put(b"size", entry.size.to_string().as_bytes());
    }
    let Time { seconds, nanoseconds } = entry.modified;
    if nanoseconds > 0 || seconds < 0 || seconds.unsigned_abs() > LARGEST_SIZE {
        put(b"mtime", time(entry.modified).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        put(&[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    all
}

/// Seconds as a decimal number.
fn time(at: Time) -> String {
    let Time { seconds, nanoseconds } = at;
    let text = match (seconds < 0, nanoseconds) {
        (_, 0) => return seconds.to_string(),
        (false, _) => format!("{seconds}.{nanoseconds:09}"),
        (true, _) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds),
    };
    text.trim_end_matches('0').to_owned()
}

/// A header of a name and numbers that have room in it, or are cut; the size may be any.
#[allow(clippy::too_many_arguments, reason = "the fields of a header")]
pub fn header(
    name: &[u8],
    flag: u8,
    mode: u32,
    [uid, gid]: [u32; 2],
    size: u64,
    seconds: u64,
    link: &[u8],
    (major, minor): (u32, u32),
) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(LONGEST_NAME)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, format!("{uid:07o}").as_bytes());
    put(116, format!("{gid:07o}").as_bytes());
    if size > LARGEST_SIZE {
        // As a binary number, behind a first bit that says so (GNU, star): all tars of today read that.
        put(124, &[0x80]);
        put(128, &size.to_be_bytes());
    } else {
        put(124, format!("{size:011o}").as_bytes());
    }
    put(136, format!("{seconds:011o}").as_bytes());
    put(148, b"        ");
    put(156, &[flag]);
    put(157, &link[..link.len().min(LONGEST_NAME)]);
    put(257, b"ustar\x0000");
    put(329, format!("{major:07o}").as_bytes());
    put(337, format!("{minor:07o}").as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Archive;
    use super::*;

    /// What is written is what is read.
    #[test]
    fn entries_come_back() {
        let plain = Entry {
            name: b"bin/sh".to_vec(),
            kind: Kind::File,
            mode: 0o4755,
            uid: 0,
            gid: 7,
            modified: Time { seconds: 1_700_000_000, nanoseconds: 0 },
            size: 3,
            pieces: None,
            link: Vec::new(),
            device: (0, 0),
            xattrs: Vec::new(),
        };
        let empty = Entry { size: 0, ..plain.clone() };
        let long = [&[b'd'; 150][..], b"/\xff"].concat();
        let at = |seconds, nanoseconds| Time { seconds, nanoseconds };
        let all = [
            plain.clone(),
            Entry { name: b"d/".to_vec(), kind: Kind::Folder, modified: at(5, 250_000_000), ..empty.clone() },
            Entry { name: long.clone(), kind: Kind::Symlink, link: long.clone(), ..empty.clone() },
            Entry { kind: Kind::HardLink, link: b"bin/sh".to_vec(), modified: at(-1, 500_000_000), ..empty.clone() },
            Entry { kind: Kind::Character, device: (1, 3), modified: at(-7, 0), ..empty.clone() },
            Entry { kind: Kind::Fifo, uid: 4_000_000, gid: 0xffff_fffe, ..empty.clone() },
            Entry {
                xattrs: vec![(b"security.capability".to_vec(), vec![0, 255, b'\n']), (b"user.a=b".to_vec(), vec![])],
                size: 0,
                ..plain.clone()
            },
        ];
        let mut writer = Writer::new(Vec::new());
        for entry in &all[..all.len() - 1] {
            writer.put(entry, &mut &b"abc"[..entry.size as usize]).unwrap();
        }
        let mut last = all[all.len() - 1].clone();
        // An equals sign ends a record's key.
        last.xattrs.pop();
        writer.put(&last, &mut io::empty()).unwrap();
        let bytes = writer.finish().unwrap();
        let mut archive = Archive::new(&bytes[..], u64::MAX);
        for entry in all[..all.len() - 1].iter().chain([&last]) {
            let found = archive.advance().unwrap().unwrap();
            assert_eq!(found, *entry);
        }
        assert!(archive.advance().unwrap().is_none());
        let error = Writer::new(Vec::new()).put(&plain, &mut &b"ab"[..]).unwrap_err();
        assert!(error.to_string().contains("2 bytes in place of 3"), "{error}");
    }

    /// Layers may be larger than what eleven octal digits can say.
    #[test]
    fn large_sizes_come_back() {
        const GIB: u64 = 1 << 30;
        for size in [8 * GIB - 1, 8 * GIB, 64 * GIB, 70 * GIB, i64::MAX as u64] {
            let block = header(b"blobs/sha256/a", b'0', 0o644, [0, 0], size, 0, b"", (0, 0));
            let found = Archive::new(&block[..], u64::MAX).advance().unwrap().unwrap();
            assert_eq!((found.size, found.name.as_slice()), (size, &b"blobs/sha256/a"[..]));
        }
    }
}
