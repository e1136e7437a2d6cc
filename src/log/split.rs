//! Bytes to CRI lines.
use std::io::Write;

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
            let newline = bytes.iter().take(room + 1).position(|&byte| byte == b'\n');
            let take = newline.unwrap_or(room.min(bytes.len()));
            self.rest.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if newline.is_some() {
                bytes = &bytes[1..];
                self.flush(Tag::Full, emit);
            } else if !bytes.is_empty() {
                // Full, and the line is known to go on: a line of exactly MAX_LINE bytes is not split.
                self.flush(Tag::Partial, emit);
            }
        }
    }

    /// The stream has ended: of a last line without newline nobody knows whether it would have gone on. As containerd and
    /// conmon have it.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&[u8], Tag)) {
        if !self.rest.is_empty() {
            self.flush(Tag::Partial, emit);
        }
    }

    fn flush(&mut self, tag: Tag, emit: &mut dyn FnMut(&[u8], Tag)) {
        emit(&self.rest, tag);
        self.rest.clear();
    }
}

/// Appends one entry: time with nine digits, stream, tag, text.
pub fn encode(out: &mut Vec<u8>, now: jiff::Timestamp, stream: Stream, tag: Tag, text: &[u8]) {
    let tag = match tag {
        Tag::Partial => 'P',
        Tag::Full => 'F',
    };
    // Writing to memory can't fail.
    let _ = write!(out, "{now:.9} {} {tag} ", stream.name());
    out.extend_from_slice(text);
    out.push(b'\n');
}
