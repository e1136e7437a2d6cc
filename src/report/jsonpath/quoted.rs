//! Texts in quotes, with Go's escapes (strconv.UnquoteChar).

/// The text that stands in quotes; `None`: an escape that isn't one.
pub(super) fn unquote(inside: &str, quote: char) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside.chars();
    while let Some(one) = rest.next() {
        if one != '\\' {
            text.push(one);
            continue;
        }
        text.push(match rest.next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            'x' => number(&mut rest, 2, 16, 0)?,
            'u' => number(&mut rest, 4, 16, 0)?,
            'U' => number(&mut rest, 8, 16, 0)?,
            octal @ '0'..='7' => number(&mut rest, 2, 8, octal.to_digit(8)?)?,
            same if same == quote => quote,
            _ => return None,
        });
    }
    Some(text)
}

/// A character by its number, whose first digit may have been read.
fn number(rest: &mut std::str::Chars<'_>, digits: u32, radix: u32, first: u32) -> Option<char> {
    let mut number = first;
    for _ in 0..digits {
        number = number.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?)?;
    }
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (inside, quote, text) in [
            ("", '"', Some("")),
            ("a b", '"', Some("a b")),
            (r"\t\n\r\\", '"', Some("\t\n\r\\")),
            (r"\x41\u00e4\U0001F600\101", '\'', Some("Aä😀A")),
            (r#"\""#, '"', Some("\"")),
            (r"\'", '\'', Some("'")),
            (r"\'", '"', None),
            (r"\q", '"', None),
            (r"\x4", '"', None),
            (r"\ud800", '"', None),
            (r"\UFFFFFFFF", '"', None),
            ("\\", '"', None),
        ] {
            assert_eq!(unquote(inside, quote).as_deref(), text, "{inside}");
        }
    }
}
