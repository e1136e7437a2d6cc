//! What a scalar of the text means. Kubernetes reads YAML 1.1 (`yes` is a boolean, `0644` is octal), so barepod does:
//! the same file means the same here and in a cluster.

use serde_saphyr::granit_parser::{ScalarStyle, Tag};

/// A scalar with its meaning.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    /// As written, without quotes and with escapes resolved.
    pub text: String,
    /// What it means where nothing says otherwise.
    pub meaning: Meaning,
}

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true`, `false`, and YAML 1.1's `yes`, `no`, `on`, `off`, `y`, `n`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Fraction,
    /// Anything else, and everything in quotes.
    Text,
}

impl Scalar {
    /// Reads a scalar; fails with the tag where it isn't one of YAML's own for scalars, or doesn't fit the text.
    pub fn read(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, String> {
        let plain = if style == ScalarStyle::Plain { Scalar::meaning_of(text) } else { Meaning::Text };
        let meaning = match tag {
            None => plain,
            Some(tag) => {
                let given = Scalar::meaning_of(text);
                match (tag.core_suffix(), given) {
                    (Some("str"), _) => Meaning::Text,
                    (Some("null"), Meaning::Null)
                    | (Some("bool"), Meaning::Bool(_))
                    | (Some("int"), Meaning::Integer(_))
                    | (Some("float"), Meaning::Integer(_) | Meaning::Fraction) => given,
                    _ => return Err(tag.original()),
                }
            }
        };
        Ok(Scalar { text: text.to_owned(), meaning })
    }

    /// What a text without quotes means.
    fn meaning_of(text: &str) -> Meaning {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Meaning::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
                Meaning::Bool(false)
            }
            ".nan" | ".NaN" | ".NAN" => Meaning::Fraction,
            _ => number(text),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.meaning == Meaning::Null
    }

    /// Whether it is false.
    pub fn is_false(&self) -> bool {
        self.meaning == Meaning::Bool(false)
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.meaning {
            Meaning::Null => "null",
            Meaning::Bool(_) => "a boolean",
            Meaning::Integer(_) | Meaning::Fraction => "a number",
            Meaning::Text => "a string",
        }
    }
}

/// Reads a number in YAML 1.1's notations: decimal, `0x`, `0b`, `0o` or a leading `0` for octal, `_` between digits.
fn number(text: &str) -> Meaning {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Meaning::Fraction;
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') || unsigned == "." {
        return Meaning::Text;
    }
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    let (base, body) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] if digits.bytes().all(|digit| digit.is_ascii_digit()) => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    if !body.is_empty() && body.chars().all(|digit| digit.is_digit(base)) {
        // A number of more than 38 digits fits no field: a fraction fits none either, and both are refused as such.
        return i128::from_str_radix(body, base)
            .map_or(Meaning::Fraction, |value| Meaning::Integer(if text.starts_with('-') { -value } else { value }));
    }
    if is_fraction(&digits) { Meaning::Fraction } else { Meaning::Text }
}

/// Whether digits are a decimal fraction: `1.5`, `.5`, `1e3`, `1.5e-3`, and `089`, which is no octal number.
fn is_fraction(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        !text.is_empty() && numeric(text)
    });
    numeric(whole) && numeric(part) && !(whole.is_empty() && part.is_empty()) && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_kubernetes_reads() {
        for (text, meaning) in [
            ("", Meaning::Null),
            ("~", Meaning::Null),
            ("yes", Meaning::Bool(true)),
            ("Off", Meaning::Bool(false)),
            ("n", Meaning::Bool(false)),
            ("12", Meaning::Integer(12)),
            ("-12", Meaning::Integer(-12)),
            ("+12", Meaning::Integer(12)),
            ("0644", Meaning::Integer(0o644)),
            ("0o644", Meaning::Integer(0o644)),
            ("0x1F", Meaning::Integer(31)),
            ("0b101", Meaning::Integer(5)),
            ("1_000", Meaning::Integer(1000)),
            ("1e3", Meaning::Fraction),
            ("0.5", Meaning::Fraction),
            (".5", Meaning::Fraction),
            ("-.inf", Meaning::Fraction),
            ("089", Meaning::Fraction),
            ("99999999999999999999999999999999999999999999", Meaning::Fraction),
            ("1.27.3", Meaning::Text),
            ("12Mi", Meaning::Text),
            ("500m", Meaning::Text),
            ("-", Meaning::Text),
            (".", Meaning::Text),
            ("0x", Meaning::Text),
            ("1e", Meaning::Text),
            ("2026-11-23", Meaning::Text),
            ("1:30", Meaning::Text),
            ("yess", Meaning::Text),
        ] {
            assert_eq!(Scalar::meaning_of(text), meaning, "{text}");
        }
    }

    #[test]
    fn quotes_make_text() {
        let scalar = Scalar::read("yes", ScalarStyle::DoubleQuoted, None);
        assert_eq!(scalar.map(|scalar| scalar.meaning), Ok(Meaning::Text));
    }
}
