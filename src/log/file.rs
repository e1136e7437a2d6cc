//! A log file that is rotated by size: `0.log` is renamed `0.log.<time>` as the kubelet does, plain, not compressed.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Error;

const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// Files kept, the one being written included.
const MAX_FILES: usize = 5;

#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    torn: bool,
    dropped: u64,
}

impl RotatingFile {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |call| move |source| Error::Io { path: path.to_owned(), call, source };
        if let Some(dir) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(io("mkdir"))?;
        }
        let file = append_to(path).map_err(io("open"))?;
        let bytes = file.metadata().map_err(io("stat"))?.len();
        Ok(Self { path: path.into(), file, bytes, torn: false, dropped: 0 })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole entries; what can't be written is counted.
    pub fn append(&mut self, entries: &[u8], now: jiff::Timestamp) {
        if entries.is_empty() {
            return;
        }
        if self.bytes > 0 && self.bytes + entries.len() as u64 > MAX_BYTES {
            self.rotate(now);
        }
        // After a write that ended in mid-entry, readers find the next entry by its own line.
        let mut rest = entries;
        if self.torn && self.file.write_all(b"\n").is_ok() {
            self.torn = false;
            self.bytes += 1;
        }
        while !self.torn && !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => break,
                Ok(written) => {
                    self.bytes += written as u64;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if !rest.is_empty() {
            self.torn |= rest.len() < entries.len();
            self.dropped += rest.len() as u64;
        }
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Where any step fails, writing goes on in the old file: a log too long beats a log lost.
    fn rotate(&mut self, now: jiff::Timestamp) {
        let rotated = PathBuf::from(format!("{}.{}", self.path.display(), now.strftime("%Y%m%d-%H%M%S.%9f")));
        if rotated.exists() || fs::rename(&self.path, &rotated).is_err() {
            return;
        }
        match append_to(&self.path) {
            Ok(file) => {
                self.file = file;
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
