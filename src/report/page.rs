//! Text in columns: keys, values beside them, tables; wrapped where the reader's terminal ends.

use std::fmt::Write;

/// Narrower columns than this aren't wrapped: one word a line is harder to read than a line that goes on.
pub(in crate::report) const NARROWEST: usize = 24;

/// Text from containers and files, fit for a terminal: control characters are escaped, and those that turn text around.
pub fn sanitize(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        let turns = matches!(one, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if one.is_control() || turns {
            safe.extend(one.escape_default());
        } else {
            safe.push(one);
        }
    }
    safe
}

/// A page in the making.
#[derive(Debug)]
pub(in crate::report) struct Page {
    text: String,
    /// Of the terminal; `None`: lines are as long as they are.
    width: Option<usize>,
}

/// A key and what stands beside it.
#[derive(Clone, Debug)]
pub(in crate::report) struct Field {
    depth: usize,
    key: String,
    values: Vec<String>,
}

/// `key:` at `depth`, one line for each of `values`. Without any it is the head of what comes below.
pub(in crate::report) fn field(depth: usize, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Field {
    Field { depth, key: format!("{}:", sanitize(key)), values: values.into_iter().map(Into::into).collect() }
}

impl Page {
    pub fn new(width: Option<usize>) -> Self {
        Self { text: String::new(), width }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// Keys in one column and their values in another, which begins behind the longest key that has one.
    pub fn fields(&mut self, fields: &[Field]) {
        let indent = |field: &Field| 2 * field.depth;
        let with_value = fields.iter().filter(|field| !field.values.is_empty());
        let column = with_value.map(|field| indent(field) + columns(&field.key) + 2).max().unwrap_or(0);
        for field in fields {
            let head = format!("{:1$}{key}", "", indent(field), key = field.key);
            match field.values.split_first() {
                None => self.line(&head),
                Some((first, rest)) => {
                    self.wrapped(&head, column, first);
                    for value in rest {
                        self.wrapped("", column, value);
                    }
                }
            }
        }
    }

    /// Columns as wide as they must be; the last one is wrapped.
    pub fn table(&mut self, depth: usize, header: &[&str], rows: &[Vec<String>]) {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| sanitize(cell)).collect()).collect();
        let last = header.len().saturating_sub(1);
        let widths: Vec<usize> = header
            .iter()
            .take(last)
            .enumerate()
            .map(|(at, head)| {
                rows.iter()
                    .filter_map(|row| row.get(at))
                    .map(|cell| columns(cell))
                    .max()
                    .unwrap_or(0)
                    .max(columns(head))
            })
            .collect();
        let heads = header.iter().map(|&head| head.to_owned()).collect();
        for row in std::iter::once(&heads).chain(&rows) {
            let mut line = " ".repeat(2 * depth);
            for (cell, width) in row.iter().zip(&widths) {
                line += &pad(cell, width + 2);
            }
            let column = columns(&line);
            self.wrapped(&line, column, row.get(last).map(String::as_str).unwrap_or_default());
        }
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}", text.trim_end());
    }

    /// `value` from `column` on, in as many lines as it takes, behind `head`.
    fn wrapped(&mut self, head: &str, column: usize, value: &str) {
        let room = self.width.map(|width| width.saturating_sub(column)).filter(|room| *room >= NARROWEST);
        let value = sanitize(value);
        let mut lines = wrap(&value, room).into_iter();
        let first = lines.next().unwrap_or_default();
        self.line(&format!("{}{first}", pad(head, column)));
        for line in lines {
            self.line(&format!("{}{line}", " ".repeat(column)));
        }
    }
}

/// How wide a text is on a terminal, near enough: a letter is a column.
fn columns(text: &str) -> usize {
    text.chars().count()
}

fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(missing))
}

/// At blanks alone: paths and ids stay whole, so that they can be copied. Several blanks in a row stay.
fn wrap(text: &str, room: Option<usize>) -> Vec<&str> {
    let Some(room) = room else { return vec![text] };
    let (mut lines, mut rest) = (Vec::new(), text);
    while columns(rest) > room {
        let end = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
        // The last blank that leaves a line that fits, else the first one at all.
        let inside = rest[..end].trim_start().len();
        let begin = end - inside;
        let fits =
            rest[begin..].char_indices().take_while(|(at, _)| begin + at <= end).filter(|(_, c)| *c == ' ').last();
        let Some((at, _)) = fits.or_else(|| rest[begin..].char_indices().find(|(_, c)| *c == ' ')) else { break };
        lines.push(rest[..begin + at].trim_end());
        rest = rest[begin + at..].trim_start();
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_blanks() {
        for (text, room, want) in [
            ("", Some(10), &[""][..]),
            ("short", Some(10), &["short"]),
            ("exactly ten", Some(11), &["exactly ten"]),
            ("one two three four", Some(9), &["one two", "three", "four"]),
            ("one two three four", Some(7), &["one two", "three", "four"]),
            ("a /very/long/path/that/stays b", Some(8), &["a", "/very/long/path/that/stays", "b"]),
            ("/very/long/path/that/stays", Some(8), &["/very/long/path/that/stays"]),
            ("   x y", Some(4), &["   x", "y"]),
            ("ends with blanks      ", Some(9), &["ends with", "blanks"]),
            ("ää öö üü", Some(5), &["ää öö", "üü"]),
            ("one two three four", None, &["one two three four"]),
        ] {
            assert_eq!(wrap(text, room), want, "{text:?} {room:?}");
        }
    }

    #[test]
    fn values_stand_below_each_other() {
        let mut page = Page::new(Some(32));
        page.fields(&[
            field(0, "Name", ["web"]),
            field(1, "Long Key", ["some words that do not fit there"]),
            field(1, "Head", Vec::<String>::new()),
            field(0, "Labels", ["a=b", "c=d"]),
        ]);
        page.table(0, &["A", "LONG"], &[vec!["xx".into(), "one two three four five six sev".into()]]);
        insta::assert_snapshot!(page.into_text());
    }

    proptest::proptest! {
        /// Whatever the text: nothing is lost, nothing panics, what could be kept within the room is.
        #[test]
        fn no_word_is_lost(text in "[a-zä€ ]{0,60}", room in 1_usize..30) {
            let lines = wrap(&text, Some(room));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&lines.join(" ")), words(&text));
            for line in lines {
                proptest::prop_assert!(columns(line.trim()) <= room || !line.trim().contains(' ') , "{:?}", line);
            }
        }
    }
}
