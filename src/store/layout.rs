//! Where things are on disk ("Where files live" in ARCHITECTURE.md).
use std::path::{Path, PathBuf};

/// Files of a pod's state folder: its v1 Pod, and what engine and supervisor saved.
pub(super) const POD: &str = "pod.json";
pub(super) const STATE: &str = "state.json";

/// The default `--root`.
pub const DEFAULT_ROOT: &str = "/run/barepod";

/// Where the kubelet has logs, and the default root's pods.
pub const SYSTEM_LOGS: &str = "/var/log/pods";

/// An absolute path without symbolic links, as far as it exists.
pub fn without_links(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => without_links(parent).join(name),
        (Err(_), _, _) => path.to_owned(),
    }
}

/// The three trees barepod writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// State: small, gone after a reboot by default.
    pub root: PathBuf,
    /// Upper layers and emptyDirs: on a disk.
    pub data: PathBuf,
    /// Logs.
    pub logs: PathBuf,
}

impl Layout {
    /// The layout of `--root`; only the default root spreads over the system's folders.
    pub fn at(root: &Path) -> Self {
        if root == Path::new(DEFAULT_ROOT) {
            return Self { root: root.into(), data: "/var/lib/barepod".into(), logs: SYSTEM_LOGS.into() };
        }
        Self { root: root.into(), data: root.join("data"), logs: root.join("logs") }
    }

    /// An ordinary user's: state below `runtime` (XDG_RUNTIME_DIR), the rest below `data` (XDG_DATA_HOME).
    pub fn of_user(uid: u32, runtime: Option<PathBuf>, data: Option<PathBuf>) -> Self {
        // Where nobody has made the user a folder: as podman has it.
        let root =
            runtime.map_or_else(|| PathBuf::from(format!("/tmp/barepod-run-{uid}")), |path| path.join("barepod"));
        let data = data.map_or_else(|| root.clone(), |path| path.join("barepod"));
        Self { root, logs: data.join("logs"), data: data.join("data") }
    }

    /// What a seccomp `localhostProfile` is relative to: files of the box's owner, which outlive a reboot by default.
    pub fn seccomp_profiles(&self) -> PathBuf {
        // By `--root` all is in one place; by default data are in one that outlives a reboot.
        if self.data == self.root.join("data") { self.root.join("seccomp") } else { self.data.join("seccomp") }
    }

    /// The images of all pods.
    pub fn images(&self) -> PathBuf {
        self.data.join("images")
    }

    /// Holds one folder per pod.
    pub fn pods_dir(&self) -> PathBuf {
        self.root.join("pods")
    }

    /// Holds one folder per Job.
    pub fn jobs_dir(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// Whether no other root has its data in the same folder. An ordinary user's are in one wherever the state is, which
    /// changes with the session's folder.
    pub(super) fn has_data_alone(&self) -> bool {
        Self::at(&self.root).data == self.data
    }
}
