//! Colours and prefixes: how lines look to people.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

pub use crate::report::sanitize;

/// Whether a stream gets colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// It is a terminal that knows them, and the user has nothing against it.
    Yes,
    /// It isn't (NO_COLOR, a dumb terminal, a file or pipe).
    No,
}

impl Colour {
    /// What `stream` gets. See no-color.org and bixense.com/clicolors.
    pub fn of(stream: &impl IsTerminal) -> Self {
        Self::choose(stream.is_terminal(), |name| std::env::var_os(name))
    }

    fn choose(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        if set("NO_COLOR").is_some() {
            return Self::No;
        }
        if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
            return Self::Yes;
        }
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        if terminal && !dumb { Self::Yes } else { Self::No }
    }
}

/// Says something in one line on standard error: see [`harmless_line`].
pub fn tell(text: &str) {
    show(&harmless_line("", text));
}

/// Shows text that is fit for a terminal, in one write. Whom it can't reach is not told: there is nowhere else to say so.
pub fn show(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A line of `text` behind `head`, which may be coloured. What the text quotes may be anybody's (names, messages, file
/// contents): control characters are shown as escapes, so that it stays one line and moves no cursor.
pub fn harmless_line(head: &str, text: &str) -> String {
    let between = if head.is_empty() { "" } else { " " };
    format!("{head}{between}{}\n", sanitize(text))
}

/// Columns of the terminal that standard output is; `None` where it is none, or doesn't know.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// What stands before each line of a container.
#[derive(Clone, Debug)]
pub struct Prefix(Vec<u8>);

/// Told apart on light and dark grounds; red is for what went wrong.
const PALETTE: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue, AnsiColor::Yellow, AnsiColor::BrightCyan];

impl Prefix {
    /// For the `index`th container, padded to `width` characters.
    pub fn new(name: &str, width: usize, index: usize, colour: Colour) -> Self {
        let text = format!("{name:width$} |");
        let style = PALETTE[index % PALETTE.len()].on_default();
        Self(format!("{} ", paint(&text, style, colour)).into_bytes())
    }

    /// With its blank at the end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What ends a container's line. On a terminal the style that its program may have left on ends with it: it is not to
/// reach the next one's name, nor the user's shell. A pipe or file gets what was printed, to the byte.
pub fn ending(line: &[u8], colour: Colour) -> &'static [u8] {
    match colour {
        Colour::Yes if line.contains(&0x1b) => b"\x1b[0m\n",
        Colour::Yes | Colour::No => b"\n",
    }
}

/// For what happens as it should.
pub fn dim(text: &str, colour: Colour) -> String {
    paint(text, Style::new().dimmed(), colour)
}

/// For what went wrong.
pub fn warning(text: &str, colour: Colour) -> String {
    paint(text, AnsiColor::Red.on_default(), colour)
}

fn paint(text: &str, style: Style, colour: Colour) -> String {
    match colour {
        Colour::Yes => format!("{}{text}{}", style.render(), style.render_reset()),
        Colour::No => text.to_owned(),
    }
}

/// Says on standard error that something isn't as it should be.
pub(super) fn warn(text: &str) {
    let colour = Colour::of(&std::io::stderr());
    show(&harmless_line(&warning("warning:", colour), text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_line_up() {
        assert_eq!(Prefix::new("db", 5, 0, Colour::No).as_bytes(), b"db    | ");
        let coloured = Prefix::new("db", 5, 0, Colour::Yes);
        assert!(coloured.as_bytes().starts_with(b"\x1b[36mdb    |"));
    }

    #[test]
    fn who_gets_colours() {
        type Case<'a> = (bool, &'a [(&'a str, &'a str)], Colour);
        let cases: [Case<'_>; 9] = [
            (true, &[], Colour::Yes),
            (true, &[("TERM", "xterm-256color")], Colour::Yes),
            (true, &[("TERM", "dumb")], Colour::No),
            (true, &[("NO_COLOR", "1")], Colour::No),
            (true, &[("NO_COLOR", "")], Colour::Yes),
            (false, &[("TERM", "xterm-256color")], Colour::No),
            (false, &[("CLICOLOR_FORCE", "1")], Colour::Yes),
            (false, &[("CLICOLOR_FORCE", "0")], Colour::No),
            (false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], Colour::No),
        ];
        for (terminal, variables, want) in cases {
            let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(Colour::choose(terminal, variable), want, "{terminal} {variables:?}");
        }
    }

    #[test]
    fn styles_end_with_their_line() {
        assert_eq!(ending(b"\x1b[31mred", Colour::Yes), b"\x1b[0m\n");
        for (line, colour) in [(&b"red"[..], Colour::Yes), (b"\x1b[31mred", Colour::No), (b"", Colour::Yes)] {
            assert_eq!(ending(line, colour), b"\n");
        }
    }

    #[test]
    fn what_is_quoted_stays_in_its_line() {
        let quoted = "can't read /tmp/a\x1b[2J\nerror: b\u{202e}c";
        let shown = "can't read /tmp/a\\u{1b}[2J\\nerror: b\\u{202e}c\n";
        assert_eq!(harmless_line("", quoted), shown);
        assert_eq!(harmless_line("\x1b[31merror:\x1b[0m", quoted), format!("\x1b[31merror:\x1b[0m {shown}"));
    }

    #[test]
    fn plain_text_stays_plain() {
        assert_eq!((dim("x", Colour::No), warning("x", Colour::No)), ("x".to_owned(), "x".to_owned()));
        assert_eq!(warning("x", Colour::Yes), "\x1b[31mx\x1b[0m");
    }
}
