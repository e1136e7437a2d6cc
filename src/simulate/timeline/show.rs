//! A timeline's two shapes.

use std::time::Duration;

use serde::Serialize;

use super::{Entry, EntryKind};
use crate::report::table::columns;

/// The keys of an event line, and two more that are left out where they say nothing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: jiff::Timestamp,
    r#type: &'static str,
    reason: &'a str,
    container: Option<&'a str>,
    message: &'a str,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
}

/// One JSON object a line. Virtual time begins at 1970-01-01T00:00:00Z.
///
/// # Errors
/// None that a timeline could cause.
pub fn json(entries: &[Entry]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for entry in entries {
        let nanos = i128::try_from(entry.at.as_nanos()).unwrap_or(i128::MAX);
        text += &serde_json::to_string(&Line {
            time: jiff::Timestamp::from_nanosecond(nanos).unwrap_or(jiff::Timestamp::MAX),
            r#type: kind(entry.kind),
            reason: &entry.reason,
            container: entry.container.as_deref(),
            message: &entry.message,
            count: 1,
            restart_count: entry.attempt,
            exit_code: entry.exit_code,
        })?;
        text.push('\n');
    }
    Ok(text)
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Normal => "Normal",
        EntryKind::Warning => "Warning",
        EntryKind::State => "State",
        EntryKind::Pod => "Pod",
        EntryKind::Signal => "Signal",
        EntryKind::Hook => "Hook",
        EntryKind::Request => "Request",
        EntryKind::End => "End",
    }
}

/// For people. What only repeats a state (the events Pulled, Created, Started and GracePeriodUsed) is left out.
pub fn table(entries: &[Entry]) -> String {
    let rows = entries.iter().filter(|entry| !repeats_a_state(entry)).map(|entry| {
        let container = entry.container.clone().unwrap_or_else(|| "pod".to_owned());
        vec![length(entry.at), container, entry.reason.clone(), entry.message.clone()]
    });
    columns(&["TIME", "CONTAINER", "WHAT", "DETAIL"], rows)
}

fn repeats_a_state(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Normal | EntryKind::Warning)
        && matches!(entry.reason.as_str(), "Pulled" | "Created" | "Started" | "GracePeriodUsed")
}

/// `0s`, `1.5s`, `2m30s`, `24h`.
pub fn length(time: Duration) -> String {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if minutes > 0 {
        text += &format!("{minutes}m");
    }
    if seconds > 0 || nanos > 0 || text.is_empty() {
        let fraction = format!("{nanos:09}");
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        text += &format!("{seconds}{point}{fraction}s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (millis, text) in [
            (0, "0s"),
            (1, "0.001s"),
            (1_500, "1.5s"),
            (60_000, "1m"),
            (150_000, "2m30s"),
            (86_400_000, "24h"),
            (3_600_500, "1h0.5s"),
        ] {
            assert_eq!(length(Duration::from_millis(millis)), text);
        }
    }
}
