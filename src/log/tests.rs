#![allow(clippy::unwrap_used)]
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;

use proptest::prelude::*;

use super::*;

/// A container has printed this; `see` gets what is shown of it.
fn print(
    log: &mut ContainerLog,
    stream: Stream,
    text: &[u8],
    now: jiff::Timestamp,
    see: &mut dyn FnMut(Stream, &[u8], Tag),
) {
    let mut buffers = Buffers::default();
    for piece in text.chunks(BUDGET) {
        buffers.read[..piece.len()].copy_from_slice(piece);
        log.take(stream, Pump { bytes: piece.len(), eof: false }, now, &mut buffers, Some(see));
    }
}

fn entries(chunks: &[Vec<u8>]) -> Vec<(Vec<u8>, Tag)> {
    let mut splitter = Splitter::new(MAX_LINE);
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
        prop_assert_eq!(back, whole);
    }
}

#[test]
fn a_pipe_becomes_cri_lines() {
    // R10.9; a last line without newline is a part of one
    let tmp = tempfile::tempdir().unwrap();
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(b"one\ntwo").unwrap();
    drop(write);
    let mut log = ContainerLog::create(tmp.path(), "web", 2, jiff::Timestamp::UNIX_EPOCH);
    let mut seen = Vec::new();
    let mut see = |_: Stream, line: &[u8], _: Tag| seen.push(line.to_vec());
    let mut buffers = Buffers::default();
    let now = "2026-11-23T12:00:00.123456789Z".parse().unwrap();
    let pump = log.pump(Stream::Stderr, read.as_fd(), now, &mut buffers, Some(&mut see)).unwrap();
    assert_eq!(pump, Pump { bytes: 7, eof: true });
    assert_eq!((seen, buffers.read_last(pump)), (vec![b"one".to_vec(), b"two".to_vec()], &b"one\ntwo"[..]));
    assert_eq!(
        fs::read_to_string(tmp.path().join("web/2.log")).unwrap(),
        "2026-11-23T12:00:00.123456789Z stderr F one\n2026-11-23T12:00:00.123456789Z stderr P two\n"
    );
}

#[test]
fn a_long_log_keeps_five_files() {
    // R10.9
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, jiff::Timestamp::UNIX_EPOCH);
    let text = vec![b'x'; 6 * 1024 * 1024];
    for second in 0..8 {
        print(&mut log, Stream::Stdout, &text, jiff::Timestamp::from_second(second).unwrap(), &mut |_, _, _| {});
    }
    assert_eq!(fs::read_dir(tmp.path().join("web")).unwrap().count(), 5);
    assert_eq!((log.lost(), log.news()), (0, None));
}

/// R10.9: the file has it in entries of 16 KiB, people see the line whole, and what comes between on the other stream
/// doesn't tear it.
#[test]
fn a_long_line_is_shown_whole() {
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, jiff::Timestamp::UNIX_EPOCH);
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut seen = Vec::new();
    let mut see = |stream: Stream, line: &[u8], _| seen.push((stream, line.len()));
    print(&mut log, Stream::Stdout, &vec![b'x'; 40_000], now, &mut see);
    print(&mut log, Stream::Stderr, b"between\n", now, &mut see);
    print(&mut log, Stream::Stdout, b"yz\n\n", now, &mut see);
    assert_eq!(seen, [(Stream::Stderr, 7), (Stream::Stdout, 40_002), (Stream::Stdout, 0)]);
    let text = fs::read_to_string(log.path()).unwrap();
    let tags: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(tags, ["P", "P", "F", "F", "F"]);
}

#[test]
fn a_line_that_never_ends_takes_no_more_memory_than_its_bound() {
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, jiff::Timestamp::UNIX_EPOCH);
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut seen = Vec::new();
    for _ in 0..16 {
        print(&mut log, Stream::Stdout, &[b'x'; BUDGET], now, &mut |_, line, _| seen.push(line.len()));
    }
    log.end(Stream::Stdout, now, &mut Buffers::default(), Some(&mut |_, line, _| seen.push(line.len())));
    assert_eq!(seen.iter().sum::<usize>(), 16 * BUDGET);
    assert_eq!(seen.iter().max(), Some(&MAX_SHOWN));
}

