//! Values of options that are more than a word.

use std::time::Duration;

/// `cpu=200m`.
pub(super) fn resource(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, amount)) if !name.is_empty() && !amount.is_empty() => Ok((name.to_owned(), amount.to_owned())),
        _ => Err(format!("{text:?} is not RESOURCE=AMOUNT; write it like cpu=200m,memory=64Mi")),
    }
}

/// A duration that something can be done in.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(100);
    duration(text).and_then(|interval| if interval < LEAST { Err("at least 100ms".to_owned()) } else { Ok(interval) })
}

/// Of none, restarts would follow each other as fast as the box can.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|delay| if delay.is_zero() { Err("at least 1ms".to_owned()) } else { Ok(delay) })
}

/// As `kubectl wait --timeout`.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    match (text, text.strip_prefix('-')) {
        ("0", _) => Ok(Duration::ZERO),
        (_, Some("1")) => Ok(WEEK),
        (_, Some(positive)) => duration(positive).map(|_| WEEK),
        (_, None) => duration(text),
    }
}

/// `300ms`, `10s`, `1m30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("not a duration: {text:?}; write it like 300ms, 10s or 5m"))?;
    Duration::try_from(span).map_err(|_| format!("{text:?} is negative"))
}

/// `2026-11-30T12:00:00Z` (RFC 3339).
pub(super) fn time(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse()
        .map_err(|_| format!("not a time: {text:?}; write it like 2026-11-30T12:00:00Z or 2026-11-30T13:00:00+01:00"))
}
