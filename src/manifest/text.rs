//! Bytes to a text that YAML allows: UTF-8, or UTF-16 with a byte order mark; and what `kubectl`'s reader (libyaml's
//! rules) takes that YAML 1.2's doesn't.

use std::borrow::Cow;
use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::path::FieldPath;
use super::tree::place;
use super::wording::Wording;

/// The API server takes no bigger request.
pub const MOST_BYTES: usize = 3 * 1024 * 1024;

/// Bytes that may be read again for the sake of repairs, all in all.
const MOST_READ_AGAIN: usize = 64 << 20;

/// The text of bytes, as far as it can be shown.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    let text = match utf_16(bytes) {
        Some(units) => Cow::Owned(String::from_utf16_lossy(&units)),
        None => String::from_utf8_lossy(bytes),
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(without_mark(text)),
        Cow::Owned(text) => Cow::Owned(without_mark(&text).to_owned()),
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The units of a text in UTF-16, which a byte order mark tells; an odd last byte is one that can't be read.
fn utf_16(bytes: &[u8]) -> Option<Vec<u16>> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    const LONE_SURROGATE: u16 = 0xd800;
    let pairs = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map_or(LONE_SURROGATE, unit));
    Some(pairs.collect())
}

/// Checks that bytes are text that YAML allows and gives it without a byte order mark. On failure: the
/// text as far as it can be shown, and what is wrong with it.
pub(super) fn text_of(bytes: &[u8], wording: Wording) -> Result<Cow<'_, str>, Box<(String, Diagnostic)>> {
    let whole = |message: String| Diagnostic::error(&FieldPath::root(), message);
    let noun = wording.noun;
    if bytes.len() > MOST_BYTES {
        let message = format!("Too long: a {noun} may have at most {MOST_BYTES} bytes, this one has more");
        return Err(Box::new((String::new(), whole(message))));
    }
    let text = match utf_16(bytes) {
        Some(units) => match String::from_utf16(&units) {
            Ok(text) => Cow::Owned(without_mark(&text).to_owned()),
            Err(_) => {
                let help = "save the file as UTF-8 without a byte order mark";
                let said = whole("the text begins as UTF-16 and isn't: half a character is missing".to_owned());
                return Err(Box::new((lossy(bytes).into_owned(), said.help(help))));
            }
        },
        None => Cow::Borrowed(without_mark(utf_8(bytes)?)),
    };
    let forbidden = |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || c == '\u{feff}';
    if let Some((at, c)) = text.char_indices().find(|(_, c)| forbidden(*c)) {
        let mut diagnostic = whole(format!("the character U+{:04X} is not allowed in a {noun}", u32::from(c)))
            .help("in a string in double quotes it can be written as an escape, such as \"\\x07\"");
        diagnostic.location = Some(place(&text, &(at..at + c.len_utf8())));
        return Err(Box::new((text.into_owned(), diagnostic)));
    }
    Ok(text)
}

fn utf_8(bytes: &[u8]) -> Result<&str, Box<(String, Diagnostic)>> {
    std::str::from_utf8(bytes).map_err(|error| {
        let lossy = String::from_utf8_lossy(bytes).into_owned();
        let at = error.valid_up_to();
        let message = format!("the text is not UTF-8: byte 0x{:02x}", bytes[at]);
        let help = "save the file as UTF-8 without a byte order mark";
        let mut diagnostic = Diagnostic::error(&FieldPath::root(), message).help(help);
        diagnostic.location = Some(place(&lossy, &(at..at + 1)));
        Box::new((lossy, diagnostic))
    })
}

/// The places of JSON values that follow each other without a line of `---`, as `kubectl` takes them; one place, of
/// the whole text, where that isn't what it is.
pub(super) fn values(text: &str) -> Vec<Range<usize>> {
    let whole: Vec<_> = std::iter::once(0..text.len()).collect();
    if !text.trim_start().starts_with('{') {
        return whole;
    }
    let mut all = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let mut places = Vec::new();
    let mut start = 0;
    while let Some(value) = all.next() {
        if value.is_err() {
            return whole;
        }
        places.push(start..all.byte_offset());
        start = all.byte_offset();
    }
    if places.len() > 1 { places } else { whole }
}

