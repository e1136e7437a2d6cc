//! CRI log files back to lines, for `logs`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::file::rotated_files;

/// Which lines, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Only the last so many.
    pub tail: Option<usize>,
    /// Only those since then.
    pub since: Option<jiff::Timestamp>,
    /// Each behind the time its beginning was read at.
    pub timestamps: bool,
    /// No more than so many bytes, with times, without prefixes: the last line may be cut.
    pub limit: Option<usize>,
    /// What stands before each line, also before its time.
    pub prefix: &'a str,
}

/// Of a file's reader.
pub(super) const BUFFER: usize = 64 * 1024;

/// One entry of a log file.
pub(super) struct Entry<'a> {
    time: &'a str,
    stream: &'a [u8],
    pub(super) partial: bool,
    pub(super) text: &'a [u8],
}

/// `2026-11-23T12:00:00.123456789Z stdout F text` (R10.9). `None`: torn or foreign.
pub(super) fn parse(line: &[u8]) -> Option<Entry<'_>> {
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
pub(super) fn open(path: &Path) -> io::Result<Vec<File>> {
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
pub fn copy(path: &Path, options: Options<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut copying = Copying::new(options, out);
    for file in open(path)? {
        copying.take(&mut BufReader::with_capacity(BUFFER, file))?;
        copying.forget_torn();
        if copying.is_over() {
            break;
        }
    }
    copying.end_lines(false)
}

/// Entries of files on their way to lines.
pub(super) struct Copying<'a, W: Write> {
    /// An entry, as far as it is in the file.
    entry: Vec<u8>,
    begun: [(&'static [u8], Option<Begun>); 2],
    lines: Lines<'a, W>,
}

impl<'a, W: Write> Copying<'a, W> {
    pub(super) fn new(options: Options<'a>, out: &'a mut W) -> Self {
        let lines = Lines { kept: VecDeque::new(), left: options.limit, options, out };
        Self { entry: Vec::new(), begun: [(b"stdout", None), (b"stderr", None)], lines }
    }

    /// Reads to the end of what there is. A last entry without its end is being written at this moment, or was torn by a power
    /// cut: it is kept for the next call.
    pub(super) fn take(&mut self, file: &mut impl BufRead) -> io::Result<()> {
        while !self.is_over() && file.read_until(b'\n', &mut self.entry)? > 0 {
            let Some(entry) = self.entry.strip_suffix(b"\n") else { continue };
            if let Some(entry) = parse(entry)
                && let Some((_, begun)) = self.begun.iter_mut().find(|(stream, _)| *stream == entry.stream)
            {
                let whole = begun.get_or_insert_with(|| Begun::at(entry.time, self.lines.options));
                whole.text.extend_from_slice(entry.text);
                if !entry.partial
                    && let Some(whole) = begun.take()
                {
                    self.lines.push(whole)?;
                }
            }
            self.entry.clear();
        }
        Ok(())
    }

    /// Nothing more comes of the file that was read last.
    pub(super) fn forget_torn(&mut self) {
        self.entry.clear();
    }

    /// Whether as much as may be was written.
    pub(super) fn is_over(&self) -> bool {
        self.lines.left == Some(0)
    }

    /// Lines that were kept as they may be among the last are written: from now on each is.
    pub(super) fn show(&mut self) -> io::Result<()> {
        self.lines.show()
    }

    /// What its container hasn't ended yet, or never did, is shown as far as it goes, as a `line` of its own or not.
    pub(super) fn end_lines(&mut self, line: bool) -> io::Result<()> {
        if !self.is_over() {
            for (_, begun) in &mut self.begun {
                if let Some(whole) = begun.take() {
                    self.lines.push(Begun { ended: line, ..whole })?;
                }
            }
        }
        self.show()
    }
}

/// A line, as far as it was read.
struct Begun {
    time: Option<jiff::Timestamp>,
    text: Vec<u8>,
    /// Whether its newline was read, too.
    ended: bool,
}

impl Begun {
    fn at(time: &str, options: Options<'_>) -> Self {
        let text = if options.timestamps { format!("{time} ").into_bytes() } else { Vec::new() };
        // Parsed only where somebody asks: it costs more than all the rest.
        Self { time: options.since.and_then(|_| time.parse().ok()), text, ended: true }
    }
}

struct Lines<'a, W: Write> {
    kept: VecDeque<Vec<u8>>,
    /// How many bytes may still be written; `None`: any number.
    left: Option<usize>,
    options: Options<'a>,
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
            None => self.write(&text),
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

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let part = &line[..self.left.map_or(line.len(), |left| left.min(line.len()))];
        if part.is_empty() {
            return Ok(());
        }
        self.left = self.left.map(|left| left - part.len());
        self.out.write_all(self.options.prefix.as_bytes())?;
        self.out.write_all(part)
    }

    fn show(&mut self) -> io::Result<()> {
        for line in std::mem::take(&mut self.kept) {
            self.write(&line)?;
        }
        self.options.tail = None;
        self.out.flush()
    }
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

    fn read(path: &Path, options: Options<'_>) -> String {
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
        let since = Some("2026-11-23T12:00:02Z".parse().unwrap());
        assert_eq!(read(&path, Options { since, ..Options::default() }), "");
    }

    #[test]
    fn prefixes_and_a_limit() {
        let (_dir, path) = log(&[
            "2026-11-23T12:00:00Z stdout F one",
            "2026-11-23T12:00:01Z stderr F two",
            "2026-11-23T12:00:02Z stdout F three",
        ]);
        let plain = Options { prefix: "[a] ", ..Options::default() };
        assert_eq!(read(&path, plain), "[a] one\n[a] two\n[a] three\n");
        let timed = Options { timestamps: true, tail: Some(1), ..plain };
        assert_eq!(read(&path, timed), "[a] 2026-11-23T12:00:02Z three\n");
        for (limit, tail, shown) in [
            (0, None, ""),
            (3, None, "[a] one"),
            (4, None, "[a] one\n"),
            (6, None, "[a] one\n[a] tw"),
            (100, None, "[a] one\n[a] two\n[a] three\n"),
            // It is the beginning of the tail.
            (5, Some(2), "[a] two\n[a] t"),
        ] {
            assert_eq!(read(&path, Options { limit: Some(limit), tail, ..plain }), shown, "{limit} {tail:?}");
        }
    }

    #[test]
    fn no_log_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = copy(&dir.path().join("0.log"), Options::default(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
