//! Colours and prefixes: how lines look to people.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

pub use crate::report::sanitize;

/// Whether a stream gets colours: it is a terminal that knows them, and the user has nothing against it. See no-color.org and
/// bixense.com/clicolors.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    chooses_colours(stream.is_terminal(), |name| std::env::var_os(name))
}

fn chooses_colours(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    forced || (terminal && !dumb)
}

/// Says something in one line on standard error: see [`harmless_line`].
pub fn tell(text: &str) {
    show(&harmless_line("", text));
}

/// As [`tell`], below what a program may have left without a line's end on our terminal.
pub fn tell_below(text: &str) {
    let head = if std::io::stdout().is_terminal() { "\n" } else { "" };
    show(&format!("{head}{}", harmless_line("", text)));
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
    pub fn new(name: &str, width: usize, index: usize, coloured: bool) -> Self {
        let text = format!("{name:width$} |");
        let style = PALETTE[index % PALETTE.len()].on_default();
        Self(format!("{} ", paint(&text, style, coloured)).into_bytes())
    }

    /// With its blank at the end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What ends a container's line. On a terminal the style that its program may have left on ends with it: it is not to
/// reach the next one's name, nor the user's shell. A pipe or file gets what was printed, to the byte.
pub fn ending(line: &[u8], coloured: bool) -> &'static [u8] {
    if coloured && line.contains(&0x1b) { b"\x1b[0m\n" } else { b"\n" }
}

/// For what happens as it should.
pub fn dim(text: &str, coloured: bool) -> String {
    paint(text, Style::new().dimmed(), coloured)
}

/// For what went wrong.
pub fn warning(text: &str, coloured: bool) -> String {
    paint(text, AnsiColor::Red.on_default(), coloured)
}

fn paint(text: &str, style: Style, coloured: bool) -> String {
    if coloured { format!("{}{text}{}", style.render(), style.render_reset()) } else { text.to_owned() }
}

/// Says on standard error that something isn't as it should be.
pub(super) fn warn(text: &str) {
    let head = warning("warning:", has_colours(&std::io::stderr()));
    show(&harmless_line(&head, text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_line_up() {
        assert_eq!(Prefix::new("db", 5, 0, false).as_bytes(), b"db    | ");
        let coloured = Prefix::new("db", 5, 0, true);
        assert!(coloured.as_bytes().starts_with(b"\x1b[36mdb    |"));
    }

    #[test]
    fn who_gets_colours() {
        type Case<'a> = (bool, &'a [(&'a str, &'a str)], bool);
        let cases: [Case<'_>; 9] = [
            (true, &[], true),
            (true, &[("TERM", "xterm-256color")], true),
            (true, &[("TERM", "dumb")], false),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "")], true),
            (false, &[("TERM", "xterm-256color")], false),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ];
        for (terminal, variables, want) in cases {
            let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(chooses_colours(terminal, variable), want, "{terminal} {variables:?}");
        }
    }

    #[test]
    fn styles_end_with_their_line() {
        assert_eq!(ending(b"\x1b[31mred", true), b"\x1b[0m\n");
        for (line, coloured) in [(&b"red"[..], true), (b"\x1b[31mred", false), (b"", true)] {
            assert_eq!(ending(line, coloured), b"\n");
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
        assert_eq!((dim("x", false), warning("x", false)), ("x".to_owned(), "x".to_owned()));
        assert_eq!(warning("x", true), "\x1b[31mx\x1b[0m");
    }
}
