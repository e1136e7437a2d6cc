//! Bytes to lines.
use memchr::memchr;

/// Whether a line goes on in the next entry of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// It goes on.
    Partial,
    /// It ends here.
    Full,
}

/// Cuts a stream into lines, and those longer than `LONGEST` into pieces of that size. Holds the line that has begun.
#[derive(Debug, Default)]
pub struct Splitter<const LONGEST: usize> {
    rest: Vec<u8>,
}

impl<const LONGEST: usize> Splitter<LONGEST> {
    /// Hands out what these bytes end.
    pub fn push(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&[u8], Tag)) {
        while !bytes.is_empty() {
            let room = LONGEST - self.rest.len();
            let newline = memchr(b'\n', &bytes[..bytes.len().min(room + 1)]);
            let (text, left) = bytes.split_at(newline.unwrap_or(room.min(bytes.len())));
            let tag = match newline {
                Some(_) => Tag::Full,
                None if left.is_empty() => return self.rest.extend_from_slice(text),
                // Full, and the line is known to go on: a line of exactly LONGEST bytes is not split.
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

    /// The stream has ended: of a last line without newline nobody knows whether it would have gone on. As containerd and
    /// conmon have it.
    pub fn finish(&mut self, mut emit: impl FnMut(&[u8], Tag)) {
        if !self.rest.is_empty() {
            emit(&self.rest, Tag::Partial);
            self.forget_rest();
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
