//! Numbers and texts in headers.

/// What tars are made of.
pub(super) const BLOCK: usize = 512;

/// Up to the first zero byte.
pub(super) fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number: octal digits between spaces and zero bytes, or binary (GNU, star) where its first bit is set. Nothing is zero.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        // Two's complement in the bits behind the first.
        let sign = if first & 0x40 != 0 { -1_i128 } else { 0 };
        let high = sign << 7 | i128::from(first & 0x7f);
        // The longest field has 12 bytes: 95 bits.
        let value = rest.iter().fold(high, |value, byte| value << 8 | i128::from(*byte));
        return i64::try_from(value).ok();
    }
    let start = field.iter().position(|byte| !matches!(byte, b' ' | 0)).unwrap_or(field.len());
    let digits = until_zero(&field[start..]).trim_ascii_end();
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
