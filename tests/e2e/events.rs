//! What repeats, as users see it (docs/events.md): by `events` in all its forms and by `describe`, while it goes on and
//! after the end.

use serde_json::{Value, json};

use crate::harness::{Case, main, merge, probe, wait, worker};

const COMBINED: &str = "(combined from similar events): ";

/// A probe that fails, each time with other words.
fn new_words_each_time(name: &str) -> Value {
    let script = format!("echo >> /t/{name}; echo {name} $(wc -l < /t/{name}); exit 1");
    let mut probe = probe(&script);
    merge(&mut probe, &json!({"failureThreshold": 1000}));
    probe
}

fn count(event: &Value) -> i64 {
    event["count"].as_i64().unwrap()
}

fn message(event: &Value) -> &str {
    event["message"].as_str().unwrap()
}

/// The events of this reason about one container, in order; none as long as there is no pod.
fn of(case: &Case, container: &str, reason: &str) -> Vec<Value> {
    let mut all = if case.state().join("events.jsonl").exists() { case.events() } else { Vec::new() };
    all.retain(|event| event["container"] == container && event["reason"] == reason);
    all
}

fn lines(case: &Case, command: &[&str]) -> String {
    let output = case.barepod(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// R8.8: equal events are one with a count; from the tenth on similar ones are one as well, but never those of different
/// containers. Nothing is lost by it.
#[test]
fn what_repeats_is_one_event() {
    let Some(case) = Case::new("repeats") else { return };
    let words = json!({"readinessProbe": new_words_each_time("ready"), "livenessProbe": new_words_each_time("alive")});
    let same = json!({"readinessProbe": probe("echo as ever; exit 1")});
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "Always"}))
        .container(main("words", "serve words", words))
        .container(main("same", "serve same", same))
        .container(worker("crash", "exit 3"));
    let mut run = case.start_with(&pod, &["--backoff-initial", "50ms", "--backoff-max", "10s"]);
    let combined = |event: &Value| message(event).starts_with(COMBINED);
    wait("combined events", || of(&case, "words", "Unhealthy").iter().any(|event| combined(event) && count(event) > 2));
    wait("some repetitions", || of(&case, "same", "Unhealthy").iter().any(|event| count(event) > 2));
    wait("some restarts", || case.container("crash")["restartCount"].as_i64() > Some(3));
    assert_combined(&case);
    assert!(case.barepod(&["stop", case.name()]).status.success());
    run.end();
    assert_combined(&case);

    // Equal ones: each start, exit and back-off of one container.
    let restarts = case.container("crash")["restartCount"].as_i64().unwrap();
    // The last may have been ended before it was started.
    for (reason, least) in [("Created", restarts + 1), ("Started", restarts)] {
        let [all] = &of(&case, "crash", reason)[..] else { panic!("{:?}", of(&case, "crash", reason)) };
        assert!((least..=restarts + 1).contains(&count(all)), "{all}, {restarts} restarts");
    }
    let [all] = &of(&case, "crash", "BackOff")[..] else { panic!("{:?}", of(&case, "crash", "BackOff")) };
    // The first restart is immediate; on a slow machine others are due before the container is gone.
    assert!(count(all) <= restarts, "{all}, {restarts} restarts");

    // Whoever reads them elsewhere sees the same.
    let events = case.events();
    let table = lines(&case, &["events", case.name()]);
    assert_eq!(table.lines().count(), events.len() + 1, "{table}");
    let list: Value = serde_saphyr::from_str(&lines(&case, &["events", case.name(), "-o", "yaml"])).unwrap();
    let counts = |all: &[Value]| all.iter().map(count).collect::<Vec<_>>();
    assert_eq!(counts(list["items"].as_array().unwrap()), counts(&events));
    let page = lines(&case, &["describe", case.name()]);
    for (name, reason) in [("words", "Unhealthy"), ("same", "Unhealthy"), ("crash", "Started")] {
        let event = of(&case, name, reason).into_iter().max_by_key(count).unwrap();
        let (first, words) = message(&event).split_once('\n').unwrap_or((message(&event), ""));
        for text in [&table, &page] {
            let line = text.lines().find(|line| line.contains(first) && line.contains("(x"));
            let line = line.unwrap_or_else(|| panic!("{first:?} {words:?} in:\n{text}"));
            assert!(line.contains(&format!("(x{} over ", count(&event))), "{line}");
        }
    }
}

/// Of the container `words` nine are told apart and the others one; of `same` all are one.
fn assert_combined(case: &Case) {
    let words = of(case, "words", "Unhealthy");
    let (combined, apart): (Vec<_>, Vec<_>) = words.iter().partition(|event| message(event).starts_with(COMBINED));
    let ([combined], 9) = (&combined[..], apart.len()) else { panic!("{words:#?}") };
    assert!(apart.iter().all(|event| count(event) == 1), "{apart:#?}");
    // The last word, and the time from the tenth to it.
    assert!(message(combined).contains("probe failed: "), "{combined}");
    let time = |event: &Value, key: &str| event[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(apart.iter().all(|event| time(event, "firstTimestamp") <= time(combined, "firstTimestamp")), "{words:#?}");
    assert!(time(combined, "firstTimestamp") <= time(combined, "lastTimestamp"), "{combined}");
    // None is lost. One of each probe may be under way.
    let told: i64 = words.iter().map(count).sum();
    let tried: usize = ["ready", "alive"].iter().map(|name| std::fs::read(case.shared(name)).unwrap().len()).sum();
    let tried = i64::try_from(tried).unwrap();
    assert!((tried - 2..=tried).contains(&told), "{told} of {tried}");

    let same = of(case, "same", "Unhealthy");
    let [same] = &same[..] else { panic!("{same:#?}") };
    assert!(count(same) > 2 && message(same).starts_with("Readiness probe failed: as ever"), "{same}");
}