/// What the parser refused, by where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A `#` right behind something, as in `[a, b]#c`: to libyaml it begins a comment.
    Comment,
    /// A scalar in double quotes with an escape that YAML 1.2 doesn't know; libyaml knows `\'`.
    Escape,
}

/// A text in which what libyaml takes is replaced by what YAML 1.2 does, each byte at its place.
pub(super) struct Repair<'t> {
    text: Cow<'t, str>,
    /// Two bytes that stand for `\'`: a character that the text doesn't have.
    quote: Option<char>,
    /// How often the text may still be read.
    left: usize,
}

impl<'t> Repair<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text: Cow::Borrowed(text), quote: None, left: MOST_READ_AGAIN / text.len().max(1) }
    }

    /// The text to parse.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Mends a fault; false where that can't be.
    pub fn mend(&mut self, fault: Fault, at: usize) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        match fault {
            Fault::Comment => self.blank_comment(at),
            Fault::Escape => self.replace_quotes(at),
        }
    }

    /// A scalar in double quotes as it was meant.
    pub fn scalar<'s>(&self, text: Cow<'s, str>) -> Cow<'s, str> {
        match self.quote {
            Some(quote) if text.contains(quote) => Cow::Owned(text.replace(quote, "'")),
            _ => text,
        }
    }

    /// Blanks from the `#` to the end of its line.
    fn blank_comment(&mut self, at: usize) -> bool {
        if self.text.as_bytes().get(at) != Some(&b'#') {
            return false;
        }
        let line = &self.text[at..];
        let end = at + line.find(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).unwrap_or(line.len());
        self.text.to_mut().replace_range(at..end, &" ".repeat(end - at));
        true
    }

    /// Replaces each `\'` of the scalar that begins here.
    fn replace_quotes(&mut self, at: usize) -> bool {
        if self.text.as_bytes().get(at) != Some(&b'"') {
            return false;
        }
        let Some(quote) = self.quote.or_else(|| ('\u{780}'..='\u{7b1}').find(|c| !self.text.contains(*c))) else {
            return false;
        };
        let mut places = Vec::new();
        let mut bytes = self.text.bytes().enumerate().skip(at + 1);
        while let Some((place, byte)) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some((_, b'\'')) = bytes.next() {
                        places.push(place);
                    }
                }
                _ => {}
            }
        }
        let mut text = [0; 2];
        let text = quote.encode_utf8(&mut text);
        for place in &places {
            self.text.to_mut().replace_range(*place..place + 2, text);
        }
        self.quote = Some(quote);
        !places.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_in_a_row_are_told_apart() {
        for (text, count) in [
            ("{}", 1),
            ("{}{}", 2),
            (" {\"a\": [1]}\n\n{\"b\": \"}{\"} \n", 2),
            ("{} {} {}\n", 3),
            ("{a: b}\n", 1),
            ("{} {a: b}", 1),
            ("{}\n---\n{}", 1),
            ("[] []", 1),
            ("", 1),
        ] {
            let places = values(text);
            assert_eq!(places.len(), count, "{text}");
            assert!(places.windows(2).all(|pair| pair[0].end == pair[1].start), "{text}: {places:?}");
        }
    }

    /// Whatever is mended, every byte behind it stays where it was.
    #[test]
    fn a_repair_moves_nothing() {
        let text = "a: [b]#é\nc: \"it\\'s \\\\'\\\"\" # \\'\nd: \u{780}";
        let mut repair = Repair::new(text);
        assert!(repair.mend(Fault::Comment, 6));
        assert!(repair.mend(Fault::Escape, 13));
        assert_eq!(repair.text(), "a: [b]   \nc: \"it\u{781}s \\\\'\\\"\" # \\'\nd: \u{780}");
        assert_eq!(repair.text().len(), text.len());
        assert_eq!(repair.scalar("it\u{781}s".into()), "it's");
        // Not what it was told to be.
        assert!(!repair.mend(Fault::Comment, 0) && !repair.mend(Fault::Escape, 0));
    }
}
