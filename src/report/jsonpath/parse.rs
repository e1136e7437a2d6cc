//! A template's text read. Brackets are read where they stand: no part of the text is copied to be read again, so that an error
//! names the place in the text that was given.

mod brackets;

use serde_json::{Number, Value};

use super::quoted::unquote;
use super::step::{Piece, Step};

/// Where a text isn't kubectl's language, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    line: usize,
    column: usize,
    why: String,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = if self.line > 1 { format!("line {}, ", self.line) } else { String::new() };
        write!(f, "{}, at {line}column {}", self.why, self.column)
    }
}

impl std::error::Error for SyntaxError {}

/// So many `{range}` may be in each other.
const DEEPEST: usize = 32;

/// All pieces of a template.
pub(super) fn template(text: &str) -> Result<Vec<Piece>, SyntaxError> {
    let mut parser = Parser { text, at: 0, end: text.len() };
    parser.pieces(&mut Vec::new())
}

#[derive(Clone, Copy)]
struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Nothing is read beyond it.
    end: usize,
}

/// What an expression ends with.
#[derive(Clone, Copy)]
enum Until {
    Brace,
    /// The end of what is to be read.
    End,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, what: &str) -> bool {
        let is_there = self.rest().starts_with(what);
        if is_there {
            self.at += what.len();
        }
        is_there
    }

    fn skip_blanks(&mut self) {
        self.at = self.end - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Up to a place that has been found, with the blanks at both ends left out; reading goes on at `next`.
    fn part(&mut self, to: usize, next: usize) -> Self {
        let mut part = Self { text: self.text, at: self.at, end: to };
        part.skip_blanks();
        part.end = part.at + part.rest().trim_end_matches([' ', '\t']).len();
        self.at = next;
        part
    }

    fn error<T>(&self, at: usize, why: impl Into<String>) -> Result<T, SyntaxError> {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Err(SyntaxError { line, column, why: why.into() })
    }

    /// Where the first of these characters is that isn't in quotes, on this line.
    fn find(&self, wanted: &[char]) -> Option<usize> {
        let mut quote = None;
        let mut rest = self.rest().char_indices();
        while let Some((at, one)) = rest.next() {
            match quote {
                _ if one == '\n' => return None,
                Some(_) if one == '\\' => _ = rest.next(),
                Some(begun) if one == begun => quote = None,
                Some(_) => {}
                None if wanted.contains(&one) => return Some(self.at + at),
                None if matches!(one, '"' | '\'') => quote = Some(one),
                None => {}
            }
        }
        None
    }

    /// Up to the template's end, or to that of the innermost of the `{range}` that have begun at these places.
    fn pieces(&mut self, ranges: &mut Vec<usize>) -> Result<Vec<Piece>, SyntaxError> {
        let mut pieces = Vec::new();
        loop {
            let text = self.rest().split('{').next().unwrap_or_default();
            if !text.is_empty() {
                pieces.push(Piece::Path(vec![Step::Text(Value::from(text))]));
            }
            self.at += text.len();
            let begin = self.at;
            if !self.skip("{") {
                return match ranges.last() {
                    Some(&range) => self.error(range, "a {range} without its {end}"),
                    None => Ok(pieces),
                };
            }
            self.skip_blanks();
            match self.word() {
                "range" => {
                    self.at += "range".len();
                    let over = self.path(Until::Brace)?;
                    ranges.push(begin);
                    if ranges.len() > DEEPEST {
                        return self.error(begin, format!("more than {DEEPEST} {{range}} in each other"));
                    }
                    pieces.push(Piece::Range { over, each: self.pieces(ranges)? });
                }
                "end" => {
                    self.at += "end".len();
                    if !self.path(Until::Brace)?.is_empty() {
                        return self.error(begin, "{end} stands alone");
                    }
                    return match ranges.pop() {
                        Some(_) => Ok(pieces),
                        None => self.error(begin, "not in range, nothing to end"),
                    };
                }
                _ => pieces.push(Piece::Path(self.path(Until::Brace)?)),
            }
        }
    }

    /// The word that begins here.
    fn word(&self) -> &'a str {
        match self.peek() {
            Some(first) if first == '_' || first.is_alphanumeric() => {
                self.rest().split(is_terminator).next().unwrap_or_default()
            }
            _ => "",
        }
    }

    fn path(&mut self, until: Until) -> Result<Vec<Step>, SyntaxError> {
        let mut steps = Vec::new();
        let begin = self.at;
        loop {
            let Some(next) = self.peek().filter(|next| !matches!(next, '\n' | '\r')) else {
                return match until {
                    Until::End if self.at == self.end => Ok(steps),
                    Until::End | Until::Brace => self.error(begin, "unclosed action"),
                };
            };
            match (next, until) {
                ('}', Until::Brace) => {
                    self.at += 1;
                    return Ok(steps);
                }
                (' ' | '\t' | '@' | '$', _) => self.at += 1,
                ('[', _) => steps.push(if self.skip("[?(") { self.filter()? } else { self.brackets()? }),
                ('.', _) => self.dots(&mut steps)?,
                ('"' | '\'', _) => steps.push(self.quoted(next)?),
                ('+' | '-' | '0'..='9', _) => steps.push(self.number()?),
                _ => steps.push(self.bool()?),
            }
        }
    }

    /// `.name`, `.*`, `..`, `..name`.
    fn dots(&mut self, steps: &mut Vec<Step>) -> Result<(), SyntaxError> {
        if self.rest().starts_with("..") {
            if steps.last() == Some(&Step::Descent) {
                return self.error(self.at, "invalid multiple recursive descent");
            }
            self.at += 2;
            steps.push(Step::Descent);
            if self.word().is_empty() {
                return Ok(());
            }
        } else {
            self.at += 1;
        }
        steps.push(self.field());
        Ok(())
    }

    /// A name, up to what can't be in one; a backslash before that makes it a part of the name.
    fn field(&mut self) -> Step {
        let mut name = String::new();
        let mut rest = self.rest().char_indices();
        let mut end = self.end;
        while let Some((at, one)) = rest.next() {
            match one {
                '\\' => name.extend(rest.next().map(|(_, one)| one)),
                _ if is_terminator(one) => {
                    end = self.at + at;
                    break;
                }
                _ => name.push(one),
            }
        }
        let is_star = &self.text[self.at..end] == "*";
        self.at = end;
        if is_star { Step::Children } else { Step::Field(name) }
    }

    fn quoted(&mut self, quote: char) -> Result<Step, SyntaxError> {
        let begin = self.at;
        self.at += 1;
        let mut escaped = false;
        let close = self.rest().find(|one| {
            let ends = one == '\n' || one == quote && !escaped;
            escaped = one == '\\' && !escaped;
            ends
        });
        let Some(inside) = close.map(|close| &self.rest()[..close]) else {
            return self.error(begin, "unterminated quoted string");
        };
        self.at += inside.len();
        if !self.skip(quote.encode_utf8(&mut [0; 4])) {
            return self.error(begin, "unterminated quoted string");
        }
        match unquote(inside, quote) {
            Some(text) => Ok(Step::Text(Value::from(text))),
            None => self.error(begin, "an escape that isn't one; there are \\n, \\t, \\\\, \\\", \\u00e4 and the like"),
        }
    }

    fn number(&mut self) -> Result<Step, SyntaxError> {
        let begin = self.at;
        let unsigned = self.rest().trim_start_matches(['+', '-']);
        let signs = self.rest().len() - unsigned.len();
        let digits = unsigned.len() - unsigned.trim_start_matches(|one: char| one == '.' || one.is_ascii_digit()).len();
        self.at += signs + digits;
        let text = &self.text[begin..self.at];
        let whole = text.parse::<i64>().ok().map(Number::from);
        match whole.or_else(|| Number::from_f64(text.parse().ok()?)) {
            Some(number) => Ok(Step::Literal(Value::Number(number))),
            None => self.error(begin, format!("cannot parse number {text}")),
        }
    }

    fn bool(&mut self) -> Result<Step, SyntaxError> {
        let begin = self.at;
        let word = self.word();
        self.at += word.len();
        match (word, self.text[begin..].chars().next()) {
            ("true", _) => Ok(Step::Literal(Value::Bool(true))),
            ("false", _) => Ok(Step::Literal(Value::Bool(false))),
            ("", Some(one @ ('&' | '|'))) => {
                self.error(begin, format!("unrecognized character in action: {one:?}; a filter makes one comparison"))
            }
            ("", one) => self.error(begin, format!("unrecognized character in action: {:?}", one.unwrap_or_default())),
            (word, _) => {
                self.error(begin, format!("unrecognized identifier {word}; a field has a dot before it: .{word}"))
            }
        }
    }
}

/// What ends a name.
fn is_terminator(one: char) -> bool {
    matches!(one, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}
