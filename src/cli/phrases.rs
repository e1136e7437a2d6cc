//! Phrases of several commands: lists of names, whom the end of a pod waits for.

use std::time::Duration;

/// `web`, `web and db`, `web, db and 3 others`.
pub(super) fn list(names: &[&str]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, other, third] => format!("{one}, {other} and {third}"),
        [one, other, rest @ ..] => format!("{one}, {other} and {} others", rest.len()),
    }
}

/// Whom a pod's end waits for, and what can be done about that while there is something.
pub(super) fn waiting(containers: &[&str], left: Duration, grace: Duration, way_out: &str) -> String {
    let names = list(containers);
    if left.is_zero() {
        format!("waiting for {names}, killed but not gone yet")
    } else {
        format!("waiting for {names} ({} of {} grace left); {way_out}", seconds(left), seconds(grace))
    }
}

/// What can be done about a supervisor that can't answer.
pub(super) fn stopped(pod: &str, pid: u32) -> String {
    format!(
        "the supervisor of pod {pod}, process {pid}, is stopped (SIGSTOP) and answers when it is let go on: `kill -CONT \
         {pid}`; `barepod rm --force {pod}` ends the pod without it"
    )
}

/// As much as there is at least: tenths of a second below ten, then whole seconds.
pub(super) fn seconds(duration: Duration) -> String {
    let (whole, tenth) = (duration.as_secs(), duration.subsec_millis() / 100);
    match (whole, tenth) {
        (0..10, 1..) => format!("{whole}.{tenth} s"),
        (0..120, _) => format!("{whole} s"),
        _ if whole % 60 == 0 => format!("{} min", whole / 60),
        _ => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// How long something took: `12 ms`, `3.4 s`, `2 min 5 s`.
pub(super) fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_seconds() {
        let names = ["web", "db", "cache", "queue"];
        assert_eq!(list(&names[..1]), "web");
        assert_eq!(list(&names[..2]), "web and db");
        assert_eq!(list(&names[..3]), "web, db and cache");
        assert_eq!(list(&names), "web, db and 2 others");
        for (millis, said) in [
            (0, "0 s"),
            (90, "0 s"),
            (1_480, "1.4 s"),
            (3_000, "3 s"),
            (9_990, "9.9 s"),
            (10_900, "10 s"),
            (600_000, "10 min"),
            (601_500, "10 min 1 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), said, "{millis}");
        }
    }
}
