//! CRI log files back to lines: for `logs`, and for termination messages.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::file::rotated_files;

/// Which lines, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only the last so many.
    pub tail: Option<usize>,
    /// Only those since then.
    pub since: Option<jiff::Timestamp>,
    /// Each behind the time it was read at.
    pub timestamps: bool,
}

/// One entry of a log file.
struct Entry<'a> {
    time: &'a str,
    stream: &'a [u8],
    partial: bool,
    text: &'a [u8],
}

/// `2026-11-23T12:00:00.123456789Z stdout F text` (R10.9). `None`: torn or foreign.
fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let mut parts = line.splitn(4, |&byte| byte == b' ');
    let time = str::from_utf8(parts.next()?).ok()?;
    let stream = parts.next()?;
    let tag = parts.next()?;
    let text = parts.next().unwrap_or_default();
    Some(Entry { time, stream, partial: tag.starts_with(b"P"), text })
}

/// Writes the lines of a container's log, rotated files included, oldest first. Parts of a line are put together again,
/// per stream: the two streams' lines may be interleaved in the file.
///
/// # Errors
/// Where a file can't be read, or `out` not be written.
pub fn copy(path: &Path, options: Options, out: &mut impl Write) -> io::Result<()> {
    let mut lines = Lines { kept: std::collections::VecDeque::new(), options, out };
    let mut open: [(Vec<u8>, Option<Vec<u8>>); 2] = [(b"stdout".to_vec(), None), (b"stderr".to_vec(), None)];
    for file in rotated_files(path) {
        let mut reader = BufReader::new(File::open(file)?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let whole = line.strip_suffix(b"\n");
            // A last line without its end is being written at this moment, or was torn by a power cut.
            if let Some(entry) = whole.and_then(parse)
                && let Some((_, begun)) = open.iter_mut().find(|(stream, _)| stream == entry.stream)
            {
                let text = begun.get_or_insert_with(|| lines.begin(entry.time));
                text.extend_from_slice(entry.text);
                if !entry.partial {
                    let text = begun.take().unwrap_or_default();
                    lines.push(entry.time, text)?;
                }
            }
            line.clear();
        }
    }
    for (_, begun) in &mut open {
        if let Some(text) = begun.take() {
            lines.push("", text)?;
        }
    }
    lines.finish()
}

struct Lines<'a, W: Write> {
    kept: std::collections::VecDeque<Vec<u8>>,
    options: Options,
    out: &'a mut W,
}

impl<W: Write> Lines<'_, W> {
    fn begin(&self, time: &str) -> Vec<u8> {
        if self.options.timestamps { format!("{time} ").into_bytes() } else { Vec::new() }
    }

    fn push(&mut self, time: &str, mut text: Vec<u8>) -> io::Result<()> {
        if let Some(since) = self.options.since
            && time.parse::<jiff::Timestamp>().is_ok_and(|time| time < since)
        {
            return Ok(());
        }
        text.push(b'\n');
        match self.options.tail {
            None => self.out.write_all(&text),
            Some(0) => Ok(()),
            Some(count) => {
                if self.kept.len() == count {
                    self.kept.pop_front();
                }
                self.kept.push_back(text);
                Ok(())
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        for line in self.kept {
            self.out.write_all(&line)?;
        }
        self.out.flush()
    }
}

/// The end of a log: at most `lines` lines and `bytes` bytes of what the container printed (R8.7).
///
/// # Errors
/// Where the file can't be read.
pub fn tail(path: &Path, lines: usize, bytes: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    // Each line has some 40 bytes of its own in the file.
    let window = u64::try_from(bytes + lines * 64).unwrap_or(u64::MAX);
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(window)))?;
    let mut raw = Vec::new();
    file.take(window).read_to_end(&mut raw)?;
    let mut text = Vec::new();
    let mut entries: Vec<&[u8]> = raw.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    // The first one is cut unless the window began with the file.
    if length > window && !entries.is_empty() {
        entries.remove(0);
    }
    let first = entries.len().saturating_sub(lines);
    for entry in entries[first..].iter().filter_map(|line| parse(line)) {
        text.extend_from_slice(entry.text);
        if !entry.partial {
            text.push(b'\n');
        }
    }
    let cut = text.len().saturating_sub(bytes);
    Ok(String::from_utf8_lossy(&text[cut..]).into_owned())
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

    fn read(path: &Path, options: Options) -> String {
        let mut out = Vec::new();
        copy(path, options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// R10.9
    #[test]
    fn parts_of_a_line_are_put_together_per_stream() {
        let (_dir, path) = log(&[
            "2026-11-23T12:00:00.1Z stdout P ab",
            "2026-11-23T12:00:00.2Z stderr F err",
            "2026-11-23T12:00:00.3Z stdout F cd",
            "2026-11-23T12:00:09.0Z stdout F last",
            "torn",
        ]);
        assert_eq!(read(&path, Options::default()), "err\nabcd\nlast\n");
        assert_eq!(read(&path, Options { tail: Some(1), ..Options::default() }), "last\n");
        assert_eq!(read(&path, Options { tail: Some(0), ..Options::default() }), "");
        let since = Some("2026-11-23T12:00:05Z".parse().unwrap());
        assert_eq!(read(&path, Options { since, ..Options::default() }), "last\n");
        let timed = read(&path, Options { timestamps: true, tail: Some(1), ..Options::default() });
        assert_eq!(timed, "2026-11-23T12:00:09.0Z last\n");
    }

    /// R8.7
    #[test]
    fn the_tail_keeps_within_lines_and_bytes() {
        let entries: Vec<String> =
            (0..200).map(|n| format!("2026-11-23T12:00:00.123456789Z stdout F line {n}")).collect();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let (_dir, path) = log(&entries);
        let text = tail(&path, 80, 2048).unwrap();
        assert_eq!(text.lines().count(), 80);
        assert!(text.ends_with("line 199\n"));
        assert_eq!(tail(&path, 80, 10).unwrap(), " line 199\n"[..].to_owned());
    }
}
