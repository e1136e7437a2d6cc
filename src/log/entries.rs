//! Entries of a log file in CRI format: time with nine digits, stream, tag, text.
use super::file::RotatingFile;
use super::split::Tag;

/// Longest text of an entry; what is longer is split (R10.9).
pub const MAX_LINE: usize = 16 * 1024;
/// Room for what a pump reads, as lines of 60 bytes and longer; shorter ones take several writes.
pub const ROOM: usize = 432 * 1024;

/// Writes the entries that come at one moment from one stream, all at one go as far as they have room.
pub struct Entries<'a> {
    file: &'a mut RotatingFile,
    now: jiff::Timestamp,
    room: &'a mut [u8],
    filled: usize,
    /// What stands before a text.
    full: Vec<u8>,
    partial: Vec<u8>,
}

impl<'a> Entries<'a> {
    /// `room`: of [`ROOM`] bytes; whatever is in it.
    pub fn new(file: &'a mut RotatingFile, stream: &str, now: jiff::Timestamp, room: &'a mut [u8]) -> Self {
        let head = format!("{now:.9} {stream} ");
        Self { file, now, room, filled: 0, full: format!("{head}F ").into(), partial: format!("{head}P ").into() }
    }

    /// Adds one.
    pub fn add(&mut self, text: &[u8], tag: Tag) {
        let head = if tag == Tag::Full { &self.full } else { &self.partial };
        let length = head.len() + text.len() + 1;
        if self.room.len() - self.filled < length {
            self.file.append(&self.room[..self.filled], self.now);
            self.filled = 0;
        }
        let (to_head, rest) = self.room[self.filled..].split_at_mut(head.len());
        to_head.copy_from_slice(head);
        rest[..text.len()].copy_from_slice(text);
        rest[text.len()] = b'\n';
        self.filled += length;
    }

    /// There are no more.
    pub fn finish(self) {
        self.file.append(&self.room[..self.filled], self.now);
    }
}
