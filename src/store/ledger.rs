//! What was made for a pod, written down before it is made, so that whoever comes after a kill -9 finds all of it.
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{Error, io_error};
use super::identity::{self, Identity};
use super::layout::{Layout, POD, STATE};
use super::process::{ask_for_identity, ask_for_start, process_start};
use super::{atomic, boot};

/// Its name in the pod's folder.
pub(super) const FILE: &str = "ledger.json";

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
    /// Below which root the pod is kept.
    #[serde(default)]
    pub root: PathBuf,
    /// In which boot of the box the supervisor began ([`boot::current`]): only in that do its pid and its start say
    /// anything. Empty: unknown.
    #[serde(default)]
    pub boot: String,
    /// In which pid namespace the supervisor's pid is its own ([`boot::pid_namespace`]). Empty: unknown.
    #[serde(default)]
    pub pid_namespace: String,
    /// The supervisor's pid; 0: none that could live.
    pub supervisor_pid: u32,
    /// Field 22 of its /proc/PID/stat, in clock ticks since boot: tells it from a later process with its pid. 0: that
    /// couldn't be read.
    pub supervisor_start: u64,
    /// The host's id of its user namespace's 0; none in ledgers of pods with the host's users. Nobody else has it or the
    /// [`LENGTH`](super::ids::LENGTH) from it on until all that the ledger names is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_id: Option<u32>,
    /// The pod's cgroup, relative to the hierarchies' roots.
    pub cgroup: PathBuf,
    /// Upper layers and emptyDirs.
    pub data_dir: PathBuf,
    /// Logs.
    pub log_dir: PathBuf,
    /// What connects the pod's network namespace with others; none where nothing does. Written before that begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The manifest; `None`: it came from stdin.
    pub manifest: Option<PathBuf>,
    /// The folder in which `apply` has found the manifest; none in ledgers of pods that were begun otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_from: Option<PathBuf>,
    /// What its supervisor was asked to do about memory, for people; none in ledgers of pods of which nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_qos: Option<String>,
    /// What could not be removed when the pod had ended, in words, and why ([`Stage::Left`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

/// What was made for a pod's network and doesn't go with its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Network {
    /// pasta(1).
    Pasta {
        /// In the supervisor's pid namespace.
        pid: u32,
        /// As [`Ledger::supervisor_start`].
        start: u64,
        /// Tells it from one that began in the same tick, with the same pid in another namespace
        /// ([`ask_for_identity`]); none from older kernels and barepods.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<u64>,
    },
}

impl Network {
    /// pasta, or what is about to become it: a child of this process that isn't reaped.
    ///
    /// # Errors
    /// Where it has ended, or /proc can't be read: nobody would know it again.
    pub fn pasta(pid: u32) -> io::Result<Self> {
        let start = ask_for_start(pid)?.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        Ok(Self::Pasta { pid, start, identity: ask_for_identity(pid)? })
    }

    /// Its pid in the supervisor's pid namespace.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Pasta { pid, .. } => *pid,
        }
    }

    /// Whether the process that has this pid here now is it.
    ///
    /// # Errors
    /// Where /proc can't be read, which says nothing of the process.
    pub fn is_process(&self, pid: u32) -> io::Result<bool> {
        match self {
            Self::Pasta { start, .. } if ask_for_start(pid)? != Some(*start) => Ok(false),
            Self::Pasta { identity: None, .. } => Ok(true),
            Self::Pasta { identity, .. } => Ok(ask_for_identity(pid)? == *identity),
        }
    }
}

/// How far a pod's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// What the ledger names may exist.
    Live,
    /// The pod has ended, and something that the ledger names could not be removed.
    Left,
    /// Everything but state and logs has been removed.
    Ended,
}

/// What is known of the process that supervises, or supervised, a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// It lives.
    Alive,
    /// It has ended.
    Ended,
    /// Its pid is one of another pid namespace, or the kernel can't be asked now, or couldn't when it began (no more open
    /// files).
    Unknown,
}

