//! What was simulated and what really happened, as entries that can be compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Case;

/// Containers whose entries are closer than this, and have nothing to do with each other, may come in any order: that
/// much later a container may be made on a busy machine.
const APART: Duration = Duration::from_millis(700);
/// The kernel's coarse clocks, and times that are rounded to milliseconds.
const CLOCKS: Duration = Duration::from_millis(15);

/// Something that happened, and when: `web up`, `web SIGTERM`, `web exit 0`, `web preStop begins`; `Killing web`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Duration,
    container: String,
    pub(super) text: String,
}

fn entry(line: &Value, text: impl Fn(&str, &str) -> Option<String>) -> Option<Entry> {
    let container = line["container"].as_str().unwrap_or("pod");
    let text = text(line["reason"].as_str().unwrap(), container)?;
    let at: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    let at = Duration::from_nanos(u64::try_from(at.as_nanosecond()).unwrap());
    Some(Entry { at, container: container.to_owned(), text })
}

/// What containers will say.
pub(super) fn said(simulated: &[Value]) -> Vec<Entry> {
    let was_killed = |line: &Value, before: usize| {
        simulated[..before].iter().any(|one| {
            one["reason"] == "SIGKILL"
                && one["container"] == line["container"]
                && one["restartCount"] == line["restartCount"]
        })
    };
    let all = simulated.iter().enumerate().filter_map(|(number, line)| {
        entry(line, |reason, name| match line["type"].as_str().unwrap() {
            "Normal" if reason == "Started" => Some(format!("{name} up")),
            "Signal" if reason != "SIGKILL" => Some(format!("{name} {reason}")),
            "Hook" => Some(format!("{name} {reason} {}", line["message"].as_str().unwrap())),
            "State" if reason == "Terminated" && !was_killed(line, number) => {
                let code = line["exitCode"].as_i64().filter(|code| *code != 128)?;
                Some(format!("{name} exit {code}"))
            }
            _ => None,
        })
    });
    all.collect()
}

/// The events there will be.
pub(super) fn told(simulated: &[Value]) -> Vec<Entry> {
    let events = simulated.iter().filter(|line| matches!(line["type"].as_str(), Some("Normal" | "Warning")));
    let all = events.filter_map(|line| entry(line, |reason, name| Some(format!("{reason} {name}"))));
    all.filter(|entry| !is_left_out(&entry.text)).collect()
}

/// How often a probe fails is a matter of time.
fn is_left_out(event: &str) -> bool {
    ["Unhealthy", "GracePeriodUsed"].iter().any(|reason| event.starts_with(reason))
}

/// The events there are, in order.
pub(super) fn events(case: &Case) -> Vec<String> {
    timed_events(case).into_iter().map(|(_, text)| text).collect()
}

pub(super) fn timed_events(case: &Case) -> Vec<(jiff::Timestamp, String)> {
    let text = fs::read_to_string(case.state().join("events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let all = lines.map(|line| {
        let text = format!("{} {}", line["reason"].as_str().unwrap(), line["container"].as_str().unwrap_or("pod"));
        (line["time"].as_str().unwrap().parse().unwrap(), text)
    });
    all.filter(|(_, event)| !is_left_out(event)).collect()
}

/// How each container ended last, and how often it was restarted.
pub(super) fn last_ends(simulated: &[Value]) -> BTreeMap<String, (i64, i64)> {
    let ends = simulated.iter().filter(|line| line["type"] == "State" && line["reason"] == "Terminated");
    let of = |line: &Value| {
        let name = line["container"].as_str().unwrap().to_owned();
        (name, (line["exitCode"].as_i64().unwrap(), line["restartCount"].as_i64().unwrap()))
    };
    ends.map(of).collect()
}

/// Where each expected entry is in the real list: equal ones in their order.
fn places(expected: &[Entry], real: &[String]) -> Vec<Option<usize>> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let place = |entry| {
        let text: &str = entry;
        let nth = seen.entry(text).or_default();
        *nth += 1;
        real.iter().enumerate().filter(|(_, one)| *one == text).map(|(at, _)| at).nth(*nth - 1)
    };
    expected.iter().map(|entry| entry.text.as_str()).map(place).collect()
}

pub(super) fn missing(expected: &[Entry], real: &[String]) -> Vec<String> {
    let found = places(expected, real);
    expected.iter().zip(found).filter(|(_, place)| place.is_none()).map(|(entry, _)| entry.text.clone()).collect()
}

