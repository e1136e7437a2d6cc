//! Lines for people. The file has a long line in entries of 16 KiB; who watches gets it in one piece, so that no other
//! container's line comes into its middle.
use super::split::Tag;

/// A line longer than this is shown as several: a container that never ends its line must not eat the supervisor's
/// memory.
pub const MAX_SHOWN: usize = 256 * 1024;

/// Holds the beginning of a line that was split.
#[derive(Debug, Default)]
pub struct Shown {
    begun: Vec<u8>,
}

impl Shown {
    /// Takes one entry and hands out the line that it ends, or a piece of one that is too long to be kept.
    pub fn push(&mut self, text: &[u8], tag: Tag, line: &mut dyn FnMut(&[u8], Tag)) {
        match tag {
            // Nearly all lines: nothing is copied.
            Tag::Full if self.begun.is_empty() => line(text, tag),
            Tag::Full => {
                self.begun.extend_from_slice(text);
                line(&self.begun, tag);
                self.begun = Vec::new();
            }
            Tag::Partial => {
                self.begun.extend_from_slice(text);
                if self.begun.len() >= MAX_SHOWN {
                    line(&self.begun, tag);
                    self.begun.clear();
                }
            }
        }
    }

    /// Hands out what stands without its end.
    pub fn finish(&mut self, line: &mut dyn FnMut(&[u8], Tag)) {
        if !self.begun.is_empty() {
            line(&std::mem::take(&mut self.begun), Tag::Partial);
        }
    }
}
