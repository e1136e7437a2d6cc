//! `events.jsonl`: one JSON object a line, appended by one write, so that only the last line can ever be torn.
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, atomic, io_error};

const FILE: &str = "events.jsonl";

/// Beyond this many bytes equal events are merged in the file too.
const COMPACT_ABOVE: u64 = 1 << 20;

/// One event as users see it (R8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// When it last happened.
    pub time: jiff::Timestamp,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One word.
    pub reason: String,
    /// The container's name; `None`: the pod.
    pub container: Option<String>,
    /// For people.
    pub message: String,
    /// How often it happened.
    pub count: u32,
}

#[derive(Debug)]
pub(super) struct EventLog {
    dir: PathBuf,
    file: File,
    bytes: u64,
    compact_at: u64,
}

impl EventLog {
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(io_error(&path, "open"))?;
        let text = fs::read(&path).map_err(io_error(&path, "read"))?;
        let mut bytes = text.len() as u64;
        // A line torn by a crash must not swallow the next one.
        if text.last().is_some_and(|&last| last != b'\n') {
            file.write_all(b"\n").map_err(io_error(&path, "write"))?;
            bytes += 1;
        }
        Ok(Self { dir: dir.into(), file, bytes, compact_at: COMPACT_ABOVE })
    }

    pub fn append(&mut self, event: &EventLine) -> Result<(), Error> {
        let path = self.dir.join(FILE);
        let line = encode(&path, event)?;
        self.file.write_all(&line).map_err(io_error(&path, "write"))?;
        self.bytes += line.len() as u64;
        if self.bytes > self.compact_at {
            self.compact(&path)?;
        }
        Ok(())
    }

    fn compact(&mut self, path: &Path) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for event in read(&self.dir)? {
            bytes.extend(encode(path, &event)?);
        }
        atomic::replace_bytes(&self.dir, FILE, &bytes)?;
        let reopened = Self::open(&self.dir)?;
        // Where little could be merged, the next try waits for as much again: never a rewrite per event.
        *self = Self { compact_at: COMPACT_ABOVE.max(reopened.bytes * 2), ..reopened };
        Ok(())
    }
}

fn encode(path: &Path, event: &EventLine) -> Result<Vec<u8>, Error> {
    let mut line = serde_json::to_vec(event).map_err(|source| Error::Corrupt { path: path.into(), source })?;
    line.push(b'\n');
    Ok(line)
}

/// All events, equal ones merged (R8.8) and standing where they last happened. Torn or foreign lines are skipped.
pub fn read(dir: &Path) -> Result<Vec<EventLine>, Error> {
    let path = dir.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(&path, "read")(error)),
    };
    let lines = text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    Ok(aggregate(lines))
}

fn aggregate(lines: impl Iterator<Item = EventLine>) -> Vec<EventLine> {
    let mut seen = std::collections::HashMap::new();
    let mut merged: Vec<Option<EventLine>> = Vec::new();
    for mut line in lines {
        let key = (line.kind.clone(), line.reason.clone(), line.container.clone(), line.message.clone());
        if let Some(earlier) = seen.insert(key, merged.len()).and_then(|at: usize| merged[at].take()) {
            line.count = line.count.saturating_add(earlier.count);
        }
        merged.push(Some(line));
    }
    merged.into_iter().flatten().collect()
}
