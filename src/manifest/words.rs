//! Words in messages: values as they are shown, and the known word that was likely meant.

/// Values longer than this are cut in messages; the text is shown below them anyway.
const SHOWN_VALUE: usize = 80;

/// The word of `known` nearest to `given`, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    if given.len() > 64 {
        return None;
    }
    let given = given.to_lowercase();
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&given, &word.to_lowercase()), *word))
        .filter(|(distance, word)| *distance <= 1.max(word.len().min(given.len()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A text without anything that could break a line or speak to the terminal.
pub(super) fn escaped(text: &str) -> String {
    text.chars().map(|c| if c == '\'' { "'".to_owned() } else { c.escape_debug().to_string() }).collect()
}

/// A sentence, whose quotation marks and backslashes are its own, without anything that could break a line or speak to the
/// terminal.
pub(super) fn printable(text: &str) -> String {
    let kept = |c| matches!(c, '\'' | '"' | '\\');
    text.chars().map(|c| if kept(c) { c.to_string() } else { c.escape_debug().to_string() }).collect()
}

/// A value as it stands in a message: strings quoted and escaped, numbers bare, long ones cut.
pub(super) trait Shown {
    /// The text.
    fn shown(&self) -> String;
}

impl Shown for str {
    fn shown(&self) -> String {
        match self.char_indices().nth(SHOWN_VALUE) {
            Some((end, _)) => format!("\"{}...\"", escaped(&self[..end])),
            None => format!("\"{}\"", escaped(self)),
        }
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.as_str().shown()
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn shown(&self) -> String {
        (**self).shown()
    }
}

macro_rules! numbers_are_shown_bare {
    ($($number:ty),*) => {$(
        impl Shown for $number {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
numbers_are_shown_bare!(i32, i64, i128, usize, bool);
