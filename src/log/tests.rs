#![allow(clippy::unwrap_used)]
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;

use proptest::prelude::*;

use super::split::{MAX_LINE, Splitter, Tag};
use super::*;

fn entries(chunks: &[Vec<u8>]) -> Vec<(Vec<u8>, Tag)> {
    let mut splitter = Splitter::default();
    let mut out = Vec::new();
    let mut emit = |text: &[u8], tag| out.push((text.to_vec(), tag));
    chunks.iter().for_each(|chunk| splitter.push(chunk, &mut emit));
    splitter.finish(&mut emit);
    out
}

proptest! {
    /// R10.9: whatever the chunks, nothing is lost or reordered and no entry is too long.
    #[test]
    fn any_chunks_give_the_bytes_back(chunks in prop::collection::vec(
        prop_oneof![
            prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..64),
            (MAX_LINE - 2..MAX_LINE * 2 + 2).prop_map(|len| vec![b'x'; len]),
        ], 0..12))
    {
        let whole = chunks.concat();
        let mut back = Vec::new();
        for (text, tag) in entries(&chunks) {
            prop_assert!(text.len() <= MAX_LINE && !text.contains(&b'\n'));
            back.extend(text);
            if tag == Tag::Full {
                back.push(b'\n');
            }
        }
        // A last line without newline is written as a line of its own.
        if whole.last().is_some_and(|&last| last != b'\n') {
            prop_assert_eq!(back.pop(), Some(b'\n'));
        }
        prop_assert_eq!(back, whole);
    }
}

#[test]
fn a_pipe_becomes_cri_lines() {
    // R10.9
    let tmp = tempfile::tempdir().unwrap();
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(b"one\ntwo").unwrap();
    drop(write);
    let mut log = ContainerLog::create(tmp.path(), "web", 2).unwrap();
    let mut seen = Vec::new();
    let now = "2026-11-23T12:00:00.123456789Z".parse().unwrap();
    let pump = log.pump(Stream::Stderr, read.as_fd(), now, &mut |_, line| seen.push(line.to_vec())).unwrap();
    assert_eq!(pump, Pump { bytes: 7, eof: true });
    assert_eq!(seen, [b"one", b"two"]);
    assert_eq!(
        fs::read_to_string(tmp.path().join("web/2.log")).unwrap(),
        "2026-11-23T12:00:00.123456789Z stderr F one\n2026-11-23T12:00:00.123456789Z stderr F two\n"
    );
}

#[test]
fn a_long_log_keeps_five_files() {
    // R10.9
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0).unwrap();
    let text = vec![b'x'; 6 * 1024 * 1024];
    for second in 0..8 {
        log.take(Stream::Stdout, &text, jiff::Timestamp::from_second(second).unwrap(), &mut |_, _| {});
    }
    assert_eq!(fs::read_dir(tmp.path().join("web")).unwrap().count(), 5);
    assert_eq!(log.dropped(), 0);
}

/// R10.9: the file has it in entries of 16 KiB, people see the line whole, and what comes between on the other stream
/// doesn't tear it.
#[test]
fn a_long_line_is_shown_whole() {
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut seen = Vec::new();
    let mut see = |stream: Stream, line: &[u8]| seen.push((stream, line.len()));
    log.take(Stream::Stdout, &vec![b'x'; 40_000], now, &mut see);
    log.take(Stream::Stderr, b"between\n", now, &mut see);
    log.take(Stream::Stdout, b"yz\n\n", now, &mut see);
    assert_eq!(seen, [(Stream::Stderr, 7), (Stream::Stdout, 40_002), (Stream::Stdout, 0)]);
    let text = fs::read_to_string(log.path()).unwrap();
    let tags: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(tags, ["P", "P", "F", "F", "F"]);
}

#[test]
fn a_line_that_never_ends_takes_no_more_memory_than_its_bound() {
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut seen = Vec::new();
    for _ in 0..16 {
        log.take(Stream::Stdout, &[b'x'; BUDGET], now, &mut |_, line| seen.push(line.len()));
    }
    log.end(Stream::Stdout, now, &mut |_, line| seen.push(line.len()));
    assert_eq!(seen.iter().sum::<usize>(), 16 * BUDGET);
    assert_eq!(seen.iter().max(), Some(&shown::MAX_SHOWN));
}

#[test]
fn logs_written_and_rotated_read_back_as_they_were() {
    // R10.9
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0).unwrap();
    let mut want = String::new();
    for second in 0..3 {
        let text: String = (0..70_000).map(|n| format!("{second} {n}\n")).collect();
        log.take(Stream::Stdout, text.as_bytes(), jiff::Timestamp::from_second(second).unwrap(), &mut |_, _| {});
        log.take(Stream::Stdout, text.as_bytes(), jiff::Timestamp::from_second(second).unwrap(), &mut |_, _| {});
        want += &text;
        want += &text;
    }
    assert!(fs::read_dir(tmp.path().join("web")).unwrap().count() > 1);
    let mut out = Vec::new();
    copy(log.path(), ReadOptions::default(), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap() == want);
}
