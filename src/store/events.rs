//! `events.jsonl`: what happened to a pod, one JSON object a line; how often and since when is the sum of its lines.
//!
//! Each event is appended by one write, so that only the last line can ever be torn. As it becomes long the file is
//! replaced whole, by a rename, with one line for each of the events that [`history`] keeps: readers see the one or
//! the other, and a writer that is killed in between leaves the longer one.
mod history;
mod line;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::atomic;
use super::error::{Error, io_error};
use history::History;
pub use line::EventLine;

const FILE: &str = "events.jsonl";

/// Beyond this many bytes the file is written anew.
const COMPACT_ABOVE: u64 = 256 << 10;

#[derive(Debug)]
pub(super) struct EventLog {
    dir: PathBuf,
    file: File,
    bytes: u64,
    compact_at: u64,
    history: History,
}

impl EventLog {
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let mut file = open(&path)?;
        let text = atomic::read(&path).map_err(io_error(&path, "read"))?;
        let mut bytes = text.len() as u64;
        // A line torn by a crash must not swallow the next one.
        if text.last().is_some_and(|&last| last != b'\n') {
            file.write_all(b"\n").map_err(io_error(&path, "write"))?;
            bytes += 1;
        }
        Ok(Self { dir: dir.into(), file, bytes, compact_at: COMPACT_ABOVE, history: History::restore(lines(&text)) })
    }

    pub fn append(&mut self, event: EventLine) -> Result<(), Error> {
        let path = self.dir.join(FILE);
        let line = encode(&path, &self.history.observe(event))?;
        if self.bytes > self.compact_at {
            return self.compact(&path);
        }
        if let Err(source) = self.file.write_all(&line) {
            // Half a line may be there: the next one comes with everything, in a new file.
            self.bytes = u64::MAX;
            return Err(io_error(&path, "write")(source));
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Begins anew with nothing.
    pub fn forget(&mut self) -> Result<(), Error> {
        let path = self.dir.join(FILE);
        std::fs::remove_file(&path).map_err(io_error(&path, "remove"))?;
        *self = Self::open(&self.dir)?;
        Ok(())
    }

    fn compact(&mut self, path: &Path) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for event in self.history.events() {
            bytes.extend(encode(path, event)?);
        }
        atomic::replace_bytes(&self.dir, FILE, &bytes)?;
        self.file = open(path)?;
        self.bytes = bytes.len() as u64;
        // Where little could be merged, the next time waits for as much again: never a rewrite per event.
        self.compact_at = COMPACT_ABOVE.max(self.bytes * 2);
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(io_error(path, "open"))
}

fn encode(path: &Path, event: &EventLine) -> Result<Vec<u8>, Error> {
    let mut line = serde_json::to_vec(event).map_err(|source| Error::Corrupt { path: path.into(), source })?;
    line.push(b'\n');
    Ok(line)
}

/// Torn or foreign lines are skipped.
fn lines(text: &[u8]) -> impl Iterator<Item = EventLine> {
    text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// All events with their counts, standing where they last happened.
pub fn read(dir: &Path) -> Result<Vec<EventLine>, Error> {
    let path = dir.join(FILE);
    match atomic::read(&path) {
        Ok(text) => Ok(History::restore(lines(&text)).into_events()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io_error(&path, "read")(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// As on a full disk: half a line gets there. The next event brings everything, in a new file.
    #[test]
    fn an_event_that_could_not_be_written_comes_with_the_next() {
        let event = |message: &str| EventLine {
            time: jiff::Timestamp::UNIX_EPOCH,
            first: None,
            kind: "Normal".into(),
            reason: "Started".into(),
            container: None,
            message: message.into(),
            count: 1,
        };
        let tmp = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(tmp.path()).unwrap();
        log.append(event("one")).unwrap();
        log.file.write_all(b"{\"time\":").unwrap();
        let path = tmp.path().join(FILE);
        log.file = File::open(&path).unwrap();
        assert!(matches!(log.append(event("two")), Err(Error::Io { call: "write", .. })));
        log.append(event("three")).unwrap();
        assert_eq!(read(tmp.path()).unwrap(), ["one", "two", "three"].map(event));
    }
}
