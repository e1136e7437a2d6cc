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
