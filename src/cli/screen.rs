//! A text that is shown again and again: on a terminal in place of the one before, elsewhere below it.

use std::io::{self, IsTerminal, Write};

/// Up so many lines, to the first column, and all from there to the end of the screen is gone (ECMA-48: CPL, ED).
fn erase(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}F\x1b[J") }
}

/// Where a [`Screen`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// One of our output streams. What is shown ends with a whole line, so that whoever ends the command finds the cursor below it,
/// and nothing has to be put back.
pub struct Screen {
    stream: Stream,
    is_terminal: bool,
    area: Area,
    /// Whether something was shown.
    has_begun: bool,
}

/// A place on a terminal where texts replace each other: gives the bytes that do that.
#[derive(Debug, Default)]
pub struct Area {
    /// What is there now.
    shown: Option<String>,
}

impl Area {
    /// Shows whole lines in the place of what is there.
    pub fn replace(&mut self, text: &str, size: Size) -> String {
        let (cleared, fitting) = (self.clear(size).unwrap_or_default(), fit(text, size));
        let written = format!("{cleared}{fitting}");
        self.shown = Some(fitting);
        written
    }

    /// Takes away what is there; `None`: nothing is.
    pub fn clear(&mut self, size: Size) -> Option<String> {
        // Its lines may have been wrapped since: the terminal can have become narrower.
        let above = rows(&self.shown.take()?, size.columns);
        Some(erase(size.rows.map_or(above, |rows| above.min(rows.saturating_sub(1)))))
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.shown.is_none()
    }
}

/// Of a terminal; `None`: it doesn't say.
#[derive(Clone, Copy)]
pub struct Size {
    pub rows: Option<usize>,
    pub columns: Option<usize>,
}

impl Screen {
    /// With nothing on it.
    pub fn on(stream: Stream) -> Self {
        Self { stream, is_terminal: is_terminal(stream), area: Area::default(), has_begun: false }
    }

    /// Whether the text before is replaced.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Shows whole lines.
    ///
    /// # Errors
    /// Where they can't be written.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let written = match (self.is_terminal, self.has_begun) {
            (true, _) => self.area.replace(text, self.size()),
            (false, true) => format!("\n{text}"),
            (false, false) => text.to_owned(),
        };
        self.has_begun = true;
        self.write(&written)
    }

    /// Takes away what is shown on a terminal.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn clear(&mut self) -> io::Result<()> {
        let size = self.size();
        self.area.clear(size).map_or(Ok(()), |text| self.write(&text))
    }

    /// What the terminal says of itself.
    pub fn size(&self) -> Size {
        size(self.stream)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        match self.stream {
            Stream::Stdout => append(text),
            Stream::Stderr => io::stderr().write_all(text.as_bytes()),
        }
    }
}

/// Whether a stream is a terminal on which the cursor can be moved.
pub fn is_terminal(stream: Stream) -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let is_terminal = match stream {
        Stream::Stdout => io::stdout().is_terminal(),
        Stream::Stderr => io::stderr().is_terminal(),
    };
    is_terminal && !is_dumb
}

/// What the terminal says of itself.
pub fn size(stream: Stream) -> Size {
    let size = match stream {
        Stream::Stdout => rustix::termios::tcgetwinsize(io::stdout()).ok(),
        Stream::Stderr => rustix::termios::tcgetwinsize(io::stderr()).ok(),
    };
    let known = |number: u16| Some(usize::from(number)).filter(|number| *number > 0);
    Size { rows: size.and_then(|size| known(size.ws_row)), columns: size.and_then(|size| known(size.ws_col)) }
}

/// Shows a text on standard output, below what is there.
///
/// # Errors
/// Where it can't be written.
pub fn append(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Rows of a terminal that one line takes.
fn rows_of_line(line: &str, columns: Option<usize>) -> usize {
    columns.map_or(1, |columns| line.chars().count().div_ceil(columns).max(1))
}

fn rows(text: &str, columns: Option<usize>) -> usize {
    text.lines().map(|line| rows_of_line(line, columns)).sum()
}

/// As many lines as there is room for above the cursor, and how many more there are.
fn fit(text: &str, size: Size) -> String {
    let Some(room) = size.rows.map(|rows| rows.saturating_sub(1)).filter(|room| rows(text, size.columns) > *room)
    else {
        return text.to_owned();
    };
    let (mut fitting, mut taken, mut kept) = (String::new(), 1, 0);
    for line in text.lines() {
        taken += rows_of_line(line, size.columns);
        if taken > room {
            break;
        }
        fitting = fitting + line + "\n";
        kept += 1;
    }
    fitting + &format!("... {} more lines\n", text.lines().count() - kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits() {
        let size = |rows, columns| Size { rows: Some(rows), columns: Some(columns) };
        assert_eq!(fit("a\nb\nc\n", size(4, 80)), "a\nb\nc\n");
        assert_eq!(fit("a\nb\nc\n", size(3, 80)), "a\n... 2 more lines\n");
        // A long line takes several rows.
        assert_eq!(fit("abcd\nb\nc\n", size(4, 2)), "abcd\n... 2 more lines\n");
        assert_eq!(fit("abcd\nb\nc\n", Size { rows: None, columns: None }), "abcd\nb\nc\n");
        assert_eq!(rows("abcd\n\nc\n", Some(3)), 4);
    }

    #[test]
    fn texts_replace_each_other() {
        let size = |rows, columns| Size { rows: Some(rows), columns: Some(columns) };
        let mut area = Area::default();
        assert_eq!((area.clear(size(9, 80)), area.is_empty()), (None, true));
        assert_eq!(area.replace("ab\nc\n", size(9, 80)), "ab\nc\n");
        assert_eq!(area.replace("d\n", size(9, 80)), "\x1b[2F\x1b[Jd\n");
        assert_eq!((area.clear(size(9, 80)).as_deref(), area.is_empty()), (Some("\x1b[1F\x1b[J"), true));
        // The terminal has become narrower, and lower.
        area.replace("abcd\nefgh\n", size(9, 80));
        assert_eq!(area.clear(size(9, 2)).as_deref(), Some("\x1b[4F\x1b[J"));
        area.replace("abcd\nefgh\n", size(9, 80));
        assert_eq!(area.clear(size(3, 2)).as_deref(), Some("\x1b[2F\x1b[J"));
    }
}
