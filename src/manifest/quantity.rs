//! Quantities (`500m`, `64Mi`, `1e3`) in exact arithmetic: apimachinery's resource.Quantity without its history.
//! What is finer than a nano is rounded up, as there; what is too big is an error here, where Kubernetes caps it.

use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

/// Parts of a unit that are still told apart.
const NANOS: i128 = 1_000_000_000;
/// Kubernetes' biggest whole quantity, 2^63 - 1.
const MOST_UNITS: i128 = i64::MAX as i128;
/// Significant digits that are read; 2^63 has 19, and a nano adds 9.
const MOST_DIGITS: usize = 36;

/// An amount of cpu (cores), memory (bytes) or whatever else a resource counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nanos: i128,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing there.
    #[error("quantities must not be empty")]
    Empty,
    /// No digits, two points, a sign in the middle.
    #[error("quantities must be a number with an optional suffix")]
    Number,
    /// Digits, then something else.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// Beyond 2^63 - 1.
    #[error("the quantity is too big")]
    TooBig,
}

impl QuantityError {
    /// What to write instead.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            QuantityError::Empty | QuantityError::Number | QuantityError::Suffix => {
                "a number and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei, such as 500m or 64Mi"
            }
            QuantityError::TooBig => "the biggest quantity is 9223372036854775807",
        }
    }
}

/// What the names of resources begin with that are huge pages of a size: `hugepages-2Mi`.
pub const HUGE_PAGES: &str = "hugepages-";

/// The size of a page of such a resource; `None`: the name is of no other kind, or the size is none.
#[must_use]
pub fn huge_page_size(resource: &str) -> Option<Quantity> {
    let size = Quantity::parse(resource.strip_prefix(HUGE_PAGES)?).ok()?;
    (size > Quantity::default() && size.is_whole()).then_some(size)
}

impl Quantity {
    /// Reads a quantity as Kubernetes writes them: sign, decimal number, then nothing, a decimal suffix
    /// (`n u m k M G T P E`), a binary one (`Ki Mi Gi Ti Pi Ei`) or an exponent (`e3`, `E-3`).
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            None => return Err(QuantityError::Empty),
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            Some(_) => (false, text),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && part.is_empty()) || part.contains('.') {
            return Err(QuantityError::Number);
        }
        let (scale, exponent) = suffix_of(suffix)?;
        let nanos = magnitude(whole, part, scale, exponent)?;
        Ok(Quantity { nanos: if negative { -nanos } else { nanos } })
    }

    /// Thousandths, rounded up: millicores of cpu.
    #[must_use]
    pub fn milli(self) -> i128 {
        ceiling(self.nanos, NANOS / 1000)
    }

    /// Whole units, rounded up: bytes of memory.
    #[must_use]
    pub fn units(self) -> i128 {
        ceiling(self.nanos, NANOS)
    }

    /// Whether it is a whole number of units.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.nanos % NANOS == 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether it is a whole number of times another, which is more than nothing.
    #[must_use]
    pub fn is_multiple_of(self, other: Quantity) -> bool {
        other.nanos > 0 && self.nanos % other.nanos == 0
    }

    /// The sum; `None` where it is too big.
    #[must_use]
    pub fn plus(self, other: Quantity) -> Option<Quantity> {
        self.nanos.checked_add(other.nanos).map(|nanos| Quantity { nanos })
    }
}

/// Plain decimal, without suffix.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let (whole, part) =
            (self.nanos.unsigned_abs() / NANOS.unsigned_abs(), self.nanos.unsigned_abs() % NANOS.unsigned_abs());
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        write!(f, "{sign}{whole}.{}", format!("{part:09}").trim_end_matches('0'))
    }
}

impl TryFrom<&Text> for Quantity {
    type Error = QuantityError;

    fn try_from(text: &Text) -> Result<Quantity, QuantityError> {
        Quantity::parse(&text.0)
    }
}

/// What a suffix multiplies by: a factor and a power of ten.
fn suffix_of(suffix: &str) -> Result<(i128, i64), QuantityError> {
    let decimal = |exponent| Ok((1, exponent));
    let binary = |power: u32| Ok((1_i128 << (10 * power), 0));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(QuantityError::Suffix);
            }
            decimal(exponent.parse().map_err(|_| QuantityError::Suffix)?)
        }
    }
}

