//! What containers print: bytes to lines, and lines to entries of a log file in CRI format (R10.9). No I/O.
//!
//! A crate of its own because each byte of each container goes through it: it is compiled for speed (Cargo.toml,
//! `[profile.release.package]`), all else for size. So nothing that takes time is generic: that would be compiled where it is used.
#![no_std]
#![warn(missing_docs)]

extern crate alloc;

use alloc::vec::Vec;

use memchr::memchr;

/// Whether a line goes on in the next entry of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// It goes on.
    Partial,
    /// It ends here.
    Full,
}

/// Cuts a stream into lines, and those that are too long into pieces. Holds the line that has begun.
#[derive(Debug)]
pub struct Splitter {
    longest: usize,
    rest: Vec<u8>,
}

impl Splitter {
    /// Lines of more than `longest` bytes become pieces of that size.
    #[must_use]
    pub const fn new(longest: usize) -> Self {
        Self { longest, rest: Vec::new() }
    }

    /// Hands out what these bytes end.
    pub fn push(&mut self, bytes: &[u8], emit: &mut dyn FnMut(&[u8], Tag)) {
        self.each(bytes, emit);
    }

    /// Hands out the entries of what these bytes end, several at once; `room` is what they are made in. An entry that is larger than
    /// that comes alone.
    pub fn push_entries(&mut self, bytes: &[u8], heads: &Heads, room: &mut [u8], write: &mut dyn FnMut(&[u8])) {
        let mut entries = Entries { room, filled: 0, write };
        self.each(bytes, |text, tag| entries.add(heads, text, tag));
        entries.finish();
    }

    /// The stream has ended: of a last line without newline nobody knows whether it would have gone on. As containerd and
    /// conmon have it.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&[u8], Tag)) {
        if !self.rest.is_empty() {
            emit(&self.rest, Tag::Partial);
            self.forget_rest();
        }
    }

    /// As [`finish`](Self::finish), by an entry.
    pub fn finish_entries(&mut self, heads: &Heads, room: &mut [u8], write: &mut dyn FnMut(&[u8])) {
        let mut entries = Entries { room, filled: 0, write };
        self.finish(&mut |text, tag| entries.add(heads, text, tag));
        entries.finish();
    }

    #[inline]
    fn each(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&[u8], Tag)) {
        while !bytes.is_empty() {
            let room = self.longest - self.rest.len();
            let newline = memchr(b'\n', &bytes[..bytes.len().min(room + 1)]);
            let (text, left) = bytes.split_at(newline.unwrap_or(room.min(bytes.len())));
            let tag = match newline {
                Some(_) => Tag::Full,
                None if left.is_empty() => return self.rest.extend_from_slice(text),
                // Full, and the line is known to go on: a line of exactly `longest` bytes is not split.
                None => Tag::Partial,
            };
            bytes = if newline.is_some() { &left[1..] } else { left };
            // Most come whole, and aren't copied.
            if self.rest.is_empty() {
                emit(text, tag);
            } else {
                self.rest.extend_from_slice(text);
                emit(&self.rest, tag);
                self.forget_rest();
            }
        }
    }

    /// Its memory too, where that is much.
    fn forget_rest(&mut self) {
        if self.rest.capacity() > 16 * 1024 {
            self.rest = Vec::new();
        }
        self.rest.clear();
    }
}

/// What stands before the text of an entry: time, stream and tag.
#[derive(Debug)]
pub struct Heads {
    full: Vec<u8>,
    partial: Vec<u8>,
}

impl Heads {
    /// `head`: time and stream, each with the space behind it.
    #[must_use]
    pub fn new(head: &str) -> Self {
        let with = |tag: &str| [head, tag, " "].concat().into_bytes();
        Self { full: with("F"), partial: with("P") }
    }
}

/// Entries, as they are made.
struct Entries<'a> {
    room: &'a mut [u8],
    filled: usize,
    write: &'a mut dyn FnMut(&[u8]),
}

impl Entries<'_> {
    #[inline]
    fn add(&mut self, heads: &Heads, text: &[u8], tag: Tag) {
        let head = if tag == Tag::Full { &heads.full } else { &heads.partial };
        let length = head.len() + text.len() + 1;
        if self.room.len() - self.filled < length {
            self.flush();
            if self.room.len() < length {
                return (self.write)(&[head, text, b"\n"].concat());
            }
        }
        let entry = &mut self.room[self.filled..self.filled + length];
        let (to_head, rest) = entry.split_at_mut(head.len());
        let (to_text, newline) = rest.split_at_mut(text.len());
        to_head.copy_from_slice(head);
        to_text.copy_from_slice(text);
        newline[0] = b'\n';
        self.filled += length;
    }

    #[cold]
    fn flush(&mut self) {
        if self.filled > 0 {
            (self.write)(&self.room[..self.filled]);
            self.filled = 0;
        }
    }

    fn finish(mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    /// What is written, at how many goes.
    fn written(chunks: &[&[u8]], room: usize) -> (String, usize) {
        let (mut text, mut goes, mut room) = (Vec::new(), 0, alloc::vec![0; room]);
        let mut splitter = Splitter::new(4);
        let heads = Heads::new("now out ");
        let mut write = |entries: &[u8]| {
            text.extend_from_slice(entries);
            goes += 1;
        };
        chunks.iter().for_each(|chunk| splitter.push_entries(chunk, &heads, &mut room, &mut write));
        splitter.finish_entries(&heads, &mut room, &mut write);
        (String::from_utf8_lossy(&text).into_owned(), goes)
    }

    #[test]
    fn entries_are_the_same_in_any_room() {
        let chunks: [&[u8]; 4] = [b"a\n\nbcdefg\nh", b"", b"ijk\nlmnop", b"q"];
        let expected =
            "now out F a\nnow out F \nnow out P bcde\nnow out F fg\nnow out F hijk\nnow out P lmno\nnow out P pq\n";
        for (room, goes) in [(1000, 3), (30, 4), (15, 7), (1, 7)] {
            assert_eq!(written(&chunks, room), (expected.into(), goes), "{room}");
        }
    }

    #[test]
    fn memory_for_a_long_line_goes_with_it() {
        let mut splitter = Splitter::new(1 << 20);
        let mut seen = 0;
        splitter.push(&[b'x'; 1 << 19], &mut |_, _| {});
        splitter.push(b"\n", &mut |text, _| seen = text.len());
        assert_eq!((seen, splitter.rest.capacity()), (1 << 19, 0));
    }
}
