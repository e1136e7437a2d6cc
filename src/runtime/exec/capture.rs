//! What a program in a container writes, kept up to a limit. What is beyond is read and thrown away, so that a program that
//! talks too much isn't held up.

use std::fs::File;
use std::io::{self, Read};

/// The reading end of a program's output, and what has come of it. By default that of a program whose output goes elsewhere.
#[derive(Debug, Default)]
pub(super) struct Capture {
    /// `None`: it has ended, or there is none.
    pipe: Option<File>,
    /// Bytes.
    limit: usize,
    kept: Vec<u8>,
}

impl Capture {
    /// Keeps the first `limit` bytes of what comes through a pipe, which doesn't block.
    pub(super) fn new(pipe: File, limit: usize) -> Self {
        Self { pipe: Some(pipe), limit, kept: Vec::new() }
    }

    /// What is kept so far.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Reads until there is nothing, or this many bytes.
    pub(super) fn read(&mut self, most: usize) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut buffer = [0; 4096];
        let mut total = 0;
        while total < most {
            match pipe.read(&mut buffer) {
                Ok(0) => {
                    self.pipe = None;
                    return;
                }
                Ok(number) => {
                    total += number;
                    let room = self.limit.saturating_sub(self.kept.len()).min(number);
                    self.kept.extend_from_slice(&buffer[..room]);
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::runtime::spawn;

    #[test]
    fn the_first_bytes_are_kept_and_the_rest_is_read() {
        let (read, write) = spawn::pipe().unwrap();
        let mut write = File::from(write);
        let mut capture = Capture::new(read, 5);
        write.write_all(b"abc").unwrap();
        capture.read(100);
        assert_eq!(capture.kept(), b"abc");
        write.write_all(&[b'd'; 9000]).unwrap();
        // One go: another buffer's worth is left for the next.
        capture.read(1);
        assert_eq!(capture.kept(), b"abcdd");
        drop(write);
        capture.read(usize::MAX);
        assert!(capture.pipe.is_none());
        assert_eq!(capture.kept(), b"abcdd");
    }
}