/// R10.9: by the simplest way to write them. Entries of short lines have no room all at once.
#[test]
fn entries_are_those_of_the_lines_however_many_there_are() {
    let tmp = tempfile::tempdir().unwrap();
    let now = "2026-11-23T12:00:00.123456789Z".parse().unwrap();
    let long = "x".repeat(MAX_LINE);
    let texts = [
        "\n".repeat(BUDGET),
        "ab\n".repeat(BUDGET / 3),
        format!("{long}\n").repeat(40),
        format!("{long}y\n").repeat(9),
    ];
    for (attempt, text) in (0..).zip(&texts) {
        let mut log = ContainerLog::create(tmp.path(), "web", attempt, now);
        print(&mut log, Stream::Stdout, text.as_bytes(), now, &mut |_, _, _| {});
        let mut wanted = String::new();
        for line in text.lines() {
            let (begun, end) = line.split_at(if line.len() > MAX_LINE { MAX_LINE } else { 0 });
            if !begun.is_empty() {
                wanted += &format!("{now:.9} stdout P {begun}\n");
            }
            wanted += &format!("{now:.9} stdout F {end}\n");
        }
        let files = file::rotated_files(log.path()).into_iter().chain([log.path().to_owned()]);
        let written: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
        assert!(written == wanted, "attempt {attempt}");
    }
}

#[test]
fn what_nobody_watches_is_logged_all_the_same() {
    let tmp = tempfile::tempdir().unwrap();
    let (read, mut write) = std::io::pipe().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, jiff::Timestamp::UNIX_EPOCH);
    write.write_all(b"one\ntwo").unwrap();
    drop(write);
    let mut buffers = Buffers::default();
    log.pump(Stream::Stdout, read.as_fd(), jiff::Timestamp::UNIX_EPOCH, &mut buffers, None).unwrap();
    let mut out = Vec::new();
    copy(log.path(), ReadOptions::default(), &mut out).unwrap();
    assert_eq!(out, b"one\ntwo");
}

/// Somebody is attached whose socket takes no more at one go.
#[test]
fn a_pump_reads_no_more_than_it_may() {
    let tmp = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let (read, mut write) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    write.write_all(b"one\ntwo\n").unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, now);
    let mut buffers = Buffers { most: 6, ..Buffers::default() };
    for bytes in [6, 2, 0] {
        let pump = log.pump(Stream::Stdout, read.as_fd(), now, &mut buffers, None).unwrap();
        assert_eq!(pump, Pump { bytes, eof: false });
    }
    let mut out = Vec::new();
    copy(log.path(), ReadOptions::default(), &mut out).unwrap();
    assert_eq!(out, b"one\ntwo\n");
}

/// A pipe that is found full gets larger, so that its writer waits less often; one that never is stays as it is.
#[test]
fn a_flood_gets_a_larger_pipe() {
    let tmp = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut buffers = Buffers::default();
    let (read, mut write) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, now);
    let mut size_after = |bytes: usize| {
        write.write_all(&vec![b'x'; bytes]).unwrap();
        log.pump(Stream::Stdout, read.as_fd(), now, &mut buffers, None).unwrap();
        rustix::pipe::fcntl_getpipe_size(&read).unwrap()
    };
    let usual = size_after(1);
    assert_eq!(size_after(FLOOD - 1), usual);
    assert_eq!(size_after(FLOOD), BUDGET);
}