pub(super) fn agree(expected: &[Entry], real: &[String], whole: bool) -> Result<(), String> {
    let missing = missing(expected, real);
    if !missing.is_empty() {
        return Err(format!("did not happen: {missing:?}"));
    }
    if whole && real.len() != expected.len() {
        return Err(format!("{} things happened, {} were simulated", real.len(), expected.len()));
    }
    let found = places(expected, real);
    for (first, before) in expected.iter().enumerate() {
        for (second, after) in expected.iter().enumerate().skip(first + 1) {
            if must_follow(before, after) && found[first] > found[second] {
                return Err(format!("{:?} came before {:?}", after.text, before.text));
            }
        }
    }
    Ok(())
}

/// Whether the order of two entries is no accident.
fn must_follow(before: &Entry, after: &Entry) -> bool {
    let apart = after.at - before.at;
    if before.container == after.container {
        // A hook is run beside its container's program.
        return !(apart.is_zero() && after.text.ends_with("postStart begins"));
    }
    let is_answer = |text: &str| text.ends_with(" up") || text.contains(" SIG");
    apart >= APART || apart.is_zero() && before.text.contains(" exit ") && is_answer(&after.text)
}

/// Events that came before their time.
pub(super) fn too_early(
    name: &str,
    expected: &[Entry],
    real: &[(jiff::Timestamp, String)],
    began: jiff::Timestamp,
) -> String {
    let texts: Vec<String> = real.iter().map(|(_, text)| text.clone()).collect();
    let mut early = String::new();
    for (entry, place) in expected.iter().zip(places(expected, &texts)) {
        let Some((at, _)) = place.map(|place| &real[place]) else { continue };
        let after = Duration::try_from(at.duration_since(began)).unwrap_or_default();
        if after + CLOCKS < entry.at {
            let _ = writeln!(early, "{name}: {} after {after:?}, not before {:?} have passed", entry.text, entry.at);
        }
    }
    early
}

/// The comparison can fail.
#[test]
fn another_order_is_noticed() {
    let entry = |millis: u64, container: &str, text: &str| Entry {
        at: Duration::from_millis(millis),
        container: container.to_owned(),
        text: text.to_owned(),
    };
    let expected = [
        entry(0, "a", "a up"),
        entry(0, "b", "b up"),
        entry(2000, "b", "b exit 0"),
        entry(2000, "a", "a SIGTERM"),
        entry(2100, "a", "a exit 1"),
    ];
    let agrees = |real: &[&str]| {
        let real: Vec<String> = real.iter().map(|&one| one.to_owned()).collect();
        agree(&expected, &real, true).is_ok()
    };
    assert!(agrees(&["a up", "b up", "b exit 0", "a SIGTERM", "a exit 1"]));
    // They start at once: who is first is an accident.
    assert!(agrees(&["b up", "a up", "b exit 0", "a SIGTERM", "a exit 1"]));
    for real in [
        &["a up", "b up", "a SIGTERM", "b exit 0", "a exit 1"][..],
        &["a up", "b up", "b exit 0", "a exit 1", "a SIGTERM"],
        &["a up", "b exit 0", "b up", "a SIGTERM", "a exit 1"],
        &["a up", "b up", "b exit 0", "a SIGTERM"],
        &["a up", "b up", "b exit 0", "a SIGTERM", "a exit 1", "a up"],
        &["a up", "b up", "b exit 0", "a SIGTERM", "a exit 2"],
    ] {
        assert!(!agrees(real), "{real:?}");
    }
}

/// Slowness makes things late, never early.
#[test]
fn what_comes_too_early_is_noticed() {
    let entry = |millis: u64, text: &str| Entry {
        at: Duration::from_millis(millis),
        container: "a".to_owned(),
        text: text.to_owned(),
    };
    let expected = [entry(0, "Started a"), entry(2000, "Killing a"), entry(4000, "Killing a")];
    let began = jiff::Timestamp::from_second(1_000_000).unwrap();
    let early = |killings: [i64; 2]| {
        let at = |millis: i64| began + jiff::SignedDuration::from_millis(millis);
        let mut real = vec![(at(3), "Started a".to_owned())];
        real.extend(killings.map(|millis| (at(millis), "Killing a".to_owned())));
        too_early("x", &expected, &real, began)
    };
    assert_eq!(early([2003, 4003]), "");
    assert_eq!(early([2900, 9000]), "");
    assert_eq!(early([1500, 4003]), "x: Killing a after 1.5s, not before 2s have passed\n");
    assert_eq!(early([2003, 3000]), "x: Killing a after 3s, not before 4s have passed\n");
}
