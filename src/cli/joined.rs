//! Several logs on one output: what follows one that ends in the middle of a line begins a line of its own.

use std::cell::RefCell;
use std::io::{self, Write};

/// The output.
pub struct Joined<W> {
    out: W,
    /// The log that was written last, where that ended in the middle of a line.
    unfinished: Option<usize>,
}

impl<W: Write> Joined<W> {
    /// Nothing has been written yet.
    pub fn new(out: W) -> Self {
        Self { out, unfinished: None }
    }
}

/// One log's share of it.
pub struct Part<'a, W> {
    joined: &'a RefCell<Joined<W>>,
    number: usize,
}

impl<'a, W: Write> Part<'a, W> {
    /// Logs have different numbers.
    pub fn of(joined: &'a RefCell<Joined<W>>, number: usize) -> Self {
        Self { joined, number }
    }
}

impl<W: Write> Write for Part<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut joined = self.joined.borrow_mut();
        let Some(_) = bytes.first() else { return Ok(0) };
        if joined.unfinished.take_if(|last| *last != self.number).is_some() {
            joined.out.write_all(b"\n")?;
        }
        let written = joined.out.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            joined.unfinished = (*last != b'\n').then_some(self.number);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.joined.borrow_mut().out.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn logs_do_not_run_into_each_other() {
        let joined = RefCell::new(Joined::new(Vec::new()));
        for (number, log) in ["whole\n", "", "half", "", "next\n", "[c] "].into_iter().enumerate() {
            Part::of(&joined, number).write_all(log.as_bytes()).unwrap();
        }
        // The same log goes on with its line.
        Part::of(&joined, 5).write_all(b"more").unwrap();
        Part::of(&joined, 6).write_all(b"last\n").unwrap();
        assert_eq!(joined.into_inner().out, b"whole\nhalf\nnext\n[c] more\nlast\n");
    }
}
