//! Bytes to CRI lines.
use memchr::memchr;

use super::Stream;

/// Longest line in a file; what is longer is split (R10.9).
pub const MAX_LINE: usize = 16 * 1024;

/// Whether a line goes on in the next entry of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// It goes on.
    Partial,
    /// It ends here.
    Full,
}

/// Holds the line that has begun: at most [`MAX_LINE`] bytes.
#[derive(Debug, Default)]
pub struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    pub fn push(&mut self, mut bytes: &[u8], emit: &mut dyn FnMut(&[u8], Tag)) {
        while !bytes.is_empty() {
            let room = MAX_LINE - self.rest.len();
            let newline = memchr(b'\n', &bytes[..bytes.len().min(room + 1)]);
            let (text, left) = bytes.split_at(newline.unwrap_or(room.min(bytes.len())));
            bytes = left;
            if newline.is_some() {
                bytes = &bytes[1..];
                self.end_entry(text, Tag::Full, emit);
            } else if bytes.is_empty() {
                self.rest.extend_from_slice(text);
            } else {
                // Full, and the line is known to go on: a line of exactly MAX_LINE bytes is not split.
                self.end_entry(text, Tag::Partial, emit);
            }
        }
    }

    /// With what it began with. Most come whole, and aren't copied.
    fn end_entry(&mut self, text: &[u8], tag: Tag, emit: &mut dyn FnMut(&[u8], Tag)) {
        if self.rest.is_empty() {
            return emit(text, tag);
        }
        self.rest.extend_from_slice(text);
        emit(&self.rest, tag);
        self.rest.clear();
    }

    /// The stream has ended: of a last line without newline nobody knows whether it would have gone on. As containerd and
    /// conmon have it.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&[u8], Tag)) {
        if !self.rest.is_empty() {
            self.end_entry(&[], Tag::Partial, emit);
        }
    }
}

/// Appends entries that came at one moment from one stream: time with nine digits, stream, tag, text.
pub struct Encoder {
    /// What stands before a text.
    full: Vec<u8>,
    partial: Vec<u8>,
}

impl Encoder {
    pub fn new(now: jiff::Timestamp, stream: Stream) -> Self {
        let head = format!("{now:.9} {} ", stream.name());
        Self { full: format!("{head}F ").into(), partial: format!("{head}P ").into() }
    }

    pub fn append(&self, to: &mut Vec<u8>, tag: Tag, text: &[u8]) {
        let head = match tag {
            Tag::Partial => &self.partial,
            Tag::Full => &self.full,
        };
        to.extend_from_slice(head);
        to.extend_from_slice(text);
        to.push(b'\n');
    }
}
