//! CRI log files that are still written, for `logs --follow`: each line once, over rotations and restarts.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::read::{BUFFER, Copying, Options, open};

/// What is read of a file that is written at one look: whoever writes faster than it is shown keeps no other log waiting.
const TURN: u64 = 1 << 20;

/// Which file, whatever it is called by now.
type FileId = (u64, u64);

/// A reader of the log of one attempt after the other.
pub struct Follower<'a, W: Write> {
    path: PathBuf,
    /// The newest file; held open, so that no other file can get its identity.
    newest: Option<(BufReader<File>, FileId)>,
    copying: Copying<'a, W>,
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// As much as may be was written.
    pub is_over: bool,
    /// There is more than one look shows.
    pub is_behind: bool,
    /// Files were removed before they were read: the log is rotated faster than it is shown.
    pub lost: bool,
}

impl<'a, W: Write> Follower<'a, W> {
    /// Writes what there is of the log at `path`, as [`super::copy`] does.
    ///
    /// # Errors
    /// As [`super::copy`].
    pub fn begin(path: &Path, options: Options<'a>, out: &'a mut W) -> io::Result<Self> {
        let mut follower = Self { path: path.to_owned(), newest: None, copying: Copying::new(options, out) };
        follower.take_all(open(path)?)?;
        follower.copying.show()?;
        Ok(follower)
    }

    /// Writes what has come since.
    ///
    /// # Errors
    /// Where a file can't be read, or `out` not be written.
    pub fn look(&mut self) -> io::Result<Looked> {
        let mut lost = false;
        let is_behind = loop {
            if !self.read_newest()? {
                break true;
            }
            let (newer, all) = self.newer()?;
            lost |= !all;
            if newer.is_empty() || self.copying.is_over() {
                break false;
            }
            // What was written to it before it was rotated. Where that is much, what is newer is found again.
            if !self.read_newest()? {
                break true;
            }
            self.copying.forget_torn();
            self.take_rotated(newer)?;
        };
        self.copying.show()?;
        Ok(Looked { is_over: self.copying.is_over(), is_behind, lost })
    }

    /// Goes on with the log of another attempt; nothing more comes of this one's.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn go_on_with(&mut self, path: &Path) -> io::Result<()> {
        self.copying.forget_torn();
        self.copying.end_lines(true)?;
        (self.path, self.newest) = (path.to_owned(), None);
        Ok(())
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// Where `out` can't be written.
    pub fn end(mut self) -> io::Result<()> {
        self.copying.forget_torn();
        self.copying.end_lines(false)
    }

    /// Reads on; whether that was all there is.
    fn read_newest(&mut self) -> io::Result<bool> {
        let Some((file, _)) = &mut self.newest else { return Ok(true) };
        let mut turn = file.by_ref().take(TURN);
        self.copying.take(&mut turn)?;
        Ok(turn.limit() > 0 || self.copying.is_over())
    }

    /// As [`Self::take_all`], but for what the last file has: that is still written.
    fn take_rotated(&mut self, mut files: Vec<File>) -> io::Result<()> {
        let newest = files.pop();
        self.take_all(files)?;
        if let Some(file) = newest {
            self.copying.forget_torn();
            let id = id(&file)?;
            self.newest = Some((BufReader::with_capacity(BUFFER, file), id));
        }
        Ok(())
    }

    /// The last of them is the one that is written.
    fn take_all(&mut self, files: Vec<File>) -> io::Result<()> {
        for file in files {
            self.copying.forget_torn();
            let id = id(&file)?;
            let mut reader = BufReader::with_capacity(BUFFER, file);
            self.copying.take(&mut reader)?;
            self.newest = Some((reader, id));
        }
        Ok(())
    }

    /// The files behind the one that was read last, and whether none between them and that is missing.
    fn newer(&self) -> io::Result<(Vec<File>, bool)> {
        let mut files = match open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), true)),
            files => files?,
        };
        let Some((_, newest)) = &self.newest else { return Ok((files, true)) };
        for (at, file) in files.iter().enumerate() {
            if id(file)? == *newest {
                return Ok((files.split_off(at + 1), true));
            }
        }
        Ok((files, false))
    }
}

fn id(file: &File) -> io::Result<FileId> {
    file.metadata().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn entry(text: &str) -> String {
        format!("2026-11-23T12:00:00Z stdout F {text}\n")
    }

    /// Torn entries, several rotations between two looks, the next attempt: each line comes once, in its order.
    #[test]
    fn each_line_comes_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let log = path("0.log");
        append(&log, &(entry("one") + "2026-11-23T12:00:00Z stdout F tw"));
        let mut out = Vec::new();
        let mut follower = Follower::begin(&log, Options { tail: Some(1), ..Options::default() }, &mut out).unwrap();
        let went_on = Looked { is_over: false, is_behind: false, lost: false };
        assert_eq!(follower.look().unwrap(), went_on);
        append(&log, &("o\n".to_owned() + &entry("three")));
        fs::rename(&log, path("0.log.1")).unwrap();
        // Between the two steps of a rotation.
        assert_eq!(follower.look().unwrap(), went_on);
        append(&path("0.log.1"), &entry("four"));
        append(&path("0.log.2"), &entry("five"));
        append(&log, &(entry("six") + "2026-11-23T12:00:00Z stdout P sev\n"));
        assert_eq!(follower.look().unwrap(), went_on);
        append(&log, "2026-11-23T12:00:00Z stdout P en\n2026-11-23T12:00:00Z std");
        let next = path("1.log");
        append(&next, &entry("eight"));
        assert_eq!(follower.look().unwrap(), went_on);
        follower.go_on_with(&next).unwrap();
        assert_eq!(follower.look().unwrap(), went_on);
        // All that it knew has gone.
        fs::remove_file(&next).unwrap();
        append(&path("1.log.9"), &entry("ten"));
        append(&next, "2026-11-23T12:00:00Z stdout P elev\n");
        assert_eq!(follower.look().unwrap(), Looked { is_over: false, is_behind: false, lost: true });
        follower.end().unwrap();
        let lines = String::from_utf8(out).unwrap();
        assert_eq!(lines, "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nten\nelev");
    }

    /// However much has been written, a look comes to its end, and the next ones show the rest, also of a file that was rotated.
    #[test]
    fn a_look_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        append(&log, &entry("first"));
        let mut out = Vec::new();
        let mut follower = Follower::begin(&log, Options::default(), &mut out).unwrap();
        let text: String = (0..60_000).map(|number| entry(&format!("line {number}"))).collect();
        assert!(text.len() as u64 > 2 * TURN);
        append(&log, &text);
        fs::rename(&log, dir.path().join("0.log.1")).unwrap();
        append(&log, &text);
        let mut looks = 0;
        while follower.look().unwrap().is_behind {
            looks += 1;
        }
        assert!(looks >= 4, "{looks}");
        follower.end().unwrap();
        let lines = String::from_utf8(out).unwrap();
        let expected = (0..60_000).chain(0..60_000).map(|number| format!("line {number}\n"));
        assert!(lines == format!("first\n{}", expected.collect::<String>()), "{} bytes", lines.len());
    }

    #[test]
    fn no_more_than_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        append(&log, &entry("one"));
        let mut out = Vec::new();
        let mut follower = Follower::begin(&log, Options { limit: Some(6), ..Options::default() }, &mut out).unwrap();
        assert!(!follower.look().unwrap().is_over);
        append(&log, &entry("two"));
        assert!(follower.look().unwrap().is_over);
        follower.end().unwrap();
        assert_eq!(out, b"one\ntw");
    }
}
