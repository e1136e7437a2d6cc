//! A log file that is rotated by size: `0.log` is renamed `0.log.<time>` as the kubelet does, plain, not compressed.
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// Files kept, the one being written included.
const MAX_FILES: usize = 5;

/// After how long a file that couldn't be written is tried again: so that a disk that is full, or gone, isn't asked
/// with every line.
const PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// A log file, whether or not it can be written now.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    /// `None`: it can't be opened.
    file: Option<File>,
    bytes: u64,
    torn: bool,
    /// When it is tried again; `None`: it can be written.
    next: Option<jiff::Timestamp>,
    lost: Lost,
    /// What nobody was told yet.
    news: Option<News>,
}

/// Bytes of entries that could not be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    /// In all.
    all: u64,
    /// Since it was written last.
    now: u64,
}

/// What has become of writing a log file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum News {
    /// It can't be written.
    #[error("{}: {call}: {cause}; what the container prints is lost until it can be written again", .path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// Doing what.
        call: &'static str,
        /// Why.
        cause: String,
    },
    /// It can be written again.
    #[error("{}: it can be written again; {bytes} bytes of it were lost", .path.display())]
    Back {
        /// The file.
        path: PathBuf,
        /// What could not be written meanwhile.
        bytes: u64,
    },
}

impl RotatingFile {
    /// One that can't be made is tried again when something is to be written.
    pub fn open(path: &Path, now: jiff::Timestamp) -> Self {
        let mut file = Self {
            path: path.into(),
            file: None,
            bytes: 0,
            torn: false,
            next: None,
            lost: Lost::default(),
            news: None,
        };
        file.try_open(now);
        file
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn try_open(&mut self, now: jiff::Timestamp) {
        let open = || {
            if let Some(dir) = self.path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(|cause| ("mkdir", cause))?;
            }
            let file = append_to(&self.path).map_err(|cause| ("open", cause))?;
            let bytes = file.metadata().map_err(|cause| ("stat", cause))?.len();
            Ok((file, bytes))
        };
        match open() {
            Ok((file, bytes)) => {
                self.file = Some(file);
                self.bytes = bytes;
                // Another file than the one that was torn.
                self.torn = false;
            }
            Err((call, cause)) => self.fail(call, &cause, now),
        }
    }

    fn fail(&mut self, call: &'static str, cause: &io::Error, now: jiff::Timestamp) {
        if self.next.is_none() {
            self.news = Some(News::Lost { path: self.path.clone(), call, cause: cause.to_string() });
        }
        self.next = Some(now.saturating_add(PAUSE).unwrap_or(jiff::Timestamp::MAX));
    }

    /// Appends whole entries; what can't be written is counted.
    pub fn append(&mut self, entries: &[u8], now: jiff::Timestamp) {
        if entries.is_empty() {
            return;
        }
        // A clock that was put back keeps nothing waiting.
        if self.next.is_some_and(|next| now < next && next.duration_since(now) <= PAUSE) {
            return self.lose(entries.len());
        }
        if self.file.is_none() {
            self.try_open(now);
        }
        if self.bytes > 0 && self.bytes + entries.len() as u64 > MAX_BYTES {
            self.rotate(now);
        }
        match self.write(entries) {
            Ok(()) => {
                if self.next.take().is_some() {
                    self.news = Some(News::Back { path: self.path.clone(), bytes: self.lost.now });
                    self.lost.now = 0;
                }
            }
            Err((rest, cause)) => {
                self.torn |= rest < entries.len();
                self.lose(rest);
                if let Some(cause) = cause {
                    self.fail("write", &cause, now);
                }
            }
        }
    }

    fn lose(&mut self, bytes: usize) {
        self.lost.all += bytes as u64;
        self.lost.now += bytes as u64;
    }

    /// Gives how much was not written, and why, where that is this file's affair.
    fn write(&mut self, entries: &[u8]) -> Result<(), (usize, Option<io::Error>)> {
        let Some(mut file) = self.file.as_ref() else { return Err((entries.len(), None)) };
        // After a write that ended in mid-entry, readers find the next entry by its own line.
        if self.torn {
            file.write_all(b"\n").map_err(|cause| (entries.len(), Some(cause)))?;
            self.torn = false;
            self.bytes += 1;
        }
        let mut rest = entries;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err((rest.len(), Some(io::ErrorKind::WriteZero.into()))),
                Ok(written) => {
                    self.bytes += written as u64;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err((rest.len(), Some(cause))),
            }
        }
        Ok(())
    }

    /// Bytes that could not be written, in all.
    pub fn lost(&self) -> u64 {
        self.lost.all
    }

    pub fn news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Where any step fails, writing goes on in the old file: a log too long beats a log lost.
    fn rotate(&mut self, now: jiff::Timestamp) {
        let rotated = PathBuf::from(format!("{}.{}", self.path.display(), now.strftime("%Y%m%d-%H%M%S.%9f")));
        if rotated.exists() || fs::rename(&self.path, &rotated).is_err() {
            return;
        }
        match append_to(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                self.bytes = 0;
                self.torn = false;
            }
            Err(_) => {
                // Back to the name that readers know; the open file is the same either way.
                let _ = fs::rename(&rotated, &self.path);
                return;
            }
        }
        let old = rotated_files(&self.path);
        for path in old.iter().take(old.len().saturating_sub(MAX_FILES - 1)) {
            let _ = fs::remove_file(path);
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// The rotated files of a log, oldest first.
pub fn rotated_files(path: &Path) -> Vec<PathBuf> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let prefix = format!("{name}.");
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// Where the log of an attempt is, in the folder of its container's logs.
pub fn path_of(folder: &Path, attempt: u32) -> PathBuf {
    folder.join(format!("{attempt}.log"))
}

/// The attempts of a container that have a log, in no order.
pub fn attempts(folder: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| match attempt_of(&entry.file_name())? {
        (attempt, "") => Some(attempt),
        _ => None,
    })
}

/// The attempt whose log a file is, and what its name has behind that: nothing, or when the file was rotated.
fn attempt_of(name: &OsStr) -> Option<(u32, &str)> {
    let (attempt, rest) = name.to_str()?.split_once(".log")?;
    (rest.is_empty() || rest.starts_with('.')).then_some((attempt.parse().ok()?, rest))
}

/// Removes the logs of earlier attempts, but for the last of them: the kubelet keeps one ended container for each that
/// runs (MaxPerPodContainerCount), and a container that restarts for ever must not fill the disk with its history.
pub fn forget_history(folder: &Path, attempt: u32) {
    let files = || {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some((attempt_of(&entry.file_name())?.0, entry.path())))
    };
    let earlier = |of: &u32| *of < attempt;
    let Some(last) = files().map(|(of, _)| of).filter(earlier).max() else { return };
    for (_, path) in files().filter(|(of, _)| *of < last) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whose_log_a_file_is() {
        let of = |name: &str| attempt_of(OsStr::new(name)).map(|(attempt, rest)| (attempt, rest.to_owned()));
        assert_eq!(of("0.log"), Some((0, String::new())));
        assert_eq!(of("11.log.20261123-120000.000000000"), Some((11, ".20261123-120000.000000000".to_owned())));
        for name in ["x.log", "0.logs", "0", ".log", "-1.log"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn rotated_files_are_of_no_attempt_that_has_a_log() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(attempts(dir.path()).max(), None);
        for name in ["2.log", "10.log", "9.log", "11.log.20261123-120000.000000000", "x.log"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(attempts(dir.path()).max(), Some(10));
    }
}