/// `whole.part x factor x 10^exponent` in nanos, rounded up.
fn magnitude(whole: &str, part: &str, factor: i128, exponent: i64) -> Result<i128, QuantityError> {
    let digits: String = [whole, part].concat();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // Digits beyond those that can matter only decide whether to round up.
    let (kept, rest) = significant.split_at(significant.len().min(MOST_DIGITS));
    let mantissa: i128 = kept.parse().map_err(|_| QuantityError::TooBig)?;
    let lost = i64::try_from(rest.len()).map_err(|_| QuantityError::TooBig)?;
    let places = i64::try_from(part.len()).map_err(|_| QuantityError::TooBig)?;
    let shift = exponent + 9 - places + lost;
    let inexact = rest.bytes().any(|digit| digit != b'0');
    let nanos = if shift >= 0 {
        let power = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
        power.and_then(|power| mantissa.checked_mul(power)).and_then(|nanos| nanos.checked_mul(factor))
    } else {
        // 10^38 is more than any product that is still allowed: beyond it only the rounding up is left.
        let power = u32::try_from(-shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
        match (mantissa.checked_mul(factor), power) {
            (Some(product), Some(power)) => Some(ceiling(product, power)),
            (Some(_), None) => Some(1),
            // The binary factor is a power of two and big: divide first, which loses nothing that a nano would show.
            (None, Some(power)) => ceiling(mantissa, power).checked_mul(factor),
            (None, None) => Some(1),
        }
    };
    let nanos = nanos.ok_or(QuantityError::TooBig)? + i128::from(inexact);
    if nanos > MOST_UNITS * NANOS { Err(QuantityError::TooBig) } else { Ok(nanos) }
}

/// Division that rounds up for positive and towards zero for negative numbers, as Kubernetes' Value() does.
fn ceiling(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend / divisor;
    if dividend % divisor > 0 { quotient + 1 } else { quotient }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_exact() {
        for (text, nanos) in [
            ("0", 0),
            ("1", NANOS),
            ("-1", -NANOS),
            ("+.5", NANOS / 2),
            ("1.", NANOS),
            ("500m", NANOS / 2),
            ("1n", 1),
            ("0.1n", 1),
            ("1.5u", 1500),
            ("1k", 1000 * NANOS),
            ("1Ki", 1024 * NANOS),
            ("0.1Ki", 102_400_000_000),
            ("64Mi", 64 * 1024 * 1024 * NANOS),
            ("1e3", 1000 * NANOS),
            ("1E3", 1000 * NANOS),
            ("1E-3", NANOS / 1000),
            ("1E", 1_000_000_000_000_000_000 * NANOS),
            ("7Ei", 7 * (1 << 60) * NANOS),
            ("0.00000000000000000000000000000000000000000000000000001", 1),
            ("9223372036854775807", MOST_UNITS * NANOS),
        ] {
            assert_eq!(Quantity::parse(text).map(|quantity| quantity.nanos), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_says_why() {
        for (text, error) in [
            ("", QuantityError::Empty),
            ("Mi", QuantityError::Number),
            ("-", QuantityError::Number),
            (".", QuantityError::Number),
            ("1.2.3", QuantityError::Number),
            ("12Quux", QuantityError::Suffix),
            ("12 Mi", QuantityError::Suffix),
            ("12mi", QuantityError::Suffix),
            ("12KB", QuantityError::Suffix),
            ("1e", QuantityError::Suffix),
            ("1e99999", QuantityError::Suffix),
            // kubernetes#131063, #141352: exponents that cut to 32 bits hung it, or were worked out for seconds.
            ("2E6024865272343", QuantityError::Suffix),
            ("1e1000000", QuantityError::Suffix),
            ("9223372036854775808", QuantityError::TooBig),
            ("8Ei", QuantityError::TooBig),
            ("1e400", QuantityError::TooBig),
        ] {
            assert_eq!(Quantity::parse(text), Err(error), "{text}");
        }
    }

    /// kubernetes#141349, #141352: Kubernetes 1.38 takes whole numbers beyond 2^63 milli for whole, and a page of a size that
    /// isn't in its range doesn't end the API server.
    #[test]
    fn large_numbers_are_what_they_are() {
        assert!(Quantity::parse("10P").is_ok_and(Quantity::is_whole));
        assert!(Quantity::parse("1E").is_ok_and(Quantity::is_whole));
        assert!(!Quantity::parse("1.9999").is_ok_and(Quantity::is_whole));
        assert_eq!(huge_page_size("hugepages-1e30"), None);
        assert_eq!(huge_page_size("hugepages-0"), None);
    }

    #[test]
    fn rounding_goes_up() {
        let parse = |text| Quantity::parse(text).unwrap_or_default();
        assert_eq!((parse("1m").units(), parse("1001m").units(), parse("2").units()), (1, 2, 2));
        assert_eq!((parse("1u").milli(), parse("100m").milli(), parse("1.5").milli()), (1, 100, 1500));
        assert!(parse("1.5").plus(parse("1.5")).is_some_and(Quantity::is_whole));
        assert_eq!(parse("1.50").to_string(), "1.5");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+]?[0-9.]{0,60}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,5}") {
            let _ = Quantity::parse(&text);
        }

        #[test]
        fn whole_numbers_keep_their_value(number in 0_i64..=i64::MAX) {
            let quantity = Quantity::parse(&number.to_string());
            prop_assert_eq!(quantity.map(Quantity::units), Ok(i128::from(number)));
        }

        #[test]
        fn writing_and_reading_again_changes_nothing(nanos in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
            let quantity = Quantity { nanos };
            prop_assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
        }

        #[test]
        fn suffixes_are_factors(number in 0_u32..1_000_000, at in 0_usize..6) {
            let (binary, decimal) = ([ "Ki", "Mi", "Gi", "Ti" , "Mi", "Ki"][at], ["k", "M", "G", "T", "M", "k"][at]);
            let power = u32::try_from([1, 2, 3, 4, 2, 1][at]).unwrap_or(0);
            let units = |text: String| Quantity::parse(&text).map(Quantity::units);
            prop_assert_eq!(units(format!("{number}{binary}")), Ok(i128::from(number) << (10 * power)));
            prop_assert_eq!(units(format!("{number}{decimal}")), Ok(i128::from(number) * 1000_i128.pow(power)));
        }
    }
}