#[test]
fn logs_written_and_rotated_read_back_as_they_were() {
    // R10.9
    let tmp = tempfile::tempdir().unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, jiff::Timestamp::UNIX_EPOCH);
    let mut want = String::new();
    for second in 0..3 {
        let text: String = (0..70_000).map(|n| format!("{second} {n}\n")).collect();
        print(
            &mut log,
            Stream::Stdout,
            text.as_bytes(),
            jiff::Timestamp::from_second(second).unwrap(),
            &mut |_, _, _| {},
        );
        print(
            &mut log,
            Stream::Stdout,
            text.as_bytes(),
            jiff::Timestamp::from_second(second).unwrap(),
            &mut |_, _, _| {},
        );
        want += &text;
        want += &text;
    }
    assert!(fs::read_dir(tmp.path().join("web")).unwrap().count() > 1);
    let mut out = Vec::new();
    copy(log.path(), ReadOptions::default(), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap() == want);
}

/// A folder that can't be made, a full disk: the pipe is read and shown all the same, what is lost is counted and told
/// once, and the file is tried again, not with every line.
#[test]
fn a_log_that_cant_be_written_is_tried_again() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |tenths: i64| jiff::Timestamp::from_millisecond(tenths * 100).unwrap();
    fs::write(tmp.path().join("web"), "a file in the folder's place").unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, at(0));
    assert!(matches!(log.news(), Some(News::Lost { call: "mkdir", .. })));
    let mut seen = Vec::new();
    let mut say = |log: &mut ContainerLog, text: &[u8], now| {
        print(log, Stream::Stdout, text, now, &mut |_, line, _| seen.push(line.to_vec()));
        log.news()
    };
    assert_eq!(say(&mut log, b"one\n", at(5)), None);
    assert_eq!(say(&mut log, b"two\n", at(11)), None);
    let lost = log.lost();
    assert_eq!(lost, 2 * "1970-01-01T00:00:00.500000000Z stdout F one\n".len() as u64);
    fs::remove_file(tmp.path().join("web")).unwrap();
    assert_eq!(say(&mut log, b"three\n", at(12)), None, "it is tried once a second");
    let back = say(&mut log, b"four\n", at(22));
    let bytes = log.lost();
    assert!(bytes > lost);
    assert_eq!(back, Some(News::Back { path: log.path().to_owned(), bytes }));
    assert_eq!(fs::read_to_string(log.path()).unwrap(), "1970-01-01T00:00:02.200000000Z stdout F four\n");
    assert_eq!(seen, [&b"one"[..], b"two", b"three", b"four"]);
}

/// /dev/full stands for a disk that has become full.
#[test]
fn a_full_disk_is_told_once() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir(tmp.path().join("web")).unwrap();
    std::os::unix::fs::symlink("/dev/full", tmp.path().join("web/0.log")).unwrap();
    let mut log = ContainerLog::create(tmp.path(), "web", 0, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(log.news(), None);
    for second in 0..3 {
        print(&mut log, Stream::Stdout, b"x\n", jiff::Timestamp::from_second(2 * second).unwrap(), &mut |_, _, _| {});
        let news = log.news();
        assert_eq!(news.is_some_and(|news| news.to_string().contains("write: No space left")), second == 0);
    }
    assert_eq!(log.lost(), 3 * "1970-01-01T00:00:00.000000000Z stdout F x\n".len() as u64);
}

/// As the kubelet: the running one's log, and the last of those before, with what was rotated of them.
#[test]
fn the_logs_of_the_last_attempt_stay_and_those_before_go() {
    let tmp = tempfile::tempdir().unwrap();
    let folder = tmp.path().join("web");
    fs::create_dir(&folder).unwrap();
    for file in
        ["2.log", "3.log.20261123-120001.000000000", "7.log", "7.log.20261123-120001.000000000", "10.log", "7.logs"]
    {
        fs::write(folder.join(file), "").unwrap();
    }
    ContainerLog::create(tmp.path(), "web", 9, jiff::Timestamp::UNIX_EPOCH);
    let mut left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["10.log", "7.log", "7.log.20261123-120001.000000000", "7.logs", "9.log"]);
}
