//! CRI log files back to lines: for `logs`, and for termination messages.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::file::rotated_files;

/// Which lines, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only the last so many.
    pub tail: Option<usize>,
    /// Only those since then.
    pub since: Option<jiff::Timestamp>,
    /// Each behind the time its beginning was read at.
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

/// The files of a log as they are now, oldest first.
///
/// The one that is written is opened before the others are looked for: if it is rotated in between it is found a second
/// time under its new name, and known by its inode, so that no line is missed and none comes twice.
fn open(path: &Path) -> io::Result<Vec<File>> {
    let newest = match File::open(path) {
        Ok(file) => Some(file),
        // Between the two steps of a rotation there is none.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let newest_inode = newest.as_ref().map(File::metadata).transpose()?.map(|meta| (meta.dev(), meta.ino()));
    let mut files = Vec::new();
    for rotated in rotated_files(path) {
        let file = match File::open(rotated) {
            Ok(file) => file,
            // The oldest go when a new one comes.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        if Some((meta.dev(), meta.ino())) == newest_inode {
            break;
        }
        files.push(file);
    }
    files.extend(newest);
    if files.is_empty() { Err(ErrorKind::NotFound.into()) } else { Ok(files) }
}

/// Writes the lines of a container's log, rotated files included, oldest first. Parts of a line are put together again,
/// per stream: the two streams' lines may be interleaved in the file.
///
/// # Errors
/// `NotFound` where there is no such log, else where a file can't be read, or `out` not be written.
pub fn copy(path: &Path, options: Options, out: &mut impl Write) -> io::Result<()> {
    let mut lines = Lines { kept: VecDeque::new(), options, out };
    let mut begun: [(&[u8], Option<Begun>); 2] = [(b"stdout", None), (b"stderr", None)];
    for file in open(path)? {
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            // A last line without its end is being written at this moment, or was torn by a power cut.
            if let Some(entry) = line.strip_suffix(b"\n").and_then(parse)
                && let Some((_, begun)) = begun.iter_mut().find(|(stream, _)| *stream == entry.stream)
            {
                let whole = begun.get_or_insert_with(|| Begun::at(entry.time, options));
                whole.text.extend_from_slice(entry.text);
                if !entry.partial
                    && let Some(whole) = begun.take()
                {
                    lines.push(whole)?;
                }
            }
            line.clear();
        }
    }
    // What its container hasn't ended yet, or never did, is shown as far as it goes.
    for (_, begun) in &mut begun {
        if let Some(whole) = begun.take() {
            lines.push(Begun { ended: false, ..whole })?;
        }
    }
    lines.finish()
}

/// A line, as far as it was read.
struct Begun {
    time: Option<jiff::Timestamp>,
    text: Vec<u8>,
    /// Whether its newline was read, too.
    ended: bool,
}

impl Begun {
    fn at(time: &str, options: Options) -> Self {
        let text = if options.timestamps { format!("{time} ").into_bytes() } else { Vec::new() };
        // Parsed only where somebody asks: it costs more than all the rest.
        Self { time: options.since.and_then(|_| time.parse().ok()), text, ended: true }
    }
}

struct Lines<'a, W: Write> {
    kept: VecDeque<Vec<u8>>,
    options: Options,
    out: &'a mut W,
}

impl<W: Write> Lines<'_, W> {
    fn push(&mut self, Begun { time, mut text, ended }: Begun) -> io::Result<()> {
        if let (Some(since), Some(time)) = (self.options.since, time)
            && time < since
        {
            return Ok(());
        }
        if ended {
            text.push(b'\n');
        }
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

    fn write(path: &Path, entries: &[&str]) {
        std::fs::write(path, entries.iter().map(|entry| format!("{entry}\n")).collect::<String>()).unwrap();
    }

    fn log(entries: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        write(&path, entries);
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
            "2026-11-23T12:00:08.0Z stdout F ",
            "2026-11-23T12:00:09.0Z stdout F last",
            "torn",
        ]);
        assert_eq!(read(&path, Options::default()), "err\nabcd\n\nlast\n");
        assert_eq!(read(&path, Options { tail: Some(1), ..Options::default() }), "last\n");
        assert_eq!(read(&path, Options { tail: Some(0), ..Options::default() }), "");
        let since = Some("2026-11-23T12:00:08.5Z".parse().unwrap());
        assert_eq!(read(&path, Options { since, ..Options::default() }), "last\n");
        let timed = read(&path, Options { timestamps: true, tail: Some(1), ..Options::default() });
        assert_eq!(timed, "2026-11-23T12:00:09.0Z last\n");
    }

    /// R10.9: rotated files come first, in their order, and a line may go on from one to the next.
    #[test]
    fn rotated_files_are_read_oldest_first() {
        let (dir, path) = log(&["2026-11-23T12:00:04Z stdout F d", "2026-11-23T12:00:05Z stdout F five"]);
        write(&dir.path().join("0.log.20261123-120001.000000000"), &["2026-11-23T12:00:01Z stdout F one"]);
        write(&dir.path().join("0.log.20261123-120003.000000000"), &["2026-11-23T12:00:03Z stdout P thir"]);
        write(&dir.path().join("10.log"), &["2026-11-23T12:00:00Z stdout F another attempt's"]);
        assert_eq!(read(&path, Options::default()), "one\nthird\nfive\n");
        assert_eq!(read(&path, Options { tail: Some(2), ..Options::default() }), "third\nfive\n");
    }

    #[test]
    fn a_file_found_under_two_names_comes_once() {
        let (dir, path) = log(&["2026-11-23T12:00:01Z stdout F one"]);
        std::fs::hard_link(&path, dir.path().join("0.log.20261123-120001.000000000")).unwrap();
        assert_eq!(read(&path, Options::default()), "one\n");
    }

    #[test]
    fn a_line_without_its_end_is_shown_as_far_as_it_goes() {
        let (_dir, path) = log(&["2026-11-23T12:00:00Z stdout F one", "2026-11-23T12:00:01Z stdout P half"]);
        assert_eq!(read(&path, Options::default()), "one\nhalf");
        assert_eq!(read(&path, Options { tail: Some(1), ..Options::default() }), "half");
        assert_eq!(tail(&path, 80, 2048).unwrap(), "one\nhalf");
        let since = Some("2026-11-23T12:00:02Z".parse().unwrap());
        assert_eq!(read(&path, Options { since, ..Options::default() }), "");
    }

    #[test]
    fn no_log_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = copy(&dir.path().join("0.log"), Options::default(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
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
