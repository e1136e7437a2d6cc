//! The end of a CRI log file, for termination messages.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::read::parse;

/// An entry's own bytes in the file at most: time, stream, tag, blanks, newline.
const ENTRY: usize = 64;

/// The end of a log: at most `lines` lines and `bytes` bytes of what the container printed (R8.7). Looks only into the
/// file that is written, and cuts no character in two.
///
/// # Errors
/// Where the file can't be read.
pub fn tail(path: &Path, lines: usize, bytes: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let window = u64::try_from(bytes.saturating_add(lines.saturating_mul(ENTRY))).unwrap_or(u64::MAX);
    let length = file.metadata()?.len();
    // One byte more, to see whether the window begins with an entry.
    let from = length.saturating_sub(window.saturating_add(1));
    file.seek(SeekFrom::Start(from))?;
    let mut raw = Vec::new();
    file.take(window.saturating_add(1)).read_to_end(&mut raw)?;
    let mut entries = raw.as_slice();
    // The first one is cut unless the window began with the file. Of an entry longer than the window the end is kept.
    let mut text = Vec::new();
    if from > 0 {
        match raw.iter().position(|&byte| byte == b'\n') {
            Some(end) if end + 1 < raw.len() => entries = &raw[end + 1..],
            Some(_) | None => {
                text.extend_from_slice(&raw);
                entries = &[];
            }
        }
    }
    for entry in entries.split(|&byte| byte == b'\n').filter_map(parse) {
        text.extend_from_slice(entry.text);
        if !entry.partial {
            text.push(b'\n');
        }
    }
    Ok(end_of(&text, lines, bytes))
}

/// The end of `text` within both.
fn end_of(text: &[u8], lines: usize, bytes: usize) -> String {
    let ended = usize::from(text.ends_with(b"\n"));
    let newlines = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let by_lines = if lines == 0 { text.len() } else { newlines.skip(ended).nth(lines - 1).map_or(0, |at| at + 1) };
    let mut from = by_lines.max(text.len().saturating_sub(bytes));
    // A character's later bytes are 0b10xx_xxxx; it has at most three of them.
    let boundary = text[from..].iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
    from += boundary;
    String::from_utf8_lossy(&text[from..]).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn log(entries: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        std::fs::write(&path, entries.iter().map(|entry| format!("{entry}\n")).collect::<String>()).unwrap();
        (dir, path)
    }

    #[test]
    fn a_line_without_its_end_is_shown_as_far_as_it_goes() {
        let (_dir, path) = log(&["2026-11-23T12:00:00Z stdout F one", "2026-11-23T12:00:01Z stdout P half"]);
        assert_eq!(tail(&path, 80, 2048).unwrap(), "one\nhalf");
    }

    /// R8.7
    #[test]
    fn the_tail_keeps_within_lines_and_bytes() {
        let entries: Vec<String> =
            (0..200).map(|n| format!("2026-11-23T12:00:00.123456789Z stdout F line {n}")).collect();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let (_dir, path) = log(&entries);
        let text = tail(&path, 80, 2048).unwrap();
        assert!(text.starts_with("line 120\n") && text.ends_with("line 199\n"), "{text}");
        assert_eq!(text.lines().count(), 80);
        assert_eq!(tail(&path, 80, 10).unwrap(), "\nline 199\n");
        assert_eq!(tail(&path, 1, 2048).unwrap(), "line 199\n");
        assert_eq!(tail(&path, 500, 1 << 20).unwrap().lines().count(), 200);
    }

    /// R8.7: lines are what the container printed, not entries of the file.
    #[test]
    fn the_tail_of_long_and_split_lines() {
        let long = format!("2026-11-23T12:00:00.123456789Z stderr F {}END", "x".repeat(16_000));
        let (_dir, path) = log(&[&long]);
        let text = tail(&path, 80, 2048).unwrap();
        assert_eq!(text.len(), 2048);
        assert!(text.ends_with("xEND\n"), "{text}");
        let (_dir, path) = log(&[
            "2026-11-23T12:00:00.1Z stdout F first",
            "2026-11-23T12:00:00.1Z stdout P a",
            "2026-11-23T12:00:00.1Z stdout F b",
        ]);
        assert_eq!(tail(&path, 1, 2048).unwrap(), "ab\n");
        // Nine bytes would begin in the middle of the first letter.
        let (_dir, path) = log(&["2026-11-23T12:00:00.1Z stdout F ääää"]);
        assert_eq!(tail(&path, 80, 8).unwrap(), "äää\n");
    }
}
