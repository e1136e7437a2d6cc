//! `supervisor.log` in the state folder of a detached pod: what its supervisor would say on a terminal, a line each behind
//! its time. Bounded: a file that is full becomes `supervisor.log.1`, in place of the one before it.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the log in the state folder.
pub const FILE: &str = "supervisor.log";
/// Name of the full one before it.
pub const OLD: &str = "supervisor.log.1";

/// Bytes of a file that is full.
const FULL: u64 = 256 * 1024;

/// The writing end.
#[derive(Debug)]
pub struct SupervisorLog {
    dir: PathBuf,
    file: File,
}

impl SupervisorLog {
    /// Opens the log of the pod whose state is in `dir`.
    ///
    /// # Errors
    /// As open(2).
    pub fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { dir: dir.to_owned(), file: open(&dir.join(FILE))? })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// The open file, for what else writes to standard error.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Appends a line behind its time. A file that is full is put aside first; whoever has that open as its standard error
    /// is to change it where the answer is that there is a new file. What a full disk doesn't take is lost: there is nobody
    /// who could be told.
    pub fn line(&mut self, time: jiff::Timestamp, text: &str) -> bool {
        let line = format!("{time:.3} {text}\n");
        let length = self.file.metadata().map_or(0, |found| found.len());
        let is_full = length > 0 && length + line.len() as u64 > FULL;
        let rotated = is_full && self.rotate();
        let _ = self.file.write_all(line.as_bytes());
        rotated
    }

    /// Not where the pod has been forgotten, and its folder with it.
    fn rotate(&mut self) -> bool {
        let path = self.path();
        if fs::rename(&path, self.dir.join(OLD)).is_err() {
            return false;
        }
        let opened = open(&path).map(|file| self.file = file);
        opened.is_ok()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The last lines of a full log and of the one after it, taken as one.
pub(super) fn last_lines(old: &[u8], new: &[u8], lines: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(old).into_owned() + &String::from_utf8_lossy(new);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(ToString::to_string).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_is_read_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = SupervisorLog::open(dir.path()).unwrap();
        let long = "x".repeat(1000);
        let rotations = (0..1000).filter(|n| log.line(jiff::Timestamp::UNIX_EPOCH, &format!("{n} {long}")));
        assert_eq!(rotations.count(), 3);
        let mut sizes = [FILE, OLD].map(|name| fs::metadata(dir.path().join(name)).unwrap().len());
        sizes.sort_unstable();
        assert!(sizes[1] <= FULL && fs::read_dir(dir.path()).unwrap().count() == 2, "{sizes:?}");
        let read = |name| fs::read(dir.path().join(name)).unwrap();
        let lines = last_lines(&read(OLD), &read(FILE), 300);
        assert_eq!(lines.len(), 300);
        for (line, n) in lines.iter().zip(700..) {
            assert_eq!(*line, format!("1970-01-01T00:00:00.000Z {n} {long}"));
        }
    }

    /// `run --rm`: what is said after that goes nowhere, and makes no new folder.
    #[test]
    fn a_pod_that_is_forgotten_stays_so() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("pod");
        fs::create_dir(&dir).unwrap();
        let mut log = SupervisorLog::open(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let long = "x".repeat(1000);
        assert!((0..1000).all(|_| !log.line(jiff::Timestamp::UNIX_EPOCH, &long)));
        assert!(!dir.exists());
    }
}
