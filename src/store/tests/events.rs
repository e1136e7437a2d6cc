//! The file of events.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;

#[test]
fn equal_events_aggregate_and_a_torn_line_is_skipped() {
    // R8.8
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let event = event(0, "m");
    store.append_event(event.clone()).unwrap();
    let path = store.dir().join("events.jsonl");
    let mut text = fs::read(&path).unwrap();
    text.extend(b"{\"time\":");
    fs::write(&path, text).unwrap();
    drop(store);
    let mut store = PodStore::take_over(&layout, "a", "web", &|_| {}).unwrap();
    store.append_event(event.clone()).unwrap();
    let events = find(&layout, "web").unwrap().events().unwrap();
    assert_eq!(events, [EventLine { count: 2, first: Some(event.time), ..event }]);
}

/// R8.8: messages that are never the same again. The file, what is read from it and what the writer remembers stay bounded,
/// and every one of the events is counted.
#[test]
fn a_hundred_thousand_different_events_fit_in_a_bounded_file() {
    const EVENTS: u32 = 100_000;
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let began = events::EventLine { kind: "Normal".into(), reason: "Started".into(), ..event(0, "began") };
    store.append_event(began.clone()).unwrap();
    let path = store.dir().join("events.jsonl");
    let (mut longest, mut resident) = (0, 0);
    for number in 1..=EVENTS {
        // Twenty at once, then nothing for so long that they are told apart again.
        let seconds = i64::from(number / 20 * 1000);
        store.append_event(event(seconds, &format!("{number} {}", "x".repeat(200)))).unwrap();
        longest = longest.max(fs::metadata(&path).unwrap().len());
        if number == EVENTS / 5 {
            resident = resident_kib();
        }
    }
    let grown = resident_kib().saturating_sub(resident);
    let read = find(&layout, "web").unwrap().events().unwrap();
    println!("file at most {longest} bytes, {} events, memory grown by {grown} KiB", read.len());
    assert!(longest < 400 << 10, "{longest}");
    assert!(grown < 1024, "{grown} KiB");
    assert_eq!(read.len(), 512);
    assert_eq!(read.iter().map(|event| event.count).sum::<u32>(), EVENTS + 1);
    assert_eq!(read[0], began);
    assert!(read.last().unwrap().message.contains(&EVENTS.to_string()));
    // Whoever takes over from a killed writer knows the same, and counts on.
    drop(store);
    let mut store = PodStore::take_over(&layout, "a", "web", &|_| {}).unwrap();
    assert_eq!(find(&layout, "web").unwrap().events().unwrap(), read);
    store.append_event(began).unwrap();
    assert_eq!(find(&layout, "web").unwrap().events().unwrap().last().unwrap().count, 2);
}

/// VmRSS of proc_pid_status(5).
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Replaced again and again while it is read: a reader never sees less than a reader before.
#[test]
#[allow(clippy::disallowed_methods, reason = "processes that race, as threads")]
fn readers_of_events_see_all_while_the_file_is_replaced() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let found = find(&layout, "web").unwrap();
    let (written, over) = (AtomicU32::new(0), AtomicBool::new(false));
    let read = || {
        let mut reads = 0;
        while !over.load(Ordering::Relaxed) {
            let before = written.load(Ordering::Acquire);
            let count: u32 = found.events().unwrap().iter().map(|event| event.count).sum();
            assert!(count >= before, "{count} of {before}");
            reads += 1;
        }
        reads
    };
    std::thread::scope(|scope| {
        let reader = scope.spawn(read);
        for number in 0..5_000 {
            store.append_event(event(number, &format!("{number} {}", "x".repeat(400)))).unwrap();
            written.fetch_add(1, Ordering::Release);
        }
        over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert!(fs::metadata(found.dir.join("events.jsonl")).unwrap().len() < 400 << 10, "it was never replaced");
}

/// A writer that is killed while it replaces the file leaves the old one whole, and half of a new one for nobody.
#[test]
fn events_survive_a_kill_in_the_middle_of_a_replacement() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    store.append_event(event(0, "m")).unwrap();
    let half = store.dir().join(".events.jsonl.tmp");
    fs::write(&half, "{\"time\":\"2026").unwrap();
    drop(store);
    let mut store = PodStore::take_over(&layout, "a", "web", &|_| {}).unwrap();
    assert!(!half.exists());
    store.append_event(event(1, "m")).unwrap();
    let events = find(&layout, "web").unwrap().events().unwrap();
    let first = Some(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(events, [EventLine { count: 2, first, ..event(1, "m") }]);
}

fn event(seconds: i64, message: &str) -> EventLine {
    EventLine {
        time: jiff::Timestamp::from_second(seconds).unwrap(),
        first: None,
        kind: "Warning".into(),
        reason: "BackOff".into(),
        container: Some("c".into()),
        message: message.into(),
        count: 1,
    }
}