/// What must be decided about at the end of a pod: is anything left of it? Whoever has removed what there was says so, and
/// only [`PodStore::finish`](super::PodStore::finish) takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what is left behind must be known to the ledger"]
pub struct Remains(Vec<String>);

impl Remains {
    /// What is left, in words; none: everything is gone.
    pub fn of(left: impl IntoIterator<Item = impl ToString>) -> Self {
        Self(left.into_iter().map(|one| one.to_string()).collect())
    }

    /// What is left, in words.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl Ledger {
    /// Of a pod that this process is about to run.
    pub fn new(pod: &Identity, cgroup: PathBuf) -> Self {
        Self {
            version: VERSION,
            stage: Stage::Live,
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
            root: pod.root().to_owned(),
            boot: boot::current().to_owned(),
            pid_namespace: boot::pid_namespace().to_owned(),
            supervisor_pid: std::process::id(),
            supervisor_start: process_start(std::process::id()).unwrap_or(0),
            first_id: None,
            cgroup,
            data_dir: pod.data_dir(),
            log_dir: pod.log_dir(),
            network: None,
            manifest: None,
            applied_from: None,
            memory_qos: None,
            left: Vec::new(),
        }
    }

    /// Whether it was written in another boot of the box than this one: no process of the pod can live.
    pub fn is_of_another_boot(&self) -> bool {
        !self.boot.is_empty() && !boot::current().is_empty() && self.boot != boot::current()
    }

    /// A folder may be shared with a container, whose pids are not ours.
    fn is_of_another_pid_namespace(&self) -> bool {
        let ours = boot::pid_namespace();
        !self.pid_namespace.is_empty() && !ours.is_empty() && self.pid_namespace != ours
    }

    /// What is known of the pod's supervisor.
    pub fn supervisor(&self) -> Supervisor {
        if self.supervisor_pid == 0 || self.is_of_another_boot() {
            Supervisor::Ended
        } else if self.supervisor_pid == 1 || self.supervisor_start == 0 || self.is_of_another_pid_namespace() {
            Supervisor::Unknown
        } else {
            match ask_for_start(self.supervisor_pid) {
                Ok(start) if start == Some(self.supervisor_start) => Supervisor::Alive,
                Ok(_) => Supervisor::Ended,
                Err(_) => Supervisor::Unknown,
            }
        }
    }

    /// Puts what could not be removed into the ledger, or that all is gone.
    pub(super) fn settle(&mut self, remains: Remains) {
        self.stage = if remains.0.is_empty() { Stage::Ended } else { Stage::Left };
        if remains.0.is_empty() {
            self.network = None;
        }
        self.left = remains.0;
    }

