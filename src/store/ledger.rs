//! What was made for a pod, written down before it is made, so that whoever comes after a kill -9 finds all of it.
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, atomic};

const FILE: &str = "ledger.json";

/// The format this barepod writes.
pub const VERSION: u32 = 1;

/// `ledger.json`. Unknown keys are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// [`VERSION`].
    pub version: u32,
    /// Whether what it names may still exist.
    pub stage: Stage,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// The supervisor's pid.
    pub supervisor_pid: u32,
    /// Field 22 of its /proc/PID/stat, in clock ticks since boot: tells it from a later process with its pid.
    pub supervisor_start: u64,
    /// The host's id of its user namespace's 0; none in ledgers of pods with the host's users. Nobody else has it or the
    /// [`LENGTH`](super::ids::LENGTH) from it on as long as this ledger is alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_id: Option<u32>,
    /// The pod's cgroup, relative to the hierarchies' roots.
    pub cgroup: PathBuf,
    /// Upper layers and emptyDirs.
    pub data_dir: PathBuf,
    /// Logs.
    pub log_dir: PathBuf,
    /// The manifest; `None`: it came from stdin.
    pub manifest: Option<PathBuf>,
    /// What its supervisor was asked to do about memory, for people; none in ledgers of pods of which nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_qos: Option<String>,
}

/// How far a pod's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// What the ledger names may exist.
    Live,
    /// Everything but state and logs has been removed.
    Ended,
}

/// When a process started, in clock ticks since boot (proc(5), stat field 22): with the pid it names one process. `None`
/// where it has ended, reaped or not.
pub fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

impl Ledger {
    /// Whether the supervisor has ended; not where that can't be told, because its pid is one of another pid namespace.
    pub fn supervisor_has_ended(&self) -> bool {
        self.supervisor_pid > 1 && process_start(self.supervisor_pid) != Some(self.supervisor_start)
    }

    /// `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`], or [`Error::Version`] for a format newer than [`VERSION`].
    pub fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let ledger: Option<Self> = atomic::load(dir, FILE)?;
        match ledger {
            Some(Self { version, .. }) if version > VERSION => Err(Error::Version { path: dir.join(FILE), version }),
            ledger => Ok(ledger),
        }
    }

    pub(super) fn save(&self, dir: &Path) -> Result<(), Error> {
        atomic::replace(dir, FILE, self)
    }
}
