//! Quantities (`500m`, `64Mi`) to what cgroups count. Small and exact; the manifest room has already refused what is none.

/// A quantity, in nanos of its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

/// Parts of a unit that are told apart.
const NANOS: i128 = 1_000_000_000;

impl Quantity {
    /// Reads sign, decimal number and suffix. What is finer than a nano is rounded up, as apimachinery does.
    /// `None`: no quantity, or one beyond 2^63 - 1.
    pub(crate) fn parse(text: &str) -> Option<Quantity> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && part.is_empty()) || part.contains('.') || number.len() > 36 {
            return None;
        }
        let digits: i128 = format!("{whole}{part}").parse().ok()?;
        let exponent = i32::try_from(part.len()).ok()?;
        let (scale, power) = scale(suffix)?;
        let (over, under) = (digits.checked_mul(scale)?, power - exponent + 9);
        let nanos = if under >= 0 {
            over.checked_mul(10_i128.checked_pow(under.unsigned_abs())?)?
        } else {
            // Below a nano counts as one: something was asked for.
            10_i128.checked_pow(under.unsigned_abs()).map_or(i128::from(over > 0), |by| ceiling(over, by))
        };
        if nanos > i128::from(i64::MAX) * NANOS {
            return None;
        }
        Some(Quantity(if negative { -nanos } else { nanos }))
    }

    /// Thousandths, rounded up.
    pub(crate) fn milli(self) -> u64 {
        u64::try_from(ceiling(self.0, NANOS / 1000)).unwrap_or(0)
    }

    /// Whole units, rounded up.
    pub(crate) fn units(self) -> u64 {
        u64::try_from(ceiling(self.0, NANOS)).unwrap_or(0)
    }
}

/// Factor and power of ten of a suffix.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            if power.abs() > 40 {
                return None;
            }
            (1, power)
        }
    })
}

/// Division, rounded up.
fn ceiling(amount: i128, by: i128) -> i128 {
    amount.div_euclid(by) + i128::from(amount.rem_euclid(by) != 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        for (text, milli, units) in [
            ("1", 1000, 1),
            ("500m", 500, 1),
            ("1500m", 1500, 2),
            ("0.1", 100, 1),
            ("64Mi", (64 << 20) * 1000, 64 << 20),
            ("1e3", 1_000_000, 1000),
            ("1n", 1, 1),
            ("0.0000000001", 1, 1),
            (".5", 500, 1),
            ("0", 0, 0),
        ] {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!(quantity.units(), units, "{text}");
            assert_eq!(quantity.milli(), milli, "{text}");
        }
        for text in ["", "-", "m", "1.2.3", "1x", "1 Mi", "12Quux", "1e", "1e99", "9223372036854775808", "1Zi"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn milli_of_whole_numbers(number in 0_u64..1_000_000_000) {
            let whole = Quantity::parse(&number.to_string()).unwrap();
            let milli = Quantity::parse(&format!("{}m", number * 1000)).unwrap();
            prop_assert_eq!(whole, milli);
            prop_assert_eq!(whole.milli(), number * 1000);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}|[0-9.+-]{0,40}[a-zA-Z]{0,3}[0-9-]{0,4}") {
            let _ = Quantity::parse(&text);
        }
    }
}