    /// `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Version`] for a format newer than [`VERSION`], [`Error::NoLedger`] where it alone is
    /// gone, or [`Error::Io`] where that can't be seen.
    pub fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let written = |name| {
            let path = dir.join(name);
            path.try_exists().map_err(io_error(&path, "stat"))
        };
        let ledger = match Self::load_as(dir, FILE)? {
            // It is written before them. One that is being removed, or made anew, is so between two looks.
            None if written(POD)? || written(STATE)? => match Self::load_as(dir, FILE)? {
                None if written(POD)? || written(STATE)? => return Err(Error::NoLedger { path: dir.join(FILE) }),
                ledger => ledger,
            },
            ledger => ledger,
        };
        Ok(ledger.map(|ledger| ledger.of_here(dir)))
    }

    /// A state folder that was copied or moved, from below another root or from another pod's place, has nothing of what was
    /// made for the pod there: its cgroup, its processes and its data are that one's.
    fn of_here(self, dir: &Path) -> Self {
        let Some(root) = dir.parent().and_then(Path::parent) else { return self };
        let folder = dir.file_name().and_then(|folder| folder.to_str()).and_then(identity::of_state_dir);
        let (namespace, name) = folder.unwrap_or((&self.namespace, &self.name));
        let has_root = self.root.as_os_str().is_empty() || self.root == root;
        if has_root && (namespace, name) == (&self.namespace, &self.name) {
            return self;
        }
        let here = Identity::new(&Layout::at(root), namespace, name, &self.uid);
        Self {
            namespace: here.namespace().to_owned(),
            name: here.name().to_owned(),
            root: root.to_owned(),
            supervisor_pid: 0,
            cgroup: PathBuf::new(),
            data_dir: here.data_dir(),
            log_dir: here.log_dir(),
            network: None,
            ..self
        }
    }

    /// The cgroup that is to be swept: empty where there can be none, or where the one that is named is another pod's.
    pub fn cgroup_to_sweep(&self, pod: &Identity) -> &Path {
        let is_ours = self.root.as_os_str().is_empty() || pod.owns_cgroup(&self.cgroup);
        if is_ours && !self.is_of_another_boot() { &self.cgroup } else { Path::new("") }
    }

    /// What of its network is to be swept; none where that can't live any more.
    pub fn network_to_sweep(&self) -> Option<&Network> {
        self.network.as_ref().filter(|_| !self.is_of_another_boot())
    }

    pub(super) fn load_as(dir: &Path, file: &str) -> Result<Option<Self>, Error> {
        let ledger: Option<Self> = atomic::load(dir, file)?;
        match ledger {
            Some(Self { version, .. }) if version > VERSION => Err(Error::Version { path: dir.join(file), version }),
            ledger => Ok(ledger),
        }
    }

    /// On disk once it returns: what it names must be found after a power cut, too.
    pub(super) fn save(&self, dir: &Path) -> Result<(), Error> {
        self.save_as(dir, FILE)
    }

    pub(super) fn save_as(&self, dir: &Path, file: &str) -> Result<(), Error> {
        atomic::replace_synced(dir, file, self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// After a reboot another process may have the pid, and even have started after the same time.
    #[test]
    fn pids_count_in_their_own_boot_only() {
        let pod = Identity::new(&Layout::at(Path::new("/r")), "default", "web", "u");
        let living = Ledger::new(&pod, "/barepod/podu".into());
        let cases = [
            (living.clone(), Supervisor::Alive),
            (Ledger { supervisor_start: living.supervisor_start + 1, ..living.clone() }, Supervisor::Ended),
            (Ledger { boot: "another".into(), ..living.clone() }, Supervisor::Ended),
            (Ledger { boot: "another".into(), supervisor_pid: 1, ..living.clone() }, Supervisor::Ended),
            (Ledger { supervisor_pid: 1, ..living.clone() }, Supervisor::Unknown),
            (Ledger { supervisor_start: 0, ..living.clone() }, Supervisor::Unknown),
            (Ledger { pid_namespace: "pid:[1]".into(), ..living.clone() }, Supervisor::Unknown),
            (Ledger { pid_namespace: "pid:[1]".into(), boot: "another".into(), ..living.clone() }, Supervisor::Ended),
            // Of a barepod that didn't write it down.
            (Ledger { boot: String::new(), ..living.clone() }, Supervisor::Alive),
        ];
        for (ledger, expected) in cases {
            assert_eq!(ledger.supervisor(), expected, "{ledger:?}");
        }
    }

    /// What can't be seen may say that the ledger was removed.
    #[test]
    fn a_folder_that_cant_be_seen_into_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Ledger::load(dir.path()).unwrap(), None);
        std::os::unix::fs::symlink(POD, dir.path().join(POD)).unwrap();
        let refused = Ledger::load(dir.path()).unwrap_err();
        assert!(matches!(refused, Error::Io { .. }), "{refused}");
    }

    /// Of a pasta whose start nobody knows, nobody could say later whether a process is it.
    #[test]
    fn only_a_pasta_that_can_be_known_again_is_written_down() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let network = Network::pasta(child.id()).unwrap();
        assert!(network.is_process(child.id()).unwrap() && !network.is_process(1).unwrap());
        let Network::Pasta { pid, start, identity } = network;
        let in_the_same_tick = Network::Pasta { pid, start, identity: identity.map(|one| one + 1) };
        // Older kernels tell no two of one tick apart.
        assert_eq!(in_the_same_tick.is_process(child.id()).unwrap(), identity.is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Network::pasta(child.id()).is_err());
    }
}
